"""Rows of the ledger as lines of a report: cut to its window, open ones up to now."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from bursar.domain.rate import Rate
from bursar.domain.time import Ms
from bursar.domain.usage import Cost, Segment
from bursar.meter import cost_between, is_priced, uncertain_between
from bursar.report import IdleLine, Line, RunLine, Window
from bursar.runtime.ledger.reader import Reader
from bursar.runtime.ledger.rows import StoredInterval


@dataclass(slots=True)
class _Share:
    """What a node cost, less what its pods took of it."""

    name: str = ""
    accelerator: str = "unknown"
    factor: Fraction = Fraction(1)
    cost: Cost = field(default_factory=Cost)
    assumed: int = 0
    unpriced_ms: Fraction = Fraction(0)
    counted: bool = True


class Lines:
    """The lines of one window.

    Args:
        reader: of the ledger.
        window: from when to when.
        now: up to when open rows are counted.
        namespace: whose pods; None: all. What nodes idled is no namespace's: there is none then.
    """

    def __init__(
        self, reader: Reader, window: Window, now: Ms, namespace: str | None = None
    ) -> None:
        self._reader = reader
        self._namespace = namespace
        self._since = window.since
        self._until = window.until
        self._now = min(window.until, now)
        self._today = now
        self._held: defaultdict[str, _Share] = defaultdict(_Share)

    def pods(self) -> Iterator[Line]:
        """What pods held."""
        for entry in self._reader.intervals(self._since, self._until, self._namespace):
            part, end = entry.segment, self._end(entry.segment)
            line = _line(entry, self._since, end)
            self._take(self._held[entry.node_uid], part, line.cost)
            yield line

    def runs(self) -> Iterator[RunLine]:
        """The whole lives of the runs that reach into the window, up to `now`."""
        for entry in self._reader.run_intervals(self._since, self._until, self._namespace):
            part, run = entry.segment, entry.run
            end = self._today if part.end is None else part.end.at
            yield RunLine(
                uid=run.uid if run else entry.pod_uid,
                kind=run.kind if run else "Pod",
                name=run.name if run else entry.name,
                line=_line(entry, part.start, max(part.start, end)),
                in_window=cost_between(part, self._since, self._end(part)).total,
                start=part.start,
                end=part.end.at if part.end else None,
            )

    def idle(self) -> Iterator[IdleLine]:
        """What of each node nobody held; to be read after `pods`, which tells what was held."""
        if self._namespace is not None:
            return
        nodes: defaultdict[str, _Share] = defaultdict(_Share)
        for entry in self._reader.node_intervals(self._since, self._until):
            node = nodes[entry.node_uid]
            node.name = entry.node_name
            if entry.facts is not None:
                node.accelerator = entry.facts.accelerator
                node.factor = entry.facts.device_fraction
            node.counted = node.counted and entry.segment.devices is not None
            part = entry.segment
            self._take(node, part, cost_between(part, self._since, self._end(part)))
        for uid, node in sorted(nodes.items(), key=lambda item: (item[1].name, item[0])):
            held = self._held[uid]
            cost, unpriced_ms = node.cost - held.cost, node.unpriced_ms - held.unpriced_ms
            if not node.counted:
                cost, unpriced_ms = replace(cost, device_ms=Fraction(0)), Fraction(0)
            yield IdleLine(
                node=node.name,
                accelerator=node.accelerator,
                cost=cost,
                gpu_ms=cost.device_ms * node.factor,
                assumed=node.assumed - held.assumed,
                unpriced_gpu_ms=unpriced_ms * node.factor,
            )

    def _end(self, part: Segment) -> Ms:
        return self._now if part.end is None else self._until

    @staticmethod
    def _take(share: _Share, part: Segment, cost: Cost) -> None:
        share.cost += cost
        if not isinstance(part.rate, Rate):
            share.unpriced_ms += cost.device_ms
        elif part.rate.assumed:
            share.assumed += cost.total


def _line(entry: StoredInterval, since: Ms, until: Ms) -> Line:
    part = entry.segment
    cost = cost_between(part, since, until)
    return Line(
        dimension=entry.dimension,
        node=entry.node_name,
        workload=_workload(entry),
        pod=entry.name,
        pod_uid=entry.pod_uid,
        cost=cost,
        gpu_ms=cost.device_ms * entry.device_fraction,
        estimated=uncertain_between(part, since, until).total,
        assumed=isinstance(part.rate, Rate) and part.rate.assumed,
        priced=is_priced(part),
        counted=part.devices is not None,
    )


def _workload(entry: StoredInterval) -> str:
    return f"Pod/{entry.name}" if entry.run is None else f"{entry.run.kind}/{entry.run.name}"
