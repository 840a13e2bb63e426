"""What many segments have cost by one moment, fast: C(t) in whole numbers prepared beforehand.

Decides from segments as `segments` cuts them; says to the nano-unit what `cost` and `plain` say of
each. It is for whoever asks again and again for another moment: a scrape adds up ten thousand pods.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from bursar.domain.money import NANO
from bursar.domain.rate import Rate, Unpriced
from bursar.domain.time import HOUR, Ms
from bursar.domain.usage import Segment
from bursar.meter.segments import is_priced, is_whole

_Ratio = tuple[int, int]
_NOTHING: tuple[_Ratio, _Ratio] = ((0, 1), (0, 1))


@dataclass(frozen=True, slots=True)
class Slope:
    """A segment as straight lines from its start: each grows by a ratio for each millisecond.

    Attributes:
        end: None where it is open.
        paid: CapEx and OpEx that are paid, nano-units.
        plain: the same as taken of the node's price; `paid` itself where both are equal.
        held: milliseconds of whole accelerators, in parts of 10^-9.
        priced: whether the money is known.
    """

    start: Ms
    end: Ms | None
    paid: tuple[_Ratio, _Ratio]
    plain: tuple[_Ratio, _Ratio]
    held: _Ratio
    priced: bool


@dataclass(slots=True)
class Tally:
    """Sums.

    Attributes:
        paid: nano-units.
        plain: nano-units.
        gpu: milliseconds of whole accelerators, in parts of 10^-9.
        unpriced: the part of it whose money is not known.
    """

    paid: int = 0
    plain: int = 0
    gpu: int = 0
    unpriced: int = 0


def slopes(segments: Iterable[Segment], gpu_factor: Fraction = Fraction(1)) -> tuple[Slope, ...]:
    """Prepare segments, in order of their start.

    Args:
        segments: of whatever is summed together.
        gpu_factor: what one of their devices is of a whole accelerator.
    """
    made = (_slope(segment, gpu_factor) for segment in segments)
    return tuple(sorted(made, key=lambda slope: slope.start))


def tally(lines: Iterable[Slope], upto: Ms) -> Tally:
    """What prepared segments have come to by a moment."""
    sums = Tally()
    for line in lines:
        if line.start >= upto:
            break
        stop = upto if line.end is None or line.end > upto else line.end
        elapsed = stop - line.start
        if elapsed <= 0:
            continue
        (capex, per_capex), (opex, per_opex) = line.paid
        paid = capex * elapsed // per_capex + opex * elapsed // per_opex
        sums.paid += paid
        if line.plain is not line.paid:
            (capex, per_capex), (opex, per_opex) = line.plain
            paid = capex * elapsed // per_capex + opex * elapsed // per_opex
        sums.plain += paid
        gpu = line.held[0] * elapsed // line.held[1]
        sums.gpu += gpu
        if not line.priced:
            sums.unpriced += gpu
    return sums


def _slope(segment: Segment, gpu_factor: Fraction) -> Slope:
    devices = Fraction(0) if segment.devices is None else segment.devices
    # Whole numbers: Fractions would reduce themselves at every step.
    held = (
        devices.numerator * gpu_factor.numerator * NANO,
        devices.denominator * gpu_factor.denominator,
    )
    rate, share = segment.rate, segment.share
    paid = plain = _NOTHING
    if not isinstance(rate, Unpriced) and share is not None:
        paid, plain = _money(rate, share, is_whole(segment))
    return Slope(
        segment.start,
        None if segment.end is None else segment.end.at,
        paid,
        plain,
        held,
        is_priced(segment),
    )


@lru_cache(maxsize=16_384)
def _money(
    rate: Rate, share: Fraction, whole: bool
) -> tuple[tuple[_Ratio, _Ratio], tuple[_Ratio, _Ratio]]:
    """What is paid and what is taken: few rates and shares make up all segments."""
    part = rate.devices_part
    times = Fraction(1) if whole else part / rate.utilization
    paid = _lines(rate.capex, rate.opex, share * times)
    return paid, paid if times == part else _lines(rate.capex, rate.opex, share * part)


def _lines(capex: Fraction, opex: Fraction, times: Fraction) -> tuple[_Ratio, _Ratio]:
    """Each rate an hour, times so much, for a millisecond."""
    return (capex * times / HOUR).as_integer_ratio(), (opex * times / HOUR).as_integer_ratio()
