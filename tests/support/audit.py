"""Clusters to audit, written by hand: nodes of the demo's fleet, pods on them, and the audit."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from bursar.cli.audit.accounts import Rules
from bursar.cli.audit.assess import assess
from bursar.cli.audit.snapshot import Place, SeenPod, Snapshot
from bursar.cli.audit.values import Audit
from bursar.domain.time import DAY, HOUR, Ms, format_time
from bursar.domain.workload import Owner
from bursar.sandbox import fleet
from support.catalog import catalog, tables
from support.purses import at

JSON = dict[str, Any]

NOW: Ms = at("2026-11-24T12:00:00Z")
H100 = Fraction(55_040_000_000, 8)
"""Nano-dollars an hour of a device: p5.48xlarge in us-east-1, $55.04 for eight (the catalog)."""

TRAIN = ("pytorch/pytorch:2", ["torchrun", "train.py"])
SERVE = ("vllm/vllm-openai:v0.6", ["vllm", "serve", "a/b"])
NOTEBOOK = ("jupyter/pytorch-notebook", ["start-notebook.sh"])
MYSTERY = ("acme/solver:1", ["./solve"])

_MODELS = {model.name: model for model in fleet.GPU_MODELS}


def node(model: str = "h100", number: int = 1, *, labels: Mapping[str, str] | None = None) -> JSON:
    """A node of the demo's fleet, thirty days old."""
    made = fleet.node(_MODELS[model], number)
    made["metadata"]["uid"] = f"uid-{made['metadata']['name']}"
    made["metadata"]["creationTimestamp"] = format_time(NOW - 30 * DAY)
    made["metadata"]["labels"].update(labels or {})
    return made


def pod(
    name: str,
    runs: tuple[str, list[str]] = TRAIN,
    *,
    namespace: str = "vision",
    on: str | None = "h100-1",
    limits: Mapping[str, Any] | None = None,
    since: Ms = NOW - HOUR,
    **more: Any,
) -> JSON:
    """A pod with one H100 unless told otherwise, bound an hour ago; `on=None`: it waits."""
    image, command = runs
    limits = {"nvidia.com/gpu": 1} if limits is None else limits
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": format_time(since)}
    if on is None:
        scheduled |= {"status": "False", "message": "0/1 nodes are available"}
    container = {"name": "main", "image": image, "command": command}
    spec: JSON = {"containers": [container | {"resources": {"limits": dict(limits)}}]}
    if on is not None:
        spec["nodeName"] = on
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{namespace}-{name}",
        "creationTimestamp": format_time(since),
    }
    return {
        "metadata": metadata | more.pop("metadata", {}),
        "spec": spec | more.pop("spec", {}),
        "status": {"phase": "Running", "conditions": [scheduled]} | more,
    }


def owned(obj: JSON, kind: str, name: str, *, labels: Mapping[str, str] | None = None) -> SeenPod:
    """A pod under one owner."""
    namespace = obj["metadata"]["namespace"]
    api_version = {"Job": "batch/v1", "Deployment": "apps/v1"}.get(kind, "example.org/v1")
    owner = Owner(
        api_version=api_version,
        kind=kind,
        namespace=namespace,
        name=name,
        uid=f"uid-{kind}-{name}",
        labels=labels or {},
    )
    return SeenPod(obj=obj, owners=(owner,))


def snapshot(*seen: JSON | SeenPod, **more: Any) -> Snapshot:
    """A cluster with one node of eight H100 unless told otherwise."""
    given = {"nodes": (node(),), "now": NOW, "pods_read": len(seen)} | more
    return Snapshot(
        place=Place(context="test", server="https://cluster.example"),
        pods=tuple(each if isinstance(each, SeenPod) else SeenPod(obj=each) for each in seen),
        **given,
    )


def audit(*seen: JSON | SeenPod, currency: str = "USD", **more: Any) -> Audit:
    """The audit of a cluster."""
    rules = Rules(tables=tables(), prices=catalog(), currency=currency)
    return assess(snapshot(*seen, **more), rules)
