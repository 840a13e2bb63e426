"""A fake node whose GPUs a driver publishes in a ResourceSlice, and pods that claim them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bursar.sandbox import fleet

DRIVER = "gpu.nvidia.com"
API = "resource.k8s.io/v1"
PRICE = "12.00"
"""What the node costs an hour."""
GPUS = 4
"""Physical GPUs; the last is cut into MIG instances."""
EXTENDED = "nvidia.com/gpu.claimed"
"""Extended resource that the class of whole GPUs serves."""

Object = dict[str, Any]


def node(name: str) -> Object:
    """A node with no device plug-in and no label that tells of GPUs."""
    model = fleet.Model(
        name=name, cpu=64, memory="512Gi", pods=110, devices={}, labels={"bursar.test/dra": name}
    )
    made: Object = fleet.node(model, 1)
    made["metadata"]["name"] = name
    made["metadata"]["annotations"]["bursar.dev/hourly-price"] = PRICE
    return made


def _attributes(**values: str) -> Object:
    return {name: {"string": value} for name, value in values.items()}


def _gpu(index: int) -> Object:
    return {
        "name": f"gpu-{index}",
        "attributes": _attributes(
            type="gpu",
            uuid=f"GPU-{index}",
            productName="NVIDIA H100 80GB HBM3",
            architecture="Hopper",
        ),
        "capacity": {"memory": {"value": "81559Mi"}},
    }


def _mig(index: int, place: int, profile: str) -> Object:
    return {
        "name": f"gpu-{index}-mig-{profile.replace('.', '-')}-{place}",
        "attributes": _attributes(
            type="mig",
            uuid=f"MIG-{index}-{place}",
            parentUUID=f"GPU-{index}",
            profile=profile,
            productName="NVIDIA H100 80GB HBM3",
        ),
    }


def slice_of(node_name: str) -> Object:
    """What the driver publishes of a node."""
    devices = [_gpu(index) for index in range(GPUS - 1)]
    devices += [_mig(GPUS - 1, 0, "3g.40gb"), _mig(GPUS - 1, 4, "1g.10gb")]
    return {
        "apiVersion": API,
        "kind": "ResourceSlice",
        "metadata": {"name": f"{node_name}-gpus"},
        "spec": {
            "driver": DRIVER,
            "nodeName": node_name,
            "pool": {"name": node_name, "generation": 1, "resourceSliceCount": 1},
            "devices": devices,
        },
    }


def device_class(name: str, kind: str, extended: str = "") -> Object:
    """Devices of a type (`gpu` or `mig`)."""
    expression = f"device.driver == '{DRIVER}' && device.attributes['{DRIVER}'].type == '{kind}'"
    spec: Object = {"selectors": [{"cel": {"expression": expression}}]}
    if extended:
        spec["extendedResourceName"] = extended
    return {"apiVersion": API, "kind": "DeviceClass", "metadata": {"name": name}, "spec": spec}


def _claim_spec(class_name: str, count: int, profile: str) -> Object:
    exactly: Object = {"deviceClassName": class_name, "count": count}
    if profile:
        expression = f"device.attributes['{DRIVER}'].profile == '{profile}'"
        exactly["selectors"] = [{"cel": {"expression": expression}}]
    return {"devices": {"requests": [{"name": "gpus", "exactly": exactly}]}}


def claim(name: str, class_name: str, count: int = 1, profile: str = "") -> Object:
    """A claim that several pods may share."""
    spec = _claim_spec(class_name, count, profile)
    return {"apiVersion": API, "kind": "ResourceClaim", "metadata": {"name": name}, "spec": spec}


def template(name: str, class_name: str, count: int = 1, profile: str = "") -> Object:
    """A template of which each pod gets a claim of its own."""
    return {
        "apiVersion": API,
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name},
        "spec": {"spec": _claim_spec(class_name, count, profile)},
    }


def pod(
    name: str,
    node_name: str,
    seconds: int | None,
    *,
    limits: Mapping[str, Any] | None = None,
    **source: str,
) -> Object:
    """A pod that holds the claim that `source` names in the words of the API, or none."""
    container: Object = {"name": "main", "image": "registry.example/work:1"}
    spec: Object = {
        "nodeSelector": {"bursar.test/dra": node_name},
        "restartPolicy": "Never",
        "containers": [container],
        "tolerations": [{"operator": "Exists"}],
    }
    if limits:
        container["resources"] = {"limits": dict(limits)}
    if source:
        container["resources"] = {"claims": [{"name": "gpus"}]}
        spec["resourceClaims"] = [{"name": "gpus", **source}]
    notes = {} if seconds is None else {"sandbox.bursar.dev/run-seconds": str(seconds)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": notes},
        "spec": spec,
    }
