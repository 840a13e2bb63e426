"""What a node costs an hour, from when to when, and who says so.

Sources in order, the first that states a price wins: a price book's rate, owned hardware, the
node's own annotation, the catalog's list price, a default for the accelerator, the operator's
default rate. A discount or multiplier of a book applies to the next source that states a price.
Pure: books, catalog and the span of time are arguments, and nothing is ever silently free.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from bursar.api.meta import ANNOTATION_HOURLY_PRICE
from bursar.domain.money import NANO, format_fraction, parse_decimal
from bursar.domain.rate import Rate, RatePeriod, Unpriced
from bursar.domain.time import Ms
from bursar.domain.unknown import Unknown
from bursar.domain.workload import NodeFacts
from bursar.price.books import Books, Change, Price, Rule, select
from bursar.price.catalog import Catalog, Quote, device_default, lookup
from bursar.price.owned import Owned, month_starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What an installation sets.

    Attributes:
        currency: the reporting currency; all rates come out in it.
        per_device_hour: last resort, in units of it for each device; None: there is none.
    """

    currency: str = "USD"
    per_device_hour: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """Units of a currency an hour, before conversion."""

    capex: Fraction
    opex: Fraction
    currency: str | None
    origin: str
    assumed: bool = False


def rates(
    facts: NodeFacts, books: Books, catalog: Catalog, defaults: Defaults, since: Ms, until: Ms
) -> tuple[RatePeriod, ...]:
    """The rates of a node over [`since`, `until`), without a gap and constant in each period.

    Args:
        facts: the node.
        books: all price books, merged.
        catalog: the bundled list prices.
        defaults: the installation's currency and last resort.
        since: first moment (ms).
        until: end (ms); not after `since` gives no period.
    """
    edges = sorted({since, *_edges(facts, books, since, until)})
    periods: list[RatePeriod] = []
    for start, end in zip(edges, [*edges[1:], until], strict=True):
        if start >= end:
            continue
        rate = rate_at(facts, books, catalog, defaults, start)
        unchanged = bool(periods) and periods[-1].rate == rate
        begin = periods.pop().since if unchanged else start
        periods.append(RatePeriod(since=begin, until=end, rate=rate))
    return tuple(periods)


def rate_at(
    facts: NodeFacts, books: Books, catalog: Catalog, defaults: Defaults, at: Ms
) -> Rate | Unpriced:
    """The rate of a node at a moment (ms)."""
    candidates = list(select(books.rates, facts, at))
    # The winner may change a price; what it changes is the next rule, or source, that states one.
    change = candidates[0].what if candidates else None
    stated = next((rule for rule in candidates if not isinstance(rule.what, Change)), None)
    owned = next(select(books.owned, facts, at), None)
    if stated is not None:
        cost = _stated(stated, facts, at)
    elif owned is not None:
        cost = _stated(owned, facts, at)
    else:
        cost = _unbooked(facts, catalog, defaults)
    if isinstance(cost, Unpriced):
        return cost
    if isinstance(change, Change):
        cost = _changed(cost, change, candidates[0].origin)
    return _reported(cost, books, defaults, at)


def _stated(rule: Rule, facts: NodeFacts, at: Ms) -> _Cost | Unpriced:
    """What a price or owned hardware comes to."""
    match rule.what:
        case Owned() as owned:
            return _Cost(
                capex=owned.capex(at),
                opex=owned.opex(at),
                currency=owned.currency,
                origin=f"{rule.origin} (owned)",
            )
        case Price() as price:
            devices = facts.devices if price.by_device else Fraction(1)
            if isinstance(devices, Unknown):
                return Unpriced(f"{rule.origin} is a price for each device: {devices.reason}")
            return _Cost(
                capex=Fraction(0),
                opex=price.amount * devices,
                currency=price.currency,
                origin=rule.origin,
            )
        case Change():
            return Unpriced(f"{rule.origin} states no price")


def _unbooked(facts: NodeFacts, catalog: Catalog, defaults: Defaults) -> _Cost | Unpriced:
    """Annotation, catalog and defaults, in this order."""
    annotated = parse_decimal(facts.hourly_price)
    if annotated is not None and annotated >= 0:
        origin = f"node annotation {ANNOTATION_HOURLY_PRICE}"
        return _Cost(capex=Fraction(0), opex=annotated, currency=None, origin=origin)
    listed = lookup(catalog, facts)
    quote = listed if isinstance(listed, Quote) else device_default(catalog, facts)
    cost = _quoted(quote) if isinstance(quote, Quote) else _last_resort(facts, catalog, defaults)
    if facts.hourly_price is None or isinstance(cost, Unpriced):
        return cost
    return _Cost(
        capex=cost.capex,
        opex=cost.opex,
        currency=cost.currency,
        origin=f"{cost.origin} (the node's {ANNOTATION_HOURLY_PRICE} is no price)",
        assumed=cost.assumed,
    )


def _quoted(quote: Quote) -> _Cost:
    return _Cost(
        capex=Fraction(0),
        opex=quote.per_hour,
        currency=quote.currency,
        origin=quote.origin,
        assumed=quote.assumed,
    )


def _last_resort(facts: NodeFacts, catalog: Catalog, defaults: Defaults) -> _Cost | Unpriced:
    if defaults.per_device_hour is not None and isinstance(facts.devices, Fraction):
        return _Cost(
            capex=Fraction(0),
            opex=defaults.per_device_hour * facts.devices * facts.device_fraction,
            currency=None,
            origin="the operator's default rate",
            assumed=True,
        )
    reasons = (
        quote.reason
        for quote in (lookup(catalog, facts), device_default(catalog, facts))
        if isinstance(quote, Unpriced)
    )
    return Unpriced("; ".join(reasons))


def _changed(cost: _Cost, change: Change, origin: str) -> _Cost:
    factor = format_fraction(change.factor, 8).rstrip("0").rstrip(".")
    return _Cost(
        capex=cost.capex * change.factor,
        opex=cost.opex * change.factor,
        currency=cost.currency,
        origin=f"{origin} × {factor} on {cost.origin}",
        assumed=cost.assumed,
    )


def _reported(cost: _Cost, books: Books, defaults: Defaults, at: Ms) -> Rate | Unpriced:
    """Convert into nano-units of the reporting currency."""
    currency = cost.currency or defaults.currency
    worth = Fraction(1)
    if currency != defaults.currency:
        known = next(
            (
                each.rate
                for each in books.exchanges
                if each.currency == currency
                and (each.since is None or each.since <= at)
                and (each.until is None or at < each.until)
            ),
            None,
        )
        if known is None:
            return Unpriced(
                f"{cost.origin} is in {currency}, and no exchange rate to {defaults.currency} holds"
            )
        worth = known
    return Rate(
        capex=cost.capex * worth * NANO,
        opex=cost.opex * worth * NANO,
        currency=defaults.currency,
        origin=cost.origin,
        assumed=cost.assumed,
    )


def _edges(facts: NodeFacts, books: Books, since: Ms, until: Ms) -> Iterable[Ms]:
    """Moments inside the span at which the rate of the node may change."""
    return (moment for moment in _changes(facts, books, since, until) if since < moment < until)


def _changes(facts: NodeFacts, books: Books, since: Ms, until: Ms) -> Iterator[Ms]:
    matching = [rule for rule in (*books.rates, *books.owned) if rule.matches(facts)]
    bounds = [(rule.since, rule.until) for rule in matching]
    bounds += [(each.since, each.until) for each in books.exchanges]
    for pair in bounds:
        yield from (moment for moment in pair if moment is not None)
    owned = [rule.what.depreciated for rule in matching if isinstance(rule.what, Owned)]
    if owned:
        yield from owned
        yield from month_starts(since, until)
