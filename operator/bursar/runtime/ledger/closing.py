"""Closes a month: its sums are final from then on, and what comes later is a correction.

What goes on over the month's end is summed as if it went on to it; should it turn out to have ended
before, that is a correction, too.
"""

from sqlalchemy import Connection, insert, select

from bursar.domain.time import Ms
from bursar.runtime.ledger import schema, stored, sums
from bursar.runtime.ledger.codec import clean
from bursar.runtime.ledger.holds import by_pod, pod_holds
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.rollups import Scope, month_of, month_span
from bursar.runtime.ledger.sql import chunks


def close_month(
    connection: Connection, names: Names, cluster_id: int, month: str, by: str, now: Ms
) -> tuple[int, int]:
    """Close a month, in the caller's transaction, which must keep other writers out.

    Args:
        connection: in a transaction that holds the writer's term.
        names: interned values.
        cluster_id: whose.
        month: `YYYY-MM`, UTC.
        by: who closes it.
        now: when.

    Returns:
        CapEx and OpEx of all pods in it (nano-units), as the row of `closed_month` keeps them.

    Raises:
        ValueError: it is no month, has not ended, or is closed already.
    """
    since, until = month_span(month)
    if month != month_of(since) or until > now:
        raise ValueError(f"{month} has not ended")
    state = sums.state(connection, cluster_id, now)
    if (since, until) in state.scope.closed:
        raise ValueError(f"{month} is closed already")
    if state.unfilled[0] < state.unfilled[1]:
        raise ValueError("the sums of earlier versions' pods are not complete yet")
    scope = Scope(state.scope.hourly_since, tuple(sorted((*state.scope.closed, (since, until)))))
    pod = schema.POD.c
    query = (
        select(pod.id, pod.node_id)
        .join(schema.POD_INTERVAL, schema.POD_INTERVAL.c.pod_id == pod.id)
        .where(
            pod.cluster_id == cluster_id,
            stored.is_open(schema.POD_INTERVAL),
            schema.POD_INTERVAL.c.superseded_by.is_(None),
        )
    )
    nodes = {row.id: row.node_id for row in connection.execute(query)}
    summing = sums.Summing(connection, names, cluster_id, state.scope, now)
    for part in chunks(nodes):
        holds = by_pod(pod_holds(connection, names, cluster_id, part), part)
        summing.close(
            (
                sums.Move(before=holds[key], after=holds[key], node_before=node, node=node)
                for key in part
                for node in (nodes[key],)
            ),
            scope,
        )
    daily = schema.DAILY.c
    rows = connection.execute(
        select(daily.capex_nano, daily.opex_nano).where(
            daily.cluster_id == cluster_id, daily.day_ms >= since, daily.day_ms < until
        )
    ).all()
    capex, opex = sum(row.capex_nano for row in rows), sum(row.opex_nano for row in rows)
    connection.execute(
        insert(schema.CLOSED_MONTH).values(
            cluster_id=cluster_id,
            month=month,
            closed_ms=now,
            capex_nano=capex,
            opex_nano=opex,
            closed_by=clean(by),
        )
    )
    return capex, opex
