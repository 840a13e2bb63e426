"""What pods cost, to the last decimal, across kills of the operator: equal to the sum by hand."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from support.closedform import (
    PodWatch,
    Price,
    finished,
    listed,
    milliseconds,
    moment,
    money,
    nanos,
)
from support.lives import ASKED, LISTED, Fleet, by_pod, is_fake, price_of
from support.product import Product, budget, settle, until

pytestmark = pytest.mark.cluster

SEED = 20261124
NODE = "node.kubernetes.io"
KILLS = 4


@pytest.fixture
def dgx_since(product: Product) -> Iterator[int]:
    """The DGX is owned from a moment on (ms), which has come."""
    since = (int(time.time()) + 3) * 1000
    hardware = {
        "name": "dgx",
        "nodeSelector": {"nvidia.com/gpu.machine": "DGXH100"},
        "purchasePrice": "310000",
        "residualValue": "40000",
        "depreciationMonths": 48,
        "inServiceFrom": moment(since),
        "perMonth": {"hosting": "900", "staff": "1500"},
        "watts": 10200,
        "pricePerKWh": "0.14",
        "pue": "1.4",
    }
    book = {
        "apiVersion": "bursar.dev/v1alpha1",
        "kind": "PriceBook",
        "metadata": {"name": "e2e-dgx"},
        "spec": {"ownedHardware": [hardware]},
    }
    product.sandbox.create(book)
    for _ in until(since + 1000):
        pass
    yield since
    product.sandbox.kubectl("delete", "pricebook", "e2e-dgx")


def cost_of_nodes(product: Product, dgx_since: int, since: int, to: int) -> int:
    """What all nodes cost in a window, by hand (nano-units)."""
    nodes = {n["metadata"]["name"]: n for n in product.sandbox.get("nodes")["items"]}
    cost = 0
    for model in {*LISTED, "dgx-h100"}:
        created = milliseconds(nodes[f"{model}-1"]["metadata"]["creationTimestamp"])
        t0 = dgx_since if model == "dgx-h100" else created
        cost += price_of(model).window(t0, since, to)
    # Where real nodes stand beside the fleet, they are rented, too.
    for node in nodes.values():
        labels = node["metadata"]["labels"]
        if "nvidia.com/gpu.count" in labels and not is_fake(node):
            place = labels[f"{NODE}/instance-type"], labels["topology.kubernetes.io/region"]
            created = milliseconds(node["metadata"]["creationTimestamp"])
            cost += Price(opex=listed(*place)).window(created, since, to)
    return cost


def test_the_ledger_equals_the_sum_by_hand_however_often_the_operator_is_killed(
    product: Product, namespace: str, watch: PodWatch, dgx_since: int
) -> None:
    chance = random.Random(SEED)
    fleet = Fleet(product, namespace, watch)
    product.sandbox.create(budget("all", namespace, limits={"cost": "100000"}))
    since = int(time.time()) * 1000
    for turn in range(KILLS):
        for index in range(len(ASKED)):
            fleet.create(index, chance.randint(1, 6))
        endless = fleet.create(chance.randrange(len(ASKED)), None)
        fleet.wait(endless, "running")
        time.sleep(chance.uniform(0, 1.5))
        if turn == 0:
            fleet.delete(endless)  # while it is watched
        product.kill()
        # Born and gone with nobody there to see it; and one is deleted while it runs.
        short = [fleet.create(chance.randrange(len(ASKED)), 1) for _ in range(3)]
        fleet.delete(endless, "--ignore-not-found")
        for name in short:
            fleet.wait(name, "finished")
        fleet.wait(endless, "gone")
        fleet.delete(short[0])
        fleet.wait(short[0], "gone")
        product.start()
    for name in fleet.asked:
        fleet.wait(name, "finished")
    to = max(finished(seen.last) or 0 for seen in watch.pods.values()) + 1000
    for _ in until(to + 1000):
        pass

    window = {"since": moment(since), "to": moment(to)}
    want = fleet.by_hand()

    def figures() -> dict[str, tuple[str, str]]:
        rows = by_pod(product, namespace, **window)
        return {name: (row["cost"], row["gpuHours"]) for name, row in rows.items()}

    settle(figures, want)
    rows = by_pod(product, namespace, **window)
    assert {row["estimatedCost"] for row in rows.values()} == {"0.000000000"}
    assert {row["pods"] for row in rows.values()} == {1}

    # The budget has paid the same.
    total = money(sum(nanos(cost) for cost, _ in want.values()))
    settle(lambda: (product.standing(namespace, "all") or {}).get("spent"), total)

    # What pods took and what idled is what the nodes cost.
    report = product.report(by="namespace,pod", **window)
    cost = cost_of_nodes(product, dgx_since, since, to)
    assert report["total"]["cost"] == money(cost)
    taken = sum(nanos(row["cost"]) for row in report["rows"])
    assert report["idle"]["cost"] == money(cost - taken)


def test_what_vanished_unseen_is_estimated_and_its_bounds_hold_the_truth(
    product: Product, namespace: str, watch: PodWatch
) -> None:
    fleet = Fleet(product, namespace, watch)
    product.sandbox.create(budget("all", namespace, limits={"cost": "100000"}))
    names = [fleet.create(index, None) for index in (0, 1, 3, 4)]
    told = fleet.create(5, None)
    for name in (*names, told):
        fleet.wait(name, "running")
    product.sandbox.wait(
        lambda: len(by_pod(product, namespace)) == 5, what="all pods in the report", timeout=20
    )
    product.kill()
    time.sleep(3)  # the watch must have been away for longer than a blink
    fleet.delete("--force", "--grace-period=0", *names)
    fleet.delete(told)  # its container's end is reported before it goes
    for name in (*names, told):
        fleet.wait(name, "gone")
    product.start()
    end = finished(watch.pods[told].last)
    assert end is not None
    settle(lambda: by_pod(product, namespace)[told]["cost"], money(fleet.nano(told, end)))
    rows = by_pod(product, namespace)
    assert rows[told]["estimatedCost"] == "0.000000000"
    for name in names:
        cost, doubtful = nanos(rows[name]["cost"]), nanos(rows[name]["estimatedCost"])
        truth = fleet.nano(name, watch.pods[name].gone or 0)
        assert doubtful > 0, "an end that nobody saw must be flagged"
        assert cost - doubtful <= truth <= cost + doubtful + 1
    standing = product.standing(namespace, "all")
    assert standing is not None
    assert nanos(standing["spent"]) == sum(nanos(row["cost"]) for row in rows.values())
    assert nanos(standing["estimated"]) == sum(nanos(row["estimatedCost"]) for row in rows.values())


def test_a_bound_pod_that_never_started_pays_till_the_second_in_which_it_was_seen_to_go(
    product: Product, namespace: str, watch: PodWatch
) -> None:
    fleet = Fleet(product, namespace, watch)
    slow = {"sandbox.bursar.dev/start-after-seconds": "600"}
    name = fleet.create(0, None, annotations=slow)
    fleet.wait(name, "bound")
    time.sleep(2.2)
    fleet.delete(name)
    gone = (fleet.wait(name, "gone").gone or 0) // 1000 * 1000
    # Two watches may hear of it on two sides of a second's end.
    possible = {money(fleet.nano(name, gone + near)) for near in (-1000, 0, 1000)}
    product.sandbox.wait(
        lambda: by_pod(product, namespace)[name]["cost"] in possible, what="its cost", timeout=20
    )
    first = by_pod(product, namespace)[name]["cost"]
    time.sleep(1.1)
    assert by_pod(product, namespace)[name]["cost"] == first
