"""What of the nodes' cost no pod pays: idle, recovery, CPU and memory, commitments, corrections.

A node's own rows say what it cost, the sums by hour and day what its pods took of that; what they
hold still, and the edges of the window, are added from their rows. Together with what pods paid it
is what nodes and commitments cost, to the nano-unit.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from sqlalchemy import select, type_coerce
from sqlalchemy.types import NullType

from bursar.domain.money import NANO
from bursar.domain.rate import Rate
from bursar.domain.time import DAY, Ms
from bursar.domain.usage import Cost, Segment
from bursar.domain.workload import NodeFacts
from bursar.meter import cost_between, plain_between, uncertain_between
from bursar.report import Amounts, Other, OtherLine, Use, accepts
from bursar.runtime.ledger import commitments, schema, stored
from bursar.runtime.ledger.reading import held, rolled
from bursar.runtime.ledger.reading.asked import Asked
from bursar.runtime.ledger.reading.plan import Grain, Piece, outside, plan, rows_only, summed
from bursar.runtime.ledger.reading.podlines import PodLines
from bursar.runtime.ledger.reading.snapshot import Snapshot
from bursar.runtime.ledger.reading.tally import NODE, POD, RESOURCE, WIDTH, Raw, Tally, amounts


@dataclass(slots=True)
class _Node:
    """What a node cost in the window.

    Attributes:
        whole: everything.
        devices: what its devices carry of that.
        gpu: accelerator time that it had, 10^-9 ms.
    """

    facts: NodeFacts | None = None
    whole: Cost = field(default_factory=Cost)
    devices: Cost = field(default_factory=Cost)
    gpu: int = 0
    unpriced: int = 0
    estimated: int = 0
    assumed: int = 0
    assumed_devices: int = 0
    counted: bool = True

    def add(self, part: Segment, frm: Ms, to: Ms) -> None:
        """Count a part of its life."""
        whole, devices = cost_between(part, frm, to), plain_between(part, frm, to)
        self.whole += whole
        self.devices += devices
        self.estimated += uncertain_between(part, frm, to).total
        self.counted = self.counted and part.devices is not None
        gpu = _time(part, self._fraction, to) - _time(part, self._fraction, frm)
        self.gpu += gpu
        if not isinstance(part.rate, Rate):
            self.unpriced += gpu
        elif part.rate.assumed:
            self.assumed += whole.total
            self.assumed_devices += devices.total

    @property
    def use(self) -> Use:
        """How its devices are used while nobody holds them."""
        facts = self.facts
        if facts is None:
            return Use("unknown")
        return Use(facts.accelerator, facts.region, facts.capacity_type)

    @property
    def _fraction(self) -> Fraction:
        return self.facts.device_fraction if self.facts is not None else Fraction(1)


class NodeLines:
    """The lines of one report that are no pod's.

    Args:
        snapshot: of the ledger.
        asked: the report.
        tally: tells what rows amount to.
        still: what is held still.
        pods: its lines of pods.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        asked: Asked,
        tally: Tally,
        still: held.Still,
        pods: PodLines,
    ) -> None:
        self._snapshot = snapshot
        self._asked = asked
        self._tally = tally
        self._still = still
        self._pods = pods
        window = asked.window
        self._since, self._until = window.since, window.until
        self._pieces = plan((window,), snapshot.kept)
        self._paid: defaultdict[str, Cost] = defaultdict(Cost)

    def __iter__(self) -> Iterator[OtherLine]:
        """All of them; of some pods only what was corrected of theirs, since nodes are nobody's."""
        if not self._asked.narrowed:
            yield from self._nodes()
            yield from self._commitments()
        yield from self._corrections()

    # --- nodes -------------------------------------------------------------------------------

    def _nodes(self) -> Iterator[OtherLine]:
        taken = self._taken()
        for key, node in self._costs().items():
            yield from _lines(node, taken[key])

    def _costs(self) -> dict[int, _Node]:
        snapshot, found = self._snapshot, dict[int, _Node]()
        reaches = stored.reaches(schema.NODE_INTERVAL, self._since, self._until)
        query = stored.node_intervals(snapshot.cluster_id).where(reaches)
        for row in snapshot.stream(query):
            entry = stored.node_interval(snapshot.connection, snapshot.names, row)
            node = found.setdefault(row.node_id, _Node())
            node.facts = entry.facts
            part = entry.segment
            to = self._end(part)
            node.add(part, min(self._since, to), to)
            if isinstance(part.rate, Rate) and part.rate.commitment:
                self._paid[part.rate.commitment] += cost_between(part, self._since, to)
        return found

    def _taken(self) -> defaultdict[int, list[int]]:
        """What pods took of each node, as `tally.Figures`, by its id."""
        found: defaultdict[int, list[int]] = defaultdict(lambda: [0] * WIDTH)
        for (_, node), total in rolled.by_node(self._snapshot, self._pieces).items():
            _plus(found[node], total.figures)
        for row, pieces in self._rows():
            if row[NODE] is not None:
                for piece in pieces:
                    _plus(found[row[NODE]], self._tally.between(row, piece.since, piece.until))
        for row in self._corrected:
            if row.node_id is not None and row.day_ms in self._days:
                _plus(found[row.node_id], _figures(row))
        return found

    def _rows(self) -> Iterator[tuple[Raw, Sequence[Piece]]]:
        """Rows that the sums do not hold, and the pieces of the window that they count in."""
        snapshot, window = self._snapshot, (self._asked.window,)
        still, unfilled = self._still, snapshot.unfilled
        parts = outside(window, summed(self._pieces, snapshot.closed_spans))
        for rows, _ in still.pods:
            yield from ((row, parts) for row in rows)
        edges = [piece for piece in self._pieces if piece.grain is Grain.ROWS]
        known: Iterable[Raw] | None = None
        if self._pods.pieces == self._pieces:
            known = self._pods.edges
        if known is None:
            known = held.rows(snapshot, [(piece.since, piece.until) for piece in edges])
        for row in known:
            if (row[POD], row[RESOURCE]) not in still.holds and row[POD] not in unfilled:
                yield row, edges
        if unfilled:
            whole, only = rows_only(window), unfilled.condition(held.POD_ID)
            for row in held.rows(snapshot, [(self._since, self._until)], only=only):
                if (row[POD], row[RESOURCE]) not in still.holds:
                    yield row, whole

    def _end(self, part: Segment) -> Ms:
        if part.end is not None:
            return self._until
        return max(part.start, min(self._until, self._asked.now))

    # --- commitments and corrections ---------------------------------------------------------

    def _commitments(self) -> Iterator[OtherLine]:
        """What commitments cost less what the nodes that they pay for cost."""
        snapshot = self._snapshot
        there = commitments.read(snapshot.connection, snapshot.names, snapshot.cluster_id)
        for name, entries in there.items():
            cost, assumed = Cost() - self._paid[name], 0
            for entry in entries:
                part = entry.segment
                to = self._end(part)
                cost += cost_between(part, min(self._since, to), to)
            yield OtherLine(
                kind=Other.UNUSED_COMMITMENTS,
                amounts=Amounts(capex=cost.capex, opex=cost.opex, assumed=assumed),
                use=Use("unknown"),
            )

    def _corrections(self) -> Iterator[OtherLine]:
        """What was booked in the window, less what its rows of pods show already."""
        if not self._corrected:
            return
        shown, asked = self._days - _whole_days(self._pods.pieces), self._asked
        for row in self._corrected:
            dimension = self._snapshot.dimension(row.dimension_id)
            if asked.namespace not in (None, dimension.namespace):
                continue
            if not accepts(asked.filters, dimension):
                continue
            booked = self._since <= row.booked_ms < self._until
            times = int(booked) - int(row.day_ms in shown)
            if times:
                figures = [times * figure for figure in _figures(row)]
                use = Use.of(dimension)
                yield OtherLine(kind=Other.CORRECTIONS, amounts=amounts(figures), use=use)

    @cached_property
    def _days(self) -> set[Ms]:
        """Days that the window holds whole: in a closed month these are told as they were."""
        return _whole_days(self._pieces)

    @cached_property
    def _corrected(self) -> list[Any]:
        """Corrections that were booked in the window, or are of a day in it."""
        table = schema.CORRECTION.c
        columns = [type_coerce(table[name], NullType) for name in rolled.FIGURES]
        query = select(table.booked_ms, table.day_ms, table.dimension_id, table.node_id, *columns)
        query = query.where(table.cluster_id == self._snapshot.cluster_id)
        booked = table.booked_ms.between(self._since, self._until - 1)
        of_days = table.day_ms.between(self._since, self._until - 1)
        return list(self._snapshot.stream(query.where(booked | of_days)))


def _lines(node: _Node, taken: Sequence[int]) -> Iterator[OtherLine]:
    """A node's cost less what its pods paid, in lines."""
    capex, opex, recovery, recovery_capex, _, assumed, gpu, unpriced = taken
    recovery_opex = recovery - recovery_capex
    yield OtherLine(
        kind=Other.IDLE,
        use=node.use,
        amounts=Amounts(
            capex=node.devices.capex - capex - recovery_capex,
            opex=node.devices.opex - opex - recovery_opex,
            gpu=node.gpu - gpu if node.counted else 0,
            estimated=node.estimated,
            assumed=node.assumed_devices - assumed,
            unpriced=node.unpriced - unpriced if node.counted else 0,
        ),
    )
    if recovery or recovery_capex:
        amounts = Amounts(capex=recovery_capex, opex=recovery_opex)
        yield OtherLine(kind=Other.RECOVERY, amounts=amounts, use=node.use)
    rest = node.whole - node.devices
    if rest.capex or rest.opex:
        assumed = node.assumed - node.assumed_devices
        amounts = Amounts(capex=rest.capex, opex=rest.opex, assumed=assumed)
        yield OtherLine(kind=Other.CPU_MEMORY, amounts=amounts, use=node.use)


def _time(part: Segment, fraction: Fraction, upto: Ms) -> int:
    """Accelerator time from a segment's start until a moment, 10^-9 ms, rounded down."""
    stop = upto if part.end is None else min(upto, part.end.at)
    held = (part.devices or Fraction(0)) * fraction * NANO
    return held.numerator * max(0, stop - part.start) // held.denominator


def _whole_days(pieces: Sequence[Piece]) -> set[Ms]:
    return {
        day
        for piece in pieces
        if piece.grain is Grain.DAYS
        for day in range(piece.since, piece.until, DAY)
    }


def _figures(row: Any) -> list[int]:
    return [int(figure) for figure in row[-len(rolled.FIGURES) :]]


def _plus(total: list[int], figures: Sequence[int]) -> None:
    for index, figure in enumerate(figures):
        total[index] += figure
