"""Writes kubeconfig files: secrets, so only their owner may read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bursar.sandbox.certificates import write_private


def document(cluster: dict[str, Any], user: dict[str, Any], name: str) -> dict[str, Any]:
    """A kubeconfig of one context.

    Args:
        cluster: `server` and how to trust it, as kubeconfig spells them.
        user: How to authenticate (`token`, `tokenFile`, …).
        name: Name of cluster, user and context.
    """
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}
        ],
        "current-context": name,
    }


def write(path: Path, config: dict[str, Any]) -> None:
    """Write a kubeconfig that only its owner may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, yaml.safe_dump(config, sort_keys=False))
