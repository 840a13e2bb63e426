"""What the ledger holds, for restarts, metrics and reports. Reads only, from any thread."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, Engine, Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from bursar.domain.budget import Amounts, BudgetKey
from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO
from bursar.domain.rate import RatePeriod
from bursar.domain.time import Ms
from bursar.domain.usage import Cost, Dimension, End
from bursar.domain.workload import NodeFacts
from bursar.errors import LedgerError
from bursar.runtime.ledger import (
    backfill,
    commitments,
    connect,
    migrate,
    past,
    schema,
    series,
    stored,
)
from bursar.runtime.ledger.codec import decode_facts
from bursar.runtime.ledger.names import Names, decode_budget
from bursar.runtime.ledger.reading.snapshot import Snapshot
from bursar.runtime.ledger.rows import (
    CheckpointRow,
    MemberRow,
    OpenPod,
    RateRows,
    SeriesRow,
    Spend,
    StoredCommitment,
    StoredInterval,
    StoredNodeInterval,
    Total,
)
from bursar.runtime.ledger.sql import chunks
from bursar.runtime.ledger.worth import ONE, doubt, worth


class Reader:
    """Reads one cluster's rows; each method sees one consistent state."""

    def __init__(self, engine: Engine, path: str, cluster_id: int) -> None:
        self._engine = engine
        self._path = path
        self._cluster_id = cluster_id
        self._names = Names(cluster_id)

    @classmethod
    def open(cls, url: str, cluster: str) -> "Reader":
        """Open an existing ledger without disturbing its writer.

        Args:
            url: SQLAlchemy URL, or the path of a SQLite file.
            cluster: name of the cluster in it.

        Raises:
            LedgerError: it is absent, of another version, or knows no such cluster.
        """
        parsed = connect.parse(url)
        path = connect.place(parsed)
        engine = connect.reader_engine(parsed)
        try:
            with engine.begin() as connection:
                migrate.require_current(connection, path)
                query = select(schema.CLUSTER.c.id).where(schema.CLUSTER.c.name == cluster)
                found = connection.execute(query).scalar()
        except SQLAlchemyError as error:
            engine.dispose()
            raise LedgerError(path, connect.problem(error)) from error
        except LedgerError:
            engine.dispose()
            raise
        if found is None:
            engine.dispose()
            raise LedgerError(path, f"holds nothing of cluster {cluster!r}")
        return cls(engine, path, found)

    def close(self) -> None:
        """Give its connections back."""
        self._engine.dispose()

    def checkpoint(self, stream: str) -> CheckpointRow | None:
        """Up to where a stream has been applied; None: never."""
        table = schema.CHECKPOINT.c
        query = select(schema.CHECKPOINT).where(
            table.cluster_id == self._cluster_id, table.stream == stream
        )
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return CheckpointRow(
            stream=stream, resource_version=row.resource_version, observed=row.observed_ms
        )

    def nodes(self) -> dict[str, NodeFacts]:
        """What was last known of each node, by uid."""
        table = schema.NODE.c
        query = select(table.uid, table.facts).where(table.cluster_id == self._cluster_id)
        with self._reading() as connection:
            found = {row.uid: decode_facts(row.facts) for row in connection.execute(query)}
        return {uid: facts for uid, facts in found.items() if facts is not None}

    def rates(self) -> dict[str, RateRows]:
        """Each node's rate periods, by its uid."""
        node, rate = schema.NODE.c, schema.NODE_RATE.c
        query = (
            select(node.uid, node.rates_revised_ms, rate.since_ms, rate.until_ms, rate.rate_id)
            .select_from(schema.NODE_RATE.join(schema.NODE, rate.node_id == node.id))
            .where(node.cluster_id == self._cluster_id)
            .order_by(node.uid, rate.since_ms)
        )
        periods: defaultdict[str, list[RatePeriod]] = defaultdict(list)
        revised: dict[str, Ms] = {}
        with self._reading() as connection:
            for row in connection.execute(query):
                value = self._names.rates.value(connection, row.rate_id)
                period = RatePeriod(since=row.since_ms, until=row.until_ms, rate=value)
                periods[row.uid].append(period)
                revised[row.uid] = row.rates_revised_ms
        return {
            uid: RateRows(node_uid=uid, periods=tuple(parts), revised=revised[uid])
            for uid, parts in periods.items()
        }

    def unfilled(self) -> int:
        """Ids of pods of an earlier version that are not in the sums by hour and day yet."""
        with self._reading() as connection:
            return backfill.unfilled(connection, self._cluster_id)

    def written_until(self) -> Ms:
        """The last moment that any pod's cost, of any cluster, is written up to; 0: none is."""
        query = select(func.max(schema.POD_INTERVAL.c.end_ms))
        with self._reading() as connection:
            return int(connection.execute(query).scalar() or 0)

    def node_heartbeats(self) -> dict[str, Ms]:
        """When each node that had no end was last written to be there (ms), by uid."""
        node, table = schema.NODE.c, schema.NODE_INTERVAL
        query = (
            select(node.uid, func.max(table.c.end_ms).label("known"))
            .select_from(table.join(schema.NODE, table.c.node_id == node.id))
            .where(node.cluster_id == self._cluster_id, stored.is_open(table))
            .group_by(node.uid)
        )
        with self._reading() as connection:
            return {row.uid: int(row.known) for row in connection.execute(query)}

    def open_pods(self) -> tuple[OpenPod, ...]:
        """Pods that held devices when the ledger was last written."""
        table = schema.POD_INTERVAL.c
        query = stored.intervals(self._cluster_id, picked=True).where(table.pod_id.in_(_running()))
        found: defaultdict[str, list[StoredInterval]] = defaultdict(list)
        for entry in self._decoded(query.order_by(table.pod_id, table.start_ms)):
            found[entry.pod_uid].append(entry)
        return tuple(
            OpenPod(
                uid=uid,
                namespace=entries[0].namespace,
                name=entries[0].name,
                node_uid=entries[0].node_uid,
                intervals=tuple(entries),
                known=max(entry.known for entry in entries if entry.segment.end is None),
            )
            for uid, entries in found.items()
        )

    def ends(self, pod_uids: Iterable[str]) -> dict[str, End]:
        """How those of these pods ended whose end is written: the latest over their resources."""
        pod = schema.POD.c
        ends: dict[str, End] = {}
        holding: set[str] = set()
        for part in chunks(pod_uids):
            for entry in self._decoded(stored.intervals(self._cluster_id).where(pod.uid.in_(part))):
                end, known = entry.segment.end, ends.get(entry.pod_uid)
                if end is None:
                    holding.add(entry.pod_uid)
                elif known is None or end.at > known.at:
                    ends[entry.pod_uid] = end
        return {uid: end for uid, end in ends.items() if uid not in holding}

    def members(self, pod_uids: Iterable[str] | None = None) -> tuple[MemberRow, ...]:
        """Which budgets pods count in: these pods, or all that are open."""
        member, pod, budget = schema.BUDGET_MEMBER.c, schema.POD.c, schema.BUDGET.c
        source = schema.BUDGET_MEMBER.join(schema.POD, member.pod_id == pod.id).join(
            schema.BUDGET, member.budget_id == budget.id
        )
        query = (
            select(
                pod.uid.label("pod_uid"),
                budget.namespace,
                budget.name,
                budget.member,
                budget.uid,
                member.from_ms,
                member.to_ms,
                member["class"].label("workload_class"),
            )
            .select_from(source)
            .where(stored.of_cluster(self._cluster_id, picked=pod_uids is None))
            .order_by(pod.id, budget.id, member.from_ms)
        )
        if pod_uids is None:
            queries = [query.where(member.pod_id.in_(_running()))]
        else:
            queries = [query.where(pod.uid.in_(part)) for part in chunks(pod_uids)]
        with self._reading() as connection:
            return tuple(_member(found) for each in queries for found in connection.execute(each))

    def began(self) -> Ms:
        """When the first pod that is written began to hold its devices; 0: none is."""
        with self._reading() as connection:
            return int(
                connection.execute(select(func.min(schema.POD_INTERVAL.c.start_ms))).scalar() or 0
            )

    def recovery(self) -> dict[str, int]:
        """Nano-units that ended pods took of their nodes beyond what they paid, by accelerator."""
        with self._reading() as connection:
            return series.recovery(connection, self._cluster_id)

    def series(self) -> tuple[SeriesRow, ...]:
        """What Prometheus was shown, in order of first appearance."""
        with self._reading() as connection:
            return series.read(connection, self._cluster_id)

    def totals(self) -> dict[Dimension, Total]:
        """All that closed rows ever cost, by dimension."""
        table = schema.TOTAL.c
        query = select(schema.TOTAL).where(table.cluster_id == self._cluster_id)
        with self._reading() as connection:
            return {
                self._names.dimensions.value(connection, row.dimension_id): Total(
                    cost=Cost(
                        capex=row.capex_nano,
                        opex=row.opex_nano,
                        device_ms=Fraction(row.device_ms_nano, NANO),
                    ),
                    gpu_ms=Fraction(row.gpu_ms_nano, NANO),
                    unpriced_gpu_ms=Fraction(row.unpriced_gpu_ms_nano, NANO),
                )
                for row in connection.execute(query)
            }

    def budget_spend(
        self,
        key: BudgetKey,
        frm: Ms,
        to: Ms | None,
        *,
        weights: Mapping[str, Fraction] = ONE,
        uid: str | None = None,
        remembered: bool = True,
    ) -> Spend:
        """What ended pods cost a budget in [frm, to), cut there and at the memberships.

        The closed rows of a pod that goes on, those of a price change, are left out.

        Args:
            key: the purse.
            frm: included.
            to: excluded; None: for ever.
            weights: normalized devices for one device of an accelerator; 1 where none is given.
            uid: of the object; None: of whatever has had this name.
            remembered: count what is remembered of rows that are gone, whenever it was spent.
        """
        member, budget = schema.BUDGET_MEMBER.c, schema.BUDGET.c
        table = schema.POD_INTERVAL.c
        purse = [
            budget.cluster_id == self._cluster_id,
            budget.namespace == key.namespace,
            budget.name == key.name,
            budget.member == key.member,
            *([] if uid is None else [budget.uid == uid]),
        ]
        query = (
            stored.intervals(self._cluster_id, picked=True)
            .join(schema.BUDGET_MEMBER, member.pod_id == table.pod_id)
            .join(schema.BUDGET, member.budget_id == budget.id)
            .add_columns(member.from_ms, member.to_ms, member["class"].label("paid_as"))
            .where(
                *purse,
                ~stored.is_open(schema.POD_INTERVAL),
                table.pod_id.not_in(_running()),
                table.end_ms > frm,
            )
        )
        query = query if to is None else query.where(table.start_ms < to)
        by_class: dict[WorkloadClass, Amounts] = {}
        unpriced = Fraction(0)
        unknown: dict[str, None] = {}
        with self._reading() as connection:
            for row in connection.execute(query):
                entry = stored.interval(connection, self._names, row)
                edges = [edge for edge in (to, row.to_ms, entry.known) if edge is not None]
                paid = worth(entry, max(frm, row.from_ms), min(edges), weights)
                workload_class = WorkloadClass(row.paid_as)
                by_class[workload_class] = by_class.get(workload_class, Amounts()) + paid
                reason = doubt(entry.segment)
                if reason:
                    unpriced += paid.gpu_ms
                    unknown[reason] = None
            sums = past.spent(connection, purse, frm, weights) if remembered else ()
            for workload_class, paid, gone in sums:
                by_class[workload_class] = by_class.get(workload_class, Amounts()) + paid
                unpriced += gone.unpriced_gpu_ms
                if gone.doubt:
                    unknown[gone.doubt] = None
        return Spend(by_class=by_class, unpriced_gpu_ms=unpriced, unknown=tuple(unknown))

    def intervals(self, frm: Ms, to: Ms) -> Iterator[StoredInterval]:
        """Rows that reach into [frm, to), uncut; open ones, too, which may go on in it."""
        reaches = stored.reaches(schema.POD_INTERVAL, frm, to)
        yield from self._decoded(stored.intervals(self._cluster_id).where(reaches))

    def pod_intervals(self, namespace: str, name: str) -> tuple[StoredInterval, ...]:
        """All rows of the newest pod that had this name, in order of resource and time."""
        pod, table = schema.POD.c, schema.POD_INTERVAL.c
        query = stored.intervals(self._cluster_id).where(
            pod.namespace == namespace, pod.name == name
        )
        found = tuple(self._decoded(query.order_by(table.resource_id, table.start_ms)))
        newest = max(found, key=lambda entry: entry.segment.start, default=None)
        return tuple(entry for entry in found if newest and entry.pod_uid == newest.pod_uid)

    def node_intervals(self, frm: Ms, to: Ms) -> Iterator[StoredNodeInterval]:
        """What nodes cost, likewise."""
        reaches = stored.reaches(schema.NODE_INTERVAL, frm, to)
        query = stored.node_intervals(self._cluster_id).where(reaches)
        with self._reading() as connection:
            for row in connection.execute(query):
                yield stored.node_interval(connection, self._names, row)

    def commitments(self) -> dict[str, list[StoredCommitment]]:
        """What each commitment cost so far, used or not, by `BOOK/NAME`."""
        with self._reading() as connection:
            return commitments.read(connection, self._names, self._cluster_id)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One consistent state of everything, for answers that take several queries."""
        with self._reading() as connection:
            yield Snapshot(connection, self._names, self._cluster_id)

    def _decoded(self, query: Select[Any]) -> Iterator[StoredInterval]:
        with (
            self._reading() as connection,
            connection.execution_options(yield_per=1_000).execute(query) as rows,
        ):
            for row in rows:
                yield stored.interval(connection, self._names, row)

    @contextmanager
    def session(self) -> Iterator[tuple[Connection, Names, int]]:
        """One state of the database, for whoever reads much of it: with names, and whose it is."""
        with self._reading() as connection:
            yield connection, self._names, self._cluster_id

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise LedgerError(self._path, connect.problem(error)) from error


def _running() -> Select[Any]:
    """Ids of the pods with an open row."""
    table = schema.POD_INTERVAL
    return select(table.c.pod_id).where(stored.is_open(table), table.c.superseded_by.is_(None))


def _member(row: Any) -> MemberRow:
    key, uid = decode_budget(row)
    return MemberRow(
        pod_uid=row.pod_uid,
        budget=key,
        budget_uid=uid,
        workload_class=WorkloadClass(row.workload_class),
        since=row.from_ms,
        until=row.to_ms,
    )
