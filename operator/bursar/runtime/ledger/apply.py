"""One batch of rows, written in one transaction.

What is there is read first, in bulk, then the rows are merged in their order, and what changed is
written, the checkpoint last.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, select, update

from bursar.domain.time import Ms
from bursar.runtime import clock
from bursar.runtime.ledger import backfill, commitments, rerating, schema, series
from bursar.runtime.ledger.closing import close_month
from bursar.runtime.ledger.codec import clean, encode_facts, encode_labels
from bursar.runtime.ledger.holds import Holds, Place
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.rows import (
    CheckpointRow,
    CloseRow,
    CommitmentRows,
    FillRow,
    IntervalRows,
    MemberRow,
    NodeIntervalRows,
    NodeRow,
    PodRow,
    RateRows,
    RerateRow,
    Row,
    SeriesGone,
    SeriesRow,
    TrimRow,
)
from bursar.runtime.ledger.sql import chunks, insert_missing, upsert
from bursar.runtime.ledger.trim import trim

_BLANK: dict[str, Any] = {
    "namespace": "",
    "name": "",
    "run_id": None,
    "node_id": None,
    "priority_class": "",
    "labels": "{}",
    "grace_ms": None,
}
"""What is known of a pod that nobody has told anything of."""


class Batch:
    """Writes rows of one cluster, as the holder of one term, at one moment (by default: now)."""

    def __init__(
        self,
        connection: Connection,
        names: Names,
        cluster_id: int,
        term: int,
        now: Ms | None = None,
    ) -> None:
        self._connection = connection
        self._names = names
        self._cluster_id = cluster_id
        self._term = term
        self._now = clock.now() if now is None else now

    def write(self, rows: Sequence[Row]) -> None:
        """Write all rows; the caller commits."""
        kinds: defaultdict[type, list[Any]] = defaultdict(list)
        for row in rows:
            kinds[type(row)].append(row)
        nodes = self._nodes(rows)
        pods = self._pods(rows, kinds[PodRow], nodes)
        self._facts(kinds[NodeRow], nodes)
        self._rates([*kinds[RateRows], *map(_rates, kinds[RerateRow])], nodes)
        holds = Holds(self._connection, self._names, self._cluster_id, self._term, self._now)
        holds.write_pods(kinds[IntervalRows], pods)
        holds.write_nodes(kinds[NodeIntervalRows], nodes)
        owner = self._cluster_id, self._term
        commitments.write(self._connection, self._names, owner, kinds[CommitmentRows])
        self._members(kinds[MemberRow], pods)
        shown = [row for row in rows if isinstance(row, SeriesRow | SeriesGone)]
        series.write(self._connection, self._cluster_id, shown)
        self._checkpoints(kinds[CheckpointRow])
        if kinds[FillRow]:
            backfill.fill(self._connection, self._names, self._cluster_id, self._now)
        for row in kinds[TrimRow]:
            trim(self._connection, self._names, self._cluster_id, row, self._now)
        for row in kinds[RerateRow]:
            rerating.rerate(self._connection, self._names, self._cluster_id, row, holds)
        for row in kinds[CloseRow]:
            self._close(row)

    def _close(self, row: CloseRow) -> None:
        with suppress(ValueError):  # it was closed meanwhile: who asked looks whether it is
            close_month(
                self._connection, self._names, self._cluster_id, row.month, row.by, self._now
            )

    def _nodes(self, rows: Iterable[Row]) -> dict[str, int]:
        """Ids of all nodes that the rows name; a node first heard of from a pod is made."""
        uids: dict[str, None] = {}
        for row in rows:
            match row:
                case NodeRow():
                    uids[row.facts.uid] = None
                case PodRow() | RateRows() | NodeIntervalRows() | RerateRow():
                    uids[row.node_uid] = None
                case _:
                    pass
        uids.pop("", None)
        fresh = [{"cluster_id": self._cluster_id, "uid": uid, "name": ""} for uid in uids]
        insert_missing(self._connection, schema.NODE, fresh)
        return {row.uid: row.id for row in self._by_uid(schema.NODE, uids)}

    def _facts(self, rows: Iterable[NodeRow], nodes: dict[str, int]) -> None:
        newest = {row.facts.uid: row.facts for row in rows}
        if newest:
            self._connection.execute(
                update(schema.NODE).where(schema.NODE.c.id == bindparam("key")),
                [
                    {"key": nodes[uid], "name": clean(facts.name), "facts": encode_facts(facts)}
                    for uid, facts in newest.items()
                ],
            )

    def _rates(self, rows: Iterable[RateRows], nodes: dict[str, int]) -> None:
        newest: dict[str, RateRows] = {}
        for row in rows:
            known = newest.get(row.node_uid)
            if known is None or row.revised >= known.revised:
                newest[row.node_uid] = row
        for node in self._by_uid(schema.NODE, newest):
            if (
                node.rates_revised_ms is not None
                and node.rates_revised_ms > newest[node.uid].revised
            ):
                del newest[node.uid]
        if not newest:
            return
        rates = self._names.rates
        rates.remember(self._connection, (p.rate for row in newest.values() for p in row.periods))
        periods = schema.NODE_RATE
        for uid, row in newest.items():
            key = nodes[uid]
            self._connection.execute(delete(periods).where(periods.c.node_id == key))
            self._connection.execute(
                update(schema.NODE)
                .where(schema.NODE.c.id == key)
                .values(rates_revised_ms=row.revised)
            )
            fresh = {
                period.since: {
                    "node_id": key,
                    "since_ms": period.since,
                    "until_ms": period.until,
                    "rate_id": rates.id(period.rate),
                }
                for period in row.periods
            }
            upsert(self._connection, periods, list(fresh.values()))

    def _pods(
        self, rows: Iterable[Row], told: Sequence[PodRow], nodes: dict[str, int]
    ) -> dict[str, Place]:
        """Places of all pods that the rows name, and what `told` says of them filled in."""
        uids: dict[str, None] = {row.uid: None for row in told}
        for row in rows:
            if isinstance(row, IntervalRows | MemberRow):
                uids[row.pod_uid] = None
        self._names.runs.remember(self._connection, (row.run for row in told if row.run))
        found = {row.uid: row for row in self._by_uid(schema.POD, uids)}
        blank = {**_BLANK, "cluster_id": self._cluster_id}
        merged: dict[str, dict[str, Any]] = {
            uid: dict(found[uid]._mapping) if uid in found else {**blank, "uid": uid}  # noqa: SLF001
            for uid in uids
        }
        for row in told:
            self._fill(merged[row.uid], row, nodes)
        changed = [
            {"key": columns["id"], **{name: columns[name] for name in _BLANK}}
            for uid, columns in merged.items()
            if uid in found and columns != dict(found[uid]._mapping)  # noqa: SLF001
        ]
        if changed:
            statement = update(schema.POD).where(schema.POD.c.id == bindparam("key"))
            self._connection.execute(statement, changed)
        fresh = [columns for uid, columns in merged.items() if uid not in found]
        insert_missing(self._connection, schema.POD, fresh)
        places = {
            uid: Place(id=row.id, node_before=row.node_id, node=merged[uid]["node_id"])
            for uid, row in found.items()
        }
        for row in self._by_uid(schema.POD, (columns["uid"] for columns in fresh)):
            places[row.uid] = Place(
                id=row.id, node_before=row.node_id, node=row.node_id, fresh=True
            )
        return places

    def _fill(self, columns: dict[str, Any], row: PodRow, nodes: dict[str, int]) -> None:
        """Fill in what is empty."""
        columns["namespace"] = columns["namespace"] or clean(row.namespace)
        columns["name"] = columns["name"] or clean(row.name)
        columns["priority_class"] = columns["priority_class"] or clean(row.priority_class)
        if columns["labels"] == "{}":
            columns["labels"] = encode_labels(row.labels)
        if columns["grace_ms"] is None:
            columns["grace_ms"] = row.grace
        if columns["node_id"] is None:
            columns["node_id"] = nodes.get(row.node_uid)
        if columns["run_id"] is None and row.run is not None:
            columns["run_id"] = self._names.runs.id(row.run)

    def _members(self, rows: Sequence[MemberRow], pods: dict[str, Place]) -> None:
        if not rows:
            return
        budgets = self._names.budgets
        budgets.remember(self._connection, ((row.budget, row.budget_uid) for row in rows))
        table = schema.BUDGET_MEMBER
        insert_missing(
            self._connection,
            table,
            [
                {
                    "budget_id": budgets.id((row.budget, row.budget_uid)),
                    "pod_id": pods[row.pod_uid].id,
                    "from_ms": row.since,
                    "to_ms": None,
                    "class": row.workload_class.value,
                }
                for row in rows
            ],
        )
        ended = [
            {
                "budget": budgets.id((row.budget, row.budget_uid)),
                "pod": pods[row.pod_uid].id,
                "begun": row.since,
                "to_ms": max(row.since, row.until),
            }
            for row in rows
            if row.until is not None
        ]
        if ended:
            statement = update(table).where(
                table.c.budget_id == bindparam("budget"),
                table.c.pod_id == bindparam("pod"),
                table.c.from_ms == bindparam("begun"),
                table.c.to_ms.is_(None),
            )
            self._connection.execute(statement, ended)

    def _checkpoints(self, rows: Iterable[CheckpointRow]) -> None:
        newest = {row.stream: row for row in rows}
        upsert(
            self._connection,
            schema.CHECKPOINT,
            [
                {
                    "cluster_id": self._cluster_id,
                    "stream": row.stream,
                    "resource_version": clean(row.resource_version),
                    "observed_ms": row.observed,
                }
                for row in newest.values()
            ],
        )

    def _by_uid(self, table: Table, uids: Iterable[str]) -> Iterable[Any]:
        for part in chunks(uids):
            query = select(table).where(
                table.c.cluster_id == self._cluster_id, table.c.uid.in_(part)
            )
            yield from self._connection.execute(query).all()


def _rates(row: RerateRow) -> RateRows:
    return RateRows(node_uid=row.node_uid, periods=row.periods, revised=row.revised)
