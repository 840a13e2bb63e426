"""What the operator did and may do: no more than the chart's rights, and no fault in its log.

Last in the folder by its name: it reads the log of all tests before.
"""

from __future__ import annotations

import re

import pytest

from support.closedform import PodWatch
from support.lives import Fleet
from support.product import Product, budget

pytestmark = pytest.mark.cluster

OPERATOR = "system:serviceaccount:bursar-system:bursar"
FAULT = re.compile(
    r"\b403\b|forbidden|Traceback|\bERROR\b|\bCRITICAL\b|Unclosed|never awaited", re.IGNORECASE
)


def test_nothing_was_refused_and_nothing_failed(
    product: Product, namespace: str, watch: PodWatch
) -> None:
    # Alone, this test has an operator that has done something, too.
    product.sandbox.create(budget("all", namespace, limits={"cost": "1000"}))
    fleet = Fleet(product, namespace, watch)
    fleet.wait(fleet.create(0, 1), "finished")
    product.sandbox.wait(lambda: product.standing(namespace, "all"), what="the budget")

    log = product.sandbox.operator_log
    assert "listening=" in log
    # The policies' own words may stand in Events and warnings, never in the log.
    faults = [line for line in log.splitlines() if FAULT.search(line)]
    assert faults == []
    requests = product.samples("bursar_api_requests_total")
    assert requests
    assert product.samples("bursar_api_requests_total", code="403") == {}
    assert set(product.samples("bursar_event_errors_total").values()) == {0.0}
    assert list(product.samples("bursar_ledger_healthy").values()) == [1.0]


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("get", "secrets"),
        ("list", "secrets"),
        ("create", "secrets"),
        ("get", "configmaps"),
        ("create", "pods"),
        ("delete", "nodes"),
        ("patch", "nodes"),
        ("patch", "aibudgets.bursar.dev"),
        ("update", "pricebooks.bursar.dev"),
        ("override", "aibudgets.bursar.dev"),
        ("create", "validatingadmissionpolicies.admissionregistration.k8s.io"),
        ("patch", "validatingadmissionpolicies.admissionregistration.k8s.io"),
        ("delete", "validatingadmissionpolicies.admissionregistration.k8s.io"),
        ("create", "validatingadmissionpolicybindings.admissionregistration.k8s.io"),
        ("patch", "mutatingadmissionpolicies.admissionregistration.k8s.io"),
        ("create", "mutatingwebhookconfigurations.admissionregistration.k8s.io"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
        ("patch", "clusterroles.rbac.authorization.k8s.io"),
        ("escalate", "clusterroles.rbac.authorization.k8s.io"),
        ("create", "serviceaccounts/token"),
        ("impersonate", "users"),
        ("impersonate", "serviceaccounts"),
        ("create", "pods/exec"),
        ("patch", "customresourcedefinitions.apiextensions.k8s.io"),
        ("*", "*"),
    ],
)
def test_the_operator_may_not(product: Product, verb: str, resource: str) -> None:
    answer = product.sandbox.kubectl(
        "auth", "can-i", verb, resource, "--all-namespaces", f"--as={OPERATOR}", check=False
    )
    assert (answer.returncode, answer.stdout.strip()) == (1, "no"), answer.stderr


@pytest.mark.parametrize(
    ("verb", "resource"),
    [("list", "pods"), ("patch", "jobs.batch"), ("patch", "budgetverdicts.bursar.dev/bursar")],
)
def test_the_operator_may(product: Product, verb: str, resource: str) -> None:
    answer = product.sandbox.kubectl(
        "auth", "can-i", verb, resource, "--all-namespaces", f"--as={OPERATOR}"
    )
    assert answer.stdout.strip() == "yes"
