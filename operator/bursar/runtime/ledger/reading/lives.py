"""Pods by their names: who had one, all their rows, and those that later ones superseded."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Select, func, select

from bursar.domain.time import Ms
from bursar.runtime.ledger import schema, stored
from bursar.runtime.ledger.reading.snapshot import Snapshot
from bursar.runtime.ledger.rows import StoredInterval

_I = schema.POD_INTERVAL.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A pod.

    Attributes:
        place: its id in the ledger.
        begun: when its life began.
    """

    place: int
    uid: str
    begun: Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All rows of one pod, by resource and time.

    Attributes:
        entries: those that count.
        superseded: those of earlier generations, with the number of the one that replaced each.
    """

    entries: tuple[StoredInterval, ...]
    superseded: tuple[tuple[StoredInterval, int], ...] = ()


def named(snapshot: Snapshot, namespace: str, name: str) -> tuple[Named, ...]:
    """All pods that ever had a name, the newest first."""
    pod, begun = schema.POD.c, func.min(_I.start_ms)
    query = (
        select(pod.id, pod.uid, begun.label("begun"))
        .select_from(schema.POD.join(schema.POD_INTERVAL, _I.pod_id == pod.id))
        .where(
            pod.cluster_id == snapshot.cluster_id,
            pod.namespace == namespace,
            pod.name == name,
            _I.superseded_by.is_(None),
        )
        .group_by(pod.id, pod.uid)
        .order_by(begun.desc(), pod.id.desc())
    )
    return tuple(
        Named(place=row.id, uid=row.uid, begun=row.begun) for row in snapshot.stream(query)
    )


def of_run(
    snapshot: Snapshot, kind: str, namespace: str, name: str
) -> Iterator[tuple[StoredInterval, ...]]:
    """The rows of each pod of the newest run of that name, in the order of the ledger.

    Args:
        snapshot: of the ledger.
        kind: of the root owner; small and capital letters are the same.
        namespace: of it.
        name: of it.
    """
    run = schema.RUN.c
    query = select(func.max(run.id)).where(
        run.cluster_id == snapshot.cluster_id,
        run.namespace == namespace,
        run.name == name,
        func.lower(run.kind) == kind.lower(),
    )
    newest = snapshot.connection.execute(query).scalar()
    if newest is None:
        return
    rows = stored.intervals(snapshot.cluster_id).where(schema.POD.c.run_id == newest)
    rows = rows.order_by(_I.pod_id + 0, _I.resource_id, _I.start_ms)
    for _, part in groupby(snapshot.stream(rows), lambda row: row.pod_id):
        yield tuple(stored.interval(snapshot.connection, snapshot.names, row) for row in part)


def life(snapshot: Snapshot, pod: Named) -> Life:
    """All rows of a pod."""
    names, connection = snapshot.names, snapshot.connection
    own = stored.intervals(snapshot.cluster_id)
    past = stored.intervals(snapshot.cluster_id, superseded=True)
    return Life(
        entries=tuple(
            stored.interval(connection, names, row) for row in snapshot.stream(_of(own, pod))
        ),
        superseded=tuple(
            (stored.interval(connection, names, row), int(row.superseded_by))
            for row in snapshot.stream(_of(past, pod))
        ),
    )


def _of(query: Select[Any], pod: Named) -> Select[Any]:
    return query.where(_I.pod_id == pod.place).order_by(_I.generation, _I.resource_id, _I.start_ms)
