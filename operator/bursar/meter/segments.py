"""A holding cut where its node's rate or its share changes, and each part's cost as a closed form.

    C(t) = floor(rate x share x (t - start) / one hour)      nano-units, CapEx and OpEx each apart

What a node costs takes its whole rate. What a pod takes of it is the rate of the node's devices
(`plain`), and what it pays is that divided by the utilization that is expected of them (`cost`).

Decides from a holding, the periods of the node's rate and a moment. An interval costs
C(b) - C(a), so splitting it anywhere telescopes exactly. Where the price or the share is unknown
the money is 0 and `is_priced` says no: callers must show that, never add it up in silence.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from bursar.domain.rate import Rate, RatePeriod, Unpriced
from bursar.domain.time import HOUR, Ms
from bursar.domain.usage import COMMITMENT, NODE, Basis, Cost, End, Holding, Segment

PRICE_CHANGE = "price change"
"""Witness of an end that is none: the holding goes on in the next segment."""

SHARE_CHANGE = "share change"
"""The same, where from then on more or fewer pods share what it holds."""

_WHOLE = frozenset({NODE, COMMITMENT})
_NO_RATE = Unpriced("no price is known for this time")


def segments(holding: Holding, periods: Sequence[RatePeriod]) -> tuple[Segment, ...]:
    """Cut a holding at the moments where the rate changes, or how much it holds.

    Args:
        holding: who held what; open ones are cut at future changes, too (see `started`).
        periods: in order of `since`, apart from each other; a time that none covers is unpriced.

    Returns:
        At least one segment, in order, without gaps. All but the last end with the witness
        `PRICE_CHANGE`, or `SHARE_CHANGE` where the rate stays.
    """
    pieces = [cut for piece in _pieces(holding, periods) for cut in _by_step(piece, holding.steps)]
    last = len(pieces) - 1
    found = []
    for index, (start, until, rate) in enumerate(pieces):
        share, devices = _share(holding, start)
        end = holding.end
        if index < last:
            same = rate is pieces[index + 1][2]
            end = _cut(start, until, holding.end, SHARE_CHANGE if same else PRICE_CHANGE)
        found.append(
            Segment(
                resource=holding.resource,
                start=start,
                end=end,
                rate=rate,
                share=share,
                devices=devices,
            )
        )
    return tuple(found)


def started(parts: Sequence[Segment], now: Ms) -> tuple[Segment, ...]:
    """The segments that have begun by `now`; one that a future price change will end is open."""
    begun = [part for part in parts if part.start <= now]
    end = begun[-1].end if begun else None
    if end is not None and end.witness in (PRICE_CHANGE, SHARE_CHANGE) and end.at > now:
        begun[-1] = replace(begun[-1], end=None)
    return tuple(begun)


def cost(segment: Segment, upto: Ms) -> Cost:
    """C(upto): what a segment has cost from its start until `upto`, or until its end if sooner.

    For a pod that is what it pays, for a whole node or a commitment all that it costs.
    """
    rate = segment.rate
    if isinstance(rate, Unpriced) or segment.resource in _WHOLE:
        return _spent(segment, upto, (1, 1))
    part, use = rate.devices_part, rate.utilization
    times = part.numerator * use.denominator, part.denominator * use.numerator
    return _spent(segment, upto, times)


def plain(segment: Segment, upto: Ms) -> Cost:
    """What a segment has taken of its node's price, whatever utilization is expected of that.

    For a whole node it is the part of its price that its devices carry; the rest of it is its
    CPU's and memory's.
    """
    rate = segment.rate
    if isinstance(rate, Unpriced):
        return _spent(segment, upto, (1, 1))
    return _spent(segment, upto, rate.devices_part.as_integer_ratio())


def cost_between(segment: Segment, frm: Ms, to: Ms) -> Cost:
    """What the part of a segment's life that lies in [frm, to) has cost."""
    return cost(segment, to) - cost(segment, frm) if to > frm else Cost()


def plain_between(segment: Segment, frm: Ms, to: Ms) -> Cost:
    """What the part of a segment's life that lies in [frm, to) has taken of its node's price."""
    return plain(segment, to) - plain(segment, frm) if to > frm else Cost()


def uncertain_between(segment: Segment, frm: Ms, to: Ms) -> Cost:
    """The part of `cost_between` that rests on an estimated end: what lies after its low bound."""
    end = segment.end
    if end is None or end.basis is not Basis.ESTIMATED:
        return Cost()
    return cost_between(segment, max(frm, segment.start if end.low is None else end.low), to)


def is_whole(segment: Segment) -> bool:
    """Tell whether it stands for a whole node or a commitment, which costs all of its rate."""
    return segment.resource in _WHOLE


def is_priced(segment: Segment) -> bool:
    """Tell whether this segment's money is known (if not, its cost is 0 and means nothing)."""
    return isinstance(segment.rate, Rate) and segment.share is not None


def _pieces(
    holding: Holding, periods: Sequence[RatePeriod]
) -> Iterator[tuple[Ms, Ms | None, Rate | Unpriced]]:
    """Start, end and rate of each piece; the last piece's end is the holding's."""
    end = holding.end.at if holding.end is not None else None
    at = holding.start
    emitted = False
    for index, period in enumerate(periods):
        follower = periods[index + 1].since if index + 1 < len(periods) else None
        until = _earliest(period.until, follower)
        if until is not None and until <= at:
            continue
        if end is not None and period.since >= end and (emitted or period.since > at):
            break
        if period.since > at:
            yield at, period.since, _NO_RATE
            emitted, at = True, period.since
        stop = _earliest(until, end)
        yield at, stop, period.rate
        emitted = True
        if stop is None:
            return
        at = stop
    if not emitted or end is None or at < end:
        yield at, end, _NO_RATE


def _by_step(
    piece: tuple[Ms, Ms | None, Rate | Unpriced], steps: Sequence[tuple[Ms, Fraction]]
) -> Iterator[tuple[Ms, Ms | None, Rate | Unpriced]]:
    """A piece of constant rate, cut where the share changes."""
    start, until, rate = piece
    for at, _ in steps:
        if start < at and (until is None or at < until):
            yield start, at, rate
            start = at
    yield start, until, rate


def _cut(start: Ms, at: Ms | None, end: End | None, witness: str) -> End | None:
    """End of a segment that a change ends at `at`; None where it goes on for ever.

    It is exact, unless the holding's own end is an estimate that may lie before it.
    """
    if at is None:
        return None
    if end is None or end.basis is not Basis.ESTIMATED or (end.low is not None and end.low >= at):
        return End(at=at, basis=Basis.EXACT, witness=witness)
    low = start if end.low is None else max(start, end.low)
    return End(at=at, basis=Basis.ESTIMATED, witness=witness, low=low, high=at)


def _share(holding: Holding, at: Ms) -> tuple[Fraction | None, Fraction | None]:
    """Share of the node and devices from `at` on; a negative count is one that nobody knows."""
    devices = holding.devices
    if isinstance(devices, Fraction):
        for since, held in holding.steps:
            devices = held if since <= at else devices
    if not isinstance(devices, Fraction) or devices < 0:
        return None, None
    whole = holding.node_devices
    if not isinstance(whole, Fraction) or whole <= 0:
        return None, devices
    return devices / whole, devices


def _elapsed(segment: Segment, upto: Ms) -> int:
    stop = upto if segment.end is None else min(upto, segment.end.at)
    return max(0, stop - segment.start)


def _spent(segment: Segment, upto: Ms, times: tuple[int, int]) -> Cost:
    """C(upto) at so many times the rate, a numerator and a denominator."""
    elapsed = _elapsed(segment, upto)
    if not elapsed:
        return Cost()
    device_ms = segment.devices * elapsed if segment.devices is not None else Fraction(0)
    rate, share = segment.rate, segment.share
    if isinstance(rate, Unpriced) or share is None:
        return Cost(device_ms=device_ms)
    # Whole numbers: three times as fast as Fractions, which reduce themselves at every step.
    above = share.numerator * times[0] * elapsed
    below = share.denominator * times[1] * HOUR
    return Cost(
        capex=rate.capex.numerator * above // (rate.capex.denominator * below),
        opex=rate.opex.numerator * above // (rate.opex.denominator * below),
        device_ms=device_ms,
    )


def _earliest(one: Ms | None, other: Ms | None) -> Ms | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
