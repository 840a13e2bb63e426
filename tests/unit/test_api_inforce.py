"""What is set, and not acted upon yet, is named."""

from typing import Any

import pytest

from bursar.api import crd, inforce
from bursar.api.inforce import not_in_force
from support.examples import DROP, changed, example

KINDS = {resource.KIND: resource for resource in crd.RESOURCES}
PLAIN = {
    "AIBudget": {"spec": {"limits": {"cost": "1"}}},
    "ClusterAIBudget": {"spec": {"limits": {"cost": "1"}, "scope": "PerNamespace"}},
    "PriceBook": {"spec": {"rates": [{"name": "a", "perHour": "1"}]}},
    "ClassificationPolicy": {"spec": {"mappings": [{"key": "a", "values": {"b": "other"}}]}},
    "AIModel": {"spec": {}},
}


def named(kind: str, obj: dict[str, Any]) -> tuple[str, ...]:
    spec = KINDS[kind].parse(obj).spec  # type: ignore[attr-defined]
    return not_in_force(spec)


@pytest.mark.parametrize("kind", PLAIN)
def test_what_is_in_force_is_not_named(kind: str) -> None:
    assert named(kind, PLAIN[kind]) == ()


def test_the_documented_budget_names_each_field_that_does_not_act_yet() -> None:
    assert named("AIBudget", example("AIBudget")) == (
        "spec.perWorkload",
        "spec.thresholds[].actions=Stop",
        "spec.idle",
        "spec.stop",
        "spec.carryOver",
        "spec.notify",
    )


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        pytest.param(
            "AIBudget",
            {"spec.admission": "Reserve"},
            ("spec.admission=Reserve",),
            id="Reserve is named, Optimistic is not",
        ),
        pytest.param("AIBudget", {"spec.currency": "EUR"}, (), id="a foreign currency is in force"),
        pytest.param("AIBudget", {"spec.notify": []}, (), id="an empty list is as good as absent"),
        pytest.param(
            "ClusterAIBudget",
            {"spec.perWorkload": {"duration": "1h"}},
            ("spec.perWorkload",),
            id="a cluster budget is judged like a budget",
        ),
        pytest.param(
            "PriceBook",
            {"spec.rates.0.currency": "EUR", "spec.cpuMemoryShare": "0.05"},
            (),
            id="all of a price book is in force",
        ),
        pytest.param(
            "ClassificationPolicy",
            {"spec.rules": [{"name": "a", "expression": "true", "class": "other", "weight": 1}]},
            ("spec.rules",),
            id="rules are named, mappings are not",
        ),
        pytest.param(
            "AIModel", {"spec.parameters": "7B"}, ("spec.parameters",), id="all of a model is named"
        ),
    ],
)
def test_named_fields(kind: str, changes: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert named(kind, changed(PLAIN[kind], changes)) == expected


def test_the_documented_price_book_is_in_force_whole() -> None:
    assert named("PriceBook", example("PriceBook")) == ()


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        pytest.param(kind, row, id=f"{kind} {row.path} exists")
        for kind, (_, rows) in inforce.TABLE.items()
        for row in rows
    ],
)
def test_rows_name_fields_that_exist(kind: str, row: inforce.Row) -> None:
    schema = crd.schema_of(KINDS[kind])
    for step in row.path.split("."):
        schema = schema["properties"][step.removesuffix("[]")]
        schema = schema["items"] if step.endswith("[]") else schema


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        pytest.param("AIBudget", "spec.limits.cost", None, id="a limit is in force"),
        pytest.param("AIBudget", "spec.perWorkload.cost", "", id="a part of what is not"),
        pytest.param("AIBudget", "spec.notify[].on", "", id="an item's part of what is not"),
        pytest.param("AIBudget", "spec.admission", "Reserve", id="a value that is not"),
        pytest.param("BudgetVerdict", "spec", None, id="the operator's own kinds have no rows"),
    ],
)
def test_the_references_note(kind: str, path: str, expected: str | None) -> None:
    assert inforce.note(kind, path) == expected


def test_a_dropped_field_is_no_longer_named() -> None:
    obj = changed(example("AIBudget"), {"spec.idle": DROP})
    assert "spec.idle" not in named("AIBudget", obj)
