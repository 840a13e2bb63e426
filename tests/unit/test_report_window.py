"""From when to when, as people write it."""

from zoneinfo import ZoneInfo

import pytest

from bursar.domain.time import format_time, parse_time
from bursar.report import BadWindow, parse_window

NOW = parse_time("2026-11-24T12:00:00Z")
BERLIN = ZoneInfo("Europe/Berlin")


def read(month=None, since=None, until=None, **more):
    window = parse_window(month=month, since=since, until=until, now=NOW, **more)
    return format_time(window.since), format_time(window.until)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, ("2026-11-01", "2026-11-24T12:00:00Z"), id="this month so far"),
        pytest.param({"month": "2026-12"}, ("2026-12-01", "2027-01-01"), id="a month in winter"),
        pytest.param({"month": "2024-02"}, ("2024-02-01", "2024-03-01"), id="a leap month"),
        pytest.param(
            {"since": "2026-11-03", "until": "2026-11-04"},
            ("2026-11-03", "2026-11-04"),
            id="a day: its end is not part of it",
        ),
        pytest.param(
            {"since": "36h"}, ("2026-11-23", "2026-11-24T12:00:00Z"), id="the last 36 hours"
        ),
        pytest.param(
            {"since": "2026-11-24T10:30:00+02:00"},
            ("2026-11-24T08:30:00Z", "2026-11-24T12:00:00Z"),
            id="since a moment",
        ),
        pytest.param(
            {"until": "2026-11-01"}, ("2026-10-01", "2026-11-01"), id="until a month's end"
        ),
        pytest.param(
            {"month": "2026-10", "zone": BERLIN},
            ("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
            id="a month in Berlin in which the clocks change",
        ),
        pytest.param(
            {"since": "2026-11-24", "zone": BERLIN},
            ("2026-11-23T23:00:00Z", "2026-11-24T12:00:00Z"),
            id="today in Berlin",
        ),
    ],
)
def test_windows(given, expected):
    assert read(**given) == tuple(text if "T" in text else f"{text}T00:00:00Z" for text in expected)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param({"month": "2026-13"}, "no month: write 2026-11", id="a thirteenth month"),
        pytest.param({"month": "November"}, "no month: write 2026-11", id="a name"),
        pytest.param({"month": "0000-01"}, "no month", id="the year nought"),
        pytest.param({"month": "2026-11", "since": "1d"}, "not both", id="two ways at once"),
        pytest.param({"since": "yesterday"}, "from: 'yesterday' is no moment", id="a word"),
        pytest.param({"until": "2026-02-30"}, "to: '2026-02-30' is no moment", id="no such day"),
        pytest.param(
            {"since": "2026-11-24T12:00:00"}, "is no moment", id="a moment of no time zone"
        ),
        pytest.param({"since": "2026-12-01"}, "begin before it ends", id="nothing lies between"),
        pytest.param(
            {"since": "2026-11-03", "until": "2026-11-03"}, "begin before", id="an empty day"
        ),
    ],
)
def test_what_is_no_window_says_how_to_write_one(given, problem):
    with pytest.raises(BadWindow, match=problem):
        read(**given)
