"""Writes the intervals of pods and nodes.

A hold is told whole, and replaces what is stored of it only when it is known better (`merge`). The
totals move by the difference, in the same transaction.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, select, update

from bursar.domain.money import NANO
from bursar.domain.time import Ms
from bursar.domain.usage import Basis, Dimension, Segment
from bursar.meter import cost, is_priced, started
from bursar.runtime.ledger import schema, stored
from bursar.runtime.ledger.merge import replaces, settle
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.rows import IntervalRows, NodeIntervalRows
from bursar.runtime.ledger.sql import chunks, upsert

Key = tuple[int, ...]
"""Values of the columns that name a hold: pod and resource, or node."""
_AMOUNTS = ("capex_nano", "opex_nano", "device_ms_nano", "gpu_ms_nano", "unpriced_gpu_ms_nano")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hold:
    """One hold: its segments, with the moment up to which the last is known."""

    segments: tuple[Segment, ...]
    known: Ms
    generation: int
    dimension: Dimension | None = None
    device_fraction: Fraction = Fraction(1)


class Holds:
    """Writes holds in the caller's transaction."""

    def __init__(self, connection: Connection, names: Names, cluster_id: int, term: int) -> None:
        self._connection = connection
        self._names = names
        self._cluster_id = cluster_id
        self._term = term

    def write_pods(self, rows: Sequence[IntervalRows], pods: Mapping[str, int]) -> None:
        """Write what pods held."""
        told = [row for row in rows if row.segments]
        if not told:
            return
        resources = self._names.resources
        resources.remember(self._connection, (row.segments[0].resource for row in told))
        old = self._stored_pods({pods[row.pod_uid] for row in told})
        new = dict(old)
        for row in told:
            key = pods[row.pod_uid], resources.id(row.segments[0].resource)
            hold = _Hold(
                segments=_begun(row.segments, row.known),
                known=_known(row.segments, row.known),
                generation=row.generation,
                dimension=row.dimension,
                device_fraction=row.device_fraction,
            )
            new[key] = _merge(new.get(key), hold)
        changed = {key: hold for key, hold in new.items() if hold != old.get(key)}
        self._names.dimensions.remember(
            self._connection, (hold.dimension for hold in changed.values() if hold.dimension)
        )
        self._replace(schema.POD_INTERVAL, ("pod_id", "resource_id"), old, changed)
        self._move_totals((old[key] for key in changed if key in old), changed.values())

    def write_nodes(self, rows: Sequence[NodeIntervalRows], nodes: Mapping[str, int]) -> None:
        """Write what nodes cost."""
        told = [row for row in rows if row.segments]
        if not told:
            return
        old = self._stored_nodes({nodes[row.node_uid] for row in told})
        new = dict(old)
        for row in told:
            key = (nodes[row.node_uid],)
            hold = _Hold(
                segments=_begun(row.segments, row.known),
                known=_known(row.segments, row.known),
                generation=row.generation,
            )
            new[key] = _merge(new.get(key), hold)
        changed = {key: hold for key, hold in new.items() if hold != old.get(key)}
        self._replace(schema.NODE_INTERVAL, ("node_id",), old, changed)

    def _stored_pods(self, ids: Iterable[int]) -> dict[Key, _Hold]:
        column = schema.POD_INTERVAL.c.pod_id
        found: defaultdict[Key, list[Any]] = defaultdict(list)
        for part in chunks(ids):
            query = stored.intervals(self._cluster_id).where(column.in_(part))
            for row in self._connection.execute(query).all():
                entry = stored.interval(self._connection, self._names, row)
                found[row.pod_id, row.resource_id].append(entry)
        return {
            key: replace(
                _stored(entries),
                dimension=entries[0].dimension,
                device_fraction=entries[0].device_fraction,
            )
            for key, entries in found.items()
        }

    def _stored_nodes(self, ids: Iterable[int]) -> dict[Key, _Hold]:
        column = schema.NODE_INTERVAL.c.node_id
        found: defaultdict[Key, list[Any]] = defaultdict(list)
        for part in chunks(ids):
            query = stored.node_intervals(self._cluster_id).where(column.in_(part))
            for row in self._connection.execute(query).all():
                entry = stored.node_interval(self._connection, self._names, row)
                found[row.node_id,].append(entry)
        return {key: _stored(entries) for key, entries in found.items()}

    def _replace(
        self,
        table: Table,
        keys: tuple[str, ...],
        old: Mapping[Key, _Hold],
        changed: Mapping[Key, _Hold],
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

    def _columns(self, hold: _Hold) -> Iterable[dict[str, Any]]:
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

    def _move_totals(self, before: Iterable[_Hold], after: Iterable[_Hold]) -> None:
        moves: defaultdict[Dimension, list[int]] = defaultdict(lambda: [0] * len(_AMOUNTS))
        for sign, holds in ((-1, before), (1, after)):
            for hold in holds:
                assert hold.dimension is not None
                move = moves[hold.dimension]
                for part in hold.segments:
                    for index, amount in enumerate(_closed(part, hold.device_fraction)):
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
                for index, name in enumerate(_AMOUNTS):
                    due[row.dimension_id][index] += getattr(row, name)
        rows = [
            {
                "cluster_id": self._cluster_id,
                "dimension_id": key,
                **dict(zip(_AMOUNTS, move, strict=True)),
            }
            for key, move in due.items()
        ]
        upsert(self._connection, table, rows)


def _merge(old: _Hold | None, new: _Hold) -> _Hold:
    """The hold that counts."""
    if old is None or new.generation > old.generation:
        return new
    if old.dimension is not None and new.dimension is not None:
        dimension = settle(old.dimension, new.dimension)
        old, new = replace(old, dimension=dimension), replace(new, dimension=dimension)
    if new.generation < old.generation:
        return old
    better = replaces(new.segments[-1], new.known, old.segments[-1], old.known)
    return new if better else old


def _begun(segments: tuple[Segment, ...], known: Ms) -> tuple[Segment, ...]:
    """Of an open hold, what has begun; at least its first segment."""
    if segments[-1].end is not None:
        return segments
    return started(segments, max(known, segments[0].start))


def _known(segments: tuple[Segment, ...], known: Ms) -> Ms:
    end = segments[-1].end
    return max(known, segments[0].start) if end is None else end.at


def _stored(entries: Iterable[Any]) -> _Hold:
    ordered = sorted(entries, key=lambda entry: entry.segment.start)
    return _Hold(
        segments=tuple(entry.segment for entry in ordered),
        known=ordered[-1].known,
        generation=ordered[-1].generation,
    )


def _closed(part: Segment, device_fraction: Fraction) -> tuple[int, ...]:
    """Amounts of a closed row in the order of `_AMOUNTS`; nothing for an open one."""
    if part.end is None:
        return (0,) * len(_AMOUNTS)
    spent = cost(part, part.end.at)
    gpu = (spent.device_ms * device_fraction * NANO).__floor__()
    device = (spent.device_ms * NANO).__floor__()
    return spent.capex, spent.opex, device, gpu, 0 if is_priced(part) else gpu


def _named(keys: Iterable[str], key: Iterable[Hashable]) -> dict[str, Any]:
    return {f"k_{name}": value for name, value in zip(keys, key, strict=True)}
