"""Moves the sums by hour and day when holds change, in the transaction that changes them.

What a pod's holds add now less what they added before is added to the rows. In a closed month it
becomes a correction instead, booked when it is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add, sub
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from bursar.domain.time import DAY, Ms
from bursar.runtime.ledger import schema
from bursar.runtime.ledger.codec import clean
from bursar.runtime.ledger.merge import Hold
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.rollups import (
    WIDTH,
    Scope,
    Sums,
    contribution,
    month_of,
)
from bursar.runtime.ledger.sql import Raw, chunks, insert_missing

_NOTHING = [0] * WIDTH
_KEYS = 400
"""Rows that one query asks for: two parameters each."""
KEPT_AT_FIRST = 90 * DAY
"""How far back from its first opening a ledger has hours; before that it has days."""
LATE = "told after the month was closed"
"""Reason of a correction that nobody gave one for."""

FIGURES = (*schema.AMOUNTS, *schema.COUNTS)
Figures = dict[tuple[Ms, int], list[int]]
"""By the beginning of the hour or day and the id of a dimension or node."""
Holds = Mapping[int, Hold]
"""A pod's holds by resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """How one pod's holds changed.

    Attributes:
        node_before: id of the node that they were counted at; None: none was known.
        reason: of corrections; empty: none was given.
    """

    before: Holds
    after: Holds
    node_before: int | None
    node: int | None
    reason: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What is summed: read once in each transaction.

    Attributes:
        intervals_since: pods that ended before are gone, and not written again.
        unfilled: ids of pods above the first, up to the second, are not summed yet.
    """

    scope: Scope
    intervals_since: Ms = 0
    unfilled: tuple[int, int] = (0, 0)

    def filled(self, pod_id: int) -> bool:
        """Whether a pod's holds are summed."""
        return not self.unfilled[0] < pod_id <= self.unfilled[1]


def state(connection: Connection, cluster_id: int, now: Ms) -> State:
    """What is kept and closed of a cluster; a row of `kept` is made where there is none."""
    kept, closed = schema.KEPT.c, schema.CLOSED_MONTH.c
    query = select(schema.KEPT).where(kept.cluster_id == cluster_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        since = max(0, now - now % DAY - KEPT_AT_FIRST)
        fresh = {"cluster_id": cluster_id, "intervals_since_ms": 0, "hourly_since_ms": since}
        insert_missing(connection, schema.KEPT, [fresh])
        row = connection.execute(query).one()
    months = connection.execute(select(closed.month).where(closed.cluster_id == cluster_id))
    return State(
        Scope.of(row.hourly_since_ms, months.scalars()),
        row.intervals_since_ms,
        (row.unfilled_after or 0, row.unfilled_upto or 0),
    )


@dataclass(slots=True)
class _Due:
    """What is to be added to the rows."""

    hourly: Figures = field(default_factory=dict)
    daily: Figures = field(default_factory=dict)
    hourly_node: Figures = field(default_factory=dict)
    daily_node: Figures = field(default_factory=dict)


class Summing:
    """Moves the sums in the caller's transaction."""

    def __init__(
        self, connection: Connection, names: Names, cluster_id: int, scope: Scope, now: Ms
    ) -> None:
        self._connection = connection
        self._names = names
        self._cluster_id = cluster_id
        self._scope = scope
        self._now = now
        self._due = _Due()
        self._corrections: list[dict[str, Any]] = []

    def move(self, moves: Iterable[Move]) -> None:
        """Add what changed, all in a few statements."""
        self._write([(each, self._scope) for each in moves if self._matters(each)])

    def close(self, moves: Iterable[Move], scope: Scope) -> None:
        """Add what open holds come to in a month that is being closed.

        Args:
            moves: `before` and `after` are the same, what is there of pods that go on.
            scope: as it will be.
        """
        self._write([(each, scope) for each in moves])

    def _write(self, told: Sequence[tuple[Move, Scope]]) -> None:
        if not told:
            return
        holds = (
            hold for each, _ in told for part in (each.before, each.after) for hold in part.values()
        )
        dimensions = (hold.dimension for hold in holds if hold.dimension is not None)
        self._names.dimensions.remember(self._connection, dimensions)
        number = self._names.dimensions.id
        for each, scope in told:
            before = contribution(each.before, self._scope, number)
            after = contribution(each.after, scope, number)
            self._spread(before.hourly, after.hourly, each, hourly=True)
            self._spread(before.daily, after.daily, each, hourly=False)
        due = self._due
        self._add(schema.HOURLY, "hour_ms", "dimension_id", due.hourly)
        self._add(schema.DAILY, "day_ms", "dimension_id", due.daily)
        self._add(schema.HOURLY_NODE, "hour_ms", "node_id", due.hourly_node)
        self._add(schema.DAILY_NODE, "day_ms", "node_id", due.daily_node)
        if self._corrections:
            self._connection.execute(insert(schema.CORRECTION), self._corrections)
        self._due, self._corrections = _Due(), []

    def _matters(self, each: Move) -> bool:
        """Whether anything can change: not where an open hold is known to go on, and no more."""
        before, after = each.before, each.after
        ended = any(hold.closed for hold in (*before.values(), *after.values()))
        if not ended and not self._scope.closed:
            return False
        if each.node_before != each.node or before.keys() != after.keys():
            return True
        return any(_content(before[key]) != _content(after[key]) for key in after)

    def _spread(self, before: Sums, after: Sums, each: Move, *, hourly: bool) -> None:
        """Sort what changed to the rows that it changes."""
        due = self._due
        by_dimension = due.hourly if hourly else due.daily
        by_node = due.hourly_node if hourly else due.daily_node
        moved = each.node_before != each.node
        for key in {**before, **after} if before else after:
            old, new = before.get(key, _NOTHING), after.get(key, _NOTHING)
            if old == new and not moved:
                continue
            moment, row = key
            closed = self._scope.is_closed(moment)
            if not closed:
                _plus(by_dimension, key, map(sub, new, old))
            parts = [(each.node, list(map(sub, new, old)))]
            if moved:
                parts = [(each.node_before, [-figure for figure in old]), (each.node, [*new])]
            for node, figures in parts:
                if not closed and node is not None:
                    _plus(by_node, (moment, node), figures)
                elif closed and not hourly and any(figures):
                    self._correct(moment, row, node, figures, each)

    def _correct(
        self, day: Ms, dimension: int, node: int | None, figures: Sequence[int], each: Move
    ) -> None:
        self._corrections.append(
            {
                "cluster_id": self._cluster_id,
                "booked_ms": self._now,
                "day_ms": day,
                "month": month_of(day),
                "dimension_id": dimension,
                "node_id": node,
                **dict(zip(FIGURES, figures, strict=True)),
                "reason": clean(each.reason) or LATE,
                "reference": clean(each.reference),
            }
        )

    def _add(self, table: Table, moment: str, key: str, due: Figures) -> None:
        """Add to rows; those of which nothing is left are removed."""
        names = [name for name in FIGURES if name in table.c]
        raw = Raw(self._connection, table, ("cluster_id", moment, key), names)
        moving = {each: figures for each, figures in due.items() if any(figures)}
        fresh, gone = [], []
        for part in chunks(moving, _KEYS):
            found = raw.rows(self._cluster_id, part)
            for each in part:
                figures = moving[each][: len(names)]
                old = found.get(each)
                if old is not None:
                    figures = list(map(add, figures, old))
                ids = (self._cluster_id, *each)
                if any(figures):
                    fresh.append((*ids, *figures))
                elif old is not None:
                    gone.append(ids)
        raw.put(fresh)
        raw.remove(gone)


def _content(hold: Hold) -> tuple[object, ...]:
    """What of a hold its sums depend on."""
    return hold.segments, hold.dimension, hold.device_fraction


def _plus(figures: Figures, key: tuple[Ms, int], more: Iterable[int]) -> None:
    old = figures.get(key)
    figures[key] = list(more) if old is None else list(map(add, old, more))
