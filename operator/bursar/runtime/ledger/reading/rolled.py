"""The sums by hour and day, added up over the pieces of a window."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Table, select, type_coerce
from sqlalchemy.types import NullType

from bursar.domain.time import Ms
from bursar.runtime.ledger import schema
from bursar.runtime.ledger.reading.plan import Grain, Piece
from bursar.runtime.ledger.reading.snapshot import Snapshot

_BY_DIMENSION = {Grain.HOURS: schema.HOURLY, Grain.DAYS: schema.DAILY}
_BY_NODE = {Grain.HOURS: schema.HOURLY_NODE, Grain.DAYS: schema.DAILY_NODE}
FIGURES = (
    "capex_nano",
    "opex_nano",
    "recovery_nano",
    "recovery_capex_nano",
    "estimated_nano",
    "assumed_nano",
    "gpu_ms_nano",
    "unpriced_gpu_ms_nano",
)
"""In the order of `tally.Figures`."""
_AMOUNTS = len(FIGURES)


@dataclass(slots=True)
class Sum:
    """Sums of one dimension, or node, in one stretch of a window.

    Attributes:
        figures: as `tally.Figures`.
        pods: that the stretch counts; `fresh` those that no earlier one does.
        uncounted: those of `pods` whose devices are unknown; `fresh_uncounted` likewise.
    """

    figures: list[int] = field(default_factory=lambda: [0] * _AMOUNTS)
    pods: int = 0
    fresh: int = 0
    uncounted: int = 0
    fresh_uncounted: int = 0

    def add(self, row: Sequence[Any], piece: Piece) -> None:
        """Count a row: moment, id, figures, and pods where it has them."""
        figures = self.figures
        for index in range(_AMOUNTS):
            value = row[2 + index]
            if value:
                figures[index] += int(value)
        if len(row) == 2 + _AMOUNTS:
            return
        started, carried, uncounted, uncounted_carried = row[2 + _AMOUNTS :]
        self._count(started, uncounted, fresh=True)
        if piece.first and row[0] == piece.since:
            self._count(carried, uncounted_carried, fresh=piece.opens)

    def _count(self, pods: int, uncounted: int, *, fresh: bool) -> None:
        self.pods += pods
        self.uncounted += uncounted
        if fresh:
            self.fresh += pods
            self.fresh_uncounted += uncounted


Sums = dict[tuple[int, int], Sum]
"""By stretch and the id of a dimension or node."""


def by_dimension(snapshot: Snapshot, pieces: Sequence[Piece]) -> Sums:
    """What closed holds of each dimension add up to in the pieces of whole hours or days."""
    return _sums(snapshot, pieces, _BY_DIMENSION, "dimension_id", schema.COUNTS)


def by_node(snapshot: Snapshot, pieces: Sequence[Piece]) -> Sums:
    """What closed holds took of each node, likewise, without how many pods that were."""
    return _sums(snapshot, pieces, _BY_NODE, "node_id", ())


def _sums(
    snapshot: Snapshot,
    pieces: Sequence[Piece],
    tables: dict[Grain, Table],
    key: str,
    counts: tuple[str, ...],
) -> Sums:
    found: Sums = {}
    for grain, table in tables.items():
        mine = [piece for piece in pieces if piece.grain is grain]
        begins = [piece.since for piece in mine]
        for since, until in _runs(mine):
            piece, last = mine[0], None
            for row in _rows(snapshot, table, (since, until), key, counts):
                if row[0] != last:
                    last = row[0]
                    piece = mine[bisect_right(begins, last) - 1]
                name = piece.stretch, row[1]
                total = found.get(name)
                if total is None:
                    total = found[name] = Sum()
                total.add(row, piece)
    return found


def _rows(
    snapshot: Snapshot, table: Table, span: tuple[Ms, Ms], key: str, counts: tuple[str, ...]
) -> Iterator[Any]:
    moment = table.c["hour_ms" if "hour_ms" in table.c else "day_ms"]
    columns: list[ColumnElement[Any]] = [moment, table.c[key]]
    # As the driver gives them: decoding each would take longer than reading it.
    columns += [type_coerce(table.c[name], NullType) for name in FIGURES]
    columns += [table.c[name] for name in counts]
    query = select(*columns).where(
        table.c.cluster_id == snapshot.cluster_id, moment >= span[0], moment < span[1]
    )
    yield from snapshot.stream(query.order_by(moment))


def _runs(pieces: Sequence[Piece]) -> Iterator[tuple[Ms, Ms]]:
    """Spans of pieces that follow each other without a gap."""
    since = until = None
    for piece in pieces:
        if since is not None and until == piece.since:
            until = piece.until
            continue
        if since is not None and until is not None:
            yield since, until
        since, until = piece.since, piece.until
    if since is not None and until is not None:
        yield since, until
