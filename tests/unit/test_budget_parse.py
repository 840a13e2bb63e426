"""AIBudgets and ClusterAIBudgets become purses, or are rejected with the field and the reason."""

from fractions import Fraction
from typing import Any

import pytest

from bursar.budget.parse import budgets
from bursar.domain.budget import (
    Budget,
    BudgetKey,
    PeriodKind,
    Rejected,
    ThresholdAction,
)
from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO
from bursar.domain.time import HOUR
from support.purses import at, manifest, purse

NAMESPACES = {
    "vision": {"kubernetes.io/metadata.name": "vision", "team": "ml"},
    "web": {"kubernetes.io/metadata.name": "web", "team": "shop"},
    "lab": {"kubernetes.io/metadata.name": "lab", "team": "ml"},
}
BY_TEAM = {"matchLabels": {"team": "ml"}}


def test_what_is_not_said_is_what_the_schema_defaults_to() -> None:
    budget = purse()
    assert budget.key == BudgetKey(namespace="vision", name="vision")
    assert budget.period is PeriodKind.MONTHLY
    assert budget.time_zone == "UTC"
    assert budget.unknown_as is WorkloadClass.TRAINING
    assert budget.percent(ThresholdAction.NOTIFY) == 80
    assert budget.percent(ThresholdAction.WARN) == 80
    assert budget.percent(ThresholdAction.HOLD) == 100
    assert budget.percent(ThresholdAction.STOP) is None
    assert budget.created == at("2026-10-05T08:00:00Z")
    assert budget.generation == 3


def test_limits_are_exact_in_nano_units_and_device_milliseconds() -> None:
    budget = purse(
        limits={"cost": "0.07", "gpuHours": "1.5", "normalizedGpuHours": "2"},
        classes={"inference": {"cost": "0.000000001"}},
    )
    assert budget.limits.cost == 70_000_000
    assert budget.limits.gpu_ms == Fraction(3, 2) * HOUR
    assert budget.limits.normalized_ms == 2 * HOUR
    assert budget.classes[WorkloadClass.INFERENCE].cost == 1


def test_all_else_that_is_in_force_is_read() -> None:
    budget = purse(
        selector={"matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}]},
        exempt={"classes": ["inference"], "priorityClassNames": ["production"]},
        unknownAs="interactive",
        allocation={"team": "vision", "costCenter": "4711"},
        suspendUntil="2026-11-25T00:00:00Z",
        grants=[{"amount": "2000", "until": "2026-11-30T00:00:00Z", "grantedBy": "lee"}],
    )
    assert budget.selector.matches({"tier": "b"})
    assert not budget.selector.matches({})
    assert budget.exempt_classes == {WorkloadClass.INFERENCE}
    assert budget.exempt_priority_classes == {"production"}
    assert budget.unknown_as is WorkloadClass.INTERACTIVE
    assert (budget.allocation.team, budget.allocation.cost_center) == ("vision", "4711")
    assert budget.allocation.sources == (
        ("team", "AIBudget vision"),
        ("cost_center", "AIBudget vision"),
    )
    assert budget.suspend_until == at("2026-11-25T00:00:00Z")
    (grant,) = budget.grants
    assert (grant.amount, grant.until, grant.granted_by) == (
        2000 * NANO,
        at("2026-11-30T00:00:00Z"),
        "lee",
    )
    assert grant.since is None


def test_the_history_tells_since_when_a_grant_holds_and_what_it_had_paid() -> None:
    grant = {"amount": "2000", "until": "2026-11-30T00:00:00.5Z", "reason": "paper"}
    obj = manifest(grants=[grant])
    about = {"until": "2026-11-30T00:00:00Z", "reason": "paper"}
    obj["status"] = {
        "history": [
            {"time": "2026-11-20T10:00:00Z", "type": "Granted", "amount": "2000.000000", **about},
            {"time": "2026-11-30T00:00:01Z", "type": "GrantExpired", "amount": "150.5", **about},
        ]
    }
    found = budgets(obj, {})
    assert isinstance(found, tuple)
    (read,) = found[0].grants
    assert read.since == at("2026-11-20T10:00:00Z")
    assert read.paid == Fraction("150.5") * NANO


def test_a_shared_cluster_budget_is_one_purse_over_the_namespaces_that_it_selects() -> None:
    found = budgets(manifest("ClusterAIBudget", namespaceSelector=BY_TEAM), NAMESPACES)
    assert isinstance(found, tuple)
    (budget,) = found
    assert budget.key == BudgetKey(namespace="", name="vision")
    assert budget.namespace_selector is not None
    assert budget.namespace_selector.matches(NAMESPACES["lab"])
    assert not budget.namespace_selector.matches(NAMESPACES["web"])


def test_a_cluster_budget_per_namespace_is_one_purse_for_each_that_it_selects() -> None:
    obj = manifest("ClusterAIBudget", namespaceSelector=BY_TEAM, scope="PerNamespace")
    found = budgets(obj, NAMESPACES)
    assert isinstance(found, tuple)
    assert [budget.key.member for budget in found] == ["lab", "vision"]
    assert str(found[0].key) == "ClusterAIBudget vision for lab"
    for budget in found:
        assert budget.namespace_selector is not None
        chosen = [
            n for n, labels in NAMESPACES.items() if budget.namespace_selector.matches(labels)
        ]
        assert chosen == [budget.key.member]


def test_a_budget_for_one_time_ends_when_it_says() -> None:
    budget = purse(period="Once", until="2026-12-24T00:00:00Z")
    assert budget.until == at("2026-12-24T00:00:00Z")


@pytest.mark.parametrize(
    ("until", "read"),
    [
        pytest.param("0001-01-01T00:00:00Z", "2026-10-05T08:00:00Z", id="an end before creation"),
        pytest.param("9999-12-31T23:59:59.9Z", "9999-01-01T00:00:00Z", id="an end past all clocks"),
    ],
)
def test_an_absurd_end_is_brought_to_a_moment_that_can_be_written(until: str, read: str) -> None:
    assert purse(period="Once", until=until).until == at(read)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param({"timeZone": "Atlantis/Capital"}, "spec.timeZone", id="no such zone"),
        pytest.param({"timeZone": "Europe"}, "spec.timeZone", id="a folder of zones is no zone"),
        pytest.param({"period": "Fortnightly"}, "spec.period", id="no such period"),
        pytest.param({"period": "Once"}, "spec.until", id="once without an end"),
        pytest.param({"limits": {}}, "spec.limits", id="no limit at all"),
        pytest.param({"limits": {"cost": "-1"}}, "spec.limits.cost", id="a negative limit"),
        pytest.param({"limits": {"cost": 0.5}}, "spec.limits.cost", id="a float for money"),
        pytest.param({"limits": "much"}, "spec.limits", id="limits of the wrong type"),
        pytest.param({"currency": "euro"}, "spec.currency", id="a currency that is none"),
        pytest.param({"classes": {"training": {}}}, "spec.classes.training", id="an empty class"),
    ],
)
def test_what_cannot_be_read_is_rejected_with_its_field(spec: dict[str, Any], field: str) -> None:
    found = budgets(manifest(**spec), {})
    assert isinstance(found, Rejected)
    assert found.field == field
    assert found.problem
    assert found.key.name == "vision"
    assert found.generation == 3


@pytest.mark.parametrize(
    "obj",
    [
        pytest.param({}, id="an empty object"),
        pytest.param({"kind": "AIBudget", "metadata": 7, "spec": []}, id="parts of wrong types"),
        pytest.param({"kind": "ClusterAIBudget", "spec": None}, id="no spec"),
        pytest.param({"spec": {"limits": {"cost": "1"}}}, id="no namespace"),
    ],
)
def test_odd_objects_are_rejected_and_never_raise(obj: dict[str, Any]) -> None:
    assert isinstance(budgets(obj, NAMESPACES), Rejected)


def test_a_status_in_another_form_does_not_hide_the_budget() -> None:
    obj = manifest()
    obj["status"] = {"admission": "none", "history": 4}
    found = budgets(obj, {})
    assert isinstance(found, tuple)
    assert isinstance(found[0], Budget)
