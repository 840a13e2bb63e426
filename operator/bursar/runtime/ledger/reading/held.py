"""Pods' rows of intervals as plain tuples: no object for each, since a month has many."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, func, or_, select, type_coerce

from bursar.domain.time import Ms
from bursar.runtime.ledger import schema, stored
from bursar.runtime.ledger.reading.snapshot import Snapshot
from bursar.runtime.ledger.reading.tally import BASIS, OPEN, POD, RESOURCE, Raw

_I = schema.POD_INTERVAL.c
COLUMNS: tuple[ColumnElement[Any], ...] = (
    _I.pod_id,
    _I.resource_id,
    _I.start_ms,
    _I.end_ms,
    _I.rate_id,
    type_coerce(_I.share, Text),
    type_coerce(_I.devices, Text),
    type_coerce(_I.capex_nano, Text),
    type_coerce(_I.opex_nano, Text),
    _I.basis,
    _I.low_ms,
    type_coerce(_I.device_fraction, Text),
    _I.dimension_id,
    schema.POD.c.node_id,
)
"""In the order of the places that `tally` names."""
EXTRA = len(COLUMNS)
"""Place of the first column that a caller adds."""
Span = tuple[Ms, Ms]
POD_ID = _I.pod_id
_SPANS = 50
"""Spans that one statement names one by one."""


def begun() -> ColumnElement[Any]:
    """A column: when the life of a row's pod began."""
    other = schema.POD_INTERVAL.alias("other")
    query = select(func.min(other.c.start_ms)).where(
        other.c.pod_id == _I.pod_id, other.c.superseded_by.is_(None)
    )
    return query.scalar_subquery()


def rows(
    snapshot: Snapshot,
    spans: Sequence[Span],
    more: Sequence[ColumnElement[Any]] = (),
    *,
    only: ColumnElement[bool] | None = None,
    runs: bool = False,
) -> Iterator[Raw]:
    """Closed rows that reach into any of these spans, by pod, resource and time.

    Args:
        snapshot: of the ledger.
        spans: from when (included) to when (excluded), in order.
        more: columns besides `COLUMNS`.
        only: what else must hold.
        runs: let `more` name columns of runs.
    """
    if not spans:
        return
    query = whole(snapshot, more, runs=runs).where(
        ~stored.is_open(schema.POD_INTERVAL), *_reaching(spans)
    )
    yield from snapshot.stream(query if only is None else query.where(only))


class Still:
    """Pods that hold something still, with all rows of those holds.

    Attributes:
        pods: their rows, and whether they had other holds that have ended.
        holds: pod and resource of each.
    """

    def __init__(
        self, snapshot: Snapshot, more: Sequence[ColumnElement[Any]], *, runs: bool
    ) -> None:
        running = select(_I.pod_id).where(
            stored.is_open(schema.POD_INTERVAL), _I.superseded_by.is_(None)
        )
        query = whole(snapshot, more, runs=runs).where(_I.pod_id.in_(running))
        self.pods: list[tuple[list[Raw], bool]] = []
        self.holds: set[tuple[int, int]] = set()
        for pod, group in groupby(snapshot.stream(query), itemgetter(POD)):
            rows = list(group)
            still = {row[RESOURCE] for row in rows if row[BASIS] == OPEN}
            ours = [row for row in rows if row[RESOURCE] in still]
            self.pods.append((ours, len(ours) < len(rows)))
            self.holds.update((pod, resource) for resource in still)


def whole(snapshot: Snapshot, more: Sequence[ColumnElement[Any]], *, runs: bool) -> Select[Any]:
    """All rows that count, by pod, resource and time."""
    pod = schema.POD.c
    source = schema.POD_INTERVAL.join(schema.POD, _I.pod_id == pod.id)
    if runs:
        source = source.outerjoin(schema.RUN, pod.run_id == schema.RUN.c.id)
    return (
        select(*COLUMNS, *more)
        .select_from(source)
        # Not by the index of clusters: nearly all pods are this one's.
        .where(pod.cluster_id + 0 == snapshot.cluster_id, _I.superseded_by.is_(None))
        .order_by(_I.pod_id, _I.resource_id, _I.start_ms)
    )


def _reaching(spans: Sequence[Span]) -> Iterator[ColumnElement[bool]]:
    """Rows that reach into one of these; first as one stretch, which the index can find.

    Of very many spans the stretch is all that is asked: the reader of the rows leaves out more.
    """
    yield _I.end_ms >= spans[0][0]
    yield _I.start_ms < spans[-1][1]
    if len(spans) <= _SPANS:
        yield or_(*(_reaches(*span) for span in spans))


def _reaches(since: Ms, until: Ms) -> ColumnElement[bool]:
    instant = (_I.end_ms == since) & (_I.start_ms == since)
    return (_I.start_ms < until) & ((_I.end_ms > since) | instant)
