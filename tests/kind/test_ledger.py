"""Real containers, metered to the second, and a ledger on a real volume that outlives its pod."""

from __future__ import annotations

import time

import pytest

from support.closedform import PodWatch, moment, money, nanos
from support.deployed import NAMESPACE, Deployed
from support.lives import by_pod
from support.product import Product, budget, settle
from support.realpods import RealPods
from support.release import until_second_ends

pytestmark = pytest.mark.kind


def figures(product: Product, namespace: str) -> dict[str, tuple[str, str]]:
    rows = by_pod(product, namespace)
    return {name: (row["cost"], row["gpuHours"]) for name, row in rows.items()}


def test_real_containers_are_paid_by_their_own_times(
    product: Product, namespace: str, watch: PodWatch
) -> None:
    product.sandbox.create(budget("all", namespace, limits={"cost": "1000"}))
    pods = RealPods(product.sandbox, namespace, watch)
    ended = pods.create("p5en.48xlarge", 3)
    outlived = pods.create("g6e.12xlarge", 1, activeDeadlineSeconds=6)
    killed = pods.create("p5en.48xlarge", 2, terminationGracePeriodSeconds=1)
    for name in pods.asked:
        pods.running(name)
    pods.end(ended)
    pods.finished(outlived)
    # The last one ends with nobody there to see it.
    product.kill()
    pods.end(killed)
    product.start()
    settle(lambda: figures(product, namespace), pods.by_hand(), timeout=30)
    rows = by_pod(product, namespace)
    assert {row["estimatedCost"] for row in rows.values()} == {"0.000000000"}
    total = money(sum(nanos(cost) for cost, _ in pods.by_hand().values()))
    settle(lambda: (product.standing(namespace, "all") or {}).get("spent"), total)


def test_the_ledger_outlives_its_pod_on_the_same_volume(
    product: Product, operator_pod: Deployed, namespace: str, watch: PodWatch
) -> None:
    pods = RealPods(product.sandbox, namespace, watch)
    name = pods.create("g6e.12xlarge", 2)
    pods.running(name)
    pods.end(name)
    settle(lambda: figures(product, namespace), pods.by_hand(), timeout=30)
    until_second_ends()
    window = {"to": moment(int(time.time()) * 1000), "by": "namespace,pod"}
    before = product.report(**window)
    claim = product.sandbox.get("pvc", "bursar-ledger", "-n", NAMESPACE)
    first = operator_pod.pod()["metadata"]["uid"]

    operator_pod.kubectl("delete", "pod", operator_pod.pod()["metadata"]["name"])

    def another() -> bool:
        pods_now = operator_pod.pods()
        return [each["metadata"]["uid"] != first for each in pods_now] == [True]

    product.sandbox.wait(another, what="another pod", timeout=90, every=0.5)
    product.start()
    assert product.report(**window) == before
    again = product.sandbox.get("pvc", "bursar-ledger", "-n", NAMESPACE)
    assert again["metadata"]["uid"] == claim["metadata"]["uid"]
    assert again["spec"]["volumeName"] == claim["spec"]["volumeName"]
    assert again["status"]["phase"] == "Bound"
