"""Nodes as their kubelets, or those who miss them, leave them."""

from __future__ import annotations

from typing import Any

from bursar.domain.time import Ms, format_time
from bursar.domain.workload import NodeFacts
from bursar.recognize.node import node_facts
from bursar.runtime.configuring import catalog
from support.runtime import T0, node


def conditioned(
    obj: dict[str, Any], ready: str, *, since: Ms = T0, beat: Ms = T0
) -> dict[str, Any]:
    """A node whose condition Ready is True, False or Unknown."""
    condition = {
        "type": "Ready",
        "status": ready,
        "lastTransitionTime": format_time(since),
        "lastHeartbeatTime": format_time(beat),
    }
    return {**obj, "status": {**obj["status"], "conditions": [condition]}}


def tainted(obj: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A node with these taints."""
    taints = [{"key": key, "effect": "NoExecute"} for key in keys]
    return {**obj, "spec": {**obj["spec"], "taints": taints}}


def facts() -> NodeFacts:
    """What is known of the usual node."""
    return node_facts(node(), catalog.load().tables)
