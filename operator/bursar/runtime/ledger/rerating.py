"""Gives a node's past other rates: a new generation of what it and its pods held.

All of one node is one transaction, its rates included: a process that is killed leaves each node as
it was or as it shall be. What the new rates do not change keeps its generation, so that telling the
same again changes nothing. The old rows stay, marked as superseded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from bursar.meter import recut
from bursar.runtime.ledger import schema
from bursar.runtime.ledger.holds import Holds, Key, Place, node_holds, pod_holds
from bursar.runtime.ledger.merge import Hold
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.rows import IntervalRows, NodeIntervalRows, RerateRow
from bursar.runtime.ledger.sql import chunks


def rerate(
    connection: Connection, names: Names, cluster_id: int, row: RerateRow, holds: Holds
) -> None:
    """Write the new generation of one node, whose new rates are written, and of its pods."""
    node = schema.NODE.c
    query = select(node.id).where(node.cluster_id == cluster_id, node.uid == row.node_uid)
    node_id = connection.execute(query).scalar_one()
    own = node_holds(connection, names, cluster_id, {node_id})
    for hold in _changed(own, row).values():
        holds.write_nodes([_node_row(hold, row)], {row.node_uid: node_id})
    for part in chunks([*row.pods, *_since(connection, cluster_id, node_id, row)]):
        _pods(connection, names, cluster_id, row, holds, part)


def _pods(
    connection: Connection,
    names: Names,
    cluster_id: int,
    row: RerateRow,
    holds: Holds,
    ids: list[int],
) -> None:
    pod = schema.POD.c
    query = select(pod.id, pod.uid, pod.node_id).where(pod.id.in_(ids))
    places = {
        entry.uid: Place(id=entry.id, node_before=entry.node_id, node=entry.node_id)
        for entry in connection.execute(query)
    }
    uids = {place.id: uid for uid, place in places.items()}
    found = _changed(pod_holds(connection, names, cluster_id, ids), row)
    rows = [_pod_row(uids[key[0]], hold, row) for key, hold in found.items()]
    touched = {each.pod_uid for each in rows}
    holds.write_pods(rows, {uid: place for uid, place in places.items() if uid in touched})


def _since(connection: Connection, cluster_id: int, node_id: int, row: RerateRow) -> Sequence[int]:
    """The node's pods that were written after the others had been looked for."""
    pod = schema.POD.c
    query = select(pod.id).where(
        pod.id > row.newest, pod.cluster_id == cluster_id, pod.node_id == node_id
    )
    return connection.execute(query).scalars().all()


def _changed(holds: Mapping[Key, Hold], row: RerateRow) -> dict[Key, Hold]:
    """Holds that cost something else by the new rates, as they shall be."""
    found = {}
    for key, hold in holds.items():
        fresh = recut(hold.segments, row.periods)
        if fresh is not None:
            found[key] = replace(hold, segments=fresh, generation=hold.generation + 1)
    return found


def _pod_row(uid: str, hold: Hold, row: RerateRow) -> IntervalRows:
    assert hold.dimension is not None
    return IntervalRows(
        pod_uid=uid,
        segments=hold.segments,
        known=hold.known,
        dimension=hold.dimension,
        device_fraction=hold.device_fraction,
        generation=hold.generation,
        reason=row.reason,
        reference=row.reference,
    )


def _node_row(hold: Hold, row: RerateRow) -> NodeIntervalRows:
    return NodeIntervalRows(
        node_uid=row.node_uid,
        segments=hold.segments,
        known=hold.known,
        generation=hold.generation,
    )
