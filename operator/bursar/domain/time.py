"""Moments and durations as the API writes them, as integer milliseconds since the epoch, UTC.

The core never reads a clock: a moment always comes in as an argument.
"""

import re
from datetime import UTC, datetime
from fractions import Fraction

Ms = int

SECOND: Ms = 1_000
MINUTE: Ms = 60 * SECOND
HOUR: Ms = 60 * MINUTE
DAY: Ms = 24 * HOUR

_GO_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m|h|d))+")
_GO_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")
_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def parse_time(text: object) -> Ms | None:
    """Read an RFC 3339 moment such as `2026-11-24T12:00:00Z`.

    Returns:
        Milliseconds since the epoch, UTC; None for anything that is no such moment (tenants may
        write what they like into annotations, so odd input is not an error here).
    """
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return from_datetime(moment)


def from_datetime(moment: datetime) -> Ms:
    """Convert an aware datetime, exactly (microseconds are rounded down)."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds // 1_000


def to_datetime(moment: Ms) -> datetime:
    """Convert to an aware datetime in UTC."""
    return datetime.fromtimestamp(moment // 1_000, tz=UTC).replace(
        microsecond=moment % 1_000 * 1_000
    )


def format_time(moment: Ms) -> str:
    """Write as `YYYY-MM-DDTHH:MM:SSZ`, rounded down to the second, as the API server does."""
    return to_datetime(floor_second(moment)).strftime("%Y-%m-%dT%H:%M:%SZ")


def floor_second(moment: Ms) -> Ms:
    """Round down to a whole second."""
    return moment - moment % SECOND


def ceil_second(moment: Ms) -> Ms:
    """Round up to a whole second."""
    return -(-moment // SECOND) * SECOND


def parse_duration(text: object) -> Ms | None:
    """Read a duration such as `72h`, `1h30m` or `2d`.

    Returns:
        Milliseconds, rounded down; None for anything else.
    """
    if not isinstance(text, str) or len(text) > 64 or not _GO_DURATION.fullmatch(text):
        return None
    total = sum(
        (Fraction(number) * _UNITS[unit] for number, unit in _GO_PART.findall(text)), Fraction(0)
    )
    return int(total)
