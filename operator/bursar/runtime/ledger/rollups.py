"""What one pod's holds add to the sums by hour and by day.

Decides from the holds, from when on hours are kept, and which months are closed. Each amount is a
cumulative figure, rounded down, of which differences are taken at the edges of hours: so hours add
up to days, days to the whole, and that is to the nano-unit what the rows say.

A hold that is open adds what lies in closed months and nothing else: as if it went on to their end,
so that what it adds does not depend on up to when it is known.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from operator import sub

from bursar.domain.money import NANO
from bursar.domain.rate import Rate
from bursar.domain.time import DAY, HOUR, Ms, from_datetime, to_datetime
from bursar.domain.usage import Basis, Dimension, Segment
from bursar.meter import slopes
from bursar.runtime.ledger.merge import Hold
from bursar.runtime.ledger.schema import AMOUNTS, COUNTS

WIDTH = len(AMOUNTS) + len(COUNTS)
"""Figures of a sum: those of `AMOUNTS`, then those of `COUNTS`."""
_NONE, _START = (0,) * len(COUNTS), (0,) * len(AMOUNTS)
_ZERO = Fraction(0)
_STARTED, _CARRIED, _UNCOUNTED, _UNCOUNTED_CARRIED = range(len(AMOUNTS), WIDTH)

MOST = 100_000
"""Hours or days of one part of a life, eleven years of hours; what is beyond, as a clock that is
wrong by centuries may tell it, counts in the last of them."""

Sums = dict[tuple[Ms, int], list[int]]
"""Figures by the beginning of the hour or day, and a number for the dimension."""


def month_of(moment: Ms) -> str:
    """The UTC month of a moment, as `YYYY-MM`."""
    return to_datetime(moment).strftime("%Y-%m")


def month_span(month: str) -> tuple[Ms, Ms]:
    """Beginning and end of a UTC month (`YYYY-MM`), in milliseconds.

    Raises:
        ValueError: it is none.
    """
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    following = (first.year + first.month // 12, first.month % 12 + 1)
    return from_datetime(first), from_datetime(datetime(*following, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Scope:
    """What is summed how.

    Attributes:
        hourly_since: the UTC day from which on hours are kept; before it only days are.
        closed: beginnings and ends (ms) of the closed months, in order.
    """

    hourly_since: Ms = 0
    closed: tuple[tuple[Ms, Ms], ...] = ()

    @classmethod
    def of(cls, hourly_since: Ms, months: Iterable[str]) -> "Scope":
        """A scope with some months (`YYYY-MM`) closed."""
        return cls(hourly_since, tuple(sorted(month_span(month) for month in months)))

    def is_closed(self, moment: Ms) -> bool:
        """Whether a moment lies in a closed month."""
        index = bisect_right(self.closed, moment, key=lambda span: span[0]) - 1
        return index >= 0 and moment < self.closed[index][1]

    def floor(self, moment: Ms) -> Ms:
        """Beginning of the hour, or of the day before hours are kept."""
        return moment - moment % (HOUR if moment >= self.hourly_since else DAY)

    def spans(self, part: Segment, *, whole: bool) -> Iterator[tuple[Ms, Ms]]:
        """What of a segment counts: all of it, or what lies in closed months."""
        end = part.end.at if part.end is not None else None
        if whole:
            assert end is not None
            yield part.start, end
            return
        for since, until in self.closed:
            frm, to = max(since, part.start), until if end is None else min(until, end)
            if frm < to:
                yield frm, to


@dataclass(slots=True)
class Contribution:
    """What a pod adds.

    Attributes:
        hourly: nothing before the scope's `hourly_since`.
        daily: all of it.
    """

    hourly: Sums = field(default_factory=dict)
    daily: Sums = field(default_factory=dict)


def contribution(
    holds: Mapping[int, Hold], scope: Scope, number: Callable[[Dimension], int]
) -> Contribution:
    """What one pod's holds add to the sums by hour and day.

    Args:
        holds: by resource; those without a dimension add nothing.
        scope: what is kept by the hour, and what is closed.
        number: of a dimension, by which sums are told apart.
    """
    found = Contribution()
    if not holds:
        return found
    hours: dict[Ms, None] = {}
    days: dict[Ms, None] = {}
    lead: tuple[Ms, int, int] | None = None
    for resource, hold in holds.items():
        if hold.dimension is None or not (hold.closed or scope.closed):
            continue
        dimension, adds = number(hold.dimension), False
        for moment, amounts in _amounts(hold, scope):
            adds = True
            day = moment - moment % DAY
            days[day] = None
            _add(found.daily, (day, dimension), amounts)
            if moment >= scope.hourly_since:
                hours[moment] = None
                _add(found.hourly, (moment, dimension), amounts)
        mine = hold.segments[0].start, resource, dimension
        if adds and (lead is None or mine[:2] < lead[:2]):
            lead = mine
    if lead is not None:
        begun = min(hold.segments[0].start for hold in holds.values())
        unknown = any(part.devices is None for hold in holds.values() for part in hold.segments)
        for sums, moments, size in ((found.hourly, hours, HOUR), (found.daily, days, DAY)):
            _count(sums, moments, lead[2], begun - begun % size, unknown=unknown)
    return found


def _count(sums: Sums, moments: Iterable[Ms], dimension: int, first: Ms, *, unknown: bool) -> None:
    """Count a pod once in each hour or day that it reaches into, in the row of its first hold."""
    for moment in moments:
        figures = sums.setdefault((moment, dimension), [0] * WIDTH)
        figures[_STARTED if moment == first else _CARRIED] += 1
        if unknown:
            figures[_UNCOUNTED if moment == first else _UNCOUNTED_CARRIED] += 1


def _add(sums: Sums, key: tuple[Ms, int], amounts: Sequence[int]) -> None:
    figures = sums.get(key)
    if figures is None:
        sums[key] = [*amounts, *_NONE]
        return
    for index, amount in enumerate(amounts):
        figures[index] += amount


def _amounts(hold: Hold, scope: Scope) -> Iterator[tuple[Ms, Sequence[int]]]:
    """Amounts of a hold by the hour, or by the day before hours are kept."""
    whole, begun = hold.closed, hold.segments[0].start
    if whole and hold.known <= begun:
        # It took no time: nothing but the pod itself is to be counted.
        yield scope.floor(begun), _START
        return
    for part in hold.segments:
        meter = _Meter(part, hold.device_fraction)
        for frm, to in scope.spans(part, whole=whole):
            at, last = frm, meter.upto(frm) if frm > part.start else _START
            left = MOST
            while at < to:
                moment, left = scope.floor(at), left - 1
                size = HOUR if moment >= scope.hourly_since else DAY
                at = min(to, moment + size) if left else to
                reached = meter.upto(at)
                yield moment, tuple(map(sub, reached, last))
                last = reached


class _Meter:
    """Cumulative amounts of one segment, in the order of `AMOUNTS`."""

    __slots__ = ("_assumed", "_device", "_line", "_low", "_start", "_unsure")

    def __init__(self, part: Segment, device_fraction: Fraction) -> None:
        (line,) = slopes((part,), device_fraction)
        self._line = line
        self._start = part.start
        self._assumed = isinstance(part.rate, Rate) and part.rate.assumed
        held = part.devices or _ZERO
        self._device = held.numerator * NANO, held.denominator
        end = part.end
        self._low: Ms | None = None
        self._unsure = 0
        if end is not None and end.basis is Basis.ESTIMATED:
            self._low = part.start if end.low is None else max(part.start, end.low)
            self._unsure = sum(_grown(line.paid, self._low - part.start))

    def upto(self, moment: Ms) -> Sequence[int]:
        """All amounts from the segment's start until a moment of its life."""
        elapsed, line = moment - self._start, self._line
        capex, opex = _grown(line.paid, elapsed)
        total = capex + opex
        recovery = recovery_capex = 0
        if line.plain is not line.paid:
            plain_capex, plain_opex = _grown(line.plain, elapsed)
            recovery, recovery_capex = plain_capex + plain_opex - total, plain_capex - capex
        gpu = line.held[0] * elapsed // line.held[1]
        return (
            capex,
            opex,
            recovery,
            total - self._unsure if self._low is not None and moment > self._low else 0,
            total if self._assumed else 0,
            self._device[0] * elapsed // self._device[1],
            gpu,
            0 if line.priced else gpu,
            recovery_capex,
        )


def _grown(lines: tuple[tuple[int, int], tuple[int, int]], elapsed: int) -> tuple[int, int]:
    """CapEx and OpEx after so long, each rounded down."""
    (capex, per_capex), (opex, per_opex) = lines
    return capex * elapsed // per_capex, opex * elapsed // per_opex
