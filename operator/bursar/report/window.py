"""From when to when a report goes, as people write it: a month, dates, moments, `7d` ago."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from bursar.domain.time import Ms, from_datetime, parse_duration, parse_time, to_datetime
from bursar.errors import BursarError

_MONTH = re.compile(r"(\d{4})-(\d{2})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_FORMS = "write a day (2026-11-24), a moment (2026-11-24T12:00:00Z) or how long ago (7d, 36h)"


class BadWindow(BursarError):  # noqa: N818 - named after what is wrong, as callers read it
    """A window that can't be read; the message says how to write one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time, from `since` (included) to `until` (excluded)."""

    since: Ms
    until: Ms


def parse_window(
    *, month: str | None, since: str | None, until: str | None, now: Ms, zone: tzinfo = UTC
) -> Window:
    """Read the window of a report.

    Args:
        month: `YYYY-MM`, the whole month, also when it is not over.
        since: a day (its beginning), an RFC 3339 moment, or a duration before `now`; without it,
            the beginning of the month in which the window ends.
        until: likewise, excluded; without it, `now`.
        now: milliseconds since the epoch.
        zone: in which days and months begin.

    Raises:
        BadWindow: a month and a moment are both given, one can't be read, or nothing lies between.
    """
    if month is not None:
        if since is not None or until is not None:
            raise BadWindow("name a month, or from and to, not both")
        return _month(month, zone)
    end = now if until is None else _moment(until, "to", now, zone)
    start = _month_of(end - 1, zone) if since is None else _moment(since, "from", now, zone)
    if start >= end:
        raise BadWindow("a window must begin before it ends (its end is not part of it)")
    return Window(since=start, until=end)


def _month(text: str, zone: tzinfo) -> Window:
    match = _MONTH.fullmatch(text)
    year, number = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (1970 <= year <= 9998 and 1 <= number <= 12):
        raise BadWindow(f"{text[:40]!r} is no month: write 2026-11")
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return Window(
        since=from_datetime(datetime(year, number, 1, tzinfo=zone)),
        until=from_datetime(datetime(*following, 1, tzinfo=zone)),
    )


def _month_of(moment: Ms, zone: tzinfo) -> Ms:
    local = to_datetime(moment).astimezone(zone)
    return from_datetime(datetime(local.year, local.month, 1, tzinfo=zone))


def _moment(text: str, name: str, now: Ms, zone: tzinfo) -> Ms:
    ago = parse_duration(text)
    if ago is not None:
        return now - ago
    if not _DAY.fullmatch(text):
        moment = parse_time(text)
    else:
        try:
            moment = from_datetime(datetime.fromisoformat(text).replace(tzinfo=zone))
        except ValueError:
            moment = None
    if moment is None:
        raise BadWindow(f"{name}: {text[:40]!r} is no moment: {_FORMS}")
    return moment
