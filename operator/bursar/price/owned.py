"""What an owned node costs an hour: depreciation, hosting, staff and power.

Depreciation is straight-line: (purchase price less residual value) ÷ months is a month's CapEx.
Sums by the month are spread over the real hours of the month in question (UTC), 672 to 744, so
that a month always costs the month's sum. Power is watts × PUE × price per kilowatt-hour. No clock
is read and no currency converted here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from bursar.domain.time import HOUR, Ms, from_datetime, to_datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """Owned hardware, one node of it.

    Attributes:
        depreciation_per_month: CapEx a month (units of `currency`), until `depreciated`.
        depreciated: first moment (ms) at which it has lost all its value.
        running_per_month: OpEx a month without power.
        power_per_hour: OpEx an hour for power.
        currency: None stands for the reporting currency.
        utilization: share of the time in which its devices are expected to be held.
        pue: of its building, where the book says what the node draws.
    """

    depreciation_per_month: Fraction
    depreciated: Ms
    running_per_month: Fraction
    power_per_hour: Fraction
    currency: str | None
    utilization: Fraction = Fraction(1)
    pue: Fraction | None = None

    def capex(self, at: Ms) -> Fraction:
        """CapEx an hour (units of `currency`) at a moment."""
        if at >= self.depreciated:
            return Fraction(0)
        return self.depreciation_per_month / hours_of_month(at)

    def opex(self, at: Ms) -> Fraction:
        """OpEx an hour (units of `currency`) at a moment."""
        return self.running_per_month / hours_of_month(at) + self.power_per_hour


def hours_of_month(at: Ms) -> Fraction:
    """Hours of the month (UTC) in which a moment lies."""
    start = month_start(at)
    return Fraction(add_months(start, 1) - start, HOUR)


def month_start(at: Ms) -> Ms:
    """First moment of the month (UTC) in which a moment lies."""
    day = to_datetime(at)
    return from_datetime(datetime(day.year, day.month, 1, tzinfo=UTC))


def month_starts(since: Ms, until: Ms) -> Iterator[Ms]:
    """The months' first moments (UTC) after `since` and before `until`."""
    moment = add_months(month_start(since), 1)
    while moment < until:
        yield moment
        moment = add_months(moment, 1)


def add_months(at: Ms, months: int) -> Ms:
    """The same day and time so many months later, the month's last day where it has no such day."""
    day = to_datetime(at)
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    first = datetime(year, month, 1, tzinfo=UTC)
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    last = (following - first).days
    return from_datetime(day.replace(year=year, month=month, day=min(day.day, last)))
