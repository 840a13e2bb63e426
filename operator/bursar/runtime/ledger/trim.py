"""Removes what is older than what is kept: pods that ended long ago, and sums by the hour.

Sums by the day and totals stay for ever, and what a budget spent on a removed pod is added up by
budget: so no figure changes, and only how finely old times can be cut does. A pod goes with all its
rows, and a few at a time. SQLite uses the room of removed rows again; its file does not shrink.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Table, delete, exists, select, update

from bursar.domain.time import DAY, Ms
from bursar.runtime.ledger import past, schema, sums
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.rows import TrimRow
from bursar.runtime.ledger.sql import chunks

PODS = 2_000
"""Pods that are removed in one transaction."""
DAYS = 2
"""Days of hours that are."""


def trim(connection: Connection, names: Names, cluster_id: int, row: TrimRow, now: Ms) -> None:
    """Remove some of what is too old, in the caller's transaction; what is kept only moves on."""
    state = sums.state(connection, cluster_id, now)
    since = max(state.intervals_since, row.intervals_since - row.intervals_since % DAY)
    hourly = max(state.scope.hourly_since, row.hourly_since - row.hourly_since % DAY)
    if state.unfilled[0] < state.unfilled[1]:
        return
    if (since, hourly) != (state.intervals_since, state.scope.hourly_since):
        statement = update(schema.KEPT).where(schema.KEPT.c.cluster_id == cluster_id)
        connection.execute(statement.values(intervals_since_ms=since, hourly_since_ms=hourly))
    for table in (schema.HOURLY, schema.HOURLY_NODE):
        _hours(connection, table, cluster_id, hourly)
    ids = _ended(connection, cluster_id, since)
    if ids:
        past.remember(connection, names, cluster_id, ids)
        _remove(connection, names, ids)


def _hours(connection: Connection, table: Table, cluster_id: int, since: Ms) -> None:
    """Remove the oldest hours before a moment."""
    mine = table.c.cluster_id == cluster_id
    query = select(table.c.hour_ms).where(mine).order_by(table.c.hour_ms).limit(1)
    oldest = connection.execute(query).scalar()
    if oldest is not None and oldest < since:
        upto = min(since, oldest + DAYS * DAY)
        connection.execute(delete(table).where(mine, table.c.hour_ms < upto))


def _ended(connection: Connection, cluster_id: int, since: Ms) -> Sequence[int]:
    """Some of the pods all of whose holds ended before a moment."""
    table = schema.POD_INTERVAL
    later = table.alias("later")
    goes_on = (later.c.basis == 0) | (later.c.end_ms >= since)
    query = (
        select(table.c.pod_id)
        .join(schema.POD, schema.POD.c.id == table.c.pod_id)
        .where(
            # A sum, so that SQLite begins with the oldest rows and not with all the cluster's pods.
            schema.POD.c.cluster_id + 0 == cluster_id,
            table.c.end_ms < since,
            ~exists().where(
                later.c.pod_id == table.c.pod_id, later.c.superseded_by.is_(None), goes_on
            ),
        )
        .order_by(table.c.end_ms)
        .limit(PODS)
    )
    return list(dict.fromkeys(connection.execute(query).scalars()))


def _remove(connection: Connection, names: Names, ids: Sequence[int]) -> None:
    """Remove pods with all that is theirs, and the runs that have no other pod."""
    pod = schema.POD.c
    for part in chunks(ids):
        runs = set(connection.execute(select(pod.run_id).where(pod.id.in_(part))).scalars())
        for table in (schema.POD_INTERVAL, schema.BUDGET_MEMBER):
            connection.execute(delete(table).where(table.c.pod_id.in_(part)))
        connection.execute(delete(schema.POD).where(pod.id.in_(part)))
        run = schema.RUN.c
        used = exists().where(pod.run_id == run.id)
        connection.execute(delete(schema.RUN).where(run.id.in_(runs - {None}), ~used))
    names.runs.forget()
