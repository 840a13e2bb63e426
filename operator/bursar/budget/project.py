"""When is which sum reached? From what runs now and from what is known of the future.

Between breakpoints (a dated price, a declared end) spending is linear, so that a crossing is
computed exactly, with `Fraction`, and never polled for. Rates are never negative: a line never
falls.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from bursar.domain.budget import Flow, Measure
from bursar.domain.time import Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of constant rate, up to the next piece.

    Attributes:
        since: where it begins.
        value: the sum at `since`.
        rate: units a millisecond.
    """

    since: Ms
    value: Fraction
    rate: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A sum over time, from the first piece on; the last piece goes on for ever."""

    pieces: tuple[Piece, ...]

    def at(self, moment: Ms) -> Fraction:
        """The sum at a moment; before the first piece, the sum at its beginning."""
        piece = self.pieces[0]
        for each in self.pieces:
            if each.since > moment:
                break
            piece = each
        return piece.value + piece.rate * max(0, moment - piece.since)

    def crossing(self, level: Fraction, since: Ms, until: Ms | None) -> Fraction | None:
        """The first moment in [since, until) at which the sum is at least `level`.

        Returns:
            Milliseconds since the epoch, exact; None where the level is not reached by then.
        """
        if self.at(since) >= level:
            return Fraction(since)
        ends: list[Ms | None] = [*(each.since for each in self.pieces[1:]), None]
        for piece, end in zip(self.pieces, ends, strict=True):
            if (end is not None and end <= since) or piece.rate <= 0:
                continue
            at = piece.since + (level - piece.value) / piece.rate
            if end is not None and at > end:
                continue
            return at if until is None or at < until else None
        return None


def line(value: Fraction, flows: Iterable[Flow], measure: Measure, now: Ms) -> Line:
    """Draw the line of one measure.

    Args:
        value: the sum at `now`, nano-units or device-milliseconds.
        flows: what flows; what lies before `now` is contained in `value` already.
        measure: which of a flow's rates counts.
        now: where the line begins.
    """
    steps: dict[Ms, Fraction] = {now: Fraction(0)}
    for flow in flows:
        start = max(flow.since, now)
        if flow.until is not None and flow.until <= start:
            continue
        rate = _rate(flow, measure)
        steps[start] = steps.get(start, Fraction(0)) + rate
        if flow.until is not None:
            steps[flow.until] = steps.get(flow.until, Fraction(0)) - rate
    pieces: list[Piece] = []
    rate = Fraction(0)
    for since in sorted(steps):
        if pieces:
            value += rate * (since - pieces[-1].since)
        rate += steps[since]
        pieces.append(Piece(since=since, value=value, rate=rate))
    return Line(pieces=tuple(pieces))


def _rate(flow: Flow, measure: Measure) -> Fraction:
    match measure:
        case Measure.COST:
            return flow.cost
        case Measure.GPU_HOURS:
            return flow.devices
        case Measure.NORMALIZED_GPU_HOURS:
            return flow.normalized
