"""The sandbox's fake GPU nodes: a fleet as mixed as real ones, labelled by the makers' rules.

Pure: returns Node objects. Instance types, memory and counts as the clouds' price lists name
them; labels as written by NVIDIA's GPU feature discovery and AMD's node labeller
(`nvidia.com/gpu.replicas` is per device; `-SHARED` marks time-sliced products; on a node with
mixed MIG the whole devices say `replicas: "0"`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

FAKE_NODE: Final = {"kwok.x-k8s.io/node": "fake"}
"""Annotation by which kwok knows its nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One kind of node.

    Attributes:
        name: Start of its nodes' names.
        cpu: Cores.
        memory: Kubernetes quantity.
        pods: How many pods fit.
        devices: Extended resources and their counts.
        labels: Labels beside the host's name and system.
        provider: Start of `spec.providerID`; empty where no cloud runs the node.
    """

    name: str
    cpu: int
    memory: str
    pods: int
    devices: Mapping[str, int]
    labels: Mapping[str, str]
    provider: str = field(default="")


def _place(instance: str, region: str, zone: str) -> dict[str, str]:
    return {
        "node.kubernetes.io/instance-type": instance,
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": zone,
    }


def _nvidia(product: str, family: str, count: int, memory_mib: int) -> dict[str, str]:
    return {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.family": family,
        "nvidia.com/gpu.count": str(count),
        "nvidia.com/gpu.memory": str(memory_mib),
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.sharing-strategy": "none",
        "nvidia.com/mig.capable": "true" if family in {"ampere", "hopper"} else "false",
        "nvidia.com/mps.capable": "false",
    }


def _mig(profile: str, product: str, count: int, memory_mib: int, slices: int) -> dict[str, str]:
    start = f"nvidia.com/mig-{profile}"
    return {
        f"{start}.count": str(count),
        f"{start}.product": f"{product}-MIG-{profile}",
        f"{start}.memory": str(memory_mib),
        f"{start}.replicas": "1",
        f"{start}.sharing-strategy": "none",
        f"{start}.slices.gi": str(slices),
        f"{start}.slices.ci": str(slices),
    }


_AWS = "aws:///us-east-1a/i-"
_A100 = "NVIDIA-A100-SXM4-40GB"

GPU_MODELS: Final[tuple[Model, ...]] = (
    Model(
        name="h100",
        cpu=192,
        memory="2048Gi",
        pods=100,
        devices={"nvidia.com/gpu": 8},
        labels=_place("p5.48xlarge", "us-east-1", "us-east-1a")
        | {"eks.amazonaws.com/capacityType": "ON_DEMAND"}
        | _nvidia("NVIDIA-H100-80GB-HBM3", "hopper", 8, 81559),
        provider=_AWS,
    ),
    # Eight devices: four whole, two cut into seven small slices each, two into two halves each.
    Model(
        name="a100-mig",
        cpu=96,
        memory="1152Gi",
        pods=737,
        devices={
            "nvidia.com/gpu": 4,
            "nvidia.com/mig-1g.5gb": 14,
            "nvidia.com/mig-3g.20gb": 4,
        },
        labels=_place("p4d.24xlarge", "us-east-1", "us-east-1a")
        | {"karpenter.sh/capacity-type": "on-demand"}
        | _nvidia(_A100, "ampere", 8, 40960)
        | {"nvidia.com/mig.strategy": "mixed", "nvidia.com/gpu.replicas": "0"}
        | _mig("1g.5gb", _A100, 14, 4864, 1)
        | _mig("3g.20gb", _A100, 4, 19968, 3),
        provider=_AWS,
    ),
    # Four devices, each shared by four pods in turns.
    Model(
        name="l4-shared",
        cpu=48,
        memory="192Gi",
        pods=234,
        devices={"nvidia.com/gpu": 16},
        labels=_place("g6.12xlarge", "us-east-1", "us-east-1b")
        | {"karpenter.sh/capacity-type": "on-demand"}
        | _nvidia("NVIDIA-L4-SHARED", "ada-lovelace", 4, 23034)
        | {"nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.sharing-strategy": "time-slicing"},
        provider="aws:///us-east-1b/i-",
    ),
    Model(
        name="t4-spot",
        cpu=48,
        memory="192Gi",
        pods=234,
        devices={"nvidia.com/gpu": 4},
        labels=_place("g4dn.12xlarge", "us-east-1", "us-east-1a")
        | {"karpenter.sh/capacity-type": "spot"}
        | _nvidia("Tesla-T4", "turing", 4, 15360),
        provider=_AWS,
    ),
    Model(
        name="mi300x",
        cpu=96,
        memory="1850Gi",
        pods=250,
        devices={"amd.com/gpu": 8},
        labels=_place("Standard_ND96isr_MI300X_v5", "eastus2", "eastus2-1")
        | {
            "kubernetes.azure.com/accelerator": "amd",
            "amd.com/gpu.product-name": "Instinct_MI300X",
            "amd.com/gpu.family": "AI",
            "amd.com/gpu.vram": "192G",
            "amd.com/gpu.device-id": "74a1",
            "amd.com/gpu.compute-memory-partition": "spx_nps1",
        },
        provider="azure:///subscriptions/sandbox/virtualMachines/",
    ),
    # Bought, not rented: no cloud names its type, zone or price.
    Model(
        name="dgx-h100",
        cpu=224,
        memory="2048Gi",
        pods=110,
        devices={"nvidia.com/gpu": 8},
        labels=_nvidia("NVIDIA-H100-80GB-HBM3", "hopper", 8, 81559)
        | {"nvidia.com/gpu.machine": "DGXH100"},
    ),
)
"""One of each: the order in which a fleet is filled."""

CPU_MODEL: Final = Model(
    name="cpu",
    cpu=64,
    memory="256Gi",
    pods=737,
    devices={},
    labels=_place("m7i.16xlarge", "us-east-1", "us-east-1a")
    | {"eks.amazonaws.com/capacityType": "ON_DEMAND"},
    provider=_AWS,
)


def nodes(gpu_nodes: int = 0) -> list[dict[str, Any]]:
    """The fleet's Node objects: GPU nodes in turn of each model, and one node without GPUs.

    Args:
        gpu_nodes: How many GPU nodes; 0 means one of each model.
    """
    count = gpu_nodes or len(GPU_MODELS)
    fleet = [
        node(GPU_MODELS[index % len(GPU_MODELS)], index // len(GPU_MODELS) + 1)
        for index in range(count)
    ]
    return [*fleet, node(CPU_MODEL, 1)]


def node(model: Model, number: int) -> dict[str, Any]:
    """One fake node of a model; `number` tells it from its siblings."""
    name = f"{model.name}-{number}"
    room = {
        "cpu": str(model.cpu),
        "memory": model.memory,
        "ephemeral-storage": "1Ti",
        "pods": str(model.pods),
        **{resource: str(count) for resource, count in model.devices.items()},
    }
    made: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": dict(FAKE_NODE),
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                **model.labels,
            },
        },
        "status": {"capacity": room, "allocatable": dict(room)},
    }
    if model.provider:
        made["spec"] = {"providerID": f"{model.provider}{name}"}
    return made
