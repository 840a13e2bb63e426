"""What each source says that a node costs, in the order in which they are asked.

A commitment that the node holds, a price book's rates, owned hardware, the node's own annotation,
OpenCost, the catalog's list price, a default for the accelerator, the operator's default rate. A
source states a cost, states one that cannot be told (`Unpriced`, which ends the search), or says
nothing and why. Nothing is converted or discounted here, and nothing is ever silently free.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from bursar.api.meta import ANNOTATION_HOURLY_PRICE
from bursar.domain.money import parse_decimal
from bursar.domain.rate import Unpriced
from bursar.domain.time import Ms
from bursar.domain.unknown import Unknown
from bursar.domain.workload import NodeFacts
from bursar.price.books import Books, Change, Committed, Price, Rule, select
from bursar.price.catalog import Catalog, Quote, device_default, lookup
from bursar.price.owned import Owned

OPENCOST_SERIES = "node_total_hourly_cost"
"""OpenCost's metric of what a node costs an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What an installation sets.

    Attributes:
        currency: the reporting currency; all rates come out in it.
        per_device_hour: last resort, in units of it for each device; None: there is none.
        opencost_currency: what OpenCost's prices are in.
    """

    currency: str = "USD"
    per_device_hour: Fraction | None = None
    opencost_currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Units of a currency an hour, before conversion.

    Attributes:
        currency: None stands for the reporting currency.
        utilization: share of the time in which its devices are expected to be held.
        commitment: `BOOK/NAME` of the commitment that pays, else empty.
    """

    capex: Fraction = Fraction(0)
    opex: Fraction
    currency: str | None
    origin: str
    assumed: bool = False
    utilization: Fraction = Fraction(1)
    commitment: str = ""


@dataclass(frozen=True, slots=True)
class Silent:
    """A source says nothing, and why."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one source says.

    Attributes:
        source: in words.
        said: a cost, why none can be told though the source is the one to tell it, or silence.
    """

    source: str
    said: Cost | Unpriced | Silent


def answers(
    facts: NodeFacts, books: Books, catalog: Catalog, defaults: Defaults, at: Ms
) -> Iterator[Answer]:
    """All sources in order, each asked only when it is its turn."""
    yield Answer(source="commitment", said=_committed(facts, books, at))
    yield Answer(source="price book", said=_booked(facts, books, at))
    yield Answer(source="owned hardware", said=_owned(facts, books, at))
    annotated = _annotated(facts)
    yield Answer(source="annotation", said=annotated)
    yield Answer(source="OpenCost", said=_measured(facts, defaults))
    note = ""
    if facts.hourly_price is not None and isinstance(annotated, Silent):
        note = f" (the {annotated.why})"
    yield Answer(source="catalog", said=_noted(_quoted(lookup(catalog, facts)), note))
    default = _quoted(device_default(catalog, facts))
    yield Answer(source="default for the accelerator", said=_noted(default, note))
    last = _last_resort(facts, defaults)
    yield Answer(source="operator's default rate", said=_noted(last, note))


def change(facts: NodeFacts, books: Books, at: Ms) -> Rule | None:
    """The book's rule that changes what the next source states; None where the winner states."""
    winner = next(select(books.rates, facts, at), None)
    return winner if winner is not None and isinstance(winner.what, Change) else None


def _committed(facts: NodeFacts, books: Books, at: Ms) -> Cost | Unpriced | Silent:
    for tenure in books.tenures.get(facts.uid, ()):
        if tenure.since <= at < tenure.until:
            return stated(tenure.rule, facts, at)
    if any(rule.matches(facts) and rule.holds(at) for rule in books.commitments):
        return Silent("older nodes hold all that is committed to")
    return Silent("none is for this node now")


def _booked(facts: NodeFacts, books: Books, at: Ms) -> Cost | Unpriced | Silent:
    # A discount is no price: what it changes is the next rule, or source, that states one.
    rules = (r for r in select(books.rates, facts, at) if not isinstance(r.what, Change))
    rule = next(rules, None)
    return Silent("no rule is for this node now") if rule is None else stated(rule, facts, at)


def _owned(facts: NodeFacts, books: Books, at: Ms) -> Cost | Unpriced | Silent:
    rule = next(select(books.owned, facts, at), None)
    return Silent("no entry is for this node now") if rule is None else stated(rule, facts, at)


def stated(rule: Rule, facts: NodeFacts | None, at: Ms) -> Cost | Unpriced:
    """What a price, a commitment or owned hardware comes to.

    Args:
        rule: the book's entry.
        facts: the node; None: none in particular, as for a commitment that nobody holds.
        at: the moment (ms).
    """
    match rule.what:
        case Owned() as owned:
            return Cost(
                capex=owned.capex(at),
                opex=owned.opex(at),
                currency=owned.currency,
                origin=f"{rule.origin} (owned)",
                utilization=owned.utilization,
            )
        case Committed(name=name, price=price):
            return Cost(
                opex=price.amount,
                currency=price.currency,
                origin=f"{rule.origin} (commitment)",
                commitment=name,
            )
        case Price() as price:
            devices = facts.devices if facts and price.by_device else Fraction(1)
            if isinstance(devices, Unknown):
                return Unpriced(f"{rule.origin} is a price for each device: {devices.reason}")
            amount = price.amount * devices
            return Cost(opex=amount, currency=price.currency, origin=rule.origin)
        case Change():
            return Unpriced(f"{rule.origin} states no price")


def _annotated(facts: NodeFacts) -> Cost | Silent:
    if facts.hourly_price is None:
        return Silent(f"the node has no {ANNOTATION_HOURLY_PRICE}")
    amount = parse_decimal(facts.hourly_price)
    if amount is None or amount < 0:
        return Silent(f"node's {ANNOTATION_HOURLY_PRICE} is no price")
    origin = f"node annotation {ANNOTATION_HOURLY_PRICE}"
    return Cost(opex=amount, currency=None, origin=origin)


def _measured(facts: NodeFacts, defaults: Defaults) -> Cost | Silent:
    if facts.opencost_price is None:
        return Silent(f"no {OPENCOST_SERIES} of this node is known")
    amount = parse_decimal(facts.opencost_price)
    if amount is None or amount <= 0:  # OpenCost says 0 where it has no price
        return Silent(f"its {OPENCOST_SERIES} is no price")
    return Cost(
        opex=amount, currency=defaults.opencost_currency, origin=f"OpenCost {OPENCOST_SERIES}"
    )


def _quoted(quote: Quote | Unpriced) -> Cost | Silent:
    if isinstance(quote, Unpriced):
        return Silent(quote.reason)
    return Cost(
        opex=quote.per_hour,
        currency=quote.currency,
        origin=quote.origin,
        assumed=quote.assumed,
    )


def _noted(said: Cost | Silent, note: str) -> Cost | Silent:
    return said if isinstance(said, Silent) else replace(said, origin=f"{said.origin}{note}")


def _last_resort(facts: NodeFacts, defaults: Defaults) -> Cost | Silent:
    if defaults.per_device_hour is None:
        return Silent("none is set")
    if isinstance(facts.devices, Unknown):
        return Silent(facts.devices.reason)
    return Cost(
        opex=defaults.per_device_hour * facts.devices * facts.device_fraction,
        currency=None,
        origin="the operator's default rate",
        assumed=True,
    )
