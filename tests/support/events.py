"""Kubernetes Events as the scheduler, the kubelet and controllers write them."""

from __future__ import annotations

from typing import Any

from bursar.domain.time import Ms, format_time

CONTROLLERS = {"Job": "batch/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1"}


def event(
    reason: str,
    at: Ms,
    message: str = "",
    *,
    kind: str = "Pod",
    name: str = "p",
    namespace: str = "vision",
    uid: str | None = None,
    count: int = 1,
    last: Ms | None = None,
) -> dict[str, Any]:
    """An Event of core/v1 about an object of a namespace (about a node: of `default`)."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{name}.{reason}.{at}",
            "namespace": "default" if kind == "Node" else namespace,
            "creationTimestamp": format_time(at),
        },
        "involvedObject": {
            "apiVersion": CONTROLLERS.get(kind, "v1"),
            "kind": kind,
            "name": name,
            "uid": uid or f"uid-{name}",
            **({} if kind == "Node" else {"namespace": namespace}),
        },
        "reason": reason,
        "message": message,
        "firstTimestamp": format_time(at),
        "lastTimestamp": format_time(at if last is None else last),
        "count": count,
        "type": "Normal",
    }
