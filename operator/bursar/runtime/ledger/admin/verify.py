"""Recomputes what can be recomputed of a ledger, and compares it with what is kept. Reads only.

All of it sees one state of the database, so that it may run while the operator writes. A month
limits it to the rows that reach into that month.
"""

from collections.abc import Iterator

from sqlalchemy import func, select

from bursar.domain.time import DAY, Ms, format_time
from bursar.domain.usage import Dimension
from bursar.errors import BursarError
from bursar.runtime.ledger import recount, schema
from bursar.runtime.ledger.admin.ground import Ground, state
from bursar.runtime.ledger.admin.references import references
from bursar.runtime.ledger.admin.rowcheck import Rows, told
from bursar.runtime.ledger.admin.verdict import Tally, Verdict
from bursar.runtime.ledger.reader import Reader
from bursar.runtime.ledger.rollups import month_of, month_span

DAYS = 4
"""Days of sums that are compared at a time."""


def verify(reader: Reader, now: Ms, month: str | None = None) -> Verdict:
    """Compare all that can be compared.

    Args:
        reader: of the ledger.
        now: milliseconds since the epoch.
        month: `YYYY-MM`, UTC; None: all that is kept.

    Raises:
        BursarError: it is no month.
        LedgerError: the database cannot be read.
    """
    span = None if month is None else span_of(month)
    verdict = Verdict(month)
    with reader.session() as (connection, names, cluster_id):
        kept = state(connection, cluster_id, now)
        ground = Ground(connection, names, cluster_id, kept, span)
        rows = Rows(ground)
        rows.pods(verdict)
        rows.nodes(verdict)
        rows.commitments(verdict)
        with verdict.check("sums by hour and day = what the rows add up to") as tally:
            _sums(ground, now, tally)
        if span is None:
            with verdict.check("totals = closed rows") as tally:
                rows.totals(tally)
        references(ground, verdict)
    if kept.intervals_since:
        day = format_time(kept.intervals_since)
        verdict.notes.append(f"pods that ended before {day} were removed: their days stand alone")
    if kept.unfilled[0] < kept.unfilled[1]:
        verdict.notes.append("pods of an earlier version are being summed: they are left out")
    return verdict


def span_of(month: str) -> recount.Span:
    """Beginning and end (ms) of a month.

    Raises:
        BursarError: it is none.
    """
    try:
        span = month_span(month)
    except ValueError as error:
        raise BursarError(f"{month!r} is no month: write YYYY-MM") from error
    if month_of(span[0]) != month:
        raise BursarError(f"{month!r} is no month: write YYYY-MM")
    return span


def _sums(ground: Ground, now: Ms, tally: Tally) -> None:
    """Compare some days at a time: all hours of a year would fill the memory."""

    def count(figures: int) -> None:
        tally.mine.compared += figures

    for span in _spans(ground, now):
        found = recount.differences(
            ground.connection, ground.names, ground.cluster_id, now, span, count
        )
        for each in found:
            who = told(each.of) if isinstance(each.of, Dimension) else _node(ground, each.of)
            where = f"{each.table} {each.figure} from {format_time(each.moment)}, {who}"
            tally.tell(where, each.kept, each.counted)


def _spans(ground: Ground, now: Ms) -> Iterator[recount.Span]:
    run, daily, rows = ground.connection.execute, schema.DAILY.c, schema.POD_INTERVAL.c
    if not run(schema.KEPT.select().limit(1)).all():
        return
    begin, end = ground.span or (None, None)
    if begin is None or end is None:
        moments = [
            run(select(func.min(column))).scalar() for column in (daily.day_ms, rows.start_ms)
        ]
        begin = min((moment for moment in moments if moment is not None), default=now)
        begin = max(begin, ground.state.intervals_since) // DAY * DAY
        end = max(now, run(select(func.max(daily.day_ms))).scalar() or 0) + DAY
    while begin < end:
        yield begin, min(end, begin + DAYS * DAY)
        begin += DAYS * DAY


def _node(ground: Ground, key: int) -> str:
    node = schema.NODE.c
    row = ground.connection.execute(select(node.name, node.uid).where(node.id == key)).one_or_none()
    return f"node {key}" if row is None else f"node {row.name} ({row.uid})"
