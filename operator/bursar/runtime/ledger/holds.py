"""Writes the intervals of pods and nodes.

A hold is told whole, and replaces what is stored of it only when it is known better (`merge`). The
totals and the sums by hour and day move by the difference, in the same transaction.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, select, update

from bursar.domain.money import NANO
from bursar.domain.time import Ms
from bursar.domain.usage import Basis, Dimension, Segment
from bursar.meter import cost, is_priced
from bursar.runtime.ledger import merge, schema, stored, sums
from bursar.runtime.ledger.merge import Hold
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.rows import (
    CURRENT,
    LIFE,
    NEXT,
    IntervalRows,
    NodeIntervalRows,
    StoredInterval,
    StoredNodeInterval,
)
from bursar.runtime.ledger.sql import chunks, upsert

Key = tuple[int, ...]
"""Values of the columns that name a hold: pod and resource, or node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a pod is in the tables.

    Attributes:
        id: of its row.
        node_before: id of the node that its row named before this transaction.
        node: id of the node that it names now.
        fresh: whether the row was made in this transaction.
    """

    id: int
    node_before: int | None
    node: int | None
    fresh: bool = False


AMOUNTS = ("capex_nano", "opex_nano", "device_ms_nano", "gpu_ms_nano", "unpriced_gpu_ms_nano")


class Holds:
    """Writes holds in the caller's transaction."""

    def __init__(
        self, connection: Connection, names: Names, cluster_id: int, term: int, now: Ms
    ) -> None:
        self._connection = connection
        self._names = names
        self._cluster_id = cluster_id
        self._term = term
        self._now = now

    def write_pods(self, rows: Sequence[IntervalRows], pods: Mapping[str, Place]) -> None:
        """Write what pods held.

        Args:
            rows: what is told; each pod is one of `pods`.
            pods: by uid, all that may have been told something new of.
        """
        told = [row for row in rows if row.segments]
        moved = {place.id for place in pods.values() if place.node != place.node_before}
        if not told and not moved:
            return
        state = sums.state(self._connection, self._cluster_id, self._now)
        resources = self._names.resources
        resources.remember(self._connection, (row.segments[0].resource for row in told))
        ids = {pods[row.pod_uid].id for row in told if not pods[row.pod_uid].fresh} | moved
        old = pod_holds(self._connection, self._names, self._cluster_id, ids)
        new = dict(old)
        given: dict[int, IntervalRows] = {}
        for row in told:
            pod_id = pods[row.pod_uid].id
            key = pod_id, resources.id(row.segments[0].resource)
            hold = merge.told(
                row.segments,
                row.known,
                _generation(row.generation, new.get(key), row.segments),
                row.dimension,
                row.device_fraction,
            )
            if key not in old and hold.closed and hold.known < state.intervals_since:
                continue  # its rows were removed: it is in the sums already
            new[key] = merge.merge(new.get(key), hold)
            if new[key] is hold:
                given[pod_id] = row
        changed = {key: hold for key, hold in new.items() if hold != old.get(key)}
        self._names.dimensions.remember(
            self._connection, (hold.dimension for hold in changed.values() if hold.dimension)
        )
        self._replace(schema.POD_INTERVAL, ("pod_id", "resource_id"), old, changed)
        self._move_totals((old[key] for key in changed if key in old), changed.values())
        due = {pod_id for pod_id, _ in changed} | moved
        before, after = by_pod(old, due), by_pod(new, due)
        summing = sums.Summing(
            self._connection, self._names, self._cluster_id, state.scope, self._now
        )
        summing.move(
            sums.Move(
                before=before[place.id],
                after=after[place.id],
                node_before=place.node_before,
                node=place.node,
                reason=given[place.id].reason if place.id in given else "",
                reference=given[place.id].reference if place.id in given else "",
            )
            for place in pods.values()
            if place.id in due and state.filled(place.id)
        )

    def write_nodes(self, rows: Sequence[NodeIntervalRows], nodes: Mapping[str, int]) -> None:
        """Write what nodes cost; nothing is summed of it."""
        told = [row for row in rows if row.segments]
        if not told:
            return
        ids = {nodes[row.node_uid] for row in told}
        old = node_holds(self._connection, self._names, self._cluster_id, ids)
        new = dict(old)
        for row in told:
            key = (nodes[row.node_uid],)
            hold = merge.told(row.segments, row.known, _of_life(row.generation, new.get(key)))
            new[key] = merge.merge(new.get(key), hold)
        changed = {key: hold for key, hold in new.items() if hold != old.get(key)}
        self._replace(schema.NODE_INTERVAL, ("node_id",), old, changed)

    def _replace(
        self,
        table: Table,
        keys: tuple[str, ...],
        old: Mapping[Key, Hold],
        changed: Mapping[Key, Hold],
    ) -> None:
        """Take away, or mark as superseded, what a changed hold has no more; write what it has."""
        self._names.rates.remember(
            self._connection, (part.rate for hold in changed.values() for part in hold.segments)
        )
        gone, superseded = [], []
        for key, hold in changed.items():
            before = old.get(key)
            if before is None:
                continue
            if before.generation < hold.generation:
                superseded.append({**_named(keys, key), "next": hold.generation})
                continue
            kept = {part.start for part in hold.segments}
            gone += [
                {**_named(keys, key), "start": part.start, "made": hold.generation}
                for part in before.segments
                if part.start not in kept
            ]
        ours = [table.c[name] == bindparam(f"k_{name}") for name in keys]
        if superseded:
            statement = update(table).where(
                *ours, table.c.generation < bindparam("next"), table.c.superseded_by.is_(None)
            )
            self._connection.execute(statement.values(superseded_by=bindparam("next")), superseded)
        if gone:
            start = table.c.start_ms == bindparam("start")
            made = table.c.generation == bindparam("made")
            self._connection.execute(delete(table).where(*ours, start, made), gone)
        rows = [
            {**dict(zip(keys, key, strict=True)), **columns}
            for key, hold in changed.items()
            for columns in self._columns(hold)
        ]
        upsert(self._connection, table, rows)

    def _columns(self, hold: Hold) -> Iterable[dict[str, Any]]:
        extra: dict[str, Any] = {}
        if hold.dimension is not None:
            extra["dimension_id"] = self._names.dimensions.id(hold.dimension)
            extra["device_fraction"] = hold.device_fraction
        for part in hold.segments:
            end = part.end
            until = hold.known if end is None else end.at
            spent = cost(part, until)
            yield {
                "start_ms": part.start,
                "generation": hold.generation,
                "end_ms": until,
                "rate_id": self._names.rates.id(part.rate),
                "share": part.share,
                "devices": part.devices,
                "capex_nano": spent.capex,
                "opex_nano": spent.opex,
                "basis": int(Basis.OPEN if end is None else end.basis),
                "witness": "" if end is None else end.witness,
                "low_ms": None if end is None else end.low,
                "high_ms": None if end is None else end.high,
                "superseded_by": None,
                "term": self._term,
                **extra,
            }

    def _move_totals(self, before: Iterable[Hold], after: Iterable[Hold]) -> None:
        moves: defaultdict[Dimension, list[int]] = defaultdict(lambda: [0] * len(AMOUNTS))
        for sign, holds in ((-1, before), (1, after)):
            for hold in holds:
                assert hold.dimension is not None
                move = moves[hold.dimension]
                for part in hold.segments:
                    for index, amount in enumerate(closed_amounts(part, hold.device_fraction)):
                        move[index] += sign * amount
        dimensions = self._names.dimensions
        dimensions.remember(self._connection, moves)
        due = {dimensions.id(key): move for key, move in moves.items() if any(move)}
        table = schema.TOTAL
        for ids in chunks(due):
            query = select(table).where(
                table.c.cluster_id == self._cluster_id, table.c.dimension_id.in_(ids)
            )
            for row in self._connection.execute(query).all():
                for index, name in enumerate(AMOUNTS):
                    due[row.dimension_id][index] += getattr(row, name)
        rows = [
            {
                "cluster_id": self._cluster_id,
                "dimension_id": key,
                **dict(zip(AMOUNTS, move, strict=True)),
            }
            for key, move in due.items()
        ]
        upsert(self._connection, table, rows)


def pod_holds(
    connection: Connection, names: Names, cluster_id: int, ids: Iterable[int]
) -> dict[Key, Hold]:
    """What is stored of pods, by the ids of pod and resource."""
    column = schema.POD_INTERVAL.c.pod_id
    found: defaultdict[Key, list[StoredInterval]] = defaultdict(list)
    for part in chunks(ids):
        query = stored.intervals(cluster_id, picked=True).where(column.in_(part))
        for row in connection.execute(query).all():
            entry = stored.interval(connection, names, row)
            found[row.pod_id, row.resource_id].append(entry)
    return {key: merge.kept(entries) for key, entries in found.items()}


def node_holds(
    connection: Connection, names: Names, cluster_id: int, ids: Iterable[int]
) -> dict[Key, Hold]:
    """What is stored of nodes' own lives, by the id of the node."""
    column = schema.NODE_INTERVAL.c.node_id
    found: defaultdict[Key, list[StoredNodeInterval]] = defaultdict(list)
    for part in chunks(ids):
        query = stored.node_intervals(cluster_id).where(column.in_(part))
        for row in connection.execute(query).all():
            found[row.node_id,].append(stored.node_interval(connection, names, row))
    return {key: merge.kept(entries) for key, entries in found.items()}


def by_pod(holds: Mapping[Key, Hold], wanted: Iterable[int]) -> dict[int, dict[int, Hold]]:
    """Holds of some pods by resource."""
    found: dict[int, dict[int, Hold]] = {pod_id: {} for pod_id in wanted}
    for (pod_id, resource), hold in holds.items():
        if pod_id in found:
            found[pod_id][resource] = hold
    return found


def _generation(told: int, old: Hold | None, parts: tuple[Segment, ...] = ()) -> int:
    """The generation of what is told."""
    if told == NEXT and old is not None:
        return old.generation + (old.segments != parts)
    if told not in (CURRENT, NEXT):
        return told
    return 0 if old is None else old.generation


def _of_life(told: int, old: Hold | None) -> int:
    """The generation of a node's life that is told: re-ratings of that life may have been made."""
    told = _generation(told, old)
    if old is not None and told % LIFE == 0 and old.generation // LIFE == told // LIFE:
        return old.generation
    return told


def closed_amounts(part: Segment, device_fraction: Fraction) -> tuple[int, ...]:
    """What a closed row adds to the totals, in the order of `AMOUNTS`; nothing for an open one."""
    if part.end is None:
        return (0,) * len(AMOUNTS)
    spent = cost(part, part.end.at)
    gpu = (spent.device_ms * device_fraction * NANO).__floor__()
    device = (spent.device_ms * NANO).__floor__()
    return spent.capex, spent.opex, device, gpu, 0 if is_priced(part) else gpu


def _named(keys: Iterable[str], key: Iterable[Hashable]) -> dict[str, Any]:
    return {f"k_{name}": value for name, value in zip(keys, key, strict=True)}
