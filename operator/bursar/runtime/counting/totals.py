"""What pods ever cost, by what Prometheus counts it by: a namespace's use, and each workload.

What ended is taken up from the ledger at start, so that a counter goes on where it stopped; what is
open is added at each scrape.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO
from bursar.domain.time import DAY, HOUR, Ms
from bursar.domain.usage import Dimension
from bursar.domain.world import PodAccount
from bursar.kpi import Use
from bursar.meter import Slope, Tally, slopes, tally
from bursar.runtime.counting.places import Places, labels_of
from bursar.runtime.counting.series import USAGE, WORKLOAD, Roster, Series
from bursar.runtime.counting.workloads import CLOSED_COST, CLOSED_GPU, Workloads
from bursar.runtime.ledger import Reader
from bursar.runtime.ledger.rows import OpenPod, Row, Run, SeriesRow, Total

CORRECTED: Final = "corrected"
"""Mark: nano-units that corrections took off the ledger, and not off the counter."""
Ratio = tuple[int, int]
Power = Callable[[Use], Ratio | None]
"""Joules for a millisecond of one whole accelerator; None where its power is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of what tenants can multiply.

    Attributes:
        teams: names of teams with series of their own.
        models: names of models likewise.
        workloads: workloads likewise, those that ended within the retention included.
        retention: how long a workload is shown after its last pod's end (ms).
    """

    teams: int = 100
    models: int = 100
    workloads: int = 1_000
    retention: Ms = HOUR


@dataclass(slots=True)
class Sums:
    """Of one series: nano-units, milliseconds of whole accelerators and joules in parts of 10^-9.

    Attributes:
        unpriced: the part of `gpu` whose money is not known.
        joules: None where no board power is known.
    """

    cost: int = 0
    gpu: int = 0
    unpriced: int = 0
    joules: int | None = None

    def add(self, part: Tally, power: Ratio | None = None) -> None:
        """Count a pod."""
        self.cost += part.paid
        self.gpu += part.gpu
        self.unpriced += part.unpriced
        if power is not None:
            self.joules = (self.joules or 0) + part.gpu * power[0] // power[1]

    def less(self, part: Tally, power: Ratio | None = None) -> None:
        """Take one off."""
        self.cost -= part.paid
        self.gpu -= part.gpu
        self.unpriced -= part.unpriced
        if power is not None:
            self.joules = (self.joules or 0) - part.gpu * power[0] // power[1]


@dataclass(slots=True)
class _Line:
    """An open pod, prepared for being added up again and again."""

    account: PodAccount
    accelerator: str
    usage: Series
    workload: Series | None
    slopes: tuple[Slope, ...]
    power: Ratio | None
    good_until: Ms


class _Kept(dict[Series, Sums]):
    """Sums by series; of one that is new, none yet."""

    def __missing__(self, series: Series) -> Sums:
        self[series] = Sums()
        return self[series]


@dataclass(slots=True)
class Reading:
    """All sums at one moment.

    Attributes:
        taken: plain nano-units that pods have taken of their nodes, by accelerator.
    """

    usage: dict[Series, Sums] = field(default_factory=dict)
    workloads: dict[Series, Sums] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)


class Totals:
    """Sums by series.

    Attributes:
        restored: whether the ledger's totals are in.
    """

    def __init__(self, limits: Limits | None = None, power: Power = lambda _: None) -> None:
        limits = limits or Limits()
        self.roster = Roster()
        self.workloads = Workloads(self.roster, limits.workloads, limits.retention)
        self.restored = False
        self._places = Places(self.roster, limits.teams, limits.models)
        self._power = power
        self._closed: defaultdict[Series, Sums] = defaultdict(Sums)
        self._taken: defaultdict[str, int] = defaultdict(int)
        self._recent: deque[tuple[Ms, str, tuple[Slope, ...]]] = deque()
        self._lines: dict[str, _Line] = {}
        self._powered: dict[str, bool] = {}

    # --- what the ledger has -----------------------------------------------------------------

    def take_up(self, reader: Reader, still_open: Sequence[OpenPod]) -> None:
        """Take up what a ledger remembers, at start."""
        shown = reader.series()
        self.restore(reader.totals(), still_open, shown, 0 if shown else reader.began())
        self.recovered(reader.recovery())

    def take_anew(self, reader: Reader, pods: Container[str]) -> None:
        """Take up a ledger's totals anew, after the past was corrected there; so many pods run."""
        self.recount(reader.totals(), [pod for pod in reader.open_pods() if pod.uid in pods])
        self.recovered(reader.recovery())

    def restore(
        self,
        totals: Mapping[Dimension, Total],
        still_open: Sequence[OpenPod],
        rows: Sequence[SeriesRow] = (),
        began: Ms = 0,
    ) -> None:
        """Take over the ledger's totals, less what belongs to pods that are still open.

        A price change closes a row of a pod that goes on; that pod is counted whole at its end.

        Args:
            totals: of all closed rows, in order of first appearance.
            still_open: pods that held devices when the ledger was last written.
            rows: series that were shown before; none: all are new, and named in order.
            began: the first moment that anything was counted (ms), for series without a row.
        """
        self.roster.restore(rows)
        late = self._places.restore()
        self._take(totals, still_open, began, late=late)
        if rows:
            self.workloads.restore(still_open)
        self.restored = True

    def recount(self, totals: Mapping[Dimension, Total], still_open: Sequence[OpenPod]) -> None:
        """Take the ledger's totals over anew, after the past was corrected.

        A counter never falls: what a correction took off shows in `bursar_cost_corrections`.
        """
        before = {series: sums.cost for series, sums in self._closed.items()}
        self._closed.clear()
        self._taken.clear()
        self._take(totals, still_open, 0, late=True)
        for series, cost in before.items():
            less = cost - self._closed[series].cost
            if less > 0:
                series.marks[CORRECTED] = series.marks.get(CORRECTED, 0) + less

    def recovered(self, recovery: Mapping[str, int]) -> None:
        """Take up what ended pods took of their nodes beyond what they paid.

        Args:
            recovery: nano-units, signed, by accelerator.
        """
        for accelerator, nano in recovery.items():
            self._taken[accelerator] += nano

    def _take(
        self,
        totals: Mapping[Dimension, Total],
        still_open: Iterable[OpenPod],
        began: Ms,
        *,
        late: bool,
    ) -> None:
        for dimension, total in totals.items():
            paid, unpriced = total.cost.total, int(total.unpriced_gpu_ms * NANO)
            whole = Tally(paid, paid, int(total.gpu_ms * NANO), unpriced)
            self._count(self._places.of(dimension, began, late=late), dimension, whole)
        for pod in still_open:
            for row in pod.intervals:
                if row.segment.end is not None:
                    part = tally(slopes((row.segment,), row.device_fraction), row.segment.end.at)
                    part.plain = part.paid  # what the ledger has of recovery is of ended pods
                    series = self._places.of(row.dimension, began, late=late)
                    self._count(series, row.dimension, part, -1)

    # --- what the stream brings --------------------------------------------------------------

    def see(
        self, pod: PodAccount, dimension: Dimension, run: Run, expected: Iterable[str] = ()
    ) -> list[Row]:
        """A pod is there, bound or not: what it will be counted in exists from now on, at zero.

        Args:
            pod: its account.
            dimension: what it is reported by.
            run: its root owner.
            expected: accelerators that it may get, while it is not bound.

        Returns:
            Rows of series that are new.
        """
        labels = labels_of(dimension)
        names = (dimension.accelerator,) if pod.start is not None else expected
        created = pod.created or pod.start or 0
        seen = [self._places.at((*labels[:4], name), created) for name in names]
        seen.append(self.workloads.see(pod, run))
        return [each.row() for each in seen if each.written is None]

    def finish(self, pod: PodAccount, dimension: Dimension, run: Run, end: Ms) -> list[Row]:
        """A pod has ended.

        Returns:
            Rows to be written with those of its end.
        """
        series = self._places.of(dimension, pod.created or pod.start or 0)
        lines = slopes(pod.segments, pod.gpu_factor)
        whole = tally(lines, end)
        self._count(series, dimension, whole)
        self._recent.append((end, dimension.accelerator, lines))
        workload = self.workloads.finish(pod, run, whole)
        self.leave(pod.uid, end)
        return [series.row(), workload.row()]

    def amend(
        self, dimension: Dimension, run: Run, before: PodAccount, after: PodAccount, end: Ms
    ) -> list[Row]:
        """The end of a pod that ended is another than was told: a later moment is `end` for both.

        Returns:
            Rows to be written with those of its end.
        """
        series = self._places.of(dimension, before.created or before.start or 0)
        parts = [tally(slopes(each.segments, each.gpu_factor), end) for each in (before, after)]
        for sign, part in zip((-1, 1), parts, strict=True):
            self._count(series, dimension, part, sign)
        workload = self.workloads.amend(before, run, *parts)
        return [each.row() for each in (series, workload) if each is not None]

    def leave(self, uid: str, now: Ms) -> None:
        """A pod is no more."""
        self._lines.pop(uid, None)
        self.workloads.leave(uid, now)

    # --- what a scrape asks ------------------------------------------------------------------

    def read(
        self,
        pods: Mapping[str, PodAccount],
        dimension: Callable[[PodAccount], Dimension],
        moment: Ms,
    ) -> Reading:
        """All sums: ended pods whole, open ones up to a moment (ms)."""
        found = Reading(
            usage=_Kept({each: self._nothing(each) for each in self.roster.of(USAGE)}),
            workloads=_Kept(),
        )
        for series, sums in self._closed.items():
            found.usage[series] = Sums(sums.cost, sums.gpu, sums.unpriced, sums.joules)
        for series in self.roster.of(WORKLOAD):
            cost, gpu = series.marks.get(CLOSED_COST, 0), series.marks.get(CLOSED_GPU, 0)
            found.workloads[series] = Sums(cost, gpu)
        taken = defaultdict(int, self._taken)
        lines = self._lines
        for pod in pods.values():
            if pod.start is None:
                continue
            line = lines.get(pod.uid)
            if line is None or line.account is not pod or moment >= line.good_until:
                line = self._line(pod, dimension, moment)
            part = tally(line.slopes, moment)
            found.usage[line.usage].add(part, line.power)
            if line.workload is not None:
                found.workloads[line.workload].add(part)
            taken[line.accelerator] += part.plain
        self._unwind(taken, moment)
        found.taken = taken
        return found

    def _nothing(self, series: Series) -> Sums:
        """No use yet: no energy either, where that can be told at all."""
        accelerator = series.labels[4]
        if accelerator not in self._powered:
            use = Use(accelerator=accelerator, region="", workload_class=WorkloadClass.UNKNOWN)
            self._powered[accelerator] = self._power(use) is not None
        return Sums(joules=0 if self._powered[accelerator] else None)

    def _line(
        self, pod: PodAccount, dimension: Callable[[PodAccount], Dimension], moment: Ms
    ) -> _Line:
        of, horizon = dimension(pod), moment + DAY
        begun = (part for part in pod.segments if part.start < horizon)
        line = self._lines[pod.uid] = _Line(
            account=pod,
            accelerator=of.accelerator,
            usage=self._places.of(of, pod.created or pod.start or 0),
            workload=self.workloads.of(pod.uid),
            slopes=slopes(begun, pod.gpu_factor),
            power=self._power(_use(of)),
            good_until=horizon,
        )
        return line

    def _unwind(self, taken: defaultdict[str, int], moment: Ms) -> None:
        """Take off what pods that ended lately cost after the moment that nodes are asked for."""
        self._recent = deque(each for each in self._recent if each[0] > moment)
        for end, accelerator, lines in self._recent:
            taken[accelerator] -= tally(lines, end).plain - tally(lines, moment).plain

    def _count(self, series: Series, dimension: Dimension, part: Tally, sign: int = 1) -> None:
        sums = self._closed[series]
        change = sums.add if sign > 0 else sums.less
        change(part, self._power(_use(dimension)))
        self._taken[dimension.accelerator] += sign * part.plain


def _use(dimension: Dimension) -> Use:
    return Use(
        accelerator=dimension.accelerator,
        region=dimension.region,
        workload_class=dimension.workload_class,
        capacity_type=dimension.capacity_type,
    )
