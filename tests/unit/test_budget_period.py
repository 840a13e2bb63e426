"""Periods begin at midnight of the budget's own zone."""

import pytest

from bursar.budget.period import next_span, span_at
from bursar.domain.budget import Span
from bursar.domain.time import HOUR
from support.purses import at, purse


@pytest.mark.parametrize(
    ("period", "zone", "now", "start", "end"),
    [
        pytest.param(
            "Monthly", "Europe/Berlin", "2026-11-24T12:00:00Z",
            "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z",
            id="a month in Berlin begins an hour before it does in Greenwich",
        ),
        pytest.param(
            "Daily", "Europe/Berlin", "2026-10-25T12:00:00Z",
            "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z",
            id="the day on which summer time ends has 25 hours",
        ),
        pytest.param(
            "Daily", "Europe/Berlin", "2026-03-29T12:00:00Z",
            "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z",
            id="the day on which summer time begins has 23 hours",
        ),
        pytest.param(
            "Weekly", "UTC", "2027-01-02T00:00:00Z",
            "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z",
            id="an ISO week begins on Monday and may span a new year",
        ),
        pytest.param(
            "Quarterly", "Asia/Kolkata", "2026-12-31T18:29:59Z",
            "2026-09-30T18:30:00Z", "2026-12-31T18:30:00Z",
            id="a quarter ends at half past in a zone of half hours",
        ),
        pytest.param(
            "Yearly", "America/New_York", "2026-01-01T04:59:59Z",
            "2025-01-01T05:00:00Z", "2026-01-01T05:00:00Z",
            id="the old year lasts five hours longer in New York",
        ),
        pytest.param(
            "Daily", "America/Sao_Paulo", "2018-11-04T12:00:00Z",
            "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z",
            id="a day whose midnight is skipped begins with the skip",
        ),
        pytest.param(
            "Daily", "America/Havana", "2026-11-01T06:00:00Z",
            "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z",
            id="a day whose midnight comes twice begins with the first",
        ),
        pytest.param(
            "Daily", "Pacific/Apia", "2011-12-30T09:59:59Z",
            "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z",
            id="a day that a zone left out is no period",
        ),
    ],
)  # fmt: skip
def test_span_at(period: str, zone: str, now: str, start: str, end: str) -> None:
    budget = purse(period=period, timeZone=zone)
    assert span_at(budget, at(now)) == Span(start=at(start), end=at(end))


def test_after_a_day_that_a_zone_left_out_comes_the_next_that_it_has() -> None:
    budget = purse(period="Daily", timeZone="Pacific/Apia")
    before = span_at(budget, at("2011-12-30T09:00:00Z"))
    after = next_span(budget, before)
    assert after is not None
    assert after.start == before.end
    assert after.end is not None
    assert after.end - after.start == 24 * HOUR


def test_once_runs_from_creation_to_its_end_and_has_no_next() -> None:
    budget = purse(period="Once", until="2026-12-24T00:00:00Z")
    only = Span(start=at("2026-10-05T08:00:00Z"), end=at("2026-12-24T00:00:00Z"))
    assert span_at(budget, at("2026-11-01T00:00:00Z")) == only
    assert span_at(budget, at("2027-11-01T00:00:00Z")) == only
    assert next_span(budget, only) is None
