"""Rows of intervals as they are read: one query and one decoder, for the writer and for readers."""

from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, literal_column, select

from bursar.domain.time import Ms
from bursar.domain.usage import NODE, Basis, Cost, End, Segment
from bursar.runtime.ledger import schema
from bursar.runtime.ledger.codec import decode_facts
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.rows import Run, StoredInterval, StoredNodeInterval

_I, _N = schema.POD_INTERVAL.c, schema.NODE_INTERVAL.c


def is_open(table: Table) -> ColumnElement[bool]:
    """Rows without an end; spelt out, because a parameter would hide the partial index."""
    return table.c.basis == literal_column(str(int(Basis.OPEN)))


def reaches(table: Table, frm: Ms, to: Ms) -> ColumnElement[bool]:
    """Rows with some of their life in [frm, to), or with none at all that begin in it."""
    row = table.c
    instant = (row.end_ms == frm) & (row.start_ms == frm)
    return (row.start_ms < to) & ((row.end_ms > frm) | instant | is_open(table))


def of_cluster(cluster_id: int, *, picked: bool) -> ColumnElement[bool]:
    """Pods of a cluster.

    Where few are picked by something else, the index of all of a cluster's must not be used: a
    database without statistics would go through them all to find these.
    """
    column = schema.POD.c.cluster_id
    return (column + literal_column("0") if picked else column) == cluster_id


def intervals(cluster_id: int, *, superseded: bool = False, picked: bool = False) -> Select[Any]:
    """All live rows of pods, with who the pods are; or those that others have superseded.

    Args:
        cluster_id: whose.
        superseded: the others.
        picked: whoever asks picks a few pods by their ids or rows (not by their uids).
    """
    pod, node = schema.POD.c, schema.NODE.c
    # Runs are joined, not interned: there may be as many as pods.
    run = schema.RUN.c
    source = (
        schema.POD_INTERVAL.join(schema.POD, _I.pod_id == pod.id)
        .outerjoin(schema.NODE, pod.node_id == node.id)
        .outerjoin(schema.RUN, pod.run_id == run.id)
    )
    return (
        select(
            schema.POD_INTERVAL,
            pod.uid.label("pod_uid"),
            pod.namespace.label("pod_namespace"),
            pod.name.label("pod_name"),
            pod.grace_ms.label("pod_grace_ms"),
            run.uid.label("run_uid"),
            run.kind.label("run_kind"),
            run.namespace.label("run_namespace"),
            run.name.label("run_name"),
            node.uid.label("node_uid"),
            node.name.label("node_name"),
        )
        .select_from(source)
        .where(
            of_cluster(cluster_id, picked=picked),
            _I.superseded_by.is_not(None) if superseded else _I.superseded_by.is_(None),
        )
    )


def node_intervals(cluster_id: int) -> Select[Any]:
    """All live rows of nodes."""
    node = schema.NODE.c
    return (
        select(
            schema.NODE_INTERVAL,
            node.uid.label("node_uid"),
            node.name.label("node_name"),
            node.facts,
        )
        .select_from(schema.NODE_INTERVAL.join(schema.NODE, _N.node_id == node.id))
        .where(node.cluster_id == cluster_id, _N.superseded_by.is_(None))
    )


def interval(connection: Connection, names: Names, row: Any) -> StoredInterval:
    """Decode a row of `intervals`."""
    resource = names.resources.value(connection, row.resource_id)
    part = segment(connection, names, row, resource)
    return StoredInterval(
        pod_uid=row.pod_uid,
        namespace=row.pod_namespace,
        name=row.pod_name,
        node_uid=row.node_uid or "",
        node_name=row.node_name or "",
        run=_run(row),
        segment=part,
        known=row.end_ms,
        cost=_cost(row, part),
        dimension=names.dimensions.value(connection, row.dimension_id),
        device_fraction=row.device_fraction,
        generation=row.generation,
        grace=row.pod_grace_ms,
    )


def node_interval(connection: Connection, names: Names, row: Any) -> StoredNodeInterval:
    """Decode a row of `node_intervals`."""
    part = segment(connection, names, row, NODE)
    return StoredNodeInterval(
        node_uid=row.node_uid,
        node_name=row.node_name,
        facts=decode_facts(row.facts),
        segment=part,
        known=row.end_ms,
        cost=_cost(row, part),
        generation=row.generation,
    )


def _run(row: Any) -> Run | None:
    if row.run_uid is None:
        return None
    return Run(uid=row.run_uid, kind=row.run_kind, namespace=row.run_namespace, name=row.run_name)


def segment(connection: Connection, names: Names, row: Any, resource: str) -> Segment:
    """Decode what all rows of intervals have alike."""
    basis = Basis(row.basis)
    end = End(at=row.end_ms, basis=basis, witness=row.witness, low=row.low_ms, high=row.high_ms)
    return Segment(
        resource=resource,
        start=row.start_ms,
        end=None if basis is Basis.OPEN else end,
        rate=names.rates.value(connection, row.rate_id),
        share=row.share,
        devices=row.devices,
    )


def _cost(row: Any, segment: Segment) -> Cost:
    elapsed = row.end_ms - row.start_ms
    device_ms = segment.devices * elapsed if segment.devices is not None else Fraction(0)
    return Cost(capex=row.capex_nano, opex=row.opex_nano, device_ms=device_ms)
