"""Lines of runs: the whole lives of all pods whose run has some of its life in a window."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from sqlalchemy import select

from bursar.domain.time import Ms
from bursar.report import RunLine, Window
from bursar.runtime.ledger import schema, stored
from bursar.runtime.ledger.reading import held
from bursar.runtime.ledger.reading.snapshot import Snapshot
from bursar.runtime.ledger.reading.tally import (
    BASIS,
    DIMENSION,
    OPEN,
    POD,
    START,
    WIDTH,
    Figures,
    Raw,
    Tally,
    added,
    amounts,
)

_UID, _NAME, _RUN_UID, _KIND, _RUN_NAME = range(held.EXTRA, held.EXTRA + 5)


def run_lines(
    snapshot: Snapshot, window: Window, tally: Tally, namespace: str | None = None
) -> Iterator[RunLine]:
    """One line a pod; one without any owner that was written is its own run.

    Args:
        snapshot: of the ledger.
        window: that the runs reach into.
        tally: tells amounts up to now.
        namespace: of the pods; None: of all.
    """
    pod, table, run = schema.POD.c, schema.POD_INTERVAL, schema.RUN.c
    reaches = stored.reaches(table, window.since, window.until) & table.c.superseded_by.is_(None)
    touched = (
        select(pod.run_id)
        .select_from(table.join(schema.POD, table.c.pod_id == pod.id))
        .where(pod.cluster_id == snapshot.cluster_id, pod.run_id.is_not(None), reaches)
    )
    if namespace is not None:
        touched = touched.where(pod.namespace == namespace)
    alone = pod.run_id.is_(None) & stored.reaches(table, window.since, window.until)
    query = held.whole(snapshot, (pod.uid, pod.name, run.uid, run.kind, run.name), runs=True)
    query = query.where(pod.run_id.in_(touched) | alone)
    if namespace is not None:
        query = query.where(pod.namespace == namespace)
    for _, group in groupby(snapshot.stream(query), itemgetter(POD)):
        yield _line(snapshot, list(group), window, tally)


def _line(snapshot: Snapshot, rows: list[Raw], window: Window, tally: Tally) -> RunLine:
    row, total, inside = rows[0], (0,) * WIDTH, 0
    start: Ms = min(each[START] for each in rows)
    for each in rows:
        begin, end = each[START], tally.end(each)
        whole = tally.between(each, begin, end)
        total = added(total, whole)
        inside += _inside(each, whole, window, tally)
    going = any(each[BASIS] == OPEN for each in rows)
    return RunLine(
        uid=row[_RUN_UID] or row[_UID],
        kind=row[_KIND] or "Pod",
        name=row[_RUN_NAME] if row[_RUN_UID] else row[_NAME],
        dimension=snapshot.dimension(row[DIMENSION]),
        amounts=amounts(total),
        in_window=inside,
        start=start,
        end=None if going else max(tally.end(each) for each in rows),
    )


def _inside(row: Raw, whole: Figures, window: Window, tally: Tally) -> int:
    """Nano-units of a row that lie in the window."""
    if window.since <= row[START] and tally.end(row) <= window.until:
        return whole[0] + whole[1]
    part = tally.between(row, window.since, window.until)
    return part[0] + part[1]
