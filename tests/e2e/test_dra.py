"""What Dynamic Resource Allocation gives costs what it is of the node, to the nano-unit."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from support import dra
from support.closedform import PodWatch, Price, bound, finished, hours, money
from support.lives import by_pod
from support.product import Product, settle

pytestmark = pytest.mark.cluster

NODE = "dra-1"
PRICE = Price(opex=Fraction(dra.PRICE))
SLICE = (Fraction(1, 7) + Fraction(1, 8)) / 2
CLASSES = ("gpu.bursar.test", "mig.bursar.test")

Pieces = list[tuple[Fraction, int, int]]
"""Devices held from one moment (ms) to another."""


@pytest.fixture
def claimed(product: Product, namespace: str) -> Iterator[None]:
    """A node whose driver publishes its GPUs, and what pods claim them by."""
    sandbox = product.sandbox
    sandbox.on_this_machine("a node is made for it")
    gpu, mig = CLASSES
    sandbox.create(
        dra.node(NODE),
        dra.slice_of(NODE),
        dra.device_class(gpu, "gpu", extended=dra.EXTENDED),
        dra.device_class(mig, "mig"),
    )
    objects = (
        dra.claim("shared", gpu),
        dra.template("two", gpu, 2),
        dra.template("slice", mig, profile="1g.10gb"),
    )
    for each in objects:
        each["metadata"]["namespace"] = namespace
    sandbox.create(*objects)
    yield
    sandbox.kubectl("delete", "pod", "-n", namespace, "--all", "--force", "--grace-period=0")
    sandbox.kubectl("delete", "deviceclass", *CLASSES)
    sandbox.kubectl("delete", "resourceslice", f"{NODE}-gpus", "--ignore-not-found")
    sandbox.kubectl("delete", "node", NODE)


class Lives:
    """The pods of the test, as a watch has seen them."""

    def __init__(self, product: Product, namespace: str, watch: PodWatch) -> None:
        self.sandbox = product.sandbox
        self.namespace = namespace
        self.watch = watch

    def create(self, name: str, seconds: int | None, **more: Any) -> None:
        made = dra.pod(name, NODE, seconds, **more)
        made["metadata"]["namespace"] = self.namespace
        self.sandbox.create(made)

    def wait(self, name: str, what: str) -> None:
        def so() -> bool:
            seen = self.watch.pods.get(name)
            if seen is None:
                return False
            if what == "gone":
                return seen.gone is not None
            return (bound if what == "bound" else finished)(seen.last) is not None

        self.sandbox.wait(so, what=f"{name} {what}")

    def life(self, name: str) -> tuple[int, int]:
        """When a pod was bound, and when its container ended."""
        start, end = (of(self.watch.pods[name].last) for of in (bound, finished))
        assert start is not None
        assert end is not None
        return start, end


def stretches(pieces: Pieces) -> Pieces:
    """The same without pieces that take no time, so that equal shares on both sides are one."""
    found: Pieces = []
    for devices, start, end in pieces:
        if start == end:
            continue
        if found and found[-1][0] == devices:
            found[-1] = (devices, found[-1][1], end)
        else:
            found.append((devices, start, end))
    return found


def by_hand(pieces: Pieces) -> tuple[str, str]:
    """Cost and GPU-hours of what was held: rounded down once for each stretch of one share."""
    pieces = stretches(pieces)
    nano = sum(PRICE.nano(devices / dra.GPUS, start, end) for devices, start, end in pieces)
    held = sum((devices * (end - start) for devices, start, end in pieces), Fraction(0))
    return money(nano), hours(held)


def test_claims_cost_what_they_allocate_and_those_who_share_one_share_its_cost(
    product: Product, namespace: str, watch: PodWatch, claimed: None
) -> None:
    lives = Lives(product, namespace, watch)
    lives.create("first", 9, resourceClaimName="shared")
    lives.wait("first", "bound")
    lives.create("pair", 2, resourceClaimTemplateName="two")
    lives.create("slice", 3, resourceClaimTemplateName="slice")
    lives.create("second", 2, resourceClaimName="shared")
    for name in ("second", "pair"):
        lives.wait(name, "finished")
    lives.sandbox.kubectl("delete", "pod", "-n", namespace, "pair", "--wait=false")
    lives.wait("pair", "gone")

    # Nobody watches while one shares for a while, and one comes, ends and takes its claim along.
    product.kill()
    lives.create("third", 1, resourceClaimName="shared")
    lives.create("extended", 1, limits={dra.EXTENDED: 1})
    for name in ("third", "extended"):
        lives.wait(name, "finished")
    lives.sandbox.kubectl("delete", "pod", "-n", namespace, "extended", "--wait=false")
    lives.wait("extended", "gone")
    product.start()

    lives.wait("first", "finished")
    start, end = lives.life("first")
    (b2, e2), (b3, e3) = lives.life("second"), lives.life("third")
    one, half = Fraction(1), Fraction(1, 2)
    assert start <= b2 < e2 <= b3 < e3 <= end
    shared = [(one, start, b2), (half, b2, e2), (one, e2, b3), (half, b3, e3), (one, e3, end)]
    want = {
        "first": by_hand(shared),
        "second": by_hand([(half, b2, e2)]),
        "third": by_hand([(half, b3, e3)]),
        "pair": by_hand([(Fraction(2), *lives.life("pair"))]),
        "slice": by_hand([(SLICE, *lives.life("slice"))]),
        "extended": by_hand([(one, *lives.life("extended"))]),
    }

    def figures() -> dict[str, tuple[str, str]]:
        rows = by_pod(product, namespace)
        return {name: (row["cost"], row["gpuHours"]) for name, row in rows.items()}

    settle(figures, want)
    assert {row["estimatedCost"] for row in by_pod(product, namespace).values()} == {"0.000000000"}
    found = next(each for each in product.ask("nodes")[1]["nodes"] if each["name"] == NODE)
    assert (found["accelerator"], found["devices"]) == ("h100-sxm5-80gb", "4.000000000")
