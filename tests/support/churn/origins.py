"""Where the price of each node of a mixed fleet comes from: asked of a running operator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import bursar
from bursar import sandbox
from bursar.sandbox import fleet
from bursar.sandbox.fleet import Model
from support.churn.client import Client
from support.churn.fleet import INSTANCE, MODELS

JSON = dict[str, Any]
HEAD = ("node", "devices", "capacity", "an hour, USD", "where the price is from")
BOOKS = "/apis/bursar.dev/v1alpha1/pricebooks"
REGION, ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
GKE = {REGION: "us-central1", ZONE: "us-central1-a", "cloud.google.com/gke-nodepool": "pool"}


def model(name: str, devices: dict[str, int], labels: dict[str, str]) -> Model:
    return Model(
        name=name, cpu=64, memory="512Gi", pods=110, devices=devices, labels=labels, provider=""
    )


H100, A100, T4 = MODELS["h100"], MODELS["a100-mig"], MODELS["t4-spot"]
BLOCK = {"eks.amazonaws.com/capacityType": "CAPACITY_BLOCK"}

#: Each kind of node, in words, and what tells its price.
KINDS: tuple[tuple[str, Model], ...] = (
    ("8 × H100 (p5.48xlarge), on demand", H100),
    ("8 × A100 (p4d.24xlarge), four of them cut by MIG", A100),
    ("4 × L4 (g6.12xlarge), each shared by four in turns", MODELS["l4-shared"]),
    ("an eighth of an L4 (g6f.xlarge)", MODELS["l4-eighth"]),
    (
        "2 × T4 added to an n1-standard-8 (GKE)",
        model(
            "n1-t4",
            {"nvidia.com/gpu": 2},
            GKE
            | {
                INSTANCE: "n1-standard-8",
                "cloud.google.com/gke-accelerator": "nvidia-tesla-t4",
                "cloud.google.com/gke-accelerator-count": "2",
            },
        ),
    ),
    ("4 × T4 (g4dn.12xlarge), spot", T4),
    ("8 × MI300X (ND96isr), on demand", MODELS["mi300x"]),
    (
        "4 × TPU v5e (ct5lp-hightpu-4t)",
        model(
            "tpu",
            {"google.com/tpu": 4},
            GKE
            | {
                INSTANCE: "ct5lp-hightpu-4t",
                "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
                "cloud.google.com/gke-tpu-topology": "2x2",
            },
        ),
    ),
    (
        "16 × Trainium (trn1.32xlarge)",
        model(
            "trn1",
            {"aws.amazon.com/neuron": 16, "aws.amazon.com/neuroncore": 32},
            {
                INSTANCE: "trn1.32xlarge",
                REGION: "us-east-1",
                ZONE: "us-east-1a",
                "eks.amazonaws.com/capacityType": "ON_DEMAND",
            },
        ),
    ),
    ("8 × H100 in an own DGX", MODELS["dgx-h100"]),
    (
        "8 × H100 in a DGX that nobody described",
        replace(MODELS["dgx-h100"], name="dgx-bare"),
    ),
    (
        "8 × H100 (p5.48xlarge) in a capacity block, 31.464 an hour agreed",
        replace(H100, name="block", labels={**H100.labels, **BLOCK}),
    ),
    (
        "8 × H100 (p5.48xlarge) in a capacity block, nothing agreed",
        replace(H100, name="block-bare", labels={**H100.labels, **BLOCK}),
    ),
    (
        "8 × H100 (p5.48xlarge) by a commitment, 44.10 an hour",
        replace(H100, name="committed", labels={**H100.labels, "pool": "committed"}),
    ),
    (
        "8 × A100 (p4d.24xlarge) with 12 % off the list",
        replace(A100, name="discounted", labels={**A100.labels, "pool": "discounted"}),
    ),
    ("4 × T4, with an annotation that says what the node costs", replace(T4, name="annotated")),
    ("4 × something that no list names", MODELS["nobody-knows"]),
)
BOOK: JSON = {
    "apiVersion": "bursar.dev/v1alpha1",
    "kind": "PriceBook",
    "metadata": {"name": "fleet"},
    "spec": {
        "rates": [
            {
                "name": "block",
                "nodeSelector": {"kubernetes.io/hostname": "block-1"},
                "capacityTypes": ["capacity-block"],
                "perHour": "31.464",
            },
            {
                "name": "discount",
                "nodeSelector": {"pool": "discounted"},
                "discountPercent": "12",
            },
        ],
        "commitments": [
            {
                "name": "reserved",
                "nodeSelector": {"pool": "committed"},
                "count": 1,
                "perHour": "44.10",
                "term": {"start": "2026-01-01T00:00:00Z", "end": "2029-01-01T00:00:00Z"},
            }
        ],
        "ownedHardware": [
            {
                "name": "dgx",
                "nodeSelector": {"kubernetes.io/hostname": "dgx-h100-1"},
                "purchasePrice": "310000",
                "residualValue": "40000",
                "depreciationMonths": 48,
                "inServiceFrom": "2026-01-01T00:00:00Z",
                "perMonth": {"hosting": "900", "staff": "1500"},
                "watts": 10200,
                "pricePerKWh": "0.14",
                "pue": "1.4",
            }
        ],
    },
}


def run(folder: Path) -> tuple[list[Sequence[object]], list[str]]:
    """Make the fleet on a sandbox, start an operator, and ask `bursar nodes`."""
    state = sandbox.load_state(folder)
    with closing(Client(state.kubeconfig)) as client:
        client.must("POST", BOOKS, BOOK)
        for _, kind in KINDS:
            made = fleet.node(kind, 1)
            if kind.name == "annotated":
                made["metadata"]["annotations"]["bursar.dev/hourly-price"] = "1.75"
            client.must("POST", "/api/v1/nodes", made)
    sandbox.operator_start(folder)
    told: dict[str, JSON] = {}
    deadline = time.monotonic() + 60
    while len(told) < len(KINDS) and time.monotonic() < deadline:
        told = {node["name"]: node for node in nodes(state.kubeconfig)}
        time.sleep(0.5)
    missing = [kind.name for _, kind in KINDS if f"{kind.name}-1" not in told]
    rows = [row(words, told[f"{kind.name}-1"]) for words, kind in KINDS if kind.name not in missing]
    return rows, [f"{name}: the operator does not list it" for name in missing]


def nodes(kubeconfig: Path) -> list[JSON]:
    """What `bursar nodes -o json` prints."""
    source = str(Path(bursar.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "bursar", "nodes", "-o", "json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": source},
    )
    found: list[JSON] = json.loads(done.stdout)["nodes"]
    return found


def row(words: str, node: JSON) -> Sequence[object]:
    """One line of the table."""
    price = node["costPerHour"]
    origin = node["origin"] or "; ".join(node["unknown"])
    if node.get("assumed"):
        origin += " (**assumed**)"
    shown = "**Unpriced**" if price is None else f"{Decimal(price):.4f}"
    return words, f"{Decimal(node['devices']):.0f}", node["capacityType"], shown, origin
