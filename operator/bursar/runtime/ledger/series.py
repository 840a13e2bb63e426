"""Rows of what Prometheus was shown, written and read back.

Labels are what tenants write, kept as JSON in plain ASCII, so that any text is legal.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

from sqlalchemy import Connection, delete, select

from bursar.runtime.ledger import schema
from bursar.runtime.ledger.rows import SeriesGone, SeriesRow
from bursar.runtime.ledger.sql import chunks, upsert


def write(connection: Connection, cluster_id: int, rows: Iterable[SeriesRow | SeriesGone]) -> None:
    """Write rows in their order: of each rank the last counts."""
    newest = {row.rank: row for row in rows}
    table = schema.SERIES
    upsert(
        connection,
        table,
        [
            {
                "cluster_id": cluster_id,
                "rank": row.rank,
                "kind": row.kind,
                "labels": json.dumps(row.labels),
                "created_ms": row.created,
                "marks": json.dumps({name: str(value) for name, value in row.marks.items()}),
            }
            for row in newest.values()
            if isinstance(row, SeriesRow)
        ],
    )
    gone = [row.rank for row in newest.values() if isinstance(row, SeriesGone)]
    for part in chunks(gone):
        of_these = (table.c.cluster_id == cluster_id) & table.c.rank.in_(part)
        connection.execute(delete(table).where(of_these))


def recovery(connection: Connection, cluster_id: int) -> dict[str, int]:
    """What ended pods took beyond what they paid, by accelerator (nano-units, signed)."""
    rate, of = schema.RATE.c, schema.DIMENSION.c
    if (
        connection.execute(select(rate.id).where(rate.utilization != Fraction(1)).limit(1)).first()
        is None
    ):
        return {}
    sums: defaultdict[str, int] = defaultdict(int)
    for table in (schema.DAILY, schema.CORRECTION):
        query = (
            select(of.accelerator, table.c.recovery_nano)
            .select_from(table.join(schema.DIMENSION, table.c.dimension_id == of.id))
            .where(table.c.cluster_id == cluster_id)
        )
        for row in connection.execute(query):
            sums[row.accelerator] += row.recovery_nano
    return dict(sums)


def read(connection: Connection, cluster_id: int) -> tuple[SeriesRow, ...]:
    """All rows, in order of rank."""
    table = schema.SERIES
    query = select(table).where(table.c.cluster_id == cluster_id).order_by(table.c.rank)
    return tuple(
        SeriesRow(
            rank=row.rank,
            kind=row.kind,
            labels=tuple(json.loads(row.labels)),
            created=row.created_ms,
            marks={name: int(value) for name, value in json.loads(row.marks).items()},
        )
        for row in connection.execute(query)
    )
