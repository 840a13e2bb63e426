"""Which pods count in a budget, and as which class."""

import pytest

from bursar.budget.membership import matches, paying_class
from bursar.budget.parse import budgets
from bursar.domain.budget import Budget
from bursar.domain.classification import WorkloadClass
from support.purses import manifest, purse

LABELS = {"vision": {"team": "ml"}, "web": {"team": "shop"}, "lab": {"team": "ml"}}
BY_TEAM = {"matchLabels": {"team": "ml"}}


def cluster(scope: str) -> Budget:
    found = budgets(manifest("ClusterAIBudget", scope=scope, namespaceSelector=BY_TEAM), LABELS)
    assert isinstance(found, tuple)
    return found[0]


@pytest.mark.parametrize(
    ("budget", "namespaces"),
    [
        pytest.param(purse(), ["vision"], id="an AIBudget counts its own namespace"),
        pytest.param(cluster("Shared"), ["vision", "lab"], id="a shared one those it selects"),
        pytest.param(cluster("PerNamespace"), ["lab"], id="a member's purse that member alone"),
    ],
)
def test_namespaces(budget: Budget, namespaces: list[str]) -> None:
    found = [name for name, labels in LABELS.items() if matches(budget, name, labels, {})]
    assert found == namespaces


@pytest.mark.parametrize(
    ("expression", "labels", "counts"),
    [
        pytest.param(("In", ["a"]), {"tier": "a"}, True, id="In with the value"),
        pytest.param(("In", ["a"]), {}, False, id="In without the key"),
        pytest.param(("NotIn", ["a"]), {}, True, id="NotIn without the key"),
        pytest.param(("NotIn", ["a"]), {"tier": "a"}, False, id="NotIn with the value"),
        pytest.param(("Exists", []), {"tier": ""}, True, id="Exists with an empty value"),
        pytest.param(("DoesNotExist", []), {"tier": ""}, False, id="DoesNotExist with the key"),
    ],
)
def test_pods_are_selected_as_the_api_server_selects(
    expression: tuple[str, list[str]], labels: dict[str, str], counts: bool
) -> None:
    operator, values = expression
    requirement = {"key": "tier", "operator": operator, "values": values}
    budget = purse(selector={"matchExpressions": [requirement]})
    assert matches(budget, "vision", {}, labels) is counts


def test_an_unknown_workload_pays_as_the_budget_says() -> None:
    budget = purse(unknownAs="inference")
    assert paying_class(budget, WorkloadClass.UNKNOWN) is WorkloadClass.INFERENCE
    assert paying_class(budget, WorkloadClass.OTHER) is WorkloadClass.OTHER
