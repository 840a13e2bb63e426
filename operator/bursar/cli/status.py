"""`bursar status`: where every budget stands, read from the API server alone."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bursar.cli.output import Format, print_rows

COLUMNS = {
    "namespace": "NAMESPACE",
    "name": "BUDGET",
    "limit": "LIMIT",
    "spent": "SPENT",
    "used": "USED",
    "burnPerHour": "BURN/H",
    "exhaustsAt": "EXHAUSTS",
    "shutFor": "SHUT FOR",
    "reopensAt": "REOPENS",
    "held": "HELD",
    "ready": "READY",
}


@dataclass(frozen=True, slots=True)
class Query:
    """Which cluster, and which namespace of it (None: all)."""

    kubeconfig: Path | None
    context: str | None
    namespace: str | None


def show(query: Query, output: Format) -> None:
    """Print one row a budget."""
    from bursar.domain.time import format_time
    from bursar.runtime.clock import now

    moment = format_time(now())
    print_rows([row(obj, moment) for obj in asyncio.run(_read(query))], COLUMNS, output)


async def _read(query: Query) -> list[dict[str, Any]]:
    from bursar.runtime.gateway import Gateway, object_path

    gateway = await Gateway.connect(query.kubeconfig, query.context)
    try:
        api = "bursar.dev/v1alpha1"
        own, _ = await gateway.collection(object_path(api, "aibudgets", query.namespace or ""))
        if query.namespace:
            return own
        shared, _ = await gateway.collection(object_path(api, "clusteraibudgets"))
        return own + shared
    finally:
        await gateway.close()


def row(obj: Mapping[str, Any], now: str) -> dict[str, Any]:
    """What the table shows of one budget.

    Args:
        obj: an AIBudget or ClusterAIBudget.
        now: `YYYY-MM-DDTHH:MM:SSZ`; windows are compared with it as text, which is exact.
    """
    status = obj.get("status") or {}
    summary = status.get("summary") or {}
    shut = [
        window
        for window in status.get("admission") or []
        if window["closesAt"] <= now < window.get("reopensAt", "9999")
    ]
    ready = next(
        (c["status"] for c in status.get("conditions") or [] if c["type"] == "Ready"), "Unknown"
    )
    return {
        "namespace": obj["metadata"].get("namespace", ""),
        "name": obj["metadata"]["name"],
        "limit": summary.get("limit"),
        "spent": summary.get("spent"),
        "used": summary.get("used"),
        "burnPerHour": (status.get("burnRate") or {}).get("costPerHour"),
        "exhaustsAt": (status.get("forecast") or {}).get("exhaustedAt"),
        "shutFor": ", ".join(sorted({window["class"] for window in shut})) or None,
        "reopensAt": max((w.get("reopensAt", "never") for w in shut), default=None),
        "held": status.get("held"),
        "ready": ready,
    }
