"""Budgets on real nodes: what is shut refuses, what waits starts, and its container really runs."""

from __future__ import annotations

import pytest

from support.closedform import PodWatch
from support.policies import Place
from support.product import Product, budget
from support.realpods import real_job, real_pod

pytestmark = pytest.mark.kind


def test_a_job_waits_for_its_budget_and_then_runs_on_a_real_node(
    product: Product, namespace: str, watch: PodWatch
) -> None:
    sandbox = product.sandbox
    place = Place(sandbox=sandbox, namespace=namespace)
    sandbox.create(budget("vision", namespace, limits={"cost": "0"}))
    probe = real_pod(sandbox, "g6e.12xlarge", 1)
    sandbox.wait(
        lambda: "AIBudget vision is shut" in place.attempt(probe).said,
        what="the budget shut",
        timeout=30,
    )
    made = place.attempt(real_job(sandbox, "g6e.12xlarge", 1), keep=True).object
    name = made["metadata"]["name"]

    def held() -> bool:
        found = sandbox.get("job", name, "-n", namespace)
        notes = found["metadata"].get("annotations", {})
        return found["spec"].get("suspend") is True and "bursar.dev/held" in notes

    sandbox.wait(held, what="the Job held", timeout=30)
    assert not [each for each in watch.pods if each.startswith(name)]
    sandbox.kubectl(
        *("patch", "aibudget", "vision", "-n", namespace, "--type=merge"),
        *("-p", '{"spec":{"limits":{"cost":"1000"}}}'),
    )

    def runs() -> bool:
        seen = [each.last for each_name, each in watch.pods.items() if each_name.startswith(name)]
        return any(
            status.get("started") is True
            for pod in seen
            for status in pod["status"].get("containerStatuses", [])
        )

    sandbox.wait(runs, what="the released Job's container", timeout=60)
    node = next(iter(watch.pods.values())).last["spec"]["nodeName"]
    assert node.startswith("bursar-worker")
