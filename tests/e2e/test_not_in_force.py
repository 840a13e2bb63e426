"""A field that this release stores but does not act upon is named, never silently ignored."""

from __future__ import annotations

import pytest

from support.policies import Object
from support.product import Product, budget, condition

pytestmark = pytest.mark.cluster

UNUSED: Object = {
    "limits": {"cost": "1000"},
    "perWorkload": {"cost": "500"},
    "thresholds": [
        {"percent": 80, "actions": ["Notify", "Warn"]},
        {"percent": 100, "actions": ["Hold", "Stop"]},
    ],
    "admission": "Reserve",
    "idle": {"below": "5%", "for": "2h", "action": "Notify"},
    "stop": {"gracePeriod": "15m"},
    "carryOver": {"debt": True},
    "notify": [{"urlSecretRef": {"name": "hooks", "key": "slack"}, "on": ["Threshold"]}],
}
NAMED = (
    "spec.perWorkload",
    "spec.thresholds[].actions=Stop",
    "spec.admission=Reserve",
    "spec.idle",
    "spec.stop",
    "spec.carryOver",
    "spec.notify",
)


def told(product: Product, *place: str) -> Object:
    return product.sandbox.wait(
        lambda: condition(product.sandbox.get(*place), "NotInForce"),
        what=f"the condition of {place[1]}",
        timeout=20,
    )


def test_a_budget_names_what_it_sets_in_vain_and_is_in_use_all_the_same(
    product: Product, namespace: str
) -> None:
    product.sandbox.create(budget("vision", namespace, **UNUSED))
    place = ("aibudget", "vision", "-n", namespace)
    found = told(product, *place)
    assert found["status"] == "True"
    assert found["reason"] == "FieldsNotInForce"
    assert [name for name in NAMED if name not in found["message"]] == []
    assert "spec.limits" not in found["message"]
    ready = condition(product.sandbox.get(*place), "Ready")
    assert ready is not None
    assert ready["status"] == "True"

    # Taken away, it is no longer named.
    spec = ",".join(f'"{name}":null' for name in UNUSED if name != "limits")
    product.sandbox.kubectl("patch", *place, "--type=merge", "-p", f'{{"spec":{{{spec}}}}}')
    product.sandbox.wait(
        lambda: condition(product.sandbox.get(*place), "NotInForce") is None,
        what="the condition gone",
        timeout=20,
    )


def test_cluster_budgets_and_policies_are_told_so_too_and_a_price_book_is_not(
    product: Product, namespace: str
) -> None:
    name = f"unused-{namespace}"
    here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    spec = {"scope": "Shared", "namespaceSelector": here, "limits": {"cost": "1000"}}
    term = {"start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}
    nowhere = {"nowhere.example/node": name}
    commitment = {
        "name": "ri",
        "nodeSelector": nowhere,
        "count": 1,
        "perHour": "30.00",
        "term": term,
    }
    book = {
        "apiVersion": "bursar.dev/v1alpha1",
        "kind": "PriceBook",
        "metadata": {"name": name},
        "spec": {"commitments": [commitment]},
    }
    policy = {
        "apiVersion": "bursar.dev/v1alpha1",
        "kind": "ClassificationPolicy",
        "metadata": {"name": name},
        "spec": {
            "rules": [{"name": "none", "expression": "false", "class": "other", "weight": 1}],
        },
    }
    try:
        product.sandbox.create(budget(name, None, carryOver={"debt": True}, **spec), book, policy)
        assert "spec.carryOver" in told(product, "clusteraibudget", name)["message"]
        assert "spec.rules" in told(product, "classificationpolicy", name)["message"]
        found = product.sandbox.wait(
            lambda: product.sandbox.get("pricebook", name).get("status"), what="the book's status"
        )
        assert condition({"status": found}, "NotInForce") is None
    finally:
        for kind in ("clusteraibudget", "classificationpolicy", "pricebook"):
            product.sandbox.kubectl("delete", kind, name, "--ignore-not-found")
