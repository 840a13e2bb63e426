"""What asks for accelerators, and the node that has them, as far as the path needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from bursar.domain.time import Ms
from bursar.domain.unknown import Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What parts of devices a request asks for, added up over a pod's containers.

    Attributes:
        devices: parts that are told as fractions of a device.
        memory: units of memory.
        memory_resource: whose capacity on the node says how many units all its devices have; blank
            where no capacity does.
        mib: MiB of one unit; None where only the node's capacity tells.
        bare: devices of which no part is told.
        hint: how the part of those could be told, for the reason of an unknown share.
    """

    devices: Fraction = Fraction(0)
    memory: Fraction = Fraction(0)
    memory_resource: str = ""
    mib: int | None = None
    bare: Fraction = Fraction(0)
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """What a slicing scheduler wrote down that it gave of one device.

    Attributes:
        device: its id, as the node registers it.
        mib: memory given (MiB).
    """

    device: str
    mib: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorRequest:
    """One way in which a pod asks for accelerators.

    Attributes:
        resource: the extended resource, such as `nvidia.com/gpu` or `nvidia.com/mig-1g.10gb`; for
            other ways of asking a name in the same style (`annotation:gpu-fraction`,
            `claim:NAME`, `env:NVIDIA_VISIBLE_DEVICES`).
        count: units of that resource, or why they cannot be told.
        slice: parts of devices that it asks for; None: whole units.
        allotted: what a slicing scheduler gave, in its own words; counts on nodes whose devices it
            registers.
        groups: shared devices that it sits on, by the scheduler's own ids.
        claim: name of the ResourceClaim, in the pod's namespace, that allocates the devices.
        claim_requests: requests of that claim that are meant; empty: all.
        stands_in: holds devices in place of other pods, which pay for them.
    """

    resource: str
    count: Fraction | Unknown
    slice: Slice | None = None
    allotted: tuple[Allotment, ...] = ()
    groups: tuple[str, ...] = ()
    claim: str = ""
    claim_requests: tuple[str, ...] = ()
    stands_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFacts:
    """What a ResourceClaim allocates.

    Attributes:
        uid: of the claim; pods that hold it share what it allocates.
        devices: physical devices by the claim's request (its name), or why that cannot be told.
    """

    uid: str
    devices: Mapping[str, Fraction | Unknown]


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
        until_low: where that is estimated, the earliest moment; else None.
        until_high: likewise the latest.
        until_witness: what told it (`observed`, `lease`, `event:RemovingNode`, `heartbeat`).
        off: its machine is taken for gone while the node is still listed: it may come back.
        returned: how often it did.
        opencost_price: what OpenCost said last that the node costs an hour, unparsed; None where
            it said nothing, or is not asked.
        capacity: the highest number of units ever seen of each accelerator resource, as text.
        registered: memory (MiB, as text) of the devices that a slicing scheduler registers on it,
            by their ids.
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
    until_low: Ms | None = None
    until_high: Ms | None = None
    until_witness: str = "observed"
    off: bool = False
    returned: int = 0
    opencost_price: str | None = None
    capacity: Mapping[str, str] = field(default_factory=dict)
    registered: Mapping[str, str] = field(default_factory=dict)
