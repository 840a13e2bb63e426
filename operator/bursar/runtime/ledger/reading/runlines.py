"""Runs: the whole lives of all pods whose run has some of its life in a window."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import select

from bursar.report import RunFigures, RunName, Window
from bursar.runtime.ledger import schema, stored
from bursar.runtime.ledger.reading import held
from bursar.runtime.ledger.reading.snapshot import Snapshot
from bursar.runtime.ledger.reading.tally import (
    BASIS,
    DIMENSION,
    OPEN,
    POD,
    START,
    Figures,
    Raw,
    Tally,
    amounts,
)
from bursar.runtime.ledger.sql import chunks

_RUN = held.EXTRA
_NO_RUN = 0
"""Stands for the id of a run where no owner of a pod was ever written: it is its own."""


def runs(
    snapshot: Snapshot, window: Window, tally: Tally, namespace: str | None = None
) -> Iterator[RunFigures]:
    """Each run that reaches into a window, one after the other.

    Args:
        snapshot: of the ledger.
        window: that the runs reach into.
        tally: tells amounts up to now.
        namespace: of the pods; None: of all.
    """
    pod, table = schema.POD.c, schema.POD_INTERVAL
    reaches = stored.reaches(table, window.since, window.until) & table.c.superseded_by.is_(None)
    touched = (
        select(pod.run_id)
        .select_from(table.join(schema.POD, table.c.pod_id == pod.id))
        .where(pod.cluster_id + 0 == snapshot.cluster_id, pod.run_id.is_not(None), reaches)
    )
    whole = held.whole(snapshot, (pod.run_id,), runs=False).order_by(None)
    if namespace is not None:
        touched = touched.where(pod.namespace == namespace)
        whole = whole.where(pod.namespace == namespace)
    alone = whole.where(pod.run_id.is_(None), stored.reaches(table, window.since, window.until))
    owned = whole.where(pod.run_id.in_(touched)).order_by(pod.run_id)
    for query in (owned, alone.order_by(table.c.pod_id + 0)):
        for _, rows in groupby(snapshot.stream(query), _place):
            yield _run(snapshot, rows, window, tally)


def names(snapshot: Snapshot, found: Iterable[RunFigures]) -> Mapping[tuple[int, int], RunName]:
    """What these runs are called."""
    places = [run.place for run in found]
    pod, run = schema.POD.c, schema.RUN.c
    told: dict[tuple[int, int], RunName] = {}
    for part in chunks(run_id for run_id, _ in places if run_id != _NO_RUN):
        query = select(run.id, run.uid, run.kind, run.name).where(run.id.in_(part))
        told |= {
            (row.id, 0): RunName(row.uid, row.kind, row.name) for row in snapshot.stream(query)
        }
    for part in chunks(pod_id for run_id, pod_id in places if run_id == _NO_RUN):
        alone = select(pod.id, pod.uid, pod.name).where(pod.id.in_(part))
        told |= {
            (_NO_RUN, row.id): RunName(row.uid, "Pod", row.name) for row in snapshot.stream(alone)
        }
    return told


def _place(row: Raw) -> tuple[int, int]:
    return (row[_RUN], 0) if row[_RUN] is not None else (_NO_RUN, row[POD])


def _run(snapshot: Snapshot, rows: Iterator[Any], window: Window, tally: Tally) -> RunFigures:
    first = next(rows)
    found = RunFigures(
        place=_place(first),
        dimension=snapshot.dimension(first[DIMENSION]),
        start=first[START],
        newest=first[START],
    )
    _add(found, first, snapshot, window, tally)
    pods = {first[POD]}
    for row in rows:
        pods.add(row[POD])
        _add(found, row, snapshot, window, tally)
    found.pods = len(pods)
    return found


def _add(found: RunFigures, row: Raw, snapshot: Snapshot, window: Window, tally: Tally) -> None:
    start, end = row[START], tally.end(row)
    whole = tally.between(row, start, end)
    found.add(amounts(whole), _inside(row, whole, window, tally))
    going = row[BASIS] == OPEN
    found.live(snapshot.dimension(row[DIMENSION]), start, None if going else end)


def _inside(row: Raw, whole: Figures, window: Window, tally: Tally) -> int:
    """Nano-units of a row that lie in the window."""
    if window.since <= row[START] and tally.end(row) <= window.until:
        return whole[0] + whole[1]
    part = tally.between(row, window.since, window.until)
    return part[0] + part[1]
