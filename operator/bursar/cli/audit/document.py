"""An audit as one document, for `-o json` and `-o yaml`, and its workloads as rows for CSV.

The shape is a contract: fields are added, never renamed. Money is a decimal string in units of
`currency`, devices likewise, times are RFC 3339 in UTC, and null is "not known", never zero. Every
text is cleaned of control characters.

    version       v1
    at            when it was read
    context, server, serverVersion    which cluster
    currency      of all money
    namespaces    whose pods were read; null: all there are
    installed     whether Bursar's resources are served here
    totals        podsRead, gpuPods (bound), waitingPods, unpricedPods, onlookerPods (they see
                  devices that they did not ask for, and count nowhere else), costPerHour,
                  costPerMonth (730 h), costSoFar, idlePerHour, idlePerMonth
    workloads[]   one for each top owner, class and team, the dearest first: namespace, kind, name,
                  class, confidence, decidedBy, activity, model, evidence[] (rule, class, weight,
                  found), team, costCenter, project, environment, allocationSources (who said each),
                  submittedBy, pods (bound), waitingPods, unpricedPods, devices (held, by
                  accelerator), podsOfUnknownDevices, asked (units, by resource), created, since
                  (first bound), costPerHour, costSoFar, origins[], assumed, trouble, unknown[]
    devices[]     one for each accelerator: accelerator, nodes, nodesOfUnknownDevices, devices,
                  held, idle, untold (neither), costPerHour (of the nodes), idlePerHour,
                  idlePerMonth, idleNodes[] (name, idle, devices, perHour, unfit), prices[]
                  (instanceType, region, capacityType, nodes, perNodeHour, origin, assumed)
    labels[]      field (team, costCenter, project, environment, class), pods, ofPods, costPerHour,
                  ofCostPerHour
    waiting[]     namespace, name, asked, since, reason
    findings[]    code, title, detail, perHour, next, command; what is about most money first
    budgets[]     namespace (null: of the cluster), name
    notRead[]     what, why, so
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from bursar.cli.audit.values import MONTH_HOURS, Audit, Pool, Share, Sum, Waiting, Workload
from bursar.cli.audit.words import cleaned
from bursar.domain.classification import Evidence
from bursar.domain.money import NANO, format_fraction
from bursar.domain.time import format_time

VERSION = "v1"
MOST_EVIDENCE = 3

CSV_COLUMNS = {
    name: name
    for name in (
        *("namespace", "kind", "name", "class", "confidence", "decidedBy", "activity", "team"),
        *("costCenter", "project", "environment", "submittedBy", "accelerators", "devices"),
        *("pods", "waitingPods", "since", "costPerHour", "costSoFar", "assumed", "origin"),
    )
}
"""Columns of `-o csv`, one row a workload."""


def document(audit: Audit) -> dict[str, Any]:
    """All of an audit."""
    idle = sum((pool.idle_cost for pool in audit.pools), Sum())
    found: dict[str, Any] = cleaned(
        {
            "version": VERSION,
            "at": format_time(audit.now),
            "context": audit.place.context or None,
            "server": audit.place.server,
            "serverVersion": audit.place.version or None,
            "currency": audit.currency,
            "namespaces": None if audit.namespaces is None else list(audit.namespaces),
            "installed": audit.installed,
            "totals": {
                "podsRead": audit.pods_read,
                "gpuPods": audit.pods,
                "waitingPods": len(audit.waiting),
                "unpricedPods": audit.held.unpriced,
                "onlookerPods": audit.onlookers,
                "costPerHour": _money(audit.held.known),
                "costPerMonth": _month(audit.held.known),
                "costSoFar": _so_far(audit.so_far),
                "idlePerHour": _money(idle.known) if _idle_known(audit) else None,
                "idlePerMonth": _month(idle.known) if _idle_known(audit) else None,
            },
            "workloads": [_workload(each) for each in audit.workloads],
            "devices": [_pool(each) for each in audit.pools],
            "labels": [_share(each, audit) for each in audit.shares],
            "waiting": [_waiting(each) for each in audit.waiting],
            "findings": [
                {
                    "code": each.code,
                    "title": each.title,
                    "detail": each.detail,
                    "perHour": _money(each.per_hour),
                    "next": each.next,
                    "command": each.command or None,
                }
                for each in audit.findings
            ],
            "budgets": [
                {"namespace": namespace or None, "name": name}
                for namespace, names in sorted(audit.budgets.items())
                for name in names
            ],
            "notRead": [{"what": each.what, "why": each.why, "so": each.so} for each in audit.gaps],
        }
    )
    return found


def rows(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The workloads of a document, flat."""
    return [
        {
            **each,
            "accelerators": " ".join(each["devices"]),
            "devices": " ".join(each["devices"].values()),
            "origin": "; ".join(each["origins"]),
        }
        for each in found["workloads"]
    ]


def _idle_known(audit: Audit) -> bool:
    return audit.nodes_known and audit.namespaces is None


def _workload(one: Workload) -> dict[str, Any]:
    verdict, allocation = one.classification, one.allocation
    return {
        "namespace": one.namespace,
        "kind": one.kind,
        "name": one.name,
        "class": verdict.workload_class.value,
        "confidence": verdict.confidence,
        "decidedBy": verdict.decided_by.value,
        "activity": verdict.activity or None,
        "model": verdict.model or None,
        "evidence": [_evidence(each) for each in verdict.evidence[:MOST_EVIDENCE]],
        "team": allocation.team,
        "costCenter": allocation.cost_center,
        "project": allocation.project,
        "environment": allocation.environment,
        "allocationSources": dict(allocation.sources),
        "submittedBy": one.submitted_by or None,
        "pods": one.pods,
        "waitingPods": one.waiting,
        "unpricedPods": one.cost.unpriced,
        "devices": {name: _number(held) for name, held in one.devices.items()},
        "podsOfUnknownDevices": one.untold,
        "asked": _asked(one.asked),
        "created": format_time(one.created),
        "since": None if one.since is None else format_time(one.since),
        "costPerHour": _money(one.cost.known) if one.pods else None,
        "costSoFar": _so_far(one.so_far) if one.pods else None,
        "origins": list(one.origins),
        "assumed": one.assumed,
        "trouble": one.trouble or None,
        "unknown": list(one.unknown),
    }


def _evidence(one: Evidence) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "class": one.workload_class.value,
        "weight": one.weight,
        "found": one.found,
    }


def _pool(pool: Pool) -> dict[str, Any]:
    known = pool.idle is not None
    return {
        "accelerator": pool.accelerator,
        "nodes": pool.nodes,
        "nodesOfUnknownDevices": pool.uncounted,
        "devices": _number(pool.devices),
        "held": _number(pool.held),
        "idle": None if pool.idle is None else _number(pool.idle),
        "untold": _number(pool.untold),
        "costPerHour": _money(pool.cost.known),
        "idlePerHour": _money(pool.idle_cost.known) if known else None,
        "idlePerMonth": _month(pool.idle_cost.known) if known else None,
        "idleNodes": [
            {
                "name": node.name,
                "idle": _number(node.idle),
                "devices": _number(node.devices),
                "perHour": _money(node.per_hour),
                "unfit": node.fit or None,
            }
            for node in pool.idle_nodes
        ],
        "prices": [
            {
                "instanceType": each.instance_type or None,
                "region": each.region or None,
                "capacityType": each.capacity_type,
                "nodes": each.nodes,
                "perNodeHour": _money(each.per_hour),
                "origin": each.origin,
                "assumed": each.assumed,
            }
            for each in pool.tariffs
        ],
    }


def _share(one: Share, audit: Audit) -> dict[str, Any]:
    return {
        "field": one.field,
        "pods": one.pods,
        "ofPods": audit.pods,
        "costPerHour": _money(one.per_hour),
        "ofCostPerHour": _money(audit.held.known),
    }


def _waiting(one: Waiting) -> dict[str, Any]:
    return {
        "namespace": one.namespace,
        "name": one.name,
        "asked": _asked(one.asked),
        "since": format_time(one.since),
        "reason": one.reason or None,
    }


def _asked(asked: Mapping[str, Fraction | None]) -> dict[str, str | None]:
    return {name: None if units is None else _number(units) for name, units in asked.items()}


def _money(nano: Fraction | None) -> str | None:
    return None if nano is None else format_fraction(nano / NANO, 6)


def _so_far(nano: int | None) -> str | None:
    return None if nano is None else _money(Fraction(nano))


def _month(nano: Fraction | None) -> str | None:
    return None if nano is None else _money(MONTH_HOURS * nano)


def _number(value: Fraction) -> str:
    text = format_fraction(value, 6)
    return text.rstrip("0").rstrip(".")
