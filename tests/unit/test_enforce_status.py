"""What a budget's status says, and when it is written."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from bursar.api.aibudget import AIBudgetStatus, ClusterAIBudgetStatus
from bursar.budget.parse import budgets
from bursar.budget.remember import remember, remembered
from bursar.budget.standing import standing
from bursar.domain.action import Mode
from bursar.domain.budget import Budget, BudgetKey, Rejected, Remembered, Standing
from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO
from bursar.domain.time import MINUTE, SECOND, Ms
from bursar.enforce.conditions import Circumstances
from bursar.enforce.status import (
    needs_write,
    status,
    status_of_no_purses,
    status_of_purses,
    status_of_rejected,
    status_of_unreadable,
)
from support.purses import (
    EXAMPLE,
    EXAMPLE_FLOWS,
    EXAMPLE_SPENT,
    NOW,
    at,
    flow,
    manifest,
    purse,
    spent,
)

OTHER = WorkloadClass.OTHER
ENFORCING = Circumstances(mode=Mode.ENFORCE)


def stand(budget: Budget, cost: str, per_hour: str = "0", now: Ms = NOW) -> Standing:
    return standing(budget, {OTHER: spent(cost)}, (flow(OTHER, per_hour),), now, Remembered())


def conditions(written: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in written["conditions"]}


@pytest.fixture
def example() -> dict[str, Any]:
    budget = purse(**EXAMPLE)
    found = standing(budget, EXAMPLE_SPENT, EXAMPLE_FLOWS, NOW, Remembered())
    return status(budget, found, None, replace(ENFORCING, held=3))


def test_the_documented_example(example: dict[str, Any]) -> None:
    assert example["observedGeneration"] == 3
    assert example["period"] == {"start": "2026-10-31T23:00:00Z", "end": "2026-11-30T23:00:00Z"}
    assert example["spent"]["cost"] == "9960.000000"
    assert example["spent"]["gpuHours"] == "1893.250000"
    assert example["spent"]["estimatedCost"] == "3.200000"
    assert example["spent"]["byClass"]["training"]["cost"] == "6925.400000"
    assert example["limit"] == {"cost": "12000.000000", "gpuHours": "4000.000000"}
    assert example["reserved"] == {"cost": "0.000000"}
    assert example["burnRate"] == {"costPerHour": "35.520000", "devices": "6.000000"}
    assert example["forecast"] == {
        "periodEndCost": "15465.600000",
        "exhaustedAt": "2026-11-26T21:25:56Z",
    }
    assert [
        (each["class"], each["closesAt"], each["reopensAt"]) for each in example["admission"]
    ] == [
        ("training", "2026-11-26T03:02:52Z", "2026-11-30T23:00:00Z"),
        ("*", "2026-11-26T21:25:56Z", "2026-11-30T23:00:00Z"),
        ("training", "2026-12-13T01:41:51Z", "2026-12-31T23:00:00Z"),
        ("*", "2026-12-15T00:50:16Z", "2026-12-31T23:00:00Z"),
    ]
    assert example["warning"]["since"] == "2026-11-24T12:00:00Z"
    assert example["held"] == 3
    assert example["summary"] == {"limit": "12000 USD", "spent": "9960.00 USD", "used": "83%"}
    assert conditions(example) == {
        "Ready": ("True", "Evaluated"),
        "WithinBudget": ("True", "BelowLimit"),
        "ForecastWithinBudget": ("False", "ForecastExceedsLimit"),
        "Enforced": ("True", "VerdictWritten"),
        "Priced": ("True", "AllPriced"),
    }


def test_a_status_is_what_its_schema_says_and_nothing_is_lost(example: dict[str, Any]) -> None:
    assert AIBudgetStatus.model_validate(example).dump() == {**example, "history": []}


def test_what_was_written_is_remembered_after_a_restart(example: dict[str, Any]) -> None:
    budget = purse(**EXAMPLE)
    found = standing(budget, EXAMPLE_SPENT, EXAMPLE_FLOWS, NOW, Remembered())
    read, kept = remembered(budget, example), remember(budget, found)
    assert replace(read, crossed=()) == replace(kept, crossed=())
    assert set(read.crossed) == set(kept.crossed)


@pytest.mark.parametrize(
    ("spec", "cost", "circumstances", "kind", "expected"),
    [
        pytest.param(
            {}, "12000", ENFORCING, "WithinBudget", ("False", "LimitReached"),
            id="a limit that is reached",
        ),
        pytest.param(
            {}, "12000", ENFORCING, "ForecastWithinBudget", ("False", "ForecastExceedsLimit"),
            id="what is reached is no better in the forecast",
        ),
        pytest.param(
            {"thresholds": [{"percent": 80, "actions": ["Warn"]}]}, "1", ENFORCING,
            "Enforced", ("False", "NoHoldThreshold"),
            id="a budget that holds nothing",
        ),
        pytest.param(
            {"suspendUntil": "2026-11-25T00:00:00Z"}, "1", ENFORCING,
            "Enforced", ("False", "EnforcementSuspended"),
            id="a budget that sleeps",
        ),
        pytest.param(
            {"suspendUntil": "2026-11-24T12:00:00Z"}, "1", ENFORCING,
            "Enforced", ("True", "VerdictWritten"),
            id="a budget that has just woken",
        ),
        pytest.param(
            {}, "1", Circumstances(mode=Mode.OBSERVE), "Enforced", ("False", "ObserveOnly"),
            id="an installation that observes",
        ),
        pytest.param(
            {}, "1", Circumstances(mode=Mode.ENFORCE, policies=False),
            "Enforced", ("False", "PoliciesMissing"),
            id="an installation without policies",
        ),
        pytest.param(
            {}, "1", Circumstances(mode=Mode.ENFORCE, assumed=("1 pod on t4-16gb",)),
            "Priced", ("False", "AssumedPrice"),
            id="an assumed price",
        ),
        pytest.param(
            {}, "1", Circumstances(mode=Mode.ENFORCE, not_in_force=("spec.stop",)),
            "NotInForce", ("True", "FieldsNotInForce"),
            id="a field that is not acted upon",
        ),
    ],
)  # fmt: skip
def test_conditions(
    spec: dict[str, Any],
    cost: str,
    circumstances: Circumstances,
    kind: str,
    expected: tuple[str, str],
) -> None:
    budget = purse(**spec)
    written = status(budget, stand(budget, cost), None, circumstances)
    assert conditions(written)[kind] == expected


def test_fields_that_are_not_in_force_are_named_and_the_condition_goes_with_them() -> None:
    budget = purse()
    fields = ("spec.stop", "spec.admission=Reserve")
    first = status(budget, stand(budget, "1"), None, replace(ENFORCING, not_in_force=fields))
    assert "spec.stop, spec.admission=Reserve" in first["conditions"][-1]["message"]
    assert "NotInForce" not in conditions(status(budget, stand(budget, "1"), first, ENFORCING))


def test_a_class_that_is_used_up_is_outside_its_budget() -> None:
    budget = purse(classes={"other": {"cost": "10"}})
    written = status(budget, stand(budget, "10"), None, ENFORCING)
    (within,) = [each for each in written["conditions"] if each["type"] == "WithinBudget"]
    assert (within["status"], within["message"]) == ("False", "reached: $10 for other")


def test_what_is_unknown_is_neither_within_nor_beyond_unless_it_is_beyond_anyway() -> None:
    budget = purse()
    for cost, expected in (("1", ("Unknown", "Unpriced")), ("12000", ("False", "LimitReached"))):
        found = replace(stand(budget, cost), unknown=("2 pods have no price",))
        written = status(budget, found, None, ENFORCING)
        assert conditions(written)["WithinBudget"] == expected
        assert conditions(written)["Priced"] == ("Unknown", "Unpriced")


def test_a_condition_that_stays_keeps_its_moment() -> None:
    budget = purse()
    first = status(budget, stand(budget, "1"), None, ENFORCING)
    later = status(budget, stand(budget, "2", now=NOW + MINUTE), first, ENFORCING)
    assert {each["lastTransitionTime"] for each in later["conditions"]} == {"2026-11-24T12:00:00Z"}


def test_a_limit_of_zero_has_no_ratio() -> None:
    budget = purse(limits={"cost": "0"})
    written = status(budget, stand(budget, "0"), None, ENFORCING)
    assert written["summary"] == {"limit": "0 USD", "spent": "0.00 USD"}
    assert "reopensAt" not in written["admission"][0]


def test_the_summary_names_the_limit_that_is_nearest() -> None:
    budget = purse(limits={"cost": "12000", "gpuHours": "100"})
    found = standing(budget, {OTHER: spent("1", "99.5")}, (), NOW, Remembered())
    assert status(budget, found, None, ENFORCING)["summary"] == {
        "limit": "100 GPUh",
        "spent": "99.50 GPUh",
        "used": "99%",
    }


class TestHistory:
    GRANT = {  # noqa: RUF012 - never changed
        "amount": "2000", "until": "2026-11-24T20:00:00Z", "reason": "paper", "grantedBy": "lee",
    }  # fmt: skip

    def read(self, previous: dict[str, Any]) -> Budget:
        found = budgets({**manifest(grants=[self.GRANT]), "status": previous}, {})
        assert isinstance(found, tuple)
        return found[0]

    def test_a_grant_is_written_once_and_what_it_paid_when_it_expires(self) -> None:
        budget = purse(grants=[self.GRANT])
        first = status(budget, stand(budget, "12100"), None, ENFORCING)
        about = {"until": "2026-11-24T20:00:00Z", "reason": "paper", "grantedBy": "lee"}
        granted = {
            "time": "2026-11-24T12:00:00Z", "type": "Granted", "amount": "2000.000000", **about,
        }  # fmt: skip
        assert first["history"] == [granted]
        not_back_yet = status(budget, stand(budget, "12100"), first, ENFORCING)
        assert not_back_yet["history"] == [granted]
        budget = self.read(first)
        assert status(budget, stand(budget, "12200"), first, ENFORCING)["history"] == [granted]
        after = at("2026-11-24T20:00:00Z") + 20
        last = status(budget, stand(budget, "12300", now=after), first, ENFORCING)
        expired = {
            "time": "2026-11-24T20:00:00Z", "type": "GrantExpired", "amount": "300.000000", **about,
        }  # fmt: skip
        assert last["history"] == [granted, expired]
        budget = self.read(last)
        assert budget.grants[0].paid == 300 * NANO
        assert stand(budget, "12300", now=after + SECOND).limits.cost == 12300 * NANO
        again = status(budget, stand(budget, "12400", now=after + MINUTE), last, ENFORCING)
        assert again["history"] == last["history"]

    def test_what_it_paid_is_left_out_where_nobody_saw_it_expire(self) -> None:
        budget = purse(grants=[self.GRANT])
        first = status(budget, stand(budget, "12100"), None, ENFORCING)
        budget = self.read(first)
        late = at("2026-11-24T20:00:00Z") + 2 * MINUTE
        last = status(budget, stand(budget, "12300", now=late), first, ENFORCING)
        assert "amount" not in last["history"][1]

    def test_sleep_is_written_once(self) -> None:
        budget = purse(suspendUntil="2026-11-25T00:00:00Z")
        first = status(budget, stand(budget, "1"), None, ENFORCING)
        second = status(budget, stand(budget, "1"), first, ENFORCING)
        assert [each["type"] for each in second["history"]] == ["Suspended"]

    def test_it_is_bounded_and_never_forgets_a_grant_of_today(self) -> None:
        budget = purse(grants=[self.GRANT])
        first = status(budget, stand(budget, "1"), None, ENFORCING)
        filler = [
            {"time": "2026-11-24T12:00:00Z", "type": "Suspended", "until": "2026-11-24T13:00:00Z"}
        ] * 80
        previous = {"history": [*first["history"], *filler]}
        kept = status(self.read(first), stand(budget, "1"), previous, ENFORCING)["history"]
        assert len(kept) == 64
        assert kept[0] == first["history"][0]


class TestNeedsWrite:
    def write(self, cost: str, per_hour: str = "1", **spec: Any) -> dict[str, Any]:
        budget = purse(**spec)
        return status(budget, stand(budget, cost, per_hour), None, ENFORCING)

    def test_the_first_is_written(self) -> None:
        assert needs_write(None, self.write("1"), None, NOW)

    def test_nothing_new_is_not_written_ever(self) -> None:
        old = {**self.write("1"), "observedThrough": "2026-11-01T00:00:00Z"}
        assert not needs_write(old, self.write("1"), NOW - 60 * MINUTE, NOW)

    def test_figures_that_move_are_written_once_a_minute(self) -> None:
        old, new = self.write("1"), self.write("2")
        assert not needs_write(old, new, NOW - MINUTE + 1, NOW)
        assert needs_write(old, new, NOW - MINUTE, NOW)
        assert needs_write(old, new, None, NOW)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            pytest.param(("1", "1"), ("1", "500"), id="windows"),
            pytest.param(("9599", "0"), ("9600", "0"), id="a warning"),
            pytest.param(("12001", "0"), ("11999", "0"), id="conditions"),
            pytest.param(("1", "0"), ("1", "0.01"), id="a burn rate that closes nothing"),
        ],
    )
    def test_what_somebody_needs_is_written_at_once(
        self, old: tuple[str, str], new: tuple[str, str]
    ) -> None:
        assert needs_write(self.write(*old), self.write(*new), NOW, NOW)

    def test_a_job_that_waits_or_a_new_limit_is_written_at_once(self) -> None:
        old = self.write("1")
        assert needs_write(old, {**old, "held": 1}, NOW, NOW)
        assert needs_write(old, self.write("1", limits={"cost": "13000"}), NOW, NOW)
        assert needs_write(old, {**old, "observedGeneration": 4}, NOW, NOW)


class TestPurses:
    LABELS = {name: {"kubernetes.io/metadata.name": name} for name in ("a", "b", "c")}  # noqa: RUF012

    @pytest.fixture
    def purses(self) -> list[tuple[Budget, Standing]]:
        found = budgets(manifest("ClusterAIBudget", scope="PerNamespace"), self.LABELS)
        assert isinstance(found, tuple)
        costs = {"a": "10", "b": "12000", "c": "9000"}
        return [(each, stand(each, costs[each.key.member], "1")) for each in found]

    def test_each_namespace_stands_for_itself_the_nearest_to_its_limit_first(
        self, purses: list[tuple[Budget, Standing]]
    ) -> None:
        written = status_of_purses(purses, None, replace(ENFORCING, held=2), {"b": 2})
        assert [each["name"] for each in written["namespaces"]] == ["b", "c", "a"]
        assert [each["held"] for each in written["namespaces"]] == [2, 0, 0]
        assert [each["used"] for each in written["namespaces"]] == ["100%", "75%", "0%"]
        assert written["namespaces"][0]["admission"][0]["class"] == "*"
        assert written["namespaceCount"] == 3
        assert written["spent"]["cost"] == "21010.000000"
        assert written["burnRate"]["costPerHour"] == "3.000000"
        assert written["summary"]["used"] == "100%"
        (within,) = [each for each in written["conditions"] if each["type"] == "WithinBudget"]
        assert within["message"] == "reached: $12,000 in b"
        assert ClusterAIBudgetStatus.model_validate(written)

    def test_each_purse_remembers_its_own_windows(
        self, purses: list[tuple[Budget, Standing]]
    ) -> None:
        written = status_of_purses(purses, None, ENFORCING, {})
        for budget, found in purses:
            assert remembered(budget, written).windows == found.windows


def test_a_budget_that_cannot_be_read_says_which_field_is_wrong() -> None:
    key = BudgetKey(namespace="vision", name="vision")
    rejected = Rejected(key=key, generation=4, field="spec.timeZone", problem="no such zone")
    history = [{"time": "2026-11-24T12:00:00Z", "type": "Granted"}]
    previous = {"spent": {"cost": "1"}, "history": history}
    written = status_of_rejected(rejected, previous, NOW)
    assert conditions(written)["Ready"] == ("False", "Invalid")
    assert conditions(written)["Enforced"] == ("False", "Invalid")
    assert written["conditions"][0]["message"] == "spec.timeZone: no such zone"
    assert "spent" not in written
    assert written["history"] == history


def test_a_budget_that_selects_no_namespace_is_ready_and_says_so() -> None:
    written = status_of_no_purses(2, None, NOW)
    assert conditions(written)["Ready"] == ("True", "Evaluated")
    assert written["conditions"][0]["message"] == "no namespace is selected"
    assert written["namespaceCount"] == 0


def test_a_ledger_that_cannot_be_read_leaves_what_was_said(example: dict[str, Any]) -> None:
    budget = purse(**EXAMPLE)
    written = status_of_unreadable(budget, example, "the ledger can't be read", NOW + MINUTE)
    assert conditions(written)["WithinBudget"] == ("Unknown", "LedgerUnavailable")
    assert conditions(written)["Enforced"] == ("True", "VerdictWritten")
    for kept in ("admission", "spent", "warning", "observedGeneration"):
        assert written[kept] == example[kept]


def test_odd_statuses_of_other_versions_do_no_harm() -> None:
    budget = purse()
    odd: dict[str, Any] = {"conditions": "x", "history": [4], "forecast": 1, "namespaces": {}}
    written = status(budget, stand(budget, "1"), odd, ENFORCING)
    assert needs_write(odd, written, NOW, NOW)
    assert Fraction(written["spent"]["cost"]) == 1
