"""Price books as rules, and which of them speaks for a node at a moment.

Several books are merged. The rule with the most conditions (labels, accelerator, capacity type)
wins, then the one in force since later, then the name. Decided from the specs and the node's
facts alone; it must never let the order in which books are listed change a price.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from bursar.api.pricebook import Commitment, ExchangeRate, OwnedHardware, PriceBook, RateRule
from bursar.domain.money import parse_decimal
from bursar.domain.time import Ms, parse_time
from bursar.domain.workload import NodeFacts
from bursar.price.owned import Owned, add_months

__all__ = [
    "Books",
    "Change",
    "Committed",
    "Exchange",
    "Price",
    "Rule",
    "Tenure",
    "capacity_type",
    "merge",
    "select",
    "ties",
]

OWNED, UNTOLD = "owned", "unknown"
"""Capacity types: of a node that a book says was bought, and of one whose labels say nothing."""


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
class Committed:
    """What each of so many nodes costs that somebody has committed to.

    Attributes:
        name: `BOOK/NAME`, as rates and the ledger name the commitment.
        count: nodes that it covers.
    """

    name: str
    price: Price
    count: int


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
    what: Price | Change | Owned | Committed

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
class Tenure:
    """A node holds a commitment, from when to when (ms)."""

    since: Ms
    until: Ms
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All books as one.

    Attributes:
        rates: in the order in which they are tried.
        owned: owned hardware, likewise.
        commitments: likewise; which nodes hold them is a matter of the whole fleet.
        tenures: by uid, which commitments a node holds when (see `commitments.assign`).
        weights: of accelerators, for normalized GPU-hours; the first book by name wins.
        devices_part: what of a node's price its devices carry; by the first book by name that
            gives CPU and memory a share.
        conflicts: origins of entries that are not of one node, and between which only the name of
            the book decided.
    """

    rates: tuple[Rule, ...] = ()
    owned: tuple[Rule, ...] = ()
    commitments: tuple[Rule, ...] = ()
    tenures: Mapping[str, tuple[Tenure, ...]] = field(default_factory=dict)
    exchanges: tuple[Exchange, ...] = ()
    weights: tuple[tuple[str, Fraction], ...] = ()
    devices_part: Fraction = Fraction(1)
    conflicts: tuple[str, ...] = ()

    def worth(self, currency: str, at: Ms) -> Fraction | None:
        """Units of the reporting currency for one unit of another at a moment, None: not told."""
        return next(
            (
                each.rate
                for each in self.exchanges
                if each.currency == currency
                and (each.since is None or each.since <= at)
                and (each.until is None or at < each.until)
            ),
            None,
        )


def merge(books: Iterable[PriceBook]) -> Books:
    """Make one of several books, whatever the order in which they come."""
    ordered = sorted(books, key=lambda book: book.metadata.name)
    weights: dict[str, Fraction] = {}
    for book in ordered:
        for weight in book.spec.accelerator_weights:
            weights.setdefault(weight.accelerator, _decimal(weight.weight))
    exchanges = tuple(
        sorted(
            (_exchange(book, entry) for book in ordered for entry in book.spec.exchange_rates),
            key=lambda e: (-_start(e.since), e.origin),
        )
    )
    shares = [(book.metadata.name, _decimal(book.spec.cpu_memory_share)) for book in ordered]
    shares = [(name, share) for name, share in shares if share]
    return Books(
        rates=_in_order(_rate(book, rule) for book in ordered for rule in book.spec.rates),
        owned=_in_order(_owned(book, own) for book in ordered for own in book.spec.owned_hardware),
        commitments=_in_order(
            _commitment(book, each) for book in ordered for each in book.spec.commitments
        ),
        exchanges=exchanges,
        weights=tuple(sorted(weights.items())),
        devices_part=1 - (shares[0][1] if shares else Fraction(0)),
        conflicts=tuple(_conflicts(exchanges, shares)),
    )


def _conflicts(
    exchanges: Iterable[Exchange], shares: Sequence[tuple[str, Fraction]]
) -> Iterator[str]:
    """Entries of which another that says something else was taken by its book's name."""
    if len({share for _, share in shares}) > 1:
        yield from (f"PriceBook {name}/cpuMemoryShare" for name, _ in shares)
    alike: defaultdict[Hashable, list[Exchange]] = defaultdict(list)
    for each in exchanges:
        alike[each.currency, each.since].append(each)
    for group in alike.values():
        if len({each.rate for each in group}) > 1:
            yield from (f"{each.origin}/exchangeRates {each.currency}" for each in group)


def capacity_type(facts: NodeFacts, books: Books, at: Ms) -> str:
    """How a node is bought, as its labels say, else as a book does that calls it owned."""
    if facts.capacity_type not in (OWNED, UNTOLD):
        return facts.capacity_type
    return OWNED if next(select(books.owned, facts, at), None) is not None else UNTOLD


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
            pue=_decimal(own.pue) if own.watts else None,
            currency=own.currency,
            utilization=_decimal(own.expected_utilization or "1"),
        ),
    )


def _commitment(book: PriceBook, each: Commitment) -> Rule:
    name = f"{book.metadata.name}/{each.name}"
    return Rule(
        origin=f"PriceBook {name}",
        node_selector=tuple(sorted(each.node_selector.items())),
        accelerator=each.accelerator,
        capacity_types=(),
        since=_moment(each.term.start),
        until=_moment(each.term.end),
        what=Committed(
            name=name,
            price=Price(amount=_decimal(each.per_hour), by_device=False, currency=each.currency),
            count=each.count,
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
