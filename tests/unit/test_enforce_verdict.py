"""The merged verdict of a namespace and of the cluster."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bursar.api.verdict import Verdict
from bursar.budget.parse import budgets
from bursar.budget.standing import standing
from bursar.domain.action import Mode
from bursar.domain.budget import Budget, BudgetKey, Remembered, Standing, Window
from bursar.domain.classification import WorkloadClass
from bursar.domain.selector import Selector
from bursar.domain.time import DAY, HOUR
from bursar.enforce.verdict import MOST_BYTES, cluster_verdict, left_out, verdict
from support.purses import EXAMPLE, EXAMPLE_FLOWS, EXAMPLE_SPENT, NOW, flow, manifest, purse, spent

OTHER = WorkloadClass.OTHER


def item(budget: Budget, cost: str = "1", per_hour: str = "0") -> tuple[Budget, Standing]:
    found = standing(budget, {OTHER: spent(cost)}, (flow(OTHER, per_hour),), NOW, Remembered())
    return budget, found


def named(name: str, **spec: Any) -> Budget:
    return replace(purse(**spec), key=BudgetKey(namespace="vision", name=name))


def with_windows(name: str, count: int, first: int = NOW + DAY) -> tuple[Budget, Standing]:
    budget, found = item(named(name))
    windows = tuple(
        Window(
            workload_class="*",
            closes_at=first + index * DAY,
            reopens_at=first + index * DAY + HOUR,
            message="m" * 400,
        )
        for index in range(count)
    )
    return budget, replace(found, windows=windows)


def test_an_entry_says_all_that_the_policies_ask() -> None:
    budget = purse(
        **EXAMPLE,
        selector={
            "matchLabels": {"app": "a"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["x", "y"]},
                {"key": "spot", "operator": "DoesNotExist"},
            ],
        },
        exempt={"classes": ["inference"], "priorityClassNames": ["production", "critical"]},
        unknownAs="interactive",
        suspendUntil="2026-11-25T00:00:00Z",
    )
    found = standing(budget, EXAMPLE_SPENT, EXAMPLE_FLOWS, NOW, Remembered())
    written = verdict([(budget, found)])
    (entry,) = written["budgets"]
    assert entry["windows"][0] == {
        "class": "training",
        "closesAt": "2026-11-26T03:02:52Z",
        "reopensAt": "2026-11-30T23:00:00Z",
        "message": found.windows[0].message,
    }
    assert found.warning is not None
    assert {key: value for key, value in entry.items() if key != "windows"} == {
        "budget": "AIBudget vision",
        "admission": "Optimistic",
        "unknownAs": "interactive",
        "notice": found.warning.message,
        "asleepUntil": "2026-11-25T00:00:00Z",
        "exemptTagged": ["inference"],
        "exemptPriority": ["critical", "production"],
        "selector": {
            "matchLabels": {"app": "a"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["x", "y"]},
                {"key": "spot", "operator": "DoesNotExist"},
            ],
        },
    }
    assert Verdict.model_validate(written).dump() == written


def test_what_says_nothing_is_left_out_so_that_a_policy_reads_its_absence() -> None:
    (entry,) = verdict([item(purse())])["budgets"]
    assert set(entry) == {"budget", "admission", "unknownAs", "windows"}
    assert entry["windows"] == []


def test_a_window_that_never_reopens_has_no_moment_at_which_it_does() -> None:
    (entry,) = verdict([item(purse(limits={"cost": "0"}))])["budgets"]
    assert "reopensAt" not in entry["windows"][0]


def test_a_sleep_that_is_over_is_not_written() -> None:
    (entry,) = verdict([item(purse(suspendUntil="2026-11-24T12:00:00Z"))])["budgets"]
    assert "asleepUntil" not in entry


def test_budgets_stand_in_the_order_of_their_names() -> None:
    items = [item(named(name), cost) for name, cost in (("c", "12000"), ("a", "1"), ("b", "9000"))]
    written = verdict(items)
    assert [each["budget"][-1] for each in written["budgets"]] == ["a", "b", "c"]
    assert verdict(items[::-1]) == written


def test_in_observe_budgets_are_named_and_none_is_shut() -> None:
    (entry,) = verdict([item(purse(), "12000")], Mode.OBSERVE)["budgets"]
    assert "windows" not in entry
    assert "notice" not in entry


def test_a_shared_budget_selects_as_its_owner_wrote_and_a_member_by_its_name() -> None:
    by_team = {"matchLabels": {"team": "ml"}}
    labels = {"lab": {"team": "ml"}}
    shared = budgets(manifest("ClusterAIBudget", namespaceSelector=by_team), labels)
    member = budgets(
        manifest("ClusterAIBudget", namespaceSelector=by_team, scope="PerNamespace"), labels
    )
    assert isinstance(shared, tuple)
    assert isinstance(member, tuple)
    written = cluster_verdict([item(shared[0]), item(member[0])])["budgets"]
    assert [each["namespaceSelector"]["matchLabels"] for each in written] == [
        {"team": "ml"},
        {"kubernetes.io/metadata.name": "lab"},
    ]
    everywhere = replace(shared[0], namespace_selector=Selector())
    assert "namespaceSelector" not in cluster_verdict([item(everywhere)])["budgets"][0]


def test_beyond_the_cap_the_budgets_that_shut_last_have_no_place_and_are_named() -> None:
    items = [with_windows(f"b{index:04}", 1, NOW + index * HOUR) for index in range(1026)]
    assert [each.name for each in left_out(items)] == ["b1024", "b1025"]
    assert len(verdict(items)["budgets"]) == 1024


def test_a_budget_that_is_shut_is_never_the_one_without_a_place() -> None:
    items = [with_windows(f"b{index:04}", 1) for index in range(1030)]
    shut = with_windows("z", 1, NOW - DAY)
    assert all(each.name != "z" for each in left_out([*items, shut]))


@pytest.mark.parametrize(
    ("count", "windows"),
    [
        pytest.param(1, 64, id="one budget may have 64 windows"),
        pytest.param(50, 16, id="fifty budgets have fewer"),
        pytest.param(1000, 1, id="a thousand keep one each"),
    ],
)
def test_a_verdict_fits_into_an_object_and_leaves_out_the_farthest(
    count: int, windows: int
) -> None:
    entries = verdict([with_windows(f"b{index:04}", 70) for index in range(count)])["budgets"]
    assert len(json.dumps(entries)) <= MOST_BYTES
    assert {len(each["windows"]) for each in entries} == {windows}
    assert entries[0]["windows"][0]["closesAt"] == "2026-11-25T12:00:00Z"


def test_where_even_that_is_too_much_messages_go_before_anything_opens() -> None:
    items = []
    for index in range(1000):
        budget, found = with_windows(f"b{index:04}", 1)
        names = ("*", "inference", "interactive", "other", "training")
        shut = tuple(
            replace(found.windows[0], workload_class=name, closes_at=NOW - DAY) for name in names
        )
        items.append((budget, replace(found, windows=shut)))
    entries = verdict(items)["budgets"]
    assert {len(each["windows"]) for each in entries} == {5}
    assert len(json.dumps(entries)) <= MOST_BYTES
