"""Which period of a budget a moment lies in.

From the kind of period and the budget's own time zone: periods begin at local midnight, so a day
of daylight-saving change has 23 or 25 hours. Spans tile time: each ends where the next begins.
Never reads a clock.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo

from bursar.domain import wording
from bursar.domain.budget import Budget, PeriodKind, Span
from bursar.domain.time import Ms, from_datetime, to_datetime

_MONTHS = {PeriodKind.MONTHLY: 1, PeriodKind.QUARTERLY: 3, PeriodKind.YEARLY: 12}


def span_at(budget: Budget, now: Ms) -> Span:
    """Find the period that contains a moment.

    Args:
        budget: its `period`, `time_zone`, and for `Once` `created` and `until` decide.
        now: milliseconds since the epoch.

    Returns:
        The period with start ≤ now < end; for `Once` always from its creation to `until`, so that
        after `until` the moment lies behind it.
    """
    if budget.period is PeriodKind.ONCE:
        return Span(start=budget.created, end=budget.until)
    zone = wording.zone(budget.time_zone) or UTC
    first = _first(budget.period, to_datetime(now).astimezone(zone).date())
    # Where a clock is turned across midnight, a local date may begin after a moment that bears it.
    while _midnight(first, zone) > now:
        first = _first(budget.period, first - timedelta(days=1))
    following = _following(budget.period, first)
    while _midnight(following, zone) <= now:
        first, following = following, _following(budget.period, following)
    return Span(start=_midnight(first, zone), end=_midnight(following, zone))


def next_span(budget: Budget, span: Span) -> Span | None:
    """Find the period that follows; None for one without a next (`Once`)."""
    if budget.period is PeriodKind.ONCE or span.end is None:
        return None
    return span_at(budget, span.end)


def _first(kind: PeriodKind, day: date) -> date:
    """The first day of the period that a day belongs to."""
    if kind is PeriodKind.WEEKLY:
        return day - timedelta(days=day.weekday())
    months = _MONTHS.get(kind)
    if months is None:
        return day
    return date(day.year, day.month - (day.month - 1) % months, 1)


def _following(kind: PeriodKind, first: date) -> date:
    """The first day of the next period."""
    months = _MONTHS.get(kind)
    if months is None:
        return first + timedelta(days=7 if kind is PeriodKind.WEEKLY else 1)
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)


def _midnight(day: date, zone: tzinfo) -> Ms:
    """The moment at which a local day begins; where its midnight is skipped, the skip itself."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    return from_datetime(local.astimezone(UTC))
