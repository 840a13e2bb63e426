"""Sums pods that were written before there were sums, some at a time.

What is done is marked in the transaction that does it: a process that is killed goes on where it
stopped. A pod that is not summed yet may change meanwhile; it is summed as it is then.
"""

from sqlalchemy import Connection, select, update

from bursar.domain.time import Ms
from bursar.runtime.ledger import schema, sums
from bursar.runtime.ledger.holds import by_pod, pod_holds
from bursar.runtime.ledger.names import Names

PODS = 5_000
"""Pods of one transaction: a second or two."""


def unfilled(connection: Connection, cluster_id: int) -> int:
    """How many ids of pods are still to be gone through; 0: all is summed."""
    kept = schema.KEPT.c
    query = select(kept.unfilled_after, kept.unfilled_upto).where(kept.cluster_id == cluster_id)
    row = connection.execute(query).one_or_none()
    if row is None or row.unfilled_upto is None:
        return 0
    return int(row.unfilled_upto - row.unfilled_after)


def fill(connection: Connection, names: Names, cluster_id: int, now: Ms) -> None:
    """Sum the next pods, in the caller's transaction."""
    state = sums.state(connection, cluster_id, now)
    after, upto = state.unfilled
    if after >= upto:
        return
    pod = schema.POD.c
    query = (
        select(pod.id, pod.node_id)
        .where(pod.cluster_id == cluster_id, pod.id > after, pod.id <= upto)
        .order_by(pod.id)
        .limit(PODS)
    )
    nodes = {row.id: row.node_id for row in connection.execute(query)}
    holds = by_pod(pod_holds(connection, names, cluster_id, nodes), nodes)
    summing = sums.Summing(connection, names, cluster_id, state.scope, now)
    summing.move(
        sums.Move(before={}, after=holds[key], node_before=node, node=node)
        for key, node in nodes.items()
    )
    reached = max(nodes, default=upto) if len(nodes) == PODS else upto
    mark: dict[str, int | None] = {"unfilled_after": reached, "unfilled_upto": upto}
    if reached >= upto:
        mark = dict.fromkeys(mark)
    connection.execute(
        update(schema.KEPT).where(schema.KEPT.c.cluster_id == cluster_id).values(mark)
    )
