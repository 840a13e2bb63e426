"""The chart on a living cluster: options, modes, the release before, and the way out."""

from __future__ import annotations

import pytest

from support.deployed import NAMESPACE
from support.policies import Place
from support.product import Product, budget
from support.realpods import real_pod
from support.release import Release

pytestmark = pytest.mark.kind


def test_a_network_policy_is_accepted_and_the_operator_still_answers(
    product: Product, release: Release
) -> None:
    with release.borrowed():
        release.upgrade("networkPolicy.enabled=true")
        found = product.sandbox.get("networkpolicy", "-n", NAMESPACE)["items"]
        (policy,) = found
        pod = product.sandbox.get("pods", "-n", NAMESPACE)["items"][0]
        chosen = policy["spec"]["podSelector"]["matchLabels"]
        assert chosen.items() <= pod["metadata"]["labels"].items()
        assert product.ask("budgets")[0] == 200


def test_the_disruption_budget_lets_a_drain_go_on(product: Product, release: Release) -> None:
    (found,) = product.sandbox.get("poddisruptionbudget", "-n", NAMESPACE)["items"]
    assert found["metadata"]["labels"]["app.kubernetes.io/instance"] == "bursar"
    product.sandbox.wait(
        lambda: (
            product.sandbox.get("poddisruptionbudget", "-n", NAMESPACE)["items"][0]["status"][
                "disruptionsAllowed"
            ]
            == 1
        ),
        what="a disruption allowed",
        timeout=60,
    )
    assert release.policies()


def test_modes_change_by_upgrade_and_only_enforce_refuses(
    product: Product, release: Release, namespace: str
) -> None:
    sandbox = product.sandbox
    place = Place(sandbox=sandbox, namespace=namespace)
    probe = real_pod(sandbox, "g6e.12xlarge", 1)
    sandbox.create(budget("vision", namespace, limits={"cost": "0"}))

    def refused() -> bool:
        return "AIBudget vision is shut" in place.attempt(probe).said

    def passes() -> bool:
        return place.attempt(probe).allowed

    sandbox.wait(refused, what="the shut budget refusing", timeout=30)
    with release.borrowed():
        release.upgrade("enforcement.mode=Observe")
        sandbox.wait(passes, what="nothing refused in Observe", timeout=30)
        assert place.attempt(probe).labels["bursar.dev/accelerated"] == "true", "still labelled"
        release.upgrade()
        sandbox.wait(refused, what="the shut budget refusing again", timeout=30)
