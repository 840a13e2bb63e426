"""Periods of any zone tile time."""

from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from bursar.budget.period import next_span, span_at
from bursar.domain.budget import PeriodKind
from bursar.domain.time import DAY, HOUR, MINUTE, Ms
from support.purses import at, purse

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
KINDS = sorted(kind for kind in PeriodKind if kind is not PeriodKind.ONCE)
LONGEST = {
    PeriodKind.DAILY: 1,
    PeriodKind.WEEKLY: 7,
    PeriodKind.MONTHLY: 31,
    PeriodKind.QUARTERLY: 92,
    PeriodKind.YEARLY: 366,
}

moments = st.integers(min_value=at("1971-01-01T00:00:00Z"), max_value=at("2100-01-01T00:00:00Z"))


@given(st.sampled_from(KINDS), st.sampled_from(ZONES), moments)
def test_a_span_contains_the_moment_that_it_was_asked_for(
    kind: PeriodKind, zone: str, now: Ms
) -> None:
    span = span_at(purse(period=kind.value, timeZone=zone), now)
    assert span.end is not None
    assert span.start <= now < span.end
    # Clocks are turned by less than a day; a zone that changes its date may add one.
    assert 20 * HOUR <= span.end - span.start <= (LONGEST[kind] + 1) * DAY


@given(st.sampled_from(KINDS), st.sampled_from(ZONES), moments)
def test_the_next_span_begins_where_one_ends(kind: PeriodKind, zone: str, now: Ms) -> None:
    budget = purse(period=kind.value, timeZone=zone)
    span = span_at(budget, now)
    following = next_span(budget, span)
    assert following is not None
    assert following.start == span.end


@given(st.sampled_from(KINDS), st.sampled_from(ZONES), moments, st.data())
def test_every_moment_of_a_span_has_that_span(
    kind: PeriodKind, zone: str, now: Ms, data: st.DataObject
) -> None:
    budget = purse(period=kind.value, timeZone=zone)
    span = span_at(budget, now)
    assert span.end is not None
    other = data.draw(st.integers(min_value=span.start, max_value=span.end - 1))
    assert span_at(budget, other) == span
    assert span_at(budget, span.start) == span
    assert span_at(budget, span.end - 1) == span
    assert span_at(budget, span.start - 1).end == span.start


def offset(zone: str, moment: Ms) -> Ms:
    """By how much a zone's clock is ahead of UTC then."""
    ahead = datetime.fromtimestamp(moment / 1000, ZoneInfo(zone)).utcoffset()
    assert ahead is not None
    return ahead // timedelta(milliseconds=1)


def local_day(zone: str, moment: Ms) -> date:
    return datetime.fromtimestamp(moment // 1000, ZoneInfo(zone)).date()


@cache
def turns(zone: str) -> tuple[Ms, ...]:
    """The moments of some years at which a zone's clock is turned, to the minute."""
    found = []
    hours = range(at("2024-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z"), 6 * HOUR)
    for early, late in pairwise(hours):
        if offset(zone, early) == offset(zone, late):
            continue
        low, high = early, late
        while high - low > MINUTE:
            middle = (low + high) // 2
            same = offset(zone, middle) == offset(zone, early)
            low, high = (middle, high) if same else (low, middle)
        found.append(high)
    return tuple(found)


TURNED = (
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",  # at midnight: one day of the year has none
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Asuncion",
    "Australia/Lord_Howe",  # by half an hour
    "Africa/Casablanca",  # for Ramadan
    "Pacific/Chatham",
    "Asia/Gaza",
)


@given(
    st.sampled_from(KINDS),
    st.sampled_from(TURNED),
    st.data(),
    st.integers(-2 * DAY, 2 * DAY),
)
@settings(deadline=None)
def test_around_a_turn_of_the_clock_a_period_begins_with_the_first_moment_of_its_local_day(
    kind: PeriodKind, zone: str, data: st.DataObject, away: Ms
) -> None:
    now = data.draw(st.sampled_from(turns(zone) or (at("2026-03-29T01:00:00Z"),))) + away
    span = span_at(purse(period=kind.value, timeZone=zone), now)
    assert span.end is not None
    first, following = local_day(zone, span.start), local_day(zone, span.end)
    assert local_day(zone, span.start - 1) < first
    assert local_day(zone, span.end - 1) < following
    assert first <= local_day(zone, now) < following
    days = {PeriodKind.DAILY: 1, PeriodKind.WEEKLY: 7}.get(kind)
    if days is not None:
        assert following - first == timedelta(days=days)
    if kind is PeriodKind.WEEKLY:
        assert first.weekday() == 0
    if kind in (PeriodKind.MONTHLY, PeriodKind.QUARTERLY, PeriodKind.YEARLY):
        assert first.day == following.day == 1
    # The hours that the clock was turned by are missing, or there twice.
    local_hours = (following - first) // timedelta(milliseconds=1)
    slack = abs(offset(zone, span.start) - offset(zone, span.start - MINUTE))
    slack += abs(offset(zone, span.end) - offset(zone, span.end - MINUTE))
    turned = offset(zone, span.end) - offset(zone, span.start)
    assert abs(span.end - span.start - (local_hours - turned)) <= slack
