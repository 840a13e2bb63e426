"""A window cut at the hours, days or months of a time zone, and what these are called.

Local days have 23 or 25 hours twice a year, and zones half an hour past the hour have hours that
begin at :30 in UTC; a month or a day is whatever lies between two midnights on the wall clock.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

from bursar.domain.time import HOUR, MINUTE, Ms, from_datetime, to_datetime
from bursar.errors import BursarError
from bursar.report.window import Window

TIMES = ("month", "day", "hour")
"""Keys that are times, the coarsest first."""

MOST = 20_000
"""Stretches of one report: two years of hours are fewer."""


class TooFine(BursarError):  # noqa: N818 - named after what is wrong, as callers read it
    """A window that has more hours or days than one answer should hold."""


def stretches(window: Window, names: tuple[str, ...], zone: tzinfo = UTC) -> tuple[Window, ...]:
    """Cut a window where the finest time among these keys begins anew.

    Args:
        window: the whole.
        names: keys of a report; without a time among them the window is one stretch.
        zone: whose wall clock says where hours, days and months begin.

    Raises:
        TooFine: there are more than `MOST`.
    """
    times = [name for name in TIMES if name in names]
    if not times:
        return (window,)
    found = []
    since = window.since
    for cut in _cuts(window, times[-1], zone):
        found.append(Window(since=since, until=cut))
        since = cut
        if len(found) >= MOST:
            raise TooFine(f"the window has more than {MOST} of {times[-1]}: ask for a shorter one")
    return (*found, Window(since=since, until=window.until))


def label(moment: Ms, name: str, zone: tzinfo = UTC) -> str:
    """What the month, day or hour is called that a moment lies in.

    Returns:
        `2026-11`, `2026-11-24`, or `2026-11-24T13:00+01:00`: the hour as RFC 3339 writes it, but
        without its seconds, so that the two hours that autumn repeats stay apart.
    """
    local = to_datetime(moment).astimezone(zone)
    if name == "month":
        return f"{local:%Y-%m}"
    if name == "day":
        return f"{local:%Y-%m-%d}"
    return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")


def _cuts(window: Window, name: str, zone: tzinfo) -> Iterator[Ms]:
    """Where a new month, day or hour begins within the window."""
    at = window.since
    while True:
        at = _hour_after(at, zone) if name == "hour" else _midnight_after(at, name, zone)
        if at >= window.until:
            return
        yield at


def _hour_after(moment: Ms, zone: tzinfo) -> Ms:
    local = to_datetime(moment).astimezone(zone)
    past = (local.minute * MINUTE) + local.second * 1_000 + local.microsecond // 1_000
    return moment + HOUR - past


def _midnight_after(moment: Ms, name: str, zone: tzinfo) -> Ms:
    today = to_datetime(moment).astimezone(zone).date()
    following = _next_month(today) if name == "month" else today + timedelta(days=1)
    return from_datetime(datetime(following.year, following.month, following.day, tzinfo=zone))


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
