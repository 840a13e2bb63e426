"""Pods with known lives on the sandbox's fleet, and what they must cost by hand."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from support.closedform import PodWatch, Price, Seen, bound, finished, hours, listed, money
from support.policies import Place
from support.product import Product, gpu_pod

# Model, what is asked for, and by hand: devices of the node that it holds, devices of the node.
ASKED: tuple[tuple[str, dict[str, int], Fraction, int], ...] = (
    ("h100", {"nvidia.com/gpu": 3}, Fraction(3), 8),
    ("a100-mig", {"nvidia.com/mig-1g.5gb": 1}, (Fraction(1, 7) + Fraction(1, 8)) / 2, 8),
    ("a100-mig", {"nvidia.com/mig-3g.20gb": 1}, (Fraction(3, 7) + Fraction(4, 8)) / 2, 8),
    ("l4-shared", {"nvidia.com/gpu": 3}, Fraction(3, 4), 4),
    ("t4-spot", {"nvidia.com/gpu": 1}, Fraction(1), 4),
    ("mi300x", {"amd.com/gpu": 5}, Fraction(5), 8),
    ("dgx-h100", {"nvidia.com/gpu": 7}, Fraction(7), 8),
)
LISTED = {
    "h100": listed("p5.48xlarge", "us-east-1"),
    "a100-mig": listed("p4d.24xlarge", "us-east-1"),
    "l4-shared": listed("g6.12xlarge", "us-east-1"),
    "t4-spot": listed("g4dn.12xlarge", "us-east-1", spot=True),
    "mi300x": listed("Standard_ND96isr_MI300X_v5", "eastus2"),
}


def owned_now() -> Price:
    """The DGX an hour: depreciation; hosting and staff; power. A month has its real hours."""
    today = datetime.now(UTC)
    month = 24 * monthrange(today.year, today.month)[1]
    depreciation = Fraction(310_000 - 40_000, 48)
    power = Fraction(10_200, 1000) * Fraction("1.4") * Fraction("0.14")
    return Price(capex=depreciation / month, opex=Fraction(900 + 1500, month) + power)


def price_of(model: str) -> Price:
    return owned_now() if model == "dgx-h100" else Price(opex=LISTED[model])


def is_fake(node: Mapping[str, Any]) -> bool:
    """Whether kwok plays a node."""
    return "kwok.x-k8s.io/node" in node["metadata"].get("annotations", {})


class Fleet:
    """The pods of a test, with what they ask for."""

    def __init__(self, product: Product, namespace: str, watch: PodWatch) -> None:
        self.place = Place(sandbox=product.sandbox, namespace=namespace)
        self.sandbox = product.sandbox
        self.watch = watch
        self.asked: dict[str, tuple[str, Fraction, int]] = {}

    def create(self, index: int, seconds: int | None, **more: Any) -> str:
        """Create a pod as row `index` of ASKED says; returns its name."""
        model, limits, devices, of = ASKED[index]
        answer = self.place.attempt(gpu_pod(model, limits, seconds, **more), keep=True)
        name = str(answer.object["metadata"]["name"])
        self.asked[name] = (model, devices, of)
        return name

    def delete(self, *arguments: str) -> None:
        self.sandbox.kubectl(
            "delete", "pod", "-n", self.place.namespace, "--wait=false", *arguments
        )

    def wait(self, name: str, what: str) -> Seen:
        """Wait until a pod is `bound`, `running`, `finished` or `gone`."""
        tests = {
            "bound": lambda seen: bound(seen.last) is not None,
            "running": lambda seen: seen.last["status"]["phase"] == "Running",
            "finished": lambda seen: finished(seen.last) is not None,
            "gone": lambda seen: seen.gone is not None,
        }
        self.sandbox.wait(
            lambda: name in self.watch.pods and tests[what](self.watch.pods[name]),
            what=f"{name} {what}",
        )
        return self.watch.pods[name]

    def nano(self, name: str, end: int) -> int:
        """What a pod costs till a moment, by hand."""
        model, devices, of = self.asked[name]
        start = bound(self.watch.pods[name].last)
        assert start is not None
        return price_of(model).nano(devices / of, start, max(start, end))

    def by_hand(self) -> dict[str, tuple[str, str]]:
        """Cost and GPU-hours of all pods, each of which has ended."""
        told = {}
        for name, (_, devices, _) in self.asked.items():
            last = self.watch.pods[name].last
            start, end = bound(last), finished(last)
            assert start is not None, last
            assert end is not None, last
            told[name] = (money(self.nano(name, end)), hours(devices * (end - start)))
        return told


def by_pod(product: Product, namespace: str, **window: str) -> dict[str, dict[str, Any]]:
    rows = product.report(by="namespace,pod", **window)["rows"]
    return {each["key"]["pod"]: each for each in rows if each["key"]["namespace"] == namespace}
