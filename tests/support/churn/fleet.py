"""The nodes of a churn run and what they cost an hour, worked out by hand from the list prices.

Each node has a label of the run's own, so that its pods and its prices reach no other node.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from bursar.sandbox import fleet
from support.closedform import Price, listed, moment
from support.lives import LISTED, owned_now

JSON = dict[str, Any]
LABEL = "churn.example/run"
MODEL = "churn.example/model"
INSTANCE = "node.kubernetes.io/instance-type"

MODELS = {each.name: each for each in fleet.GPU_MODELS}
MODELS["l4-eighth"] = replace(
    MODELS["l4-shared"],
    name="l4-eighth",
    devices={"nvidia.com/gpu": 1},
    labels={
        **MODELS["l4-shared"].labels,
        INSTANCE: "g6f.xlarge",
        "nvidia.com/gpu.product": "NVIDIA-L4-3Q",
        "nvidia.com/gpu.count": "1",
        "nvidia.com/gpu.memory": "3072",
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.sharing-strategy": "none",
    },
)
MODELS["nobody-knows"] = replace(
    MODELS["dgx-h100"],
    name="nobody-knows",
    devices={"nvidia.com/gpu": 4},
    labels={
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": "Prototype-7",
        "nvidia.com/gpu.count": "4",
        "nvidia.com/gpu.memory": "1048576",
        "nvidia.com/gpu.replicas": "1",
    },
)
"""The demo's fleet, an eighth of an L4 whose price already is the eighth's, and a device of which
nobody states a price."""

#: Devices of a node, and what one unit of a resource holds of them.
DEVICES = {
    "h100": 8,
    "a100-mig": 8,
    "l4-shared": 4,
    "t4-spot": 4,
    "mi300x": 8,
    "dgx-h100": 8,
    "l4-eighth": 1,
    "nobody-knows": 4,
}
UNIT = {
    ("a100-mig", "nvidia.com/mig-1g.5gb"): (Fraction(1, 7) + Fraction(1, 8)) / 2,
    ("a100-mig", "nvidia.com/mig-3g.20gb"): (Fraction(3, 7) + Fraction(4, 8)) / 2,
    ("l4-shared", "nvidia.com/gpu"): Fraction(1, 4),
}


@dataclass(frozen=True, slots=True)
class Since:
    """A price and the moment (ms) from which it holds; None: nobody knows one."""

    at: int
    price: Price | None


def unit(model: str, resource: str) -> Fraction:
    """Devices that one unit of a resource is."""
    return UNIT.get((model, resource), Fraction(1))


def base_price(model: str) -> Price | None:
    """What a node costs an hour before any price is changed."""
    if model == "nobody-knows":
        return None
    if model == "dgx-h100":
        return owned_now()
    if model == "l4-eighth":
        return Price(opex=listed("g6f.xlarge", "us-east-1"))
    return Price(opex=LISTED[model])


def nodes(run: str, copies: int, models: tuple[str, ...]) -> Iterator[JSON]:
    """The run's nodes, named `churn-RUN-MODEL-N`."""
    for name in models:
        for number in range(1, copies + 1):
            made = fleet.node(MODELS[name], number)
            full = f"churn-{run}-{name}-{number}"
            made["metadata"]["name"] = full
            labels = made["metadata"]["labels"]
            labels |= {LABEL: run, MODEL: name, "kubernetes.io/hostname": full}
            yield made


def model_of(node: str, run: str) -> str:
    """The model of a node by its name."""
    return node.removeprefix(f"churn-{run}-").rpartition("-")[0]


def book(run: str, changes: dict[str, list[Since]]) -> JSON:
    """The run's PriceBook: what is owned, and all changes so far."""
    rates = [
        {
            "name": f"{model}-{index}",
            "nodeSelector": {LABEL: run, MODEL: model},
            "perHour": _decimal(each.price),
            "validFrom": moment(each.at),
        }
        for model, made in changes.items()
        for index, each in enumerate(made)
        if each.price is not None
    ]
    owned = {
        "name": "dgx",
        "nodeSelector": {LABEL: run, MODEL: "dgx-h100"},
        "purchasePrice": "310000",
        "residualValue": "40000",
        "depreciationMonths": 48,
        "inServiceFrom": "2026-01-01T00:00:00Z",
        "perMonth": {"hosting": "900", "staff": "1500"},
        "watts": 10200,
        "pricePerKWh": "0.14",
        "pue": "1.4",
    }
    return {
        "apiVersion": "bursar.dev/v1alpha1",
        "kind": "PriceBook",
        "metadata": {"name": f"churn-{run}"},
        "spec": {"ownedHardware": [owned], "rates": rates},
    }


def _decimal(price: Price) -> str:
    cents = price.opex * 10_000
    assert cents.denominator == 1
    return f"{cents.numerator // 10_000}.{cents.numerator % 10_000:04d}"
