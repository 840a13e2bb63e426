"""Windows are the true crossings, whatever is spent, flows, is limited and granted."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from bursar.budget.period import span_at
from bursar.budget.remember import remember
from bursar.budget.standing import standing
from bursar.domain.budget import Amounts, Budget, Flow, Remembered, Window
from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO
from bursar.domain.time import DAY, HOUR, SECOND, Ms
from support.purses import NOW, purse

CLASSES = (WorkloadClass.TRAINING, WorkloadClass.INFERENCE)
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/Havana")
PERIODS = ("Daily", "Weekly", "Monthly", "Quarterly")

nows = st.integers(min_value=NOW - 400 * DAY, max_value=NOW + 400 * DAY)
limits = st.integers(min_value=1, max_value=10**13)


def decimal(nano: int) -> str:
    return f"{nano // NANO}.{nano % NANO:09d}"


@st.composite
def purses(draw: st.DrawFn) -> Budget:
    total = draw(limits)
    hold = draw(st.sampled_from((50, 90, 100, 120)))
    return purse(
        period=draw(st.sampled_from(PERIODS)),
        timeZone=draw(st.sampled_from(ZONES)),
        limits={"cost": decimal(total)},
        classes={"training": {"cost": decimal(draw(limits))}} if draw(st.booleans()) else {},
        thresholds=[{"percent": hold, "actions": ["Warn", "Hold", "Notify"]}],
    )


@st.composite
def flowing(draw: st.DrawFn, now: Ms) -> tuple[Flow, ...]:
    found = []
    for _ in range(draw(st.integers(min_value=0, max_value=4))):
        since = now + draw(st.integers(min_value=-DAY, max_value=3 * DAY))
        ends = draw(st.none() | st.integers(min_value=1, max_value=10 * DAY))
        per_hour = draw(st.integers(min_value=0, max_value=10**11))
        found.append(
            Flow(
                since=since,
                until=None if ends is None else since + ends,
                workload_class=draw(st.sampled_from(CLASSES)),
                cost=Fraction(per_hour, HOUR),
                devices=Fraction(1),
                normalized=Fraction(1),
            )
        )
    return tuple(found)


spending = st.dictionaries(
    st.sampled_from(CLASSES),
    st.integers(min_value=0, max_value=10**13).map(lambda nano: Amounts(cost=nano)),
)


def sum_at(
    spent: Mapping[WorkloadClass, Amounts],
    flows: tuple[Flow, ...],
    name: str,
    now: Ms,
    moment: Ms,
) -> Fraction:
    """What is spent by a moment, added up flow by flow."""
    total = Fraction(sum(a.cost for key, a in spent.items() if name in ("*", key)))
    for each in flows:
        if name in ("*", each.workload_class):
            start = max(each.since, now)
            end = moment if each.until is None else min(each.until, moment)
            total += each.cost * max(0, end - start)
    return total


def level(budget: Budget, name: str) -> Fraction:
    limit = budget.limits if name == "*" else budget.classes[WorkloadClass(name)]
    assert limit.cost is not None
    return limit.cost * budget.thresholds[0].percent / 100


@given(purses(), spending, nows, st.data())
def test_a_window_of_this_period_closes_in_the_second_of_the_crossing(
    budget: Budget, spent: Mapping[WorkloadClass, Amounts], now: Ms, data: st.DataObject
) -> None:
    flows = data.draw(flowing(now))
    found = standing(budget, spent, flows, now, Remembered())
    assert found.span.end is not None
    first: dict[str, Window] = {}
    for each in found.windows:
        if each.closes_at < found.span.end:
            first.setdefault(each.workload_class, each)
    for name in ("*", *(key.value for key in budget.classes)):
        target = level(budget, name)
        if name not in first:
            assert sum_at(spent, flows, name, now, found.span.end - 1) < target
            continue
        closes = first[name].closes_at
        assert sum_at(spent, flows, name, now, max(closes + SECOND, now)) >= target
        if closes > now:
            assert sum_at(spent, flows, name, now, closes) <= target


@given(purses(), spending, nows, st.data())
def test_a_window_of_a_later_period_counts_from_its_start(
    budget: Budget, spent: Mapping[WorkloadClass, Amounts], now: Ms, data: st.DataObject
) -> None:
    flows = data.draw(flowing(now))
    found = standing(budget, spent, flows, now, Remembered())
    for each in found.windows:
        assert found.span.end is not None
        if each.closes_at < found.span.end:
            continue
        span = span_at(budget, each.closes_at)
        start = sum_at({}, flows, each.workload_class, now, span.start)
        target = start + level(budget, each.workload_class)
        assert sum_at({}, flows, each.workload_class, now, each.closes_at) <= target
        assert sum_at({}, flows, each.workload_class, now, each.closes_at + SECOND) >= target


@given(purses(), spending, nows, st.data())
def test_windows_are_whole_seconds_in_order_and_disjoint_for_each_class(
    budget: Budget, spent: Mapping[WorkloadClass, Amounts], now: Ms, data: st.DataObject
) -> None:
    found = standing(budget, spent, data.draw(flowing(now)), now, Remembered()).windows
    assert list(found) == sorted(found, key=lambda each: each.closes_at)
    for name in {each.workload_class for each in found}:
        for one, two in pairwise([each for each in found if each.workload_class == name]):
            assert one.reopens_at is not None
            assert one.reopens_at < two.closes_at
    for each in found:
        assert each.closes_at % SECOND == 0
        assert each.reopens_at is None or each.reopens_at % SECOND == 0
        assert each.reopens_at is None or now < each.reopens_at


@given(purses(), spending, nows)
def test_nothing_is_ever_shut_where_less_than_each_limit_is_spent_and_nothing_flows(
    budget: Budget, spent: Mapping[WorkloadClass, Amounts], now: Ms
) -> None:
    total = sum(amounts.cost for amounts in spent.values())
    assume(total < level(budget, "*"))
    own = {key: amounts for key, amounts in spent.items() if key not in budget.classes}
    assert standing(budget, own, (), now, Remembered()).windows == ()


@given(purses(), spending, nows, st.data())
def test_saying_the_same_again_changes_nothing(
    budget: Budget, spent: Mapping[WorkloadClass, Amounts], now: Ms, data: st.DataObject
) -> None:
    flows = data.draw(flowing(now))
    first = standing(budget, spent, flows, now, Remembered())
    assert standing(budget, spent, flows, now, remember(budget, first)) == first
    unknown = ("something has no price",)
    doubtful = standing(budget, spent, flows, now, remember(budget, first), unknown)
    assert doubtful.windows == first.windows


@given(purses(), spending, nows, st.integers(min_value=0, max_value=5 * DAY), st.data())
def test_time_alone_never_moves_a_closing(
    budget: Budget,
    spent: Mapping[WorkloadClass, Amounts],
    now: Ms,
    pause: Ms,
    data: st.DataObject,
) -> None:
    flows = data.draw(flowing(now))
    first = standing(budget, spent, flows, now, Remembered())
    assert first.span.end is not None
    later = min(now + pause, first.span.end - 1)
    # What is spent meanwhile, rounded down to nano-units as the ledger does.
    grown = {
        key: Amounts(cost=sum_at(spent, flows, key, now, later).__floor__()) for key in CLASSES
    }
    second = standing(budget, grown, flows, later, remember(budget, first))
    before = {(w.workload_class, w.reopens_at): w.closes_at for w in first.windows}
    for each in second.windows:
        known = before.get((each.workload_class, each.reopens_at))
        # A nano-unit that was rounded away comes at most two of the slowest flow's milliseconds
        # late, so that a crossing on the edge of a second may fall into the next.
        if known is not None and each.reopens_at == first.span.end:
            slowest = min((f.cost for f in flows if f.cost), default=Fraction(1))
            assert 0 <= each.closes_at - known <= SECOND + 2 / slowest


@given(purses(), spending, nows, st.data())
def test_the_next_change_lies_ahead_and_within_the_period(
    budget: Budget, spent: Mapping[WorkloadClass, Amounts], now: Ms, data: st.DataObject
) -> None:
    found = standing(budget, spent, data.draw(flowing(now)), now, Remembered())
    assert found.next_change is not None
    assert found.span.end is not None
    assert now < found.next_change <= found.span.end
