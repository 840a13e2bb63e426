"""Rows of commitments: what was paid for, used or not.

A commitment is told whole, past and present, by the one writer that restored it from here. Telling
it again, or an older state of it, changes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select

from bursar.domain.time import Ms
from bursar.domain.usage import COMMITMENT, Basis, Segment
from bursar.meter import cost, started
from bursar.runtime.ledger import schema, stored
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.rows import CommitmentRows, StoredCommitment
from bursar.runtime.ledger.sql import upsert

_TABLE = schema.COMMITMENT_INTERVAL


def read(
    connection: Connection, names: Names, cluster_id: int
) -> dict[str, list[StoredCommitment]]:
    """All live rows by name, in order."""
    query = (
        select(_TABLE)
        .where(_TABLE.c.cluster_id == cluster_id, _TABLE.c.superseded_by.is_(None))
        .order_by(_TABLE.c.name, _TABLE.c.start_ms)
    )
    found: defaultdict[str, list[StoredCommitment]] = defaultdict(list)
    for row in connection.execute(query).all():
        found[row.name].append(
            StoredCommitment(
                name=row.name,
                segment=stored.segment(connection, names, row, COMMITMENT),
                known=row.end_ms,
            )
        )
    return dict(found)


def write(
    connection: Connection, names: Names, owner: tuple[int, int], rows: Sequence[CommitmentRows]
) -> None:
    """Write what is new of these commitments, in the caller's transaction.

    Args:
        connection: in a transaction.
        names: the interned values.
        owner: the cluster's id and the writer's term.
        rows: in the order in which they were told.
    """
    if not rows:
        return
    cluster_id, term = owner
    there = {
        name: {entry.segment.start: entry for entry in entries}
        for name, entries in read(connection, names, cluster_id).items()
    }
    for name, row in {row.name: row for row in rows}.items():
        old = there.get(name, {})
        if row.known < max((entry.known for entry in old.values()), default=row.known):
            continue
        begun = started(row.segments, row.known)
        _forget(connection, cluster_id, name, old.keys() - {part.start for part in begun})
        fresh = [part for part in begun if _differs(part, old.get(part.start), row.known)]
        names.rates.remember(connection, (part.rate for part in fresh))
        columns = [_columns(names, part, row.known) for part in fresh]
        key = {"cluster_id": cluster_id, "name": name, "term": term}
        upsert(connection, _TABLE, [{**key, **each} for each in columns])


def _differs(part: Segment, old: StoredCommitment | None, known: Ms) -> bool:
    return old is None or old.segment != part or (part.end is None and old.known != known)


def _forget(connection: Connection, cluster_id: int, name: str, starts: Iterable[Ms]) -> None:
    for start in starts:
        connection.execute(
            delete(_TABLE).where(
                _TABLE.c.cluster_id == cluster_id,
                _TABLE.c.name == name,
                _TABLE.c.start_ms == start,
            )
        )


def _columns(names: Names, part: Segment, known: Ms) -> Mapping[str, Any]:
    until = max(part.start, known) if part.end is None else part.end.at
    spent = cost(part, until)
    return {
        "start_ms": part.start,
        "generation": 0,
        "end_ms": until,
        "rate_id": names.rates.id(part.rate),
        "share": part.share,
        "devices": None,
        "capex_nano": spent.capex,
        "opex_nano": spent.opex,
        "basis": int(Basis.OPEN if part.end is None else part.end.basis),
        "witness": "" if part.end is None else part.end.witness,
        "low_ms": None,
        "high_ms": None,
        "superseded_by": None,
    }
