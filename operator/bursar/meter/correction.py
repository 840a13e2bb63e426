"""How rates of the past are corrected, and what was held is cut anew by them.

Decides from the periods that were in force, those that price books and catalog give now, and the
span that is to be corrected. Only an explicit re-rating does this; what follows an edited price
book by itself is in `rates`. Shares, beginnings and ends are never touched: only prices are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from bursar.domain.rate import Rate, RatePeriod, Unpriced
from bursar.domain.time import Ms
from bursar.domain.usage import Holding, Segment
from bursar.meter.segments import segments

_Step = tuple[Ms, Rate | Unpriced, Fraction | None, Fraction | None]


def splice(
    known: Sequence[RatePeriod], computed: Sequence[RatePeriod], frm: Ms, to: Ms
) -> tuple[RatePeriod, ...]:
    """Take what is computed in [frm, to), and keep what is known before and after.

    Args:
        known: in order of `since`.
        computed: likewise, from the node's beginning on.
        frm: included.
        to: excluded.

    Returns:
        The periods in order, equal neighbours merged.
    """
    parts = [
        *_clipped(known, None, frm),
        *_clipped(computed, frm, to),
        *_clipped(known, to, None),
    ]
    merged: list[RatePeriod] = []
    for part in parts:
        last = merged[-1] if merged else None
        if last is not None and last.until == part.since and last.rate == part.rate:
            merged[-1] = replace(last, until=part.until)
        else:
            merged.append(part)
    return tuple(merged)


def recut(parts: Sequence[Segment], periods: Sequence[RatePeriod]) -> tuple[Segment, ...] | None:
    """Cut a hold anew by other rates.

    Args:
        parts: its segments, in order and without a gap; what it held may change between them.
        periods: the node's rates, in order.

    Returns:
        Its segments; None where they cost the same by the same rates, however they were cut.
    """
    fresh = tuple(segment for piece in _pieces(parts) for segment in _cut(piece, periods))
    return None if _steps(fresh) == _steps(parts) else fresh


def _clipped(periods: Sequence[RatePeriod], frm: Ms | None, to: Ms | None) -> Iterator[RatePeriod]:
    """What of some periods lies in [frm, to); None: without an edge."""
    for index, period in enumerate(periods):
        follower = periods[index + 1].since if index + 1 < len(periods) else None
        ends = [moment for moment in (period.until, follower, to) if moment is not None]
        since = period.since if frm is None else max(period.since, frm)
        until = min(ends, default=None)
        if until is None or since < until:
            yield replace(period, since=since, until=until)


def _pieces(parts: Sequence[Segment]) -> Iterator[Segment]:
    """Neighbours that hold the same, as one; its rate says nothing."""
    piece: Segment | None = None
    for part in parts:
        if piece is not None and (piece.share, piece.devices) == (part.share, part.devices):
            piece = replace(piece, end=part.end)
            continue
        if piece is not None:
            yield piece
        piece = part
    if piece is not None:
        yield piece


def _cut(piece: Segment, periods: Sequence[RatePeriod]) -> Iterator[Segment]:
    one = Fraction(1)
    holding = Holding(
        resource=piece.resource, devices=one, node_devices=one, start=piece.start, end=piece.end
    )
    for segment in segments(holding, periods):
        yield replace(segment, share=piece.share, devices=piece.devices)


def _steps(parts: Sequence[Segment]) -> list[_Step]:
    """From when on which rate, share and devices hold; what does not change is no step."""
    steps: list[_Step] = []
    for part in parts:
        if not steps or steps[-1][1:] != (part.rate, part.share, part.devices):
            steps.append((part.start, part.rate, part.share, part.devices))
    return steps
