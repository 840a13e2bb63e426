"""Reading live objects, and folding pydantic's schemas."""

from typing import Any

import pytest

from bursar.api import crd
from bursar.api.aibudget import AIBudget, ClusterAIBudget
from bursar.api.classificationpolicy import ClassificationPolicy
from bursar.api.common import Resource
from bursar.api.meta import LABEL_CLASS_OVERRIDE, PREFIX, VERDICT_LABELS
from bursar.api.pricebook import PriceBook
from bursar.api.verdict import BudgetVerdict
from bursar.errors import BursarError, InvalidObject
from support.examples import changed, example, resources

KINDS = {resource.KIND: resource for resource in crd.RESOURCES}
LEAST = {"metadata": {"name": "b", "namespace": "a"}, "spec": {"limits": {"cost": "1"}}}


@pytest.mark.parametrize(
    "obj",
    [
        pytest.param(obj, id=f"{file} {obj['metadata']['name']}")
        for file, objects in resources().items()
        for obj in objects
    ],
)
def test_examples_survive_reading_and_writing(obj: dict[str, Any]) -> None:
    kind = KINDS[obj["kind"]]
    read = kind.parse(obj)
    assert kind.parse(read.dump()) == read
    assert subset(without_nulls(obj["spec"]), read.dump()["spec"])


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_nulls(each) for k, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def subset(small: Any, large: Any) -> bool:
    if isinstance(small, dict):
        return all(key in large and subset(each, large[key]) for key, each in small.items())
    if isinstance(small, list):
        return len(small) == len(large) and all(map(subset, small, large))
    return bool(small == large or str(small) == large)


def test_defaults_are_the_documented_ones() -> None:
    spec = AIBudget.parse(LEAST).spec
    assert (spec.period, spec.time_zone, spec.admission) == ("Monthly", "UTC", "Optimistic")
    assert spec.unknown_as == "training"
    assert [(each.percent, each.actions) for each in spec.thresholds] == [
        (80, ("Notify", "Warn")),
        (100, ("Hold",)),
    ]
    assert ClusterAIBudget.parse(LEAST).spec.scope == "Shared"


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        pytest.param(
            {"spec.limits.cost": "-1"}, "spec.limits.cost", "pattern", id="negative money"
        ),
        pytest.param({"spec.limits.cost": 1}, "spec.limits.cost", "string", id="money as a number"),
        pytest.param({"spec.limits": None}, "spec.limits", "dict", id="no limits"),
        pytest.param({"spec": None}, "spec", "dict", id="no spec"),
        pytest.param(
            {"spec.suspendUntil": "soon"}, "spec.suspendUntil", "RFC 3339", id="an odd time"
        ),
        pytest.param(
            {"spec.perWorkload": {"duration": "1 day"}},
            "spec.perWorkload.duration",
            "pattern",
            id="an odd duration",
        ),
        pytest.param(
            {"spec.grants": [{"amount": "1"}]}, "spec.grants[0].until", "required", id="no until"
        ),
        pytest.param(
            {"spec.classes": {"x": {}}}, "spec.classes.x.[key]", "training", id="no class"
        ),
        pytest.param(
            {"spec.period": "x" * 100_000}, "spec.period", "Daily", id="an enormous value"
        ),
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(
    changes: dict[str, Any], field: str, problem: str
) -> None:
    with pytest.raises(InvalidObject) as caught:
        AIBudget.parse(changed(LEAST, changes))
    error = caught.value
    assert isinstance(error, BursarError)
    assert (error.kind, error.namespace, error.name) == ("AIBudget", "a", "b")
    assert error.field == field
    assert problem in error.problem
    assert "\n" not in str(error)
    assert len(str(error)) < 500
    assert str(error).startswith(f"AIBudget a/b: {field}: ")


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(None, id="null"),
        pytest.param([], id="a list"),
        pytest.param("AIBudget", id="a string"),
        pytest.param({}, id="an empty object"),
        pytest.param({"metadata": "x", "spec": {"limits": {}}}, id="metadata that is no object"),
        pytest.param({"metadata": {"name": 7}, "spec": []}, id="a name that is a number"),
    ],
)
def test_no_object_at_all_is_invalid_and_nothing_worse(odd: Any) -> None:
    with pytest.raises(InvalidObject):
        AIBudget.parse(odd)


def test_a_status_that_cannot_be_read_counts_as_absent() -> None:
    read = AIBudget.parse({**LEAST, "status": {"held": "many", "history": 3}})
    assert read.status is None
    assert read.spec.limits.cost == "1"


def test_fields_of_a_later_version_are_ignored() -> None:
    assert AIBudget.parse(changed(LEAST, {"spec.future": 1})) == AIBudget.parse(LEAST)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        pytest.param(12, "12", id="an integer"),
        pytest.param("12.5", "12.5", id="a string with decimals"),
    ],
)
def test_percentages_and_weights_are_read_from_both_forms(given: Any, read: str) -> None:
    book = PriceBook.parse({"spec": {"rates": [{"name": "a", "discountPercent": given}]}})
    assert book.spec.rates[0].discount_percent == read
    rule = {"name": "a", "expression": "true", "class": "other", "weight": given}
    policy = ClassificationPolicy.parse({"spec": {"rules": [rule]}})
    assert policy.spec.rules[0].weight == read


def test_a_float_is_refused_because_it_is_not_exact() -> None:
    with pytest.raises(InvalidObject):
        PriceBook.parse({"spec": {"rates": [{"name": "a", "discountPercent": 12.5}]}})


def test_a_channel_reads_the_same_with_on_as_yaml_1_1_takes_it() -> None:
    for key in ("on", "true"):
        entry = {"urlSecretRef": {"name": "a", "key": "b"}, key: ["Held"]}
        read = AIBudget.parse(changed(LEAST, {"spec.notify": [entry]}))
        assert read.spec.notify[0].occasions == ("Held",)


def test_a_verdict_writes_only_what_is_set() -> None:
    read = BudgetVerdict.parse({"verdict": {"budgets": [{"windows": [{"class": "*"}]}]}})
    assert read.verdict is not None
    assert read.verdict.dump() == {"budgets": [{"windows": [{"class": "*"}]}]}


@pytest.mark.parametrize(
    ("schema", "folded"),
    [
        pytest.param(
            {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}], "default": None},
            {"type": "string", "maxLength": 3},
            id="an optional becomes its type and loses its null default",
        ),
        pytest.param(
            {"$ref": "#/$defs/T", "description": "its use"},
            {"type": "object", "description": "its use", "properties": {"a": {"type": "string"}}},
            id="a reference is written out under the field's own description",
        ),
        pytest.param(
            {"type": "array", "items": {"$ref": "#/$defs/T"}, "title": "X", "default": []},
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "description": "the type",
                    "properties": {"a": {"type": "string"}},
                },
            },
            id="titles and empty defaults go",
        ),
        pytest.param(
            {"type": "string", "pattern": "x", "x-kubernetes-int-or-string": True},
            {"pattern": "x", "x-kubernetes-int-or-string": True},
            id="a number or string has no type",
        ),
        pytest.param(
            {"const": True, "type": "boolean"},
            {"type": "boolean", "enum": [True]},
            id="a constant is an enum of one",
        ),
        pytest.param(
            {"type": "string", "description": "two\n  lines", "default": "UTC"},
            {"type": "string", "description": "two lines", "default": "UTC"},
            id="descriptions are one line and real defaults stay",
        ),
    ],
)
def test_folding(schema: dict[str, Any], folded: dict[str, Any]) -> None:
    definition = {
        "type": "object",
        "title": "T",
        "description": "the type",
        "properties": {"a": {"type": "string", "title": "A"}},
    }
    assert crd.structural(schema, {"T": definition}) == folded


def test_rules_of_a_type_and_of_its_use_are_both_kept() -> None:
    used = {"$ref": "#/$defs/T", "x-kubernetes-validations": [{"rule": "b"}]}
    definition = {"type": "object", "x-kubernetes-validations": [{"rule": "a"}]}
    folded = crd.structural(used, {"T": definition})
    assert folded["x-kubernetes-validations"] == [{"rule": "a"}, {"rule": "b"}]


def test_a_wish_is_no_verdict_and_all_verdicts_stand_under_our_prefix() -> None:
    assert LABEL_CLASS_OVERRIDE not in VERDICT_LABELS
    assert len(set(VERDICT_LABELS)) == len(VERDICT_LABELS)
    assert all(key.startswith(PREFIX) for key in VERDICT_LABELS)


def test_every_kind_names_itself() -> None:
    assert example("AIBudget")["kind"] == AIBudget.KIND
    assert all(issubclass(kind, Resource) and kind.__name__ == kind.KIND for kind in KINDS.values())
