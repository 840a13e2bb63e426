"""Verifies what rows point at: memberships, generations, and the database's own references."""

from sqlalchemy import and_, func, select

from bursar.domain.time import HOUR, format_time
from bursar.runtime.ledger import schema
from bursar.runtime.ledger.admin.ground import Ground
from bursar.runtime.ledger.admin.verdict import Tally, Verdict
from bursar.runtime.ledger.rollups import month_span

LATE = HOUR
"""A membership may begin so long after a pod's end: it had ended before that was heard of."""


def references(ground: Ground, verdict: Verdict) -> None:
    """Verify all of them."""
    with verdict.check("memberships lie in their pods' lives") as tally:
        _members(ground, tally)
    with verdict.check("each hold counts in one generation") as tally:
        _generations(ground, tally)
    with verdict.check("closed months = their days") as tally:
        _months(ground, tally)
    with verdict.check("references and pages of the database") as tally:
        _database(ground, tally)


def _members(ground: Ground, tally: Tally) -> None:
    member, pod = schema.BUDGET_MEMBER.c, schema.POD.c
    table = schema.POD_INTERVAL.c
    life = (
        select(
            table.pod_id,
            func.min(table.start_ms).label("begun"),
            func.max(table.end_ms).label("known"),
            func.min(table.basis).label("basis"),
        )
        .where(table.superseded_by.is_(None))
        .group_by(table.pod_id)
        .subquery()
    )
    source = schema.BUDGET_MEMBER.join(schema.POD, member.pod_id == pod.id)
    mine = pod.cluster_id == ground.cluster_id
    if ground.span is not None:
        mine = and_(mine, member.from_ms >= ground.span[0], member.from_ms < ground.span[1])
    count = select(func.count()).select_from(source).where(mine)
    tally.mine.compared += ground.connection.execute(count).scalar_one()
    late = (life.c.basis != 0) & (member.from_ms > life.c.known + LATE)
    query = (
        select(pod.uid, pod.namespace, pod.name, member.from_ms, member.to_ms, life)
        .select_from(source.join(life, life.c.pod_id == member.pod_id))
        .where(mine)
        .where((member.from_ms < life.c.begun) | (member.to_ms < member.from_ms) | late)
    )
    for row in ground.connection.execute(query).all():
        until = "" if row.to_ms is None else format_time(row.to_ms)
        tally.tell(
            f"membership of pod {row.namespace}/{row.name} ({row.uid})",
            f"{format_time(row.from_ms)} to {until or 'its end'}",
            f"the pod: {format_time(row.begun)} to {format_time(row.known)}",
        )


def _generations(ground: Ground, tally: Tally) -> None:
    table, pod = schema.POD_INTERVAL, schema.POD.c
    newer = table.alias("newer")
    mine = (pod.cluster_id == ground.cluster_id) & (table.c.pod_id == pod.id)
    source = table.join(schema.POD, table.c.pod_id == pod.id)
    old = table.c.superseded_by.is_not(None)
    count = select(func.count()).select_from(source).where(mine, old)
    tally.mine.compared += ground.connection.execute(count).scalar_one()
    there = select(newer.c.pod_id).where(
        newer.c.pod_id == table.c.pod_id,
        newer.c.resource_id == table.c.resource_id,
        newer.c.generation == table.c.superseded_by,
    )
    who = (pod.uid, pod.namespace, pod.name)
    orphans = (
        select(*who, table.c.generation, table.c.superseded_by)
        .select_from(source)
        .where(mine, old, ~there.exists())
    )
    for row in ground.connection.execute(orphans).all():
        where = f"pod {row.namespace}/{row.name} ({row.uid})"
        tally.tell(where, f"generation {row.generation} superseded", f"no {row.superseded_by}")
    several = (
        select(
            *who,
            func.min(table.c.generation).label("low"),
            func.max(table.c.generation).label("high"),
        )
        .select_from(source)
        .where(mine, table.c.superseded_by.is_(None))
        .group_by(*who, table.c.pod_id, table.c.resource_id)
        .having(func.min(table.c.generation) != func.max(table.c.generation))
    )
    for row in ground.connection.execute(several).all():
        where = f"pod {row.namespace}/{row.name} ({row.uid})"
        tally.tell(where, f"generations {row.low} and {row.high} count", "one of them")


def _months(ground: Ground, tally: Tally) -> None:
    table, daily = schema.CLOSED_MONTH, schema.DAILY.c
    query = select(table).where(table.c.cluster_id == ground.cluster_id)
    for row in ground.connection.execute(query).all():
        since, until = month_span(row.month)
        if not ground.holds(since):
            continue
        days = ground.connection.execute(
            select(daily.capex_nano, daily.opex_nano).where(
                daily.cluster_id == ground.cluster_id, daily.day_ms >= since, daily.day_ms < until
            )
        ).all()
        for name in ("capex_nano", "opex_nano"):
            tally.compare(
                f"{name} of {row.month}",
                getattr(row, name),
                sum(getattr(day, name) for day in days),
            )


def _database(ground: Ground, tally: Tally) -> None:
    """PostgreSQL keeps its references itself; SQLite's may be broken by whoever edits the file."""
    tally.mine.compared += len(schema.METADATA.tables)
    if ground.connection.dialect.name != "sqlite":
        return
    run = ground.connection.exec_driver_sql
    for table, rowid, parent, _ in run("PRAGMA foreign_key_check").all():
        tally.tell(f"table {table}, row {rowid}", f"refers to {parent}", "no such row")
    for (said,) in run("PRAGMA quick_check").all():
        if said != "ok":
            tally.tell("the file", said, "ok")
