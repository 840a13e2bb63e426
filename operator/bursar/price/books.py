"""Price books as rules, and which of them speaks for a node at a moment.

Several books are merged. The rule with the most conditions (labels, accelerator, capacity type)
wins, then the one in force since later, then the name. Decided from the specs and the node's
facts alone; it must never let the order in which books are listed change a price.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from bursar.api.pricebook import ExchangeRate, OwnedHardware, PriceBook, RateRule
from bursar.domain.money import parse_decimal
from bursar.domain.time import Ms, parse_time
from bursar.domain.workload import NodeFacts
from bursar.price.owned import Owned, add_months

__all__ = ["Books", "Change", "Exchange", "Price", "Rule", "merge", "select", "ties"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A rule that states a price.

    Attributes:
        amount: units of `currency` an hour.
        by_device: whether that is for each device, else for the whole node.
        currency: None stands for the reporting currency.
    """

    amount: Fraction
    by_device: bool
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A rule that changes the price of the next source down: a discount or a multiplier."""

    factor: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One entry of a book.

    Attributes:
        origin: `PriceBook BOOK/RULE`, unique, and the last word among equals.
        since: first moment in force (ms), None: always was.
        until: first moment no longer in force (ms), None: none.
    """

    origin: str
    node_selector: tuple[tuple[str, str], ...]
    accelerator: str | None
    capacity_types: tuple[str, ...]
    since: Ms | None
    until: Ms | None
    what: Price | Change | Owned

    @property
    def conditions(self) -> int:
        """How specific it is."""
        return len(self.node_selector) + bool(self.accelerator) + bool(self.capacity_types)

    def matches(self, facts: NodeFacts) -> bool:
        """Whether it is for that node at any time."""
        return (
            all(facts.labels.get(key) == value for key, value in self.node_selector)
            and self.accelerator in (None, facts.accelerator)
            and (not self.capacity_types or facts.capacity_type in self.capacity_types)
        )

    def holds(self, at: Ms) -> bool:
        """Whether it is in force at a moment."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a unit of a currency is worth in the reporting currency, from when to when (ms)."""

    origin: str
    currency: str
    rate: Fraction
    since: Ms | None
    until: Ms | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All books as one.

    Attributes:
        rules: rates, then owned hardware, each in the order in which they are tried.
        weights: of accelerators, for normalized GPU-hours; the first book by name wins.
    """

    rates: tuple[Rule, ...] = ()
    owned: tuple[Rule, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    weights: tuple[tuple[str, Fraction], ...] = ()


def merge(books: Iterable[PriceBook]) -> Books:
    """Make one of several books, whatever the order in which they come."""
    ordered = sorted(books, key=lambda book: book.metadata.name)
    weights: dict[str, Fraction] = {}
    for book in ordered:
        for weight in book.spec.accelerator_weights:
            weights.setdefault(weight.accelerator, _decimal(weight.weight))
    return Books(
        rates=_in_order(_rate(book, rule) for book in ordered for rule in book.spec.rates),
        owned=_in_order(_owned(book, own) for book in ordered for own in book.spec.owned_hardware),
        exchanges=tuple(
            sorted(
                (_exchange(book, entry) for book in ordered for entry in book.spec.exchange_rates),
                key=lambda e: (-_start(e.since), e.origin),
            )
        ),
        weights=tuple(sorted(weights.items())),
    )


def select(rules: Iterable[Rule], facts: NodeFacts, at: Ms) -> Iterator[Rule]:
    """The rules that speak for a node at a moment, the winner first."""
    return (rule for rule in rules if rule.matches(facts) and rule.holds(at))


def ties(books: Books, facts: NodeFacts, at: Ms) -> tuple[str, ...]:
    """Origins of the rules between which only the name decided, though they differ in the price.

    Returns:
        The winner and those that it beat by its name; empty where there was no tie.
    """
    return tuple(
        origin
        for rules in (books.rates, books.owned)
        for origin in _tied(list(select(rules, facts, at)))
    )


def _tied(candidates: list[Rule]) -> list[str]:
    equal = [
        rule
        for rule in candidates[1:]
        if _rank(rule)[:2] == _rank(candidates[0])[:2] and rule.what != candidates[0].what
    ]
    return [rule.origin for rule in (candidates[0], *equal)] if equal else []


def _in_order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=_rank))


def _rank(rule: Rule) -> tuple[int, Ms, str]:
    return -rule.conditions, -_start(rule.since), rule.origin


def _start(since: Ms | None) -> Ms:
    return since if since is not None else -(2**62)


def _rate(book: PriceBook, rule: RateRule) -> Rule:
    return Rule(
        origin=f"PriceBook {book.metadata.name}/{rule.name}",
        node_selector=tuple(sorted(rule.node_selector.items())),
        accelerator=rule.accelerator,
        capacity_types=tuple(rule.capacity_types),
        since=_moment(rule.valid_from),
        until=_moment(rule.valid_until),
        what=_what(rule),
    )


def _what(rule: RateRule) -> Price | Change:
    """What the one form does in which the rate is given."""
    if rule.discount_percent is not None:
        return Change(factor=1 - _decimal(rule.discount_percent) / 100)
    if rule.multiplier is not None:
        return Change(factor=_decimal(rule.multiplier))
    if rule.per_device_hour is not None:
        amount, by_device = rule.per_device_hour, True
    else:
        amount, by_device = rule.per_hour or "", False
    return Price(amount=_decimal(amount), by_device=by_device, currency=rule.currency)


def _owned(book: PriceBook, own: OwnedHardware) -> Rule:
    since = _moment(own.in_service_from) or 0
    monthly = own.per_month
    kilowatts = Fraction(own.watts or 0, 1000) * _decimal(own.pue)
    loss = _decimal(own.purchase_price) - _decimal(own.residual_value)
    return Rule(
        origin=f"PriceBook {book.metadata.name}/{own.name}",
        node_selector=tuple(sorted(own.node_selector.items())),
        accelerator=own.accelerator,
        capacity_types=(),
        since=since,
        until=None,
        what=Owned(
            depreciation_per_month=loss / own.depreciation_months,
            depreciated=add_months(since, own.depreciation_months),
            running_per_month=(
                _decimal(monthly.hosting) + _decimal(monthly.staff) if monthly else Fraction(0)
            ),
            power_per_hour=kilowatts * _decimal(own.price_per_kwh or "0"),
            currency=own.currency,
        ),
    )


def _exchange(book: PriceBook, entry: ExchangeRate) -> Exchange:
    return Exchange(
        origin=f"PriceBook {book.metadata.name}",
        currency=entry.currency,
        rate=_decimal(entry.rate),
        since=_moment(entry.valid_from),
        until=_moment(entry.valid_until),
    )


def _decimal(text: str) -> Fraction:
    """A decimal that the model has checked already."""
    number = parse_decimal(text)
    if number is None:
        raise ValueError(f"{text!r} is no decimal")
    return number


def _moment(text: str | None) -> Ms | None:
    return parse_time(text) if text is not None else None
