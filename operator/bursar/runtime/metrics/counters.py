"""The counters that must be exact: cost, accelerator time, energy and idle cost, from the ledger.

Decided from the totals at one moment, a little before now, so that what is about to be heard of has
been heard of. A value is shown once the ledger has it as a mark, and never a lower one after it; so
a crash can neither lower a counter nor forget a series. Whoever scrapes sees each new series at
zero first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from bursar.domain.money import NANO
from bursar.domain.time import SECOND, Ms
from bursar.domain.workload import NodeFacts
from bursar.kpi import MODELED
from bursar.meter import Slope, slopes, tally
from bursar.runtime.configuring.energy import Energy
from bursar.runtime.controller import Controller
from bursar.runtime.counting.series import IDLE, SHOWN, USAGE, WORKLOAD, Series
from bursar.runtime.counting.totals import CORRECTED, Reading
from bursar.runtime.metrics.families import Sample

COST, GPU, UNPRICED, JOULES = "cost", "gpu", "unpriced", "joules"
_PER_SECOND: Final = SECOND * NANO


@dataclass(slots=True)
class _Node:
    """A node, prepared for being asked again and again."""

    facts: NodeFacts
    rates: object
    slopes: tuple[Slope, ...]


@dataclass(slots=True)
class Counters:
    """The exact counters of one operator.

    Attributes:
        settle: by how much the moment of open pods lies before now (ms): what happened by then has
            been heard of, but for the rarest delays.
        energy: the factors that the totals model energy by; None: none are.
    """

    controller: Controller
    currency: str
    settle: Ms = 0
    energy: Energy | None = None
    _reading: Reading = field(default_factory=Reading)
    _nodes: dict[str, _Node] = field(default_factory=dict)
    _scraper: Series | None = None
    _floor: int | None = None

    def readers(self) -> Mapping[str, Callable[[], Iterator[Sample]]]:
        """The reader of each family."""
        return {
            "bursar_cost": self._cost,
            "bursar_cost_corrections": self._corrections,
            "bursar_gpu_seconds": self._gpu_seconds,
            "bursar_unpriced_gpu_seconds": self._unpriced,
            "bursar_energy_joules": self._energy,
            "bursar_idle_cost": self._idle_cost,
            "bursar_workload_cost": self._workload_cost,
            "bursar_workload_gpu_seconds": self._workload_gpu_seconds,
            "bursar_workloads_in_other": self._in_other,
        }

    def take(self, now: Ms, scraper: str | None) -> "Future[None] | None":
        """Add everything up.

        Args:
            now: milliseconds since the epoch.
            scraper: who scrapes; None: nobody who remembers.

        Returns:
            What ends when the ledger has it; None where it has all of it.
        """
        accounts, world = self.controller.accounts, self.controller.world
        totals, moment = accounts.totals, now - self.settle
        self._scraper = self._floor = None
        if not totals.restored:
            return None
        if self.energy is not None:
            self.energy.learn(self.controller.prices.books, world.nodes.values())
        synced = all(stream.synced.is_set() for stream in self.controller.streams.values())
        if synced:
            totals.workloads.retire(world.pods, now)
        self._reading = totals.read(world.pods, accounts.dimension, moment)
        self._mark()
        if synced:
            self._mark_idle(moment)
        roster = totals.roster
        if scraper is not None:
            self._scraper = roster.meet(scraper, now)
            self._floor = self._scraper.marks[SHOWN]
        rows = [] if roster.saving else roster.unsaved()
        if not rows:
            return None
        done = self.controller.ledger.submit(rows)
        roster.saved(rows, done)
        return done

    def shown(self) -> None:
        """The scrape has been answered: whoever made it knows now what there is."""
        if self._scraper is not None:
            roster = self.controller.accounts.totals.roster
            ranks = [
                series.rank
                for kind in (USAGE, WORKLOAD, IDLE)
                for series in roster.of(kind)
                if series.written is not None
            ]
            known = self._scraper.marks
            known[SHOWN] = max(known[SHOWN], *ranks, 0)

    def _mark(self) -> None:
        for series, sums in self._reading.usage.items():
            series.reach(COST, sums.cost + series.marks.get(CORRECTED, 0))
            series.reach(GPU, sums.gpu)
            series.reach(UNPRICED, sums.unpriced)
            series.reach(JOULES, sums.joules or 0)
        for series, sums in self._reading.workloads.items():
            series.reach(COST, sums.cost)
            series.reach(GPU, sums.gpu)

    def _mark_idle(self, moment: Ms) -> None:
        nano: defaultdict[str, int] = defaultdict(int)
        created: dict[str, Ms] = {}
        for facts in self.controller.world.nodes.values():
            nano[facts.accelerator] += tally(self._node(facts), moment).plain
            known = created.setdefault(facts.accelerator, facts.created)
            created[facts.accelerator] = min(known, facts.created)
        roster = self.controller.accounts.totals.roster
        for accelerator, amount in nano.items():
            series = roster.open(IDLE, (accelerator,), created[accelerator])
            series.reach(COST, amount - self._reading.taken.get(accelerator, 0))

    def _node(self, facts: NodeFacts) -> tuple[Slope, ...]:
        rates = self.controller.world.rates.get(facts.uid)
        known = self._nodes.get(facts.uid)
        if known is None or known.facts is not facts or known.rates is not rates:
            lines = slopes(self.controller.nodes.segments(facts))
            known = self._nodes[facts.uid] = _Node(facts, rates, lines)
        return known.slopes

    # --- samples -------------------------------------------------------------------------------

    def _each(self, kind: str) -> Iterator[tuple[Series, Mapping[str, int]]]:
        """Series of a kind with what may be shown of them: nothing yet of one that is new."""
        floor = self._floor
        for series in self.controller.accounts.totals.roster.of(kind):
            if series.written is not None:
                new = floor is not None and series.rank > floor
                yield series, {} if new else series.written

    def _cost(self) -> Iterator[Sample]:
        for series, marks in self._each(USAGE):
            yield (*series.labels, self.currency), marks.get(COST, 0) / NANO, series.created

    def _corrections(self) -> Iterator[Sample]:
        for series, marks in self._each(USAGE):
            sums = self._reading.usage.get(series)
            over = marks.get(COST, 0) - sums.cost if sums is not None else 0
            if over > 0 or CORRECTED in marks:
                yield (*series.labels, self.currency), max(0, over) / NANO, None

    def _gpu_seconds(self) -> Iterator[Sample]:
        for series, marks in self._each(USAGE):
            yield series.labels, marks.get(GPU, 0) / _PER_SECOND, series.created

    def _unpriced(self) -> Iterator[Sample]:
        sums: dict[tuple[str, str], tuple[int, Ms]] = {}
        for series, marks in self._each(USAGE):
            key = series.labels[0], series.labels[4]
            sum_, created = sums.get(key, (0, series.created))
            sums[key] = sum_ + marks.get(UNPRICED, 0), min(created, series.created)
        for key, (sum_, created) in sums.items():
            yield key, sum_ / _PER_SECOND, created

    def _energy(self) -> Iterator[Sample]:
        for series, marks in self._each(USAGE):
            sums = self._reading.usage.get(series)
            if JOULES in marks or (sums is not None and sums.joules is not None):
                yield (*series.labels, MODELED), marks.get(JOULES, 0) / NANO, series.created

    def _idle_cost(self) -> Iterator[Sample]:
        for series, marks in self._each(IDLE):
            yield (*series.labels, self.currency), marks.get(COST, 0) / NANO, series.created

    def _workload_cost(self) -> Iterator[Sample]:
        for series, marks in self._each(WORKLOAD):
            yield (*series.labels, self.currency), marks.get(COST, 0) / NANO, series.created

    def _workload_gpu_seconds(self) -> Iterator[Sample]:
        for series, marks in self._each(WORKLOAD):
            yield series.labels, marks.get(GPU, 0) / _PER_SECOND, series.created

    def _in_other(self) -> Iterator[Sample]:
        yield (), float(self.controller.accounts.totals.workloads.beyond()), None
