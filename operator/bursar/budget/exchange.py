"""What a budget in another currency has spent and will spend, from sums in the reporting currency.

Each sum is converted by what the reporting currency was worth when it was spent. Rounded down once,
at the end, so that cutting time anywhere changes nothing. A sum that nobody can convert is left out
with its reason, never taken for zero in silence; what flows on is foreseen at the last known rate.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from bursar.domain.budget import Amounts, Flow, Worth
from bursar.domain.classification import WorkloadClass
from bursar.domain.time import Ms, format_time

ByClass = Mapping[WorkloadClass, Amounts]


def converted(
    spent: Mapping[Worth, ByClass], worths: Sequence[Worth], now: Ms
) -> tuple[dict[WorkloadClass, Amounts], tuple[str, ...]]:
    """Convert what was spent, and say what could not be.

    Args:
        spent: sums in the reporting currency, by the time in which they were spent.
        worths: these times, in order.
        now: milliseconds since the epoch.
    """
    cost: defaultdict[WorkloadClass, Fraction] = defaultdict(Fraction)
    estimated: defaultdict[WorkloadClass, Fraction] = defaultdict(Fraction)
    time: defaultdict[WorkloadClass, Amounts] = defaultdict(Amounts)
    reasons: list[str] = []
    for worth in worths:
        sums = spent.get(worth, {})
        current = worth.since <= now and (worth.until is None or now < worth.until)
        if worth.rate is None and (current or any(each.cost for each in sums.values())):
            reasons.append(f"no PriceBook says what {worth.currency} is worth{_when(worth)}")
        for name, each in sums.items():
            time[name] += replace(each, cost=0, estimated=0)
            cost[name] += each.cost * (worth.rate or 0)
            estimated[name] += each.estimated * (worth.rate or 0)
    whole = {
        name: replace(each, cost=cost[name].__floor__(), estimated=estimated[name].__floor__())
        for name, each in time.items()
    }
    return whole, tuple(reasons)


def foreseen(flows: Sequence[Flow], worths: Sequence[Worth]) -> tuple[Flow, ...]:
    """Convert what flows on, cut where the rate changes."""
    return tuple(piece for flow in flows for piece in _pieces(flow, worths))


def _pieces(flow: Flow, worths: Sequence[Worth]) -> Iterator[Flow]:
    rate = Fraction(0)
    for worth in worths:
        rate = rate if worth.rate is None else worth.rate
        since = max(flow.since, worth.since)
        until = min((end for end in (flow.until, worth.until) if end is not None), default=None)
        if until is None or since < until:
            yield replace(flow, since=since, until=until, cost=flow.cost * rate)


def _when(worth: Worth) -> str:
    until = "" if worth.until is None else f" until {format_time(worth.until)}"
    return f" from {format_time(worth.since)}{until}"
