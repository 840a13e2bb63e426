"""Where budgets stand, with the sums done by hand."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from bursar.budget.remember import remember, remembered
from bursar.budget.standing import carried, standing
from bursar.budget.words import LONGEST
from bursar.domain.budget import Amounts, Budget, Flow, Remembered, Standing, Warned, Window
from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO
from bursar.domain.time import DAY, HOUR, SECOND, Ms, format_time
from support.purses import (
    EXAMPLE,
    EXAMPLE_FLOWS,
    EXAMPLE_SPENT,
    NOW,
    at,
    flow,
    money,
    purse,
    spent,
)

NEW = Remembered()
OTHER = WorkloadClass.OTHER
TRAINING = WorkloadClass.TRAINING


def shown(windows: tuple[Window, ...]) -> list[tuple[str, str, str | None]]:
    return [
        (
            each.workload_class,
            format_time(each.closes_at),
            None if each.reopens_at is None else format_time(each.reopens_at),
        )
        for each in windows
    ]


def stand(
    budget: Budget, cost: str, per_hour: str = "0", now: Ms = NOW, before: Remembered = NEW
) -> Standing:
    """A budget of which so much is spent, and so much flows."""
    return standing(budget, {OTHER: spent(cost)}, (flow(OTHER, per_hour, "1"),), now, before)


@pytest.fixture
def example() -> Standing:
    return standing(purse(**EXAMPLE), EXAMPLE_SPENT, EXAMPLE_FLOWS, NOW, NEW)


def test_the_documented_example_has_its_documented_figures(example: Standing) -> None:
    assert example.spent.cost == money("9960")
    assert example.spent.estimated == money("3.2")
    assert example.used == Fraction(83, 100)
    assert example.cost_per_hour == Fraction("35.52") * NANO
    assert example.devices == 6
    assert example.period_end_cost == Fraction("15465.6") * NANO
    assert example.exhausted_at == at("2026-11-26T21:25:56Z")


def test_the_documented_example_shuts_at_its_documented_seconds(example: Standing) -> None:
    # December begins with nothing spent: 8,000 / 27.52 = 290.698 h, 12,000 / 35.52 = 337.838 h.
    assert shown(example.windows) == [
        ("training", "2026-11-26T03:02:52Z", "2026-11-30T23:00:00Z"),
        ("*", "2026-11-26T21:25:56Z", "2026-11-30T23:00:00Z"),
        ("training", "2026-12-13T01:41:51Z", "2026-12-31T23:00:00Z"),
        ("*", "2026-12-15T00:50:16Z", "2026-12-31T23:00:00Z"),
    ]


def test_the_documented_example_warns_in_words(example: Standing) -> None:
    assert example.warning is not None
    assert example.warning.message == (
        "AIBudget vision: 83 % of $12,000 spent; "
        "at $35.52/h it closes on 26 Nov 22:25 (Europe/Berlin)"
    )


def test_a_refusal_says_what_is_spent_of_what_when_it_reopens_and_who_can_raise_it(
    example: Standing,
) -> None:
    assert example.windows[1].message == (
        "AIBudget vision is shut: $12,000 of $12,000 spent since 1 Nov; it reopens 1 Dec 00:00 "
        "(Europe/Berlin); whoever may edit aibudgets in namespace vision can raise it"
    )
    assert example.windows[0].message.startswith(
        "AIBudget vision is shut for training: $8,000 of $8,000 spent since 1 Nov; "
    )


def test_thresholds_that_are_reached_are_named_for_the_whole_and_for_a_class(
    example: Standing,
) -> None:
    crossed = [(each.percent, each.workload_class, each.measure) for each in example.crossed]
    assert crossed == [(80, "*", "cost"), (80, "training", "cost")]
    assert example.reached == ()


def test_the_next_change_is_the_next_crossing(example: Standing) -> None:
    assert example.next_change is not None
    assert 0 < example.next_change - at("2026-11-26T03:02:52Z") <= SECOND


def test_feeding_back_what_was_said_changes_nothing(example: Standing) -> None:
    budget = purse(**EXAMPLE)
    again = standing(budget, EXAMPLE_SPENT, EXAMPLE_FLOWS, NOW, remember(budget, example))
    assert again == example


def test_a_class_without_burn_never_closes_whatever_others_spend(example: Standing) -> None:
    assert "interactive" not in {each.workload_class for each in example.windows}


def test_the_tightest_limit_governs() -> None:
    budget = purse(limits={"cost": "12000", "gpuHours": "100"})
    found = standing(budget, {OTHER: spent("0", "90")}, (flow(OTHER, "1", "2"),), NOW, NEW)
    assert shown(found.windows)[0] == ("*", "2026-11-24T17:00:00Z", "2026-12-01T00:00:00Z")
    assert "100 GPU-hours of 100 GPU-hours used" in found.windows[0].message
    assert found.used == Fraction(9, 10)


def test_a_dated_change_of_rate_bends_the_line() -> None:
    later = NOW + 10 * HOUR
    flows = (flow(OTHER, "10", until=later), flow(OTHER, "20", since=later))
    found = standing(purse(), {OTHER: spent("11800")}, flows, NOW, NEW)
    assert found.exhausted_at == later + 5 * HOUR
    assert found.next_change == later


def test_without_burn_nothing_closes_while_less_than_the_limit_is_spent() -> None:
    found = stand(purse(), "11999.999999999")
    assert found.windows == ()
    assert found.exhausted_at is None
    assert found.warning is not None
    assert found.warning.message.endswith("99 % of $12,000 spent; nothing that counts is running")


def test_a_limit_that_is_reached_shuts_at_once_and_keeps_its_moment() -> None:
    budget = purse()
    first = stand(budget, "12000", now=NOW + 300)
    assert shown(first.windows) == [("*", "2026-11-24T12:00:00Z", "2026-12-01T00:00:00Z")]
    later = stand(budget, "12040", "40", NOW + HOUR, remember(budget, first))
    assert shown(later.windows)[0] == shown(first.windows)[0]
    assert later.windows[0].message == first.windows[0].message
    assert [each.workload_class for each in later.reached] == ["*"]


def test_a_limit_that_is_reached_sooner_than_was_said_shuts_now() -> None:
    budget = purse()
    said = remember(budget, stand(budget, "11900", "10"))
    assert said.windows[0].closes_at == NOW + 10 * HOUR
    found = stand(budget, "12000", "10", NOW + HOUR, said)
    assert found.windows[0].closes_at == NOW + HOUR


def test_a_limit_that_is_reached_just_as_the_last_flow_ends_is_reached() -> None:
    ends = NOW + HOUR
    found = standing(purse(), {OTHER: spent("11900")}, (flow(OTHER, "100", until=ends),), NOW, NEW)
    assert found.windows[0].closes_at == ends


def test_early_in_a_month_the_windows_reach_through_the_next() -> None:
    found = stand(purse(), "0", "100", at("2026-11-02T00:00:00Z"))
    assert shown(found.windows) == [
        ("*", "2026-11-07T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("*", "2026-12-06T00:00:00Z", "2027-01-01T00:00:00Z"),
    ]


def test_a_raised_limit_opens_and_a_lowered_one_shuts_now() -> None:
    first = stand(purse(), "12000")
    raised = purse(limits={"cost": "20000"})
    assert stand(raised, "12000", before=remember(raised, first)).windows == ()
    lowered = purse(limits={"cost": "5000"})
    shut = stand(lowered, "9960", before=Remembered())
    assert shut.windows[0].closes_at == NOW


def test_a_limit_of_zero_is_shut_from_the_period_on_for_good_and_has_no_ratio() -> None:
    found = stand(purse(limits={"cost": "0"}), "0")
    assert shown(found.windows) == [("*", "2026-11-01T00:00:00Z", None)]
    assert found.used is None
    assert "its limit is $0" in found.windows[0].message
    assert "does not reopen by itself" in found.windows[0].message


def test_no_threshold_with_hold_shuts_nothing_and_still_tells_when_it_is_used_up() -> None:
    budget = purse(thresholds=[{"percent": 50, "actions": ["Notify", "Warn"]}])
    found = stand(budget, "11000", "100")
    assert found.windows == ()
    assert found.exhausted_at == NOW + 10 * HOUR
    assert found.warning is not None
    assert found.warning.message.endswith("at $100.00/h it is used up on 24 Nov 22:00 (UTC)")


def test_hold_below_a_hundred_percent_shuts_there() -> None:
    budget = purse(thresholds=[{"percent": 90, "actions": ["Hold"]}])
    found = stand(budget, "10700", "100")
    assert found.windows[0].closes_at == NOW + HOUR
    assert "$10,800 of $12,000 spent since 1 Nov" in found.windows[0].message
    assert found.exhausted_at == NOW + 13 * HOUR
    assert found.warning is None


def test_a_daily_budget_is_shut_on_each_day_of_the_next_fortnight() -> None:
    budget = purse(period="Daily", limits={"cost": "120"})
    found = stand(budget, "60", "10")
    today = at("2026-11-24T00:00:00Z")
    assert [each.closes_at for each in found.windows] == [
        NOW + 6 * HOUR,
        *(today + day * DAY + 12 * HOUR for day in range(1, 15)),
    ]
    assert [each.reopens_at for each in found.windows] == [
        today + day * DAY for day in range(1, 16)
    ]


def test_a_declared_end_leaves_later_periods_open() -> None:
    budget = purse(period="Daily", limits={"cost": "120"})
    ends = at("2026-11-25T06:00:00Z")
    found = standing(budget, {OTHER: spent("60")}, (flow(OTHER, "10", until=ends),), NOW, NEW)
    assert [each.closes_at for each in found.windows] == [NOW + 6 * HOUR]


def test_an_unknown_class_pays_from_the_class_that_the_budget_names() -> None:
    budget = purse(**EXAMPLE)
    amounts = {TRAINING: spent("7000"), WorkloadClass.UNKNOWN: spent("1000")}
    found = standing(budget, amounts, (), NOW, NEW)
    assert [each.workload_class for each in found.windows] == ["training"]


class TestOnce:
    UNTIL = at("2026-12-24T00:00:00Z")

    @pytest.fixture
    def budget(self) -> Budget:
        return purse(period="Once", until="2026-12-24T00:00:00Z")

    def test_it_shuts_for_good_at_its_end(self, budget: Budget) -> None:
        found = stand(budget, "100", "1")
        assert shown(found.windows) == [("*", "2026-12-24T00:00:00Z", None)]
        assert "it ended on 24 Dec 00:00 (UTC)" in found.windows[0].message
        assert found.period_end_cost == money("100") + Fraction(self.UNTIL - NOW, HOUR) * NANO

    def test_what_is_used_up_before_does_not_reopen(self, budget: Budget) -> None:
        found = stand(budget, "11990", "10")
        assert shown(found.windows) == [("*", "2026-11-24T13:00:00Z", None)]

    def test_it_is_shut_when_it_is_over(self, budget: Budget) -> None:
        found = stand(budget, "100", "1", self.UNTIL + DAY)
        assert shown(found.windows) == [("*", "2026-12-24T00:00:00Z", None)]
        assert found.exhausted_at is None
        assert found.next_change is None


class TestGrants:
    UNTIL = "2026-11-24T20:00:00Z"

    def grant(self, amount: str, until: str = UNTIL) -> dict[str, Any]:
        return {"amount": amount, "until": until}

    def test_a_grant_adds_to_the_limit_of_its_period_only(self) -> None:
        budget = purse(grants=[self.grant("2000", "2027-01-31T00:00:00Z")])
        found = stand(budget, "12000", "1000")
        assert found.limits.cost == money("14000")
        assert shown(found.windows) == [
            ("*", "2026-11-24T14:00:00Z", "2026-12-01T00:00:00Z"),
            ("*", "2026-12-01T12:00:00Z", "2027-01-01T00:00:00Z"),
        ]

    def test_a_grant_of_last_period_is_gone_in_this_one(self) -> None:
        budget = purse(grants=[self.grant("2000", "2027-01-31T00:00:00Z")])
        (grant,) = budget.grants
        old = replace(grant, since=at("2026-10-31T23:59:59Z"))
        assert stand(replace(budget, grants=(old,)), "1").limits.cost == money("12000")
        seen = replace(grant, since=at("2026-11-01T00:00:00Z"))
        assert stand(replace(budget, grants=(seen,)), "1").limits.cost == money("14000")

    def test_what_is_left_of_it_expires(self) -> None:
        found = stand(purse(grants=[self.grant("2000")]), "11500", "100")
        assert shown(found.windows)[0][:2] == ("*", self.UNTIL)
        assert found.next_change == at(self.UNTIL)

    def test_an_unused_one_that_expires_changes_nothing_before_the_base_is_spent(self) -> None:
        found = stand(purse(grants=[self.grant("2000")]), "11000", "100")
        assert shown(found.windows)[0][:2] == ("*", "2026-11-24T22:00:00Z")

    def test_the_first_to_expire_pays_first_and_what_it_paid_stays_paid(self) -> None:
        budget = purse(
            grants=[self.grant("1000", "2026-11-30T00:00:00Z"), self.grant("500", self.UNTIL)]
        )
        # 12,400 at the first expiry: it paid 400 of its 500, and 1,000 are still to come.
        found = stand(budget, "11600", "100")
        assert shown(found.windows)[0][:2] == ("*", "2026-11-25T06:00:00Z")
        first, second = budget.grants
        after = replace(budget, grants=(first, replace(second, paid=Fraction(400 * NANO))))
        known = stand(after, "12400", "100", at(self.UNTIL))
        assert known.limits.cost == money("13400")
        assert known.windows[0].closes_at == found.windows[0].closes_at


class TestUnknown:
    REASONS = ("2 pods ask for vendor.example/npu, which has no price",)

    def test_reasons_are_carried_along(self) -> None:
        found = standing(purse(), {}, (), NOW, NEW, self.REASONS)
        assert found.unknown == self.REASONS

    def test_the_last_windows_stay_while_something_is_unknown(self) -> None:
        budget = purse()
        before = remember(budget, stand(budget, "11000", "100"))
        found = standing(budget, {OTHER: spent("11000")}, (), NOW, before, self.REASONS)
        assert found.windows == before.windows

    def test_they_can_become_tighter(self) -> None:
        budget = purse()
        before = remember(budget, stand(budget, "11000", "100"))
        flows = (flow(OTHER, "200"),)
        found = standing(budget, {OTHER: spent("11000")}, flows, NOW, before, self.REASONS)
        assert found.windows[0].closes_at == NOW + 5 * HOUR
        assert found.windows[0].reopens_at == before.windows[0].reopens_at

    def test_an_edit_of_the_budget_is_heeded_all_the_same(self) -> None:
        budget = purse(limits={"cost": "20000"})
        before = replace(remember(budget, stand(purse(), "12000")), generation=2)
        found = standing(budget, {OTHER: spent("12000")}, (), NOW, before, self.REASONS)
        assert found.windows == ()


class TestWarning:
    def test_it_keeps_the_moment_since_when_it_stands(self) -> None:
        budget = purse()
        first = stand(budget, "9700", "1")
        later = stand(budget, "9701", "2", NOW + HOUR, remember(budget, first))
        assert first.warning is not None
        assert later.warning is not None
        assert later.warning.since == first.warning.since == NOW

    def test_it_begins_anew_in_another_period(self) -> None:
        budget = purse()
        old = Remembered(
            generation=3,
            span=stand(budget, "0", now=NOW - 30 * DAY).span,
            warning=Warned(since=NOW - 30 * DAY, message="old"),
        )
        found = stand(budget, "9700", before=old)
        assert found.warning is not None
        assert found.warning.since == NOW

    def test_it_says_that_the_budget_is_shut_when_it_is(self) -> None:
        found = stand(purse(), "12500", "10")
        assert found.warning is not None
        assert found.warning.message == found.windows[0].message

    def test_a_class_is_warned_of_where_the_whole_is_far_from_its_limit(self) -> None:
        budget = purse(classes={"training": {"cost": "100"}})
        found = standing(budget, {TRAINING: spent("90")}, (flow(TRAINING, "1"),), NOW, NEW)
        assert found.warning is not None
        assert found.warning.message == (
            "AIBudget vision: 90 % of $100 for training spent; "
            "at $1.00/h it closes on 24 Nov 22:00 (UTC)"
        )

    def test_a_budget_that_lasts_says_so(self) -> None:
        found = stand(purse(), "9700", "1")
        assert found.warning is not None
        assert found.warning.message.endswith("at $1.00/h it lasts to 1 Dec 00:00 (UTC)")


def test_messages_of_the_longest_names_fit() -> None:
    budget = purse(timeZone="America/Argentina/ComodRivadavia")
    long = replace(budget, key=replace(budget.key, name="n" * 253, namespace="m" * 63))
    found = stand(long, "9700", "100")
    assert found.warning is not None
    assert all(len(each.message) <= LONGEST for each in (*found.windows, found.warning))


def test_after_a_restart_the_status_tells_what_was_said(example: Standing) -> None:
    budget = purse(**EXAMPLE)
    status: Mapping[str, Any] = {
        "observedGeneration": 3,
        "period": {"start": "2026-10-31T23:00:00Z", "end": "2026-11-30T23:00:00Z"},
        "limit": {"cost": "12000.000000", "gpuHours": "4000.000000"},
        "spent": {"cost": "9960.000000", "byClass": {"training": {"cost": "6925.400000"}}},
        "warning": {"since": "2026-11-24T01:51:53Z", "message": "…"},
        "admission": [
            {"class": each[0], "closesAt": each[1], "reopensAt": each[2], "message": "…"}
            for each in shown(example.windows)
        ],
    }
    read = remembered(budget, status)
    assert shown(read.windows) == shown(example.windows)
    assert read.span == example.span
    assert read.generation == 3
    assert set(read.crossed) == set(example.crossed)
    again = standing(budget, EXAMPLE_SPENT, EXAMPLE_FLOWS, NOW, read)
    assert again.warning is not None
    assert again.warning.since == at("2026-11-24T01:51:53Z")


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(None, id="none"),
        pytest.param({}, id="an empty one"),
        pytest.param({"period": 4, "admission": "x"}, id="one of other types"),
        pytest.param({"admission": [{"class": "*"}]}, id="one without its period"),
    ],
)
def test_a_status_that_says_nothing_is_remembered_as_nothing(status: Any) -> None:
    assert remembered(purse(), status) == Remembered()


def test_flows_of_the_past_do_not_count_twice() -> None:
    flows: tuple[Flow, ...] = (flow(OTHER, "100", until=NOW), flow(OTHER, "1", since=NOW - DAY))
    found = standing(purse(), {OTHER: Amounts()}, flows, NOW, NEW)
    assert found.cost_per_hour == NANO


# --- carried on, for whoever looks often ----------------------------------------------------------


@pytest.mark.parametrize("later", [0, SECOND, 3 * HOUR])
def test_a_standing_that_is_carried_on_is_the_one_worked_out_anew(later: Ms) -> None:
    budget, now = purse(**EXAMPLE), NOW + later
    known = standing(budget, EXAMPLE_SPENT, EXAMPLE_FLOWS, NOW, NEW)
    grown = {
        workload_class: sum(
            (
                Amounts(
                    cost=int(each.cost * later),
                    gpu_ms=each.devices * later,
                    normalized_ms=each.normalized * later,
                )
                for each in EXAMPLE_FLOWS
                if each.workload_class is workload_class
            ),
            paid,
        )
        for workload_class, paid in EXAMPLE_SPENT.items()
    }
    anew = standing(budget, grown, EXAMPLE_FLOWS, now, NEW)
    found = carried(known, now)
    assert found is not None
    assert abs(found.spent.cost - anew.spent.cost) <= len(EXAMPLE_FLOWS)
    assert found.spent.gpu_ms == anew.spent.gpu_ms
    assert found.spent.normalized_ms == anew.spent.normalized_ms
    assert found.used is not None
    assert anew.used is not None
    assert abs(found.used - anew.used) < Fraction(1, NANO)
    assert found.now == now


def test_nothing_is_carried_on_beyond_a_change_or_back_in_time() -> None:
    known = standing(purse(**EXAMPLE), EXAMPLE_SPENT, EXAMPLE_FLOWS, NOW, NEW)
    assert known.next_change is not None
    assert carried(known, known.next_change - 1) is not None
    assert carried(known, known.next_change) is None
    assert carried(known, NOW - 1) is None


def test_a_standing_without_a_ratio_is_carried_on_without_one() -> None:
    known = stand(purse(limits={"cost": "0"}), "5", "10")
    found = carried(known, NOW + SECOND)
    assert found is not None
    assert found.used is None
