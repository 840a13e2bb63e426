"""What each run cost: all pods under one root owner, retries and restarts included.

A run is told by the uid of its root owner, so that a Job deleted and made again under its name is
another run; a pod without an owner is its own. Decides from whole lives, not cut to a window: what
a training session cost does not depend on when it is asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bursar.domain.money import format_nano
from bursar.domain.time import Ms, format_time
from bursar.domain.usage import Dimension
from bursar.report.contract import PLACES, hours
from bursar.report.line import Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """What one pod of a run cost over its whole life.

    Attributes:
        uid: of the root owner.
        in_window: the part of the cost that lies in the window asked for, nano-units.
        start: when the pod was bound.
        end: None while it goes on.
    """

    uid: str
    kind: str
    name: str
    dimension: Dimension
    amounts: Amounts
    in_window: int
    start: Ms
    end: Ms | None


@dataclass(slots=True)
class RunFigures:
    """One run.

    Attributes:
        newest: the pod that began last; what a run is called by is read from it.
        in_window: nano-units that lie in the window.
        end: of the last of its pods so far.
        running: one of them holds devices still.
    """

    newest: RunLine
    start: Ms
    end: Ms = 0
    running: bool = False
    pods: int = 0
    capex: int = 0
    opex: int = 0
    gpu: int = 0
    estimated: int = 0
    assumed: int = 0
    unpriced: int = 0
    in_window: int = 0
    accelerators: set[str] = field(default_factory=set)

    @property
    def cost(self) -> int:
        """Nano-units, CapEx and OpEx together."""
        return self.capex + self.opex

    def add(self, part: RunLine) -> None:
        """Count a pod."""
        amounts = part.amounts
        self.pods += 1
        self.capex += amounts.capex
        self.opex += amounts.opex
        self.gpu += amounts.gpu
        self.estimated += amounts.estimated
        self.assumed += amounts.assumed
        self.unpriced += amounts.unpriced
        self.in_window += part.in_window
        self.accelerators.add(part.dimension.accelerator)
        self.start = min(self.start, part.start)
        if part.end is None:
            self.running = True
        else:
            self.end = max(self.end, part.end)
        if part.start > self.newest.start:
            self.newest = part


def runs(lines: Iterable[RunLine]) -> list[RunFigures]:
    """Sum pods by run; the dearest first, among equals the one that began first."""
    found: dict[str, RunFigures] = {}
    for part in lines:
        run = found.get(part.uid)
        if run is None:
            run = found[part.uid] = RunFigures(newest=part, start=part.start)
        run.add(part)
    return sorted(found.values(), key=lambda run: (-run.cost, run.start, run.newest.uid))


def run_to_contract(run: RunFigures) -> dict[str, Any]:
    """Write a run as JSON; what nothing told is null."""
    newest = run.newest
    dimension = newest.dimension
    return {
        "kind": newest.kind,
        "namespace": dimension.namespace,
        "name": newest.name,
        "uid": newest.uid,
        "class": dimension.workload_class.value,
        "activity": dimension.activity or None,
        "model": dimension.model or None,
        "team": dimension.team,
        "project": dimension.project,
        "accelerators": sorted(run.accelerators),
        "start": format_time(run.start),
        "end": None if run.running else format_time(run.end),
        "cost": format_nano(run.cost, PLACES),
        "costInWindow": format_nano(run.in_window, PLACES),
        "capex": format_nano(run.capex, PLACES),
        "opex": format_nano(run.opex, PLACES),
        "gpuHours": hours(run.gpu),
        "estimatedCost": format_nano(run.estimated, PLACES),
        "assumedCost": format_nano(run.assumed, PLACES),
        "unpricedGpuHours": hours(run.unpriced),
        "pods": run.pods,
    }
