"""Prices that change in mid-life, prices that nobody knows, devices that nobody knows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from bursar.sandbox import fleet
from support.closedform import PodWatch, Price, bound, finished, moment, money, nanos
from support.lives import by_pod
from support.policies import Object, Place, container, pod
from support.product import Product, budget, condition, settle, until

pytestmark = pytest.mark.cluster

MARK = "e2e.example/node"
SHARE = Fraction(3, 8)


def price_book(name: str, *rates: Object) -> Object:
    selected = [{"nodeSelector": {MARK: name}, **each} for each in rates]
    return {
        "apiVersion": "bursar.dev/v1alpha1",
        "kind": "PriceBook",
        "metadata": {"name": name},
        "spec": {"rates": selected},
    }


def pod_on(name: str, seconds: int, limits: dict[str, Any]) -> Object:
    notes = {"sandbox.bursar.dev/run-seconds": str(seconds)}
    return pod(
        container(limits=limits),
        annotations=notes,
        nodeSelector={MARK: name},
        restartPolicy="Never",
    )


@pytest.fixture
def node(product: Product, namespace: str) -> Iterator[str]:
    """A node of eight H100 for this test alone; its label's value, also its price book's name."""
    name = f"prices-{namespace}"
    model = next(each for each in fleet.GPU_MODELS if each.name == "h100")
    made = fleet.node(model, 1)
    made["metadata"]["name"] = name
    made["metadata"]["labels"] |= {MARK: name, "kubernetes.io/hostname": name}
    product.sandbox.create(made)
    yield name
    product.sandbox.kubectl("delete", "pricebook", name, "--ignore-not-found")
    product.sandbox.kubectl("delete", "pods", "-n", namespace, "--all")
    product.sandbox.kubectl("delete", "node", name)


def ended(product: Product, watch: PodWatch, name: str) -> tuple[int, int]:
    """The life of a pod once it has ended (ms)."""
    product.sandbox.wait(
        lambda: name in watch.pods and finished(watch.pods[name].last), what=f"the end of {name}"
    )
    last = watch.pods[name].last
    start, end = bound(last), finished(last)
    assert start is not None
    assert end is not None
    return start, end


def created(product: Product, namespace: str, obj: Object) -> str:
    place = Place(sandbox=product.sandbox, namespace=namespace)
    return str(place.attempt(obj, keep=True).object["metadata"]["name"])


def test_a_dated_price_applies_from_its_second_on_and_explain_names_its_origin(
    product: Product, namespace: str, watch: PodWatch, node: str
) -> None:
    at = (int(time.time()) + 7) * 1000
    cheap = {"name": "before", "perHour": "36.07", "validUntil": moment(at)}
    dear = {"name": "after", "perHour": "70.01", "validFrom": moment(at)}
    product.sandbox.create(price_book(node, cheap, dear))

    def priced(origin: str) -> bool:
        found = product.samples("bursar_node_hourly_cost", node=node)
        return list(found.values()) == [float({"before": "36.07", "after": "70.01"}[origin])]

    product.sandbox.wait(lambda: priced("before"), what="the price of before")
    # Times of the API are cut to the second: a pod bound in this one would begin before the price.
    for _ in until(int(time.time() * 1000) + 1000):
        pass
    name = created(product, namespace, pod_on(node, 8, {"nvidia.com/gpu": 3}))
    product.sandbox.wait(
        lambda: name in watch.pods and bound(watch.pods[name].last), what="the pod bound"
    )
    product.sandbox.wait(lambda: priced("after"), what="the price of after")
    explained = product.explain("pod", namespace, name)
    assert any(f"PriceBook {node}" in line for line in explained["price"]["details"])
    assert any("after" in line for line in explained["price"]["details"])
    assert explained["price"]["answer"].startswith("70.010000 USD")
    assert len(explained["meter"]["details"]) == 2, "one line a price"
    product.kill()
    start, end = ended(product, watch, name)
    product.start()
    assert start < at < end
    before, after = Price(opex=Fraction("36.07")), Price(opex=Fraction("70.01"))
    want = money(before.nano(SHARE, start, at) + after.nano(SHARE, at, end))
    settle(lambda: by_pod(product, namespace)[name]["cost"], want)


def test_an_edited_price_applies_from_the_edit_on_and_never_to_the_past(
    product: Product, namespace: str, watch: PodWatch, node: str
) -> None:
    product.sandbox.create(price_book(node, {"name": "one", "perHour": "36.07"}))
    product.sandbox.wait(
        lambda: 36.07 in product.samples("bursar_node_hourly_cost", node=node).values(),
        what="the first price",
    )
    for _ in until(int(time.time() * 1000) + 1000):
        pass
    name = created(product, namespace, pod_on(node, 6, {"nvidia.com/gpu": 3}))
    product.sandbox.wait(
        lambda: name in watch.pods and bound(watch.pods[name].last), what="the pod bound"
    )
    time.sleep(1.5)
    asked = int(time.time() * 1000)
    product.sandbox.apply(price_book(node, {"name": "one", "perHour": "70.01"}))
    product.sandbox.wait(
        lambda: 70.01 in product.samples("bursar_node_hourly_cost", node=node).values(),
        what="the second price",
    )
    seen = int(time.time() * 1000)
    start, end = ended(product, watch, name)
    before, after = Price(opex=Fraction("36.07")), Price(opex=Fraction("70.01"))
    # The moment between the two is the operator's; whatever it was, the sum is of two pieces.
    possible = {
        money(before.nano(SHARE, start, at) + after.nano(SHARE, at, end))
        for at in range(asked, seen + 1)
    }
    product.sandbox.wait(
        lambda: by_pod(product, namespace)[name]["cost"] in possible, what="its cost", timeout=20
    )


@pytest.mark.parametrize(
    ("limits", "unpriced", "uncounted"),
    [
        pytest.param({"nvidia.com/gpu": 2}, True, 0, id="a device without a price"),
        pytest.param({"nvidia.com/mig-9g.99gb": 1}, False, 1, id="a slice that nobody knows"),
    ],
)
def test_what_is_not_known_is_counted_and_is_never_zero(
    product: Product,
    namespace: str,
    watch: PodWatch,
    limits: dict[str, int],
    unpriced: bool,
    uncounted: int,
) -> None:
    name = f"odd-{namespace}"
    room = {"cpu": "8", "memory": "64Gi", "pods": "50", "nvidia.com/gpu": "4"}
    room["nvidia.com/mig-9g.99gb"] = "2"
    labels = {MARK: name, "kubernetes.io/os": "linux"}
    odd = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": dict(fleet.FAKE_NODE), "labels": labels},
        "status": {"capacity": room, "allocatable": room},
    }
    product.sandbox.create(odd, budget("all", namespace, limits={"cost": "1000"}))
    try:
        running = created(product, namespace, pod_on(name, 4, limits))

        def priced() -> str | None:
            found = product.sandbox.get("aibudget", "all", "-n", namespace)
            return (condition(found, "Priced") or {}).get("status")

        product.sandbox.wait(lambda: priced() == "Unknown", what="the doubt in the status")
        start, end = ended(product, watch, running)
        row = product.sandbox.wait(
            lambda: by_pod(product, namespace).get(running), what="the pod in the report"
        )
        hours = money(2 * (end - start) * 10**9 // 3_600_000) if unpriced else money(0)
        settle(lambda: by_pod(product, namespace)[running]["unpricedGpuHours"], hours)
        assert row["uncountedPods"] == uncounted
        assert nanos(row["cost"]) == 0
        if unpriced:
            found = product.samples("bursar_unpriced_gpu_seconds_total", namespace=namespace)
            assert sum(found.values()) == 2 * (end - start) / 1000

        # What was spent stays in doubt after the pod's end, and after a restart.
        product.kill()
        product.start()
        product.sandbox.wait(lambda: product.standing(namespace, "all"), what="the budget")
        standing = product.standing(namespace, "all")
        assert standing is not None
        assert standing["unknown"]
        assert priced() == "Unknown"
    finally:
        product.sandbox.kubectl("delete", "node", name)
