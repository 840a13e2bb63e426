"""What asks for accelerators, and the node that has them, as far as the path needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from bursar.domain.time import Ms
from bursar.domain.unknown import Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorRequest:
    """One way in which a pod asks for accelerators.

    Attributes:
        resource: the extended resource, such as `nvidia.com/gpu` or `nvidia.com/mig-1g.10gb`; for
            other ways of asking a name in the same style (`annotation:gpu-fraction`,
            `claim:NAME`, `env:NVIDIA_VISIBLE_DEVICES`).
        count: units of that resource, or why they cannot be told.
    """

    resource: str
    count: Fraction | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """An object above a pod: a controller, or the controller of one.

    Attributes:
        labels: the owner's own labels, empty where it could not be read.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a node's labels, annotations and capacity say of its accelerators and its price.

    Attributes:
        devices: physical devices, the denominator of every share: fixed for a node's uid. A
            fractional instance (an eighth of an A10) is one device here: its price is the
            fraction's already.
        device_fraction: what one such device is of a whole accelerator (1, or 1/8 …): used for
            GPU-hours only, never for cost.
        replicas: shares of one device that the node offers under time-slicing or MPS, 1 without.
        accelerator: canonical name in lower case, such as `h100-sxm5-80gb`.
        capacity_type: on-demand, spot, reserved, capacity-block, owned or unknown.
        infrastructure: self-managed or partially-managed.
        hourly_price: the node's own annotation, unparsed.
        until: when the node went away, None while it exists.
        opencost_price: what OpenCost said last that the node costs an hour, unparsed; None where
            it said nothing, or is not asked.
    """

    uid: str
    name: str
    labels: Mapping[str, str]
    instance_type: str
    region: str
    zone: str
    provider: str
    capacity_type: str
    infrastructure: str
    accelerator: str
    memory_mib: int | None
    devices: Fraction | Unknown
    device_fraction: Fraction
    replicas: int
    sharing: str
    mig_strategy: str
    hourly_price: str | None
    created: Ms
    until: Ms | None = None
    opencost_price: str | None = None
