"""Pods' rows of intervals as plain tuples: no object for each, since a month has many."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, func, or_, select, type_coerce

from bursar.domain.time import Ms
from bursar.runtime.ledger import schema, stored
from bursar.runtime.ledger.reading.recut import changes, recut
from bursar.runtime.ledger.reading.snapshot import Snapshot
from bursar.runtime.ledger.reading.tally import BASIS, NODE, OPEN, POD, RESOURCE, Raw, Tally
from bursar.runtime.ledger.sql import chunks

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
_SPANS = 4
"""Spans that one statement names one by one: each row is held against all of them."""


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
    apart = _joined(spans)
    query = whole(snapshot, more, runs=runs).where(~stored.is_open(schema.POD_INTERVAL))
    query = query if only is None else query.where(only)
    if len(apart) > _SPANS:
        for pods in chunks(sorted(_pods(snapshot, apart))):
            yield from snapshot.stream(query.where(_I.pod_id.in_(pods)))
    elif apart:
        reaching = or_(*(_reaches(*span) for span in apart))
        yield from snapshot.stream(query.where(*_between(apart), reaching))


class Still:
    """Pods that hold something still, with all rows of those holds.

    Attributes:
        pods: their rows, and whether they had other holds that have ended.
        holds: pod and resource of each.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        tally: Tally,
        more: Sequence[ColumnElement[Any]],
        *,
        runs: bool,
    ) -> None:
        running = select(_I.pod_id).where(
            stored.is_open(schema.POD_INTERVAL), _I.superseded_by.is_(None)
        )
        query = whole(snapshot, more, runs=runs).where(_I.pod_id.in_(running))
        self.pods: list[tuple[list[Raw], bool]] = []
        self.holds: set[tuple[int, int]] = set()
        found = list(snapshot.stream(query))
        nodes = {row[NODE] for row in found if row[BASIS] == OPEN and row[NODE] is not None}
        rates = changes(snapshot, nodes)
        for pod, group in groupby(found, itemgetter(POD)):
            rows = [piece for row in group for piece in recut(row, rates, tally)]
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
        # Nor in the order of the primary key, which would be to read all rows there are.
        .order_by(_I.pod_id + 0, _I.resource_id, _I.start_ms)
    )


def _pods(snapshot: Snapshot, spans: Sequence[Span]) -> set[int]:
    """Pods with rows that reach into one of many spans; told by the index alone."""
    begins = [since for since, _ in spans]
    query = select(_I.pod_id, _I.start_ms, _I.end_ms).where(*_between(spans))
    found = set()
    for pod, start, end in snapshot.stream(query):
        # Of the spans that begin before it ends, the last ends last.
        last = bisect_right(begins, end) - 1
        if last >= 0 and (start < spans[last][1] or (last and start < spans[last - 1][1])):
            found.add(pod)
    return found


def _between(spans: Sequence[Span]) -> Iterator[ColumnElement[bool]]:
    """Rows from the first of these to the last, as the index can find them."""
    yield _I.end_ms >= spans[0][0]
    yield _I.start_ms < spans[-1][1]


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Spans, those that follow each other without a gap as one."""
    found: list[Span] = []
    for since, until in spans:
        if found and found[-1][1] == since:
            found[-1] = found[-1][0], until
        else:
            found.append((since, until))
    return found


def _reaches(since: Ms, until: Ms) -> ColumnElement[bool]:
    instant = (_I.end_ms == since) & (_I.start_ms == since)
    return (_I.start_ms < until) & ((_I.end_ms > since) | instant)
