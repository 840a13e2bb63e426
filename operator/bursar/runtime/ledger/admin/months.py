"""Closes months: when one may be closed, and which are.

A closed month's figures stay as they are. What becomes known later of it is booked as a correction,
in the month in which it becomes known.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from bursar.domain.money import format_nano
from bursar.domain.time import Ms, format_time
from bursar.errors import BursarError
from bursar.runtime.ledger import Ledger, Reader, schema, stored
from bursar.runtime.ledger.admin.ground import state
from bursar.runtime.ledger.admin.verify import span_of
from bursar.runtime.ledger.rows import CloseRow

PLACES = 9
"""Decimals of money: all that there are."""
STREAM = "pods"
"""The checkpoint that says up to when pods have been followed."""
WRITE_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedMonth:
    """A month whose figures are final.

    Attributes:
        month: `YYYY-MM`, UTC.
        closed: when it was closed (ms).
        by: who did it.
        capex: nano-units that its pods cost, as it was closed.
        opex: likewise.
        already: whether it had been closed before it was asked for.
    """

    month: str
    closed: Ms
    by: str
    capex: int
    opex: int
    already: bool = False


def told(month: ClosedMonth) -> dict[str, Any]:
    """A closed month as JSON."""
    return {
        "month": month.month,
        "closed": format_time(month.closed),
        "by": month.by,
        "cost": format_nano(month.capex + month.opex, PLACES),
        "capex": format_nano(month.capex, PLACES),
        "opex": format_nano(month.opex, PLACES),
        "already": month.already,
    }


def closed_months(reader: Reader) -> tuple[ClosedMonth, ...]:
    """All closed months, in order."""
    table = schema.CLOSED_MONTH
    with reader.session() as (connection, _, cluster_id):
        query = select(table).where(table.c.cluster_id == cluster_id).order_by(table.c.month)
        return tuple(
            ClosedMonth(
                month=row.month,
                closed=row.closed_ms,
                by=row.closed_by,
                capex=row.capex_nano,
                opex=row.opex_nano,
            )
            for row in connection.execute(query)
        )


def pending(reader: Reader, month: str, now: Ms) -> tuple[str, ...]:
    """Why figures of a month that is over may still move by themselves.

    Raises:
        BursarError: it is no month, is not over, or cannot be closed at all yet.
    """
    _, until = span_of(month)
    if until > now:
        raise BursarError(f"{month} is not over: it ends {format_time(until)}")
    table, reasons = schema.POD_INTERVAL.c, []
    seen = reader.checkpoint(STREAM)
    if seen is None or seen.observed < until:
        when = "never" if seen is None else f"only until {format_time(seen.observed)}"
        reasons.append(f"the cluster's pods have been followed {when}")
    with reader.session() as (connection, _, cluster_id):
        kept = state(connection, cluster_id, now)
        if kept.unfilled[0] < kept.unfilled[1]:
            raise BursarError("pods of an earlier version are being summed: try again later")
        query = (
            select(func.count(func.distinct(table.pod_id)))
            .select_from(schema.POD_INTERVAL)
            .join(schema.POD, schema.POD.c.id == table.pod_id)
            .where(
                schema.POD.c.cluster_id == cluster_id,
                stored.is_open(schema.POD_INTERVAL),
                table.superseded_by.is_(None),
                table.start_ms < until,
                table.end_ms < until,
            )
        )
        unsure = connection.execute(query).scalar_one()
    if unsure:
        reasons.append(f"of {unsure} pods it is not known yet whether they ended in it")
    return tuple(reasons)


def close(ledger: Ledger, month: str, by: str, now: Ms, *, force: bool = False) -> ClosedMonth:
    """Close a month; one that is closed stays as it is.

    Args:
        ledger: opened for writing.
        month: `YYYY-MM`, UTC.
        by: who closes it.
        now: milliseconds since the epoch.
        force: although its figures may still move; what moves is a correction then.

    Raises:
        BursarError: it can't be closed yet, and why.
        LedgerError: the database refuses.
    """
    before = _found(ledger.reader, month)
    if before is not None:
        return ClosedMonth(
            month=month,
            closed=before.closed,
            by=before.by,
            capex=before.capex,
            opex=before.opex,
            already=True,
        )
    ledger.submit([]).result(WRITE_SECONDS)
    reasons = pending(ledger.reader, month, now)
    if reasons and not force:
        raise BursarError(f"{month} can't be closed yet: {'; '.join(reasons)} (or use --force)")
    ledger.submit([CloseRow(month=month, by=by)]).result(WRITE_SECONDS)
    after = _found(ledger.reader, month)
    if after is None:
        raise BursarError(f"{month} could not be closed: try again")
    return after


def _found(reader: Reader, month: str) -> ClosedMonth | None:
    return next((each for each in closed_months(reader) if each.month == month), None)
