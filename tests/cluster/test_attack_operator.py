"""What a tenant writes on a pod, and the operator that reads it goes on."""

from __future__ import annotations

import uuid

import pytest

from support.cluster import Sandbox
from support.policies import Object, pod
from support.product import NODES, budget

pytestmark = pytest.mark.cluster

LEADS_ASTRAY = (
    "../../../../../batch/v1/namespaces/default/jobs?watch=true",
    "../rayjobs?watch=true",
    "a" * 9000,
    "x#y",
    "..",
)


def owned(namespace: str, name: str) -> Object:
    """A pod whose reference to its owner has a name of the tenant's choice."""
    made = pod(nodeSelector=NODES["h100"])
    made["metadata"] |= {
        "namespace": namespace,
        "ownerReferences": [
            {
                "apiVersion": "ray.io/v1",
                "kind": "RayJob",
                "name": name,
                "uid": str(uuid.uuid4()),
                "controller": True,
            }
        ],
    }
    return made


def test_owner_references_that_lead_astray_do_not_stop_the_meter(
    operator: Sandbox, namespace: str
) -> None:
    operator.create(budget("all", namespace, limits={"cost": "99999"}))
    operator.create(*(owned(namespace, name) for name in LEADS_ASTRAY))
    operator.create(owned(namespace, "the-last-one"))

    def counted() -> bool:
        status = operator.get("aibudget", "all", "-n", namespace).get("status", {})
        devices = status.get("burnRate", {}).get("devices", "0")
        return float(devices) == len(LEADS_ASTRAY) + 1

    operator.wait(counted, what="every pod counted", timeout=25)
