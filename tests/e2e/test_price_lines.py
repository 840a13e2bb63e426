"""Commitments, owned hardware and utilization on a running operator, down to a pod's own cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from bursar.sandbox import fleet
from support.closedform import PodWatch, Price, bound, finished, moment, money
from support.lives import by_pod
from support.policies import Object, Place, container, pod
from support.product import Product, condition, settle, until

pytestmark = pytest.mark.cluster

MARK = "e2e.example/pool"
COMMITTED = Price(opex=Fraction("10.01"))
OWNED = Price(opex=Fraction("21.7"))
"""Power alone, at a kilowatt and a PUE of 1: its price is that of the energy."""
UTILIZATION = Fraction("0.35")


@pytest.fixture
def pool(product: Product, namespace: str) -> Iterator[str]:
    """Two nodes for this test alone, the older first by name; their label, also the book's name."""
    name = f"pool-{namespace}"
    model = next(each for each in fleet.GPU_MODELS if each.name == "dgx-h100")
    for number in (1, 2):
        made = fleet.node(model, number)
        made["metadata"]["name"] = f"{name}-{number}"
        made["metadata"]["labels"] |= {MARK: name, "kubernetes.io/hostname": f"{name}-{number}"}
        product.sandbox.create(made)
        for _ in until(int(time.time() * 1000) + 1000):  # creation times are whole seconds
            pass
    yield name
    product.sandbox.kubectl("delete", "pricebook", name, "--ignore-not-found")
    product.sandbox.kubectl("delete", "pods", "-n", namespace, "--all")
    product.sandbox.kubectl("delete", "node", "-l", f"{MARK}={name}")


def price_book(name: str) -> Object:
    now = int(time.time() * 1000)
    return {
        "apiVersion": "bursar.dev/v1alpha1",
        "kind": "PriceBook",
        "metadata": {"name": name},
        "spec": {
            "commitments": [
                {
                    "name": "reserved",
                    "nodeSelector": {MARK: name},
                    "count": 1,
                    "perHour": "10.01",
                    "term": {"start": moment(now - 3_600_000), "end": moment(now + 3_600_000)},
                }
            ],
            "ownedHardware": [
                {
                    "name": "ours",
                    "nodeSelector": {MARK: name},
                    "purchasePrice": "0",
                    "depreciationMonths": 1,
                    "inServiceFrom": "2020-01-01T00:00:00Z",
                    "watts": 1000,
                    "pricePerKWh": "21.7",
                    "expectedUtilization": "0.35",
                }
            ],
        },
    }


def shown(product: Product, pool: str) -> dict[str, dict[str, Any]]:
    """The pool's nodes as the read API has them, by number."""
    _, answer = product.ask("nodes")
    found = {each["name"]: each for each in answer["nodes"]}
    return {name.removeprefix(f"{pool}-"): each for name, each in found.items() if pool in name}


def origins(product: Product, pool: str) -> dict[str, str]:
    return {number: each["origin"] for number, each in shown(product, pool).items()}


def test_the_oldest_node_holds_the_commitment_and_the_next_takes_over(
    product: Product, namespace: str, watch: PodWatch, pool: str
) -> None:
    product.sandbox.create(price_book(pool))
    committed, owned = f"PriceBook {pool}/reserved (commitment)", f"PriceBook {pool}/ours (owned)"
    settle(lambda: origins(product, pool), {"1": committed, "2": owned})
    nodes = shown(product, pool)
    assert [nodes[number]["costPerHour"] for number in ("1", "2")] == [
        "10.010000000",
        "21.700000000",
    ]
    assert {each["capacityType"] for each in nodes.values()} == {"owned"}

    # Bindings are told in whole seconds: none may lie before the moment the book was known.
    for _ in until((int(time.time()) + 1) * 1000):
        pass
    place = Place(sandbox=product.sandbox, namespace=namespace)
    obj = pod(
        container(limits={"nvidia.com/gpu": 3}),
        annotations={"sandbox.bursar.dev/run-seconds": "6"},
        nodeSelector={"kubernetes.io/hostname": f"{pool}-2"},
        restartPolicy="Never",
    )
    name = str(place.attempt(obj, keep=True).object["metadata"]["name"])
    product.sandbox.wait(
        lambda: name in watch.pods and bound(watch.pods[name].last), what="the pod bound"
    )
    product.sandbox.kubectl("delete", "node", f"{pool}-1", "--wait=true")
    asked = int(time.time() * 1000)
    settle(lambda: origins(product, pool), {"2": committed})
    seen = int(time.time() * 1000)

    product.sandbox.wait(
        lambda: finished(watch.pods[name].last) if name in watch.pods else None,
        what="the pod's end",
    )
    start, end = bound(watch.pods[name].last), finished(watch.pods[name].last)
    assert start is not None
    assert end is not None
    share = Fraction(3, 8)
    # The moment between the two is the operator's: it saw the node go just before, or after.
    possible = {
        money(OWNED.nano(share / UTILIZATION, start, at) + COMMITTED.nano(share, at, max(at, end)))
        for at in range(max(start, asked - 3000), min(seen, end) + 1)
    }
    product.sandbox.wait(
        lambda: by_pod(product, namespace)[name]["cost"] in possible, what="its cost", timeout=20
    )
    conditions = product.sandbox.get("pricebook", pool)
    assert (condition(conditions, "Ready") or {}).get("status") == "True"
    assert (condition(conditions, "CatalogCurrent") or {}).get("status") == "True"
    assert condition(conditions, "NotInForce") is None
