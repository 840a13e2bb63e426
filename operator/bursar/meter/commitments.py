"""What a commitment costs, used or not, and which part of it no node used.

Decides from the periods of its price and the number of nodes that it covers. Like the rates of
nodes, what has been in force stays: an edited commitment applies from the edit on. What it costs
is the closed form of `segments`, so that used and unused parts add up to it, to the nano-unit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from bursar.domain.rate import Rate, RatePeriod
from bursar.domain.time import Ms
from bursar.domain.usage import COMMITMENT, Basis, Cost, End, Segment
from bursar.meter.segments import PRICE_CHANGE, cost_between


def commitment_segments(periods: Sequence[RatePeriod], count: int) -> tuple[Segment, ...]:
    """A commitment over its term, cut where its price changes.

    Args:
        periods: of what each node of it costs, in order and without a gap.
        count: nodes that it covers.
    """
    return tuple(
        Segment(
            resource=COMMITMENT,
            start=period.since,
            end=None if period.until is None else _end(period.until),
            rate=period.rate,
            share=Fraction(count),
            devices=None,
        )
        for period in periods
    )


def revise_commitment(
    known: Sequence[Segment], computed: Sequence[Segment], now: Ms
) -> tuple[Segment, ...]:
    """Keep what a commitment was up to `now`, and take what is computed from then on.

    Args:
        known: in order; empty (or not yet begun): `computed` is taken whole.
        computed: in order; empty where the commitment is gone.
        now: milliseconds since the epoch.
    """
    past = [_until(part, now) for part in known if part.start < now]
    if not past:
        return tuple(computed)
    future = [
        replace(part, start=max(part.start, now))
        for part in computed
        if part.end is None or part.end.at > now
    ]
    seam = past[-1].end
    if future and seam is not None and seam.at == future[0].start and _alike(past[-1], future[0]):
        future[0] = replace(future[0], start=past.pop().start)
    return (*past, *future)


def unused(
    commitments: Mapping[str, Sequence[Segment]], nodes: Iterable[Segment], frm: Ms, to: Ms
) -> dict[str, Cost]:
    """What of each commitment no node used in [frm, to), signed.

    Args:
        commitments: segments by `BOOK/NAME`.
        nodes: segments of all nodes, as `node_segments` gives them.
        frm: included.
        to: excluded; not later than `now` where anything is open.

    Returns:
        What it costs less what the nodes cost that it paid for. In a window it may be a few
        nano-units below zero, since each of them is rounded down.
    """
    used: defaultdict[str, Cost] = defaultdict(Cost)
    for part in nodes:
        if isinstance(part.rate, Rate) and part.rate.commitment:
            spent = cost_between(part, frm, to)
            used[part.rate.commitment] += Cost(capex=spent.capex, opex=spent.opex)
    return {
        name: sum((cost_between(part, frm, to) for part in parts), Cost()) - used[name]
        for name, parts in commitments.items()
    }


def _until(part: Segment, now: Ms) -> Segment:
    return part if part.end is not None and part.end.at <= now else replace(part, end=_end(now))


def _end(at: Ms) -> End:
    return End(at=at, basis=Basis.EXACT, witness=PRICE_CHANGE)


def _alike(one: Segment, other: Segment) -> bool:
    return (one.rate, one.share) == (other.rate, other.share)
