"""What budgets spent on pods whose rows were removed, added up by budget, class and accelerator.

Only whole memberships are in there, since a pod is removed with all its rows. A budget's period is
either shorter than rows are kept, and then has none of it, or is the budget's whole life, and then
has all of it: no window cuts it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from bursar.domain.budget import Amounts
from bursar.domain.classification import WorkloadClass
from bursar.domain.time import Ms
from bursar.runtime.ledger import schema, stored
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.sql import chunks, upsert
from bursar.runtime.ledger.worth import doubt, worth


@dataclass(slots=True, kw_only=True)
class Past:
    """A sum.

    Attributes:
        unpriced_gpu_ms: the part of the accelerator time whose money is not known.
        doubt: why, of one of these pods; empty where all of it is.
    """

    cost: int = 0
    estimated: int = 0
    gpu_ms: Fraction = Fraction(0)
    unpriced_gpu_ms: Fraction = Fraction(0)
    doubt: str = ""

    def amounts(self, weight: Fraction) -> Amounts:
        """The same as a budget counts it, at some weight of the accelerator."""
        return Amounts(
            cost=self.cost,
            gpu_ms=self.gpu_ms,
            normalized_ms=self.gpu_ms * weight,
            estimated=self.estimated,
        )


def remember(connection: Connection, names: Names, cluster_id: int, ids: Sequence[int]) -> None:
    """Add what these pods, which are about to be removed, cost the budgets that they count in."""
    found: defaultdict[tuple[int, str, str], Past] = defaultdict(Past)
    member = schema.BUDGET_MEMBER.c
    query = (
        stored.intervals(cluster_id, picked=True)
        .join(schema.BUDGET_MEMBER, member.pod_id == schema.POD_INTERVAL.c.pod_id)
        .add_columns(member.budget_id, member.from_ms, member.to_ms, member["class"].label("as_"))
    )
    for part in chunks(ids):
        for row in connection.execute(query.where(member.pod_id.in_(part))).all():
            entry = stored.interval(connection, names, row)
            until = entry.known if row.to_ms is None else min(entry.known, row.to_ms)
            paid, reason = worth(entry, row.from_ms, until), doubt(entry.segment)
            sums = found[row.budget_id, row.as_, entry.dimension.accelerator]
            sums.cost += paid.cost
            sums.estimated += paid.estimated
            sums.gpu_ms += paid.gpu_ms
            if reason:
                sums.unpriced_gpu_ms += paid.gpu_ms
                sums.doubt = reason
    _add(connection, found)


def spent(
    connection: Connection,
    purse: Sequence[ColumnElement[bool]],
    frm: Ms,
    weights: Mapping[str, Fraction],
) -> Iterator[tuple[WorkloadClass, Amounts, Past]]:
    """What is remembered of a budget.

    Args:
        connection: to read by.
        purse: conditions that pick rows of `budget`.
        frm: beginning of the window; nothing where all of it is still in rows.
        weights: normalized devices for one device of an accelerator; 1 where none is given.
    """
    past, budget, kept = schema.BUDGET_PAST, schema.BUDGET.c, schema.KEPT.c
    query = (
        select(past)
        .join(schema.BUDGET, past.c.budget_id == budget.id)
        .join(schema.KEPT, kept.cluster_id == budget.cluster_id)
        .where(*purse, kept.intervals_since_ms > frm)
    )
    for row in connection.execute(query):
        sums = _read(row)
        weight = weights.get(row.accelerator, Fraction(1))
        yield WorkloadClass(getattr(row, "class")), sums.amounts(weight), sums


def _add(connection: Connection, found: Mapping[tuple[int, str, str], Past]) -> None:
    table = schema.BUDGET_PAST
    for part in chunks({budget_id for budget_id, _, _ in found}):
        for row in connection.execute(select(table).where(table.c.budget_id.in_(part))).all():
            mine = found.get((row.budget_id, getattr(row, "class"), row.accelerator))
            if mine is not None:
                old = _read(row)
                mine.cost += old.cost
                mine.estimated += old.estimated
                mine.gpu_ms += old.gpu_ms
                mine.unpriced_gpu_ms += old.unpriced_gpu_ms
                mine.doubt = mine.doubt or old.doubt
    rows = [
        {
            "budget_id": budget_id,
            "class": paid_as,
            "accelerator": accelerator,
            "cost_nano": sums.cost,
            "estimated_nano": sums.estimated,
            "gpu_ms": sums.gpu_ms,
            "unpriced_gpu_ms": sums.unpriced_gpu_ms,
            "doubt": sums.doubt,
        }
        for (budget_id, paid_as, accelerator), sums in found.items()
    ]
    upsert(connection, table, rows)


def _read(row: Any) -> Past:
    return Past(
        cost=row.cost_nano,
        estimated=row.estimated_nano,
        gpu_ms=row.gpu_ms,
        unpriced_gpu_ms=row.unpriced_gpu_ms,
        doubt=row.doubt,
    )
