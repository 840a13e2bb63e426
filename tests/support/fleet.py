"""Nodes and pods to recognize and to price; the nodes of the demo's fleet as facts."""

from collections.abc import Mapping
from typing import Any

from bursar.domain.workload import NodeFacts
from bursar.recognize.node import node_facts
from bursar.sandbox import fleet
from support.catalog import tables

Labels = Mapping[str, str]


def demo(model: str) -> NodeFacts:
    """The facts of the demo fleet's first node of a model, such as `a100-mig`."""
    found = {each.name: each for each in fleet.GPU_MODELS}
    return node_facts(fleet.node(found[model], 1), tables())


def node(
    labels: Labels,
    *,
    annotations: Labels | None = None,
    capacity: Mapping[str, Any] | None = None,
    provider_id: str = "",
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "node",
            "uid": "uid-node",
            "labels": dict(labels),
            "annotations": dict(annotations or {}),
            "creationTimestamp": "2026-11-01T00:00:00Z",
        },
        "spec": {"providerID": provider_id},
        "status": {"capacity": dict(capacity or {})},
    }


def facts(labels: Labels, **more: Any) -> NodeFacts:
    return node_facts(node(labels, **more), tables())


def place(instance_type: str, region: str = "", zone: str = "") -> dict[str, str]:
    labels = {
        "node.kubernetes.io/instance-type": instance_type,
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": zone,
    }
    return {key: value for key, value in labels.items() if value}


def container(limits: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": "main", "resources": {"limits": dict(limits or {})}, **more}


def pod(
    *containers: Mapping[str, Any],
    init: tuple[Mapping[str, Any], ...] = (),
    annotations: Labels | None = None,
    namespace: str = "team",
    **spec: Any,
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "pod",
            "namespace": namespace,
            "annotations": dict(annotations or {}),
        },
        "spec": {"containers": list(containers), "initContainers": list(init), **spec},
    }
