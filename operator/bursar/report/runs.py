"""What each run cost: all pods under one root owner, retries and restarts included.

A run is told by the uid of its root owner, so that a Job deleted and made again under its name is
another run; a pod without an owner is its own. Decides from whole lines, not cut to a window:
what a training session cost does not depend on when it is asked for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from bursar.domain.money import format_nano
from bursar.domain.time import Ms, format_time
from bursar.report.contract import PLACES, hours
from bursar.report.figures import Figures
from bursar.report.line import Line

_NO_WEIGHTS: Mapping[str, Fraction] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """What one pod of a run held of one resource at one rate, over its whole life.

    Attributes:
        uid: of the root owner.
        in_window: the part of the line's cost that lies in the window asked for, nano-units.
        start: when the pod was bound, or the rate changed.
        end: None while it goes on.
    """

    uid: str
    kind: str
    name: str
    line: Line
    in_window: int
    start: Ms
    end: Ms | None


@dataclass(slots=True)
class RunFigures:
    """One run.

    Attributes:
        newest: the line that began last; what a run is called by is read from it.
        figures: of its whole life.
        in_window: nano-units that lie in the window.
        end: of the last of its pods so far.
        running: one of them holds devices still.
    """

    newest: RunLine
    start: Ms
    end: Ms = 0
    running: bool = False
    in_window: int = 0
    figures: Figures = field(default_factory=Figures)
    accelerators: set[str] = field(default_factory=set)

    def add(self, part: RunLine) -> None:
        """Count a line."""
        self.figures.add(part.line, _NO_WEIGHTS)
        self.in_window += part.in_window
        self.accelerators.add(part.line.dimension.accelerator)
        self.start = min(self.start, part.start)
        if part.end is None:
            self.running = True
        else:
            self.end = max(self.end, part.end)
        if part.start > self.newest.start:
            self.newest = part


def runs(lines: Iterable[RunLine]) -> list[RunFigures]:
    """Sum lines by run; the dearest first, among equals the one that began first."""
    found: dict[str, RunFigures] = {}
    for part in lines:
        run = found.get(part.uid)
        if run is None:
            run = found[part.uid] = RunFigures(newest=part, start=part.start)
        run.add(part)
    return sorted(found.values(), key=lambda run: (-run.figures.cost, run.start, run.newest.uid))


def run_to_contract(run: RunFigures) -> dict[str, Any]:
    """Write a run as JSON; what nothing told is null."""
    newest, figures = run.newest, run.figures
    dimension = newest.line.dimension
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
        "cost": format_nano(figures.cost, PLACES),
        "costInWindow": format_nano(run.in_window, PLACES),
        "capex": format_nano(figures.capex, PLACES),
        "opex": format_nano(figures.opex, PLACES),
        "gpuHours": hours(figures.gpu_ms),
        "estimatedCost": format_nano(figures.estimated, PLACES),
        "assumedCost": format_nano(figures.assumed, PLACES),
        "unpricedGpuHours": hours(figures.unpriced_ms),
        "pods": len(figures.pods),
    }
