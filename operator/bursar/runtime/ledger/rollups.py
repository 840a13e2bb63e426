"""What one pod's holds add to the sums by hour and by day.

Decides from the holds, from when on hours are kept, and which months are closed. Each amount is a
cumulative figure, rounded down, of which differences are taken at the edges of hours: so hours add
up to days, days to the whole, and that is to the nano-unit what the rows say.

A hold that is open adds what lies in closed months and nothing else: as if it went on to their end,
so that what it adds does not depend on up to when it is known.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from operator import sub

from bursar.domain.money import NANO
from bursar.domain.rate import Rate
from bursar.domain.time import DAY, HOUR, Ms, from_datetime, to_datetime
from bursar.domain.usage import Basis, Dimension, Segment
from bursar.meter import cost, is_priced, plain
from bursar.runtime.ledger.merge import Hold
from bursar.runtime.ledger.schema import AMOUNTS, COUNTS

WIDTH = len(AMOUNTS) + len(COUNTS)
"""Figures of a sum: those of `AMOUNTS`, then those of `COUNTS`."""
_NONE = (0,) * len(COUNTS)
_STARTED, _CARRIED, _UNCOUNTED, _UNCOUNTED_CARRIED = range(len(AMOUNTS), WIDTH)

Sums = dict[tuple[Ms, Dimension], list[int]]
"""Figures by the beginning of the hour or day, and dimension."""


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


def contribution(holds: Mapping[int, Hold], scope: Scope) -> Contribution:
    """What one pod's holds add to the sums by hour and day.

    Args:
        holds: by resource; those without a dimension add nothing.
        scope: what is kept by the hour, and what is closed.
    """
    found = Contribution()
    hours: dict[Ms, None] = {}
    days: dict[Ms, None] = {}
    lead: tuple[Ms, int, Dimension] | None = None
    for resource, hold in holds.items():
        dimension = hold.dimension
        if dimension is None:
            continue
        adds = False
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


def _count(
    sums: Sums, moments: Iterable[Ms], dimension: Dimension, first: Ms, *, unknown: bool
) -> None:
    """Count a pod once in each hour or day that it reaches into, in the row of its first hold."""
    for moment in moments:
        figures = sums.setdefault((moment, dimension), [0] * WIDTH)
        figures[_STARTED if moment == first else _CARRIED] += 1
        if unknown:
            figures[_UNCOUNTED if moment == first else _UNCOUNTED_CARRIED] += 1


def _add(sums: Sums, key: tuple[Ms, Dimension], amounts: Sequence[int]) -> None:
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
        yield scope.floor(begun), (0,) * len(AMOUNTS)
        return
    if not whole and not scope.closed:
        return
    for part in hold.segments:
        meter = _Meter(part, hold.device_fraction)
        for frm, to in scope.spans(part, whole=whole):
            at, last = frm, meter.upto(frm)
            while at < to:
                moment = scope.floor(at)
                at = min(to, moment + (HOUR if moment >= scope.hourly_since else DAY))
                reached = meter.upto(at)
                yield moment, tuple(map(sub, reached, last))
                last = reached


class _Meter:
    """Cumulative amounts of one segment, in the order of `AMOUNTS`."""

    __slots__ = ("_assumed", "_device", "_gpu", "_low", "_part", "_plain", "_priced", "_unsure")

    def __init__(self, part: Segment, device_fraction: Fraction) -> None:
        rate, devices = part.rate, part.devices
        self._part = part
        self._priced = is_priced(part)
        self._assumed = isinstance(rate, Rate) and rate.assumed
        self._plain = isinstance(rate, Rate) and rate.utilization != 1
        held = devices * NANO if devices is not None else Fraction(0)
        self._device = held.numerator, held.denominator
        gpu = held * device_fraction
        self._gpu = gpu.numerator, gpu.denominator
        end = part.end
        self._low: Ms | None = None
        self._unsure = 0
        if end is not None and end.basis is Basis.ESTIMATED:
            self._low = part.start if end.low is None else max(part.start, end.low)
            self._unsure = cost(part, self._low).total

    def upto(self, moment: Ms) -> Sequence[int]:
        """All amounts from the segment's start until a moment of its life."""
        part = self._part
        elapsed = moment - part.start
        paid = cost(part, moment)
        total = paid.capex + paid.opex
        recovery = capex = 0
        if self._plain:
            whole = plain(part, moment)
            recovery, capex = whole.total - total, whole.capex - paid.capex
        gpu = self._gpu[0] * elapsed // self._gpu[1]
        return (
            paid.capex,
            paid.opex,
            recovery,
            total - self._unsure if self._low is not None and moment > self._low else 0,
            total if self._assumed else 0,
            self._device[0] * elapsed // self._device[1],
            gpu,
            0 if self._priced else gpu,
            capex,
        )
