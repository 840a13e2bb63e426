"""Lines of a report: what pods held in each stretch of its window.

Keys that the sums by hour and day have are read from these, and the edges from pods' rows; keys
that are a pod's own are read from rows throughout. What is held still is added from its own rows,
up to now, since the sums hold what has ended; so is what they do not know yet after an upgrade.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement

from bursar.domain.time import DAY, Ms
from bursar.domain.usage import Dimension
from bursar.report import Line, accepts
from bursar.runtime.ledger import schema
from bursar.runtime.ledger.reading import held, rolled
from bursar.runtime.ledger.reading.asked import Asked
from bursar.runtime.ledger.reading.plan import Grain, Piece, outside, plan, rows_only, summed
from bursar.runtime.ledger.reading.snapshot import Snapshot
from bursar.runtime.ledger.reading.tally import (
    DEVICES,
    DIMENSION,
    POD,
    RESOURCE,
    START,
    Figures,
    Raw,
    Tally,
    added,
    amounts,
)
from bursar.runtime.ledger.reading.who import Who

_BEGUN = held.EXTRA
_SHORT: Ms = 2 * DAY
"""Pieces that are together as short as this have few rows, which are read once for all."""


class PodLines:
    """The lines of one report.

    Args:
        snapshot: of the ledger.
        asked: the report.
        tally: tells what rows amount to.
        still: what is held still.
        who: tells what is a pod's own.

    Attributes:
        pieces: which part of its window is read from where.
        edges: rows of closed holds that reach into those pieces that are read from rows, once they
            were read, if they are of a short time; else None.
    """

    def __init__(
        self, snapshot: Snapshot, asked: Asked, tally: Tally, still: held.Still, who: Who
    ) -> None:
        self._snapshot = snapshot
        self._asked = asked
        self._tally = tally
        self._still = still
        self._who = who
        stretches = asked.stretches
        self._by_rows = bool(self._who)
        self.pieces = rows_only(stretches) if self._by_rows else plan(stretches, snapshot.kept)
        self.edges: list[Raw] | None = None
        self._dimensions: dict[int, Dimension | None] = {}

    def __iter__(self) -> Iterator[Line]:
        """All of them."""
        yield from self._from_sums()
        pieces = [piece for piece in self.pieces if piece.grain is Grain.ROWS]
        if pieces:
            yield from self._from_rows(pieces)
        if not self._by_rows and self._snapshot.unfilled:
            yield from self._unfilled()
        yield from self._held_still()

    def _from_sums(self) -> Iterator[Line]:
        stretches = self._asked.stretches
        for (stretch, key), total in rolled.by_dimension(self._snapshot, self.pieces).items():
            dimension = self._dimension(key)
            if dimension is not None:
                yield Line(
                    dimension=dimension,
                    since=stretches[stretch].since,
                    amounts=amounts(total.figures),
                    pods=total.pods,
                    fresh=total.fresh,
                    uncounted=total.uncounted,
                    fresh_uncounted=total.fresh_uncounted,
                )

    def _from_rows(self, pieces: Sequence[Piece]) -> Iterator[Line]:
        """Closed holds, cut to these pieces.

        Where there are other pieces besides, those count pods by the hour or day in which they
        begin, and so it is done here.
        """
        mixed = not self._by_rows
        more = (held.begun(),) if mixed else self._who.columns
        unfilled = self._snapshot.unfilled
        found = self._read(pieces, more)
        if mixed and sum(piece.until - piece.since for piece in pieces) <= _SHORT:
            found = iter(edges := list(found))
            self.edges = edges
        for rows in self._pods(found):
            if mixed and rows[0][POD] in unfilled:
                continue
            begun = rows[0][_BEGUN] if mixed else None
            yield from self._of_pod(rows, pieces, begun=begun)

    def _unfilled(self) -> Iterator[Line]:
        """Closed holds that the sums do not know yet."""
        pieces = rows_only(self._asked.stretches)
        only = self._snapshot.unfilled.condition(held.POD_ID)
        for rows in self._pods(self._read(pieces, (), only)):
            yield from self._of_pod(rows, pieces)

    def _read(
        self,
        pieces: Sequence[Piece],
        more: Sequence[ColumnElement[Any]],
        only: ColumnElement[bool] | None = None,
    ) -> Iterator[Raw]:
        """Closed rows that reach into these pieces."""
        spans = [(piece.since, piece.until) for piece in pieces]
        ours, runs = self._ours(only), self._who.runs
        return held.rows(self._snapshot, spans, more, only=ours, runs=runs)

    def _pods(self, found: Iterable[Raw]) -> Iterator[list[Raw]]:
        """The rows of each pod's closed holds."""
        still = self._still.holds
        for pod, group in groupby(found, itemgetter(POD)):
            rows = [row for row in group if (pod, row[RESOURCE]) not in still]
            if rows and self._who.wanted(rows[0]):
                yield rows

    def _held_still(self) -> Iterator[Line]:
        told = summed(self.pieces, self._snapshot.closed_spans)
        pieces = outside(self._asked.stretches, told)
        for rows, others in self._still.pods:
            if not self._who.wanted(rows[0]):
                continue
            counted = self._counted_elsewhere(rows, others, told)
            yield from self._of_pod(rows, pieces, counted=counted)

    def _counted_elsewhere(
        self, rows: Sequence[Raw], others: bool, told: Sequence[Piece]
    ) -> AbstractSet[int]:
        """Stretches whose sums count a pod that holds something still."""
        stretches = self._asked.stretches
        if others:  # what it holds of another resource has ended, and is counted
            return frozenset(range(len(stretches)))
        begun = min(row[START] for row in rows)
        return frozenset(
            piece.stretch
            for piece in told
            if begun < piece.until and (piece.first or begun >= piece.since)
        )

    def _of_pod(
        self,
        rows: list[Raw],
        pieces: Sequence[Piece],
        *,
        begun: Ms | None = None,
        counted: AbstractSet[int] = frozenset(),
    ) -> Iterator[Line]:
        """Lines of one pod, of which the first in a stretch counts it.

        Args:
            rows: of its holds.
            pieces: to which they are cut.
            begun: when its life began, where other pieces of a stretch may have counted it.
            counted: stretches in which it is counted elsewhere.
        """
        stretches, unknown = self._asked.stretches, any(row[DEVICES] is None for row in rows)
        seen, names = set(counted), self._who.names(rows[0])
        earliest = min(counted, default=len(stretches))
        for piece in self._touched(rows, pieces):
            begins = begun is not None and begun >= piece.since
            if begun is None:
                counts, fresh = piece.stretch not in seen, piece.stretch < earliest
            else:
                counts, fresh = begins or piece.first, begins or piece.opens
            for key, figures in self._figures(rows, piece).items():
                dimension = self._dimension(key)
                if dimension is None:
                    continue
                seen.add(piece.stretch)
                earliest = min(earliest, piece.stretch)
                yield Line(
                    dimension,
                    stretches[piece.stretch].since,
                    amounts(figures),
                    *names,
                    int(counts),
                    int(fresh),
                    int(counts and unknown),
                    int(fresh and unknown),
                )
                counts = fresh = False

    def _touched(self, rows: Sequence[Raw], pieces: Sequence[Piece]) -> Iterable[Piece]:
        """The pieces that a pod's rows may reach into."""
        if len(pieces) == 1:
            return pieces
        start = min(row[START] for row in rows)
        end = max(self._tally.end(row) for row in rows)
        first = bisect_right(pieces, start, key=lambda piece: piece.since) - 1
        last = bisect_right(pieces, end, key=lambda piece: piece.since)
        return pieces[max(0, first) : last]

    def _figures(self, rows: Sequence[Raw], piece: Piece) -> Mapping[int, Figures]:
        """What rows of one pod amount to in a piece, by dimension, of those that reach it."""
        tally = self._tally
        if len(rows) == 1:
            (row,) = rows
            if not tally.reaches(row, piece.since, piece.until):
                return {}
            return {row[DIMENSION]: tally.between(row, piece.since, piece.until)}
        found: dict[int, Figures] = {}
        since, until = piece.since, piece.until
        for row in rows:
            if tally.reaches(row, since, until):
                key, figures = row[DIMENSION], tally.between(row, since, until)
                known = found.get(key)
                found[key] = figures if known is None else added(known, figures)
        return found

    def _dimension(self, key: int) -> Dimension | None:
        """A dimension; None where it is not asked for."""
        if key not in self._dimensions:
            asked, dimension = self._asked, self._snapshot.dimension(key)
            wanted = asked.namespace in (None, dimension.namespace)
            wanted = wanted and accepts(asked.filters, dimension)
            self._dimensions[key] = dimension if wanted else None
        return self._dimensions[key]

    def _ours(self, only: ColumnElement[bool] | None) -> ColumnElement[bool] | None:
        namespace = self._asked.namespace
        if namespace is None:
            return only
        ours = schema.POD.c.namespace == namespace
        return ours if only is None else ours & only
