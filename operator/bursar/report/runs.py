"""What each run cost: all pods under one root owner, retries and restarts included.

A run is told by the uid of its root owner, so that a Job deleted and made again under its name is
another run; a pod without an owner is its own. Decides from whole lives, not cut to a window: what
a training session cost does not depend on when it is asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any, NamedTuple

from bursar.domain.money import format_nano
from bursar.domain.time import Ms, format_time
from bursar.domain.usage import Dimension
from bursar.report.contract import PLACES, hours
from bursar.report.line import Amounts


class RunName(NamedTuple):
    """What a run is called: its root owner."""

    uid: str
    kind: str
    name: str


@dataclass(slots=True, kw_only=True)
class RunFigures:
    """One run.

    Attributes:
        place: of the run among all, to tell it by and to look up its name.
        dimension: of the pod that began last, at `newest`.
        in_window: nano-units that lie in the window.
        end: of the last of its pods so far.
        running: one of them holds devices still.
    """

    place: tuple[int, int]
    dimension: Dimension
    start: Ms
    newest: Ms
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

    def add(self, amounts: Amounts, in_window: int) -> None:
        """Count what a pod held of a resource at one rate."""
        capex, opex, gpu, estimated, assumed, unpriced = amounts
        self.capex += capex
        self.opex += opex
        self.gpu += gpu
        self.estimated += estimated
        self.assumed += assumed
        self.unpriced += unpriced
        self.in_window += in_window

    def live(self, dimension: Dimension, start: Ms, end: Ms | None) -> None:
        """Count one stretch of a pod's life; None: it goes on."""
        self.accelerators.add(dimension.accelerator)
        self.start = min(self.start, start)
        if end is None:
            self.running = True
        elif end > self.end:
            self.end = end
        if start > self.newest:
            self.newest, self.dimension = start, dimension


def dearest(found: Iterable[RunFigures], most: int) -> list[RunFigures]:
    """The dearest runs, the dearest first, among equals the one that began first.

    Args:
        found: each is looked at once, and let go unless it is one of them.
        most: how many.
    """
    return nsmallest(most, found, key=lambda run: (-run.cost, run.start, run.place))


def run_to_contract(run: RunFigures, name: RunName) -> dict[str, Any]:
    """Write a run as JSON; what nothing told is null."""
    dimension = run.dimension
    return {
        "kind": name.kind,
        "namespace": dimension.namespace,
        "name": name.name,
        "uid": name.uid,
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
