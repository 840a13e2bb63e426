"""What a node costs an hour, from when to when, and who says so.

The first source that states a price wins (`sources` has their order); a discount or multiplier of
a book applies to what the next source states, and what comes out is in the reporting currency.
Pure: books, catalog and the span of time are arguments, and nothing is ever silently free.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from bursar.domain.money import NANO, format_fraction
from bursar.domain.rate import Rate, RatePeriod, Unpriced
from bursar.domain.time import Ms
from bursar.domain.workload import NodeFacts
from bursar.price.books import Books, Change, Rule
from bursar.price.catalog import Catalog
from bursar.price.owned import Owned, month_starts
from bursar.price.sources import Answer, Cost, Defaults, Silent, answers, change, stated

__all__ = ["Defaults", "Tried", "committed", "rate_at", "rates", "trace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One step of the search for a node's price.

    Attributes:
        source: who was asked: `price book`, `owned hardware`, `catalog`.
        outcome: what it said, in one line: a price with its origin, or why it says nothing.
        found: whether the search ended here.
    """

    source: str
    outcome: str
    found: bool


def rates(
    facts: NodeFacts, books: Books, catalog: Catalog, defaults: Defaults, since: Ms, until: Ms
) -> tuple[RatePeriod, ...]:
    """The rates of a node over [`since`, `until`), without a gap and constant in each period.

    Args:
        facts: the node.
        books: all price books, merged; with the fleet's tenures, where there are commitments.
        catalog: the bundled list prices.
        defaults: the installation's currency and last resort.
        since: first moment (ms).
        until: end (ms); not after `since` gives no period.
    """
    edges = sorted({since, *_within(_changes(facts, books, since, until), since, until)})
    return _periods(
        ((start, rate_at(facts, books, catalog, defaults, start)) for start in edges), until
    )


def rate_at(
    facts: NodeFacts, books: Books, catalog: Catalog, defaults: Defaults, at: Ms
) -> Rate | Unpriced:
    """The rate of a node at a moment (ms)."""
    silent: list[str] = []
    for answer in answers(facts, books, catalog, defaults, at):
        match answer.said:
            case Silent(why=why):
                silent.append(why)
            case said:
                return _priced(said, facts, books, defaults, at)
    return Unpriced("; ".join(silent[-3:-1]))  # of list price and default: they were to know


def trace(
    facts: NodeFacts, books: Books, catalog: Catalog, defaults: Defaults, at: Ms
) -> tuple[Tried, ...]:
    """How the price of a node at a moment (ms) was found: the sources that were asked, in order.

    Returns:
        One entry for each source up to the one that stated a price; where a book changes that, or
        it is in another currency, the last entry has what came of it.
    """
    tried: list[Tried] = []
    for answer in answers(facts, books, catalog, defaults, at):
        found = not isinstance(answer.said, Silent)
        tried.append(Tried(source=answer.source, outcome=_words(answer, defaults), found=found))
        if found:
            break
    rate = rate_at(facts, books, catalog, defaults, at)
    if isinstance(rate, Unpriced):
        return (*tried, Tried(source="outcome", outcome=f"unpriced: {rate.reason}", found=True))
    total = f"{_short(rate.total / NANO)} {rate.currency} an hour"
    return (*tried, Tried(source="outcome", outcome=f"{total}, {rate.origin}", found=True))


def committed(rule: Rule, books: Books, defaults: Defaults) -> tuple[RatePeriod, ...]:
    """What each node of a commitment costs over its term, held or not.

    Returns:
        Periods over the whole term, cut where the currency's worth changes; none where it ends
        before it begins.
    """
    if rule.since is None or rule.until is None:
        return ()
    bounds = (bound for each in books.exchanges for bound in (each.since, each.until))
    edges = sorted({rule.since, *_within(bounds, rule.since, rule.until)})
    return _periods(((at, _committed_at(rule, books, defaults, at)) for at in edges), rule.until)


def _committed_at(rule: Rule, books: Books, defaults: Defaults, at: Ms) -> Rate | Unpriced:
    said = stated(rule, None, at)
    return said if isinstance(said, Unpriced) else _reported(said, books, defaults, at)


def _periods(rates: Iterable[tuple[Ms, Rate | Unpriced]], until: Ms) -> tuple[RatePeriod, ...]:
    """Periods of rates that begin at these moments, equal neighbors merged."""
    periods: list[RatePeriod] = []
    for start, rate in rates:
        if start >= until:
            break
        if periods and periods[-1].rate == rate:
            continue
        if periods:
            periods[-1] = replace(periods[-1], until=start)
        periods.append(RatePeriod(since=start, until=until, rate=rate))
    return tuple(periods)


def _priced(
    said: Cost | Unpriced, facts: NodeFacts, books: Books, defaults: Defaults, at: Ms
) -> Rate | Unpriced:
    """Change and convert what a source states; what a commitment costs is what was agreed."""
    if isinstance(said, Unpriced):
        return said
    rule = None if said.commitment else change(facts, books, at)
    if rule is not None and isinstance(rule.what, Change):
        said = _changed(said, rule.what, rule.origin)
    return _reported(said, books, defaults, at)


def _changed(cost: Cost, what: Change, origin: str) -> Cost:
    factor = format_fraction(what.factor, 8).rstrip("0").rstrip(".")
    return replace(
        cost,
        capex=cost.capex * what.factor,
        opex=cost.opex * what.factor,
        origin=f"{origin} × {factor} on {cost.origin}",
    )


def _reported(cost: Cost, books: Books, defaults: Defaults, at: Ms) -> Rate | Unpriced:
    """Convert into nano-units of the reporting currency."""
    currency = cost.currency or defaults.currency
    known = books.worth(currency, at) if currency != defaults.currency else Fraction(1)
    if known is None:
        return Unpriced(
            f"{cost.origin} is in {currency}, and no exchange rate to {defaults.currency} holds"
        )
    return Rate(
        capex=cost.capex * known * NANO,
        opex=cost.opex * known * NANO,
        currency=defaults.currency,
        origin=cost.origin,
        assumed=cost.assumed,
        devices_part=books.devices_part,
        utilization=cost.utilization,
        commitment=cost.commitment,
    )


def _words(answer: Answer, defaults: Defaults) -> str:
    match answer.said:
        case Silent(why=why):
            return why
        case Unpriced(reason=reason):
            return reason
        case Cost() as cost:
            amount = f"{_short(cost.capex + cost.opex)} {cost.currency or defaults.currency}"
            return f"{amount} an hour, {cost.origin}{', assumed' if cost.assumed else ''}"


def _short(amount: Fraction) -> str:
    return format_fraction(amount, 6)


def _within(moments: Iterable[Ms | None], since: Ms, until: Ms) -> Iterator[Ms]:
    return (moment for moment in moments if moment is not None and since < moment < until)


def _changes(facts: NodeFacts, books: Books, since: Ms, until: Ms) -> Iterator[Ms | None]:
    """Moments at which the rate of the node may change."""
    matching = [rule for rule in (*books.rates, *books.owned) if rule.matches(facts)]
    for rule in matching:
        yield from (rule.since, rule.until)
    for each in books.exchanges:
        yield from (each.since, each.until)
    for tenure in books.tenures.get(facts.uid, ()):
        yield from (tenure.since, tenure.until)
    owned = [rule.what.depreciated for rule in matching if isinstance(rule.what, Owned)]
    if owned:
        yield from owned
        yield from month_starts(since, until)
