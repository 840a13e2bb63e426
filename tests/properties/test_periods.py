"""Periods of any zone tile time."""

from zoneinfo import available_timezones

from hypothesis import given
from hypothesis import strategies as st

from bursar.budget.period import next_span, span_at
from bursar.domain.budget import PeriodKind
from bursar.domain.time import DAY, HOUR, Ms
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
