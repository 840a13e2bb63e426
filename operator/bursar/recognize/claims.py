"""What claims of Dynamic Resource Allocation allocate, and what ResourceSlices say of a node.

Decided from `ResourceClaim.status.allocation`, the ResourceSlices' devices and the bundled MIG
tables (resource.k8s.io/v1; v1beta1's `basic` wrapper is read, too). It must never count what an
administrator only looks at, a channel that is no device, or a driver whose devices nobody knows.

Sources of drivers and attributes: the documentation of NVIDIA's k8s-dra-driver-gpu and of ROCm's
k8s-gpu-dra-driver; the others publish a device for each accelerator.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from bursar.domain.fields import mapping, text
from bursar.domain.quantity import parse_quantity
from bursar.domain.unknown import Unknown
from bursar.recognize.labels import partitions_of_mode
from bursar.recognize.mig import slice_share
from bursar.recognize.tables import UNKNOWN_ACCELERATOR, AcceleratorTables

Share = Fraction | Unknown
Key = tuple[str, str, str]
"""A device's driver, pool and name."""

NVIDIA, AMD = "gpu.nvidia.com", "gpu.amd.com"
DRIVERS = (
    NVIDIA,
    AMD,
    "gpu.intel.com",
    "gaudi.intel.com",
    "npu.intel.com",
    "neuron.aws.com",
    "tpu.google.com",
    "npu.furiosa.ai",
    "npu.rebellions.ai",
)
"""Drivers whose devices are accelerators."""

NO_ACCELERATORS = (
    "compute-domain.nvidia.com",
    "dra.net",
    "dra.cpu",
    "dra.memory",
    "sriovnetwork.k8snetworkplumbingwg.io",
    "cni.dra.networking.x-k8s.io",
)
"""Drivers whose devices are none: NVLink channels, network cards, processors, memory."""

_MODELS = {NVIDIA: "product", AMD: "amd", "gpu.intel.com": "intel"}
_PARENT = "resource.kubernetes.io/pciBusID"
_MOST = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device as a ResourceSlice describes it.

    Attributes:
        node: name of the node that has it; blank for one that several nodes reach.
        attributes: by their names without the driver's domain; those of others keep theirs.
        capacity: by name, likewise.
    """

    key: Key
    node: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    capacity: Mapping[str, Fraction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocated:
    """One device that a claim allocates.

    Attributes:
        request: the claim's request that it serves.
        looks_on: an administrator's access beside whoever holds the device.
        consumed: what of the device's capacity is taken; empty: all of it.
    """

    request: str
    key: Key
    looks_on: bool = False
    consumed: Mapping[str, Share] = field(default_factory=dict)


def devices(slice_: Mapping[str, Any]) -> tuple[Device, ...]:
    """The devices of a ResourceSlice."""
    spec = mapping(slice_, "spec")
    driver, pool = text(spec, "driver"), text(mapping(spec, "pool"), "name")
    return tuple(
        Device(
            key=(driver, pool, text(entry, "name")),
            node=text(spec, "nodeName"),
            attributes=dict(_attributes(mapping(_body(entry), "attributes"), driver)),
            capacity=dict(_capacity(mapping(_body(entry), "capacity"), driver)),
        )
        for entry in _list(spec, "devices")[:_MOST]
        if text(entry, "name")
    )


def allocated(claim: Mapping[str, Any]) -> tuple[Allocated, ...] | None:
    """The devices that a claim allocates; None where it allocates nothing yet, or no more."""
    allocation = mapping(claim, "status").get("allocation")
    if not isinstance(allocation, Mapping):
        return None
    return tuple(
        Allocated(
            request=text(entry, "request").partition("/")[0],  # what follows is a subrequest
            key=(text(entry, "driver"), text(entry, "pool"), text(entry, "device")),
            looks_on=entry.get("adminAccess") is True,
            consumed={
                str(name).rpartition("/")[2]: parse_quantity(value)
                for name, value in mapping(entry, "consumedCapacity").items()
            },
        )
        for entry in _list(mapping(allocation, "devices"), "results")[:_MOST]
    )


def held_by(
    results: Iterable[Allocated], known: Mapping[Key, Device], tables: AcceleratorTables
) -> dict[str, Share]:
    """Physical devices that a claim allocates, by its requests' names.

    Args:
        results: what it allocates.
        known: all devices that any ResourceSlice has described.
        tables: the bundled device tables.
    """
    held: dict[str, Share] = {}
    for each in results:
        before = held.get(each.request, Fraction(0))
        part = _share(each, known.get(each.key), tables)
        if isinstance(before, Fraction):
            held[each.request] = part if isinstance(part, Unknown) else before + part
    return held


def _share(each: Allocated, device: Device | None, tables: AcceleratorTables) -> Share:
    driver = each.key[0]
    if each.looks_on or driver in NO_ACCELERATORS:
        return Fraction(0)
    if driver not in DRIVERS:
        return Unknown(
            f"driver {driver[:63]}: whether its devices are accelerators, and what part of one"
            " each is, is not known"
        )
    if device is None:
        return Unknown(f"no ResourceSlice has described the device {'/'.join(each.key)[:190]}")
    whole = _of_physical(device, tables)
    if isinstance(whole, Unknown) or not each.consumed:
        return whole
    taken = _taken(each, device)
    return taken if isinstance(taken, Unknown) else whole * taken


def _taken(each: Allocated, device: Device) -> Share:
    """The part of a device's capacity that is taken: of its memory, else the mean of all."""
    fractions: dict[str, Fraction] = {}
    for name, amount in each.consumed.items():
        whole = device.capacity.get(name)
        if isinstance(amount, Unknown) or not whole or not 0 <= amount <= whole:
            why = f"device {device.key[2][:63]}: takes a part of its {name[:63]} that it has not"
            return Unknown(why)
        fractions[name] = amount / whole
    if "memory" in fractions:
        return fractions["memory"]
    return sum(fractions.values(), start=Fraction(0)) / len(fractions)


def _of_physical(device: Device, tables: AcceleratorTables) -> Share:
    """The part of a physical device that a device of a driver is."""
    driver = device.key[0]
    if driver == NVIDIA and device.attributes.get("type") == "mig":
        return slice_share(device.attributes.get("profile", ""), model(device, tables), tables)
    if driver == AMD and "computePartition" not in device.attributes:
        # With `computePartition` the driver cuts a whole GPU when somebody takes a part of it.
        mode = device.attributes.get("partitionProfile", "spx")
        product = {"amd.com/gpu.product-name": device.attributes.get("productName", "")}
        partitions = partitions_of_mode(mode, product)
        if partitions is None:
            return Unknown(f"{mode[:63]}: how many partitions the GPU has is not known")
        return Fraction(1, partitions)
    return Fraction(1)


def model(device: Device, tables: AcceleratorTables) -> str:
    """The canonical name of a device's model, `unknown` where its product is not known."""
    driver = device.key[0]
    product = device.attributes.get("productName") or device.attributes.get("model", "")
    written = product.replace(" ", "_" if driver == AMD else "-")
    kind = _MODELS.get(driver, "product")
    names = tables.aliases.get((kind, written.removeprefix("AMD_").casefold()), ())
    return names[0] if len(names) == 1 else UNKNOWN_ACCELERATOR


def of_node(found: Iterable[Device], tables: AcceleratorTables) -> tuple[Fraction | None, str]:
    """What ResourceSlices say of a node: its physical devices, and their model.

    Returns:
        None and `unknown` where they do not tell.
    """
    shares: defaultdict[str, Fraction] = defaultdict(Fraction)
    models: set[str] = set()
    for device in found:
        if device.key[0] not in DRIVERS:
            continue
        part = _of_physical(device, tables)
        if isinstance(part, Unknown):
            part = Fraction(0)
        shares[_physical(device)] += part
        models.add(model(device, tables))
    name = models.pop() if len(models) == 1 else UNKNOWN_ACCELERATOR
    if not shares:
        return None, name
    if all(_names_itself(device) for device in found if device.key[0] in DRIVERS):
        return Fraction(len(shares)), name
    whole = sum(shares.values(), start=Fraction(0))
    return (whole if whole and whole.denominator == 1 else None), name


def _physical(device: Device) -> str:
    """What stands for the physical device: all parts of one have the same."""
    attributes = device.attributes
    parent = attributes.get("parentUUID") or attributes.get("uuid") or attributes.get(_PARENT)
    return parent or attributes.get("pciAddr") or "/".join(device.key)


def _names_itself(device: Device) -> bool:
    """Whether the parts of one physical device can be told to be such."""
    whole = device.key[0] != AMD or device.attributes.get("partitionProfile", "spx")[:3] == "spx"
    return whole or _physical(device) != "/".join(device.key)


def _attributes(found: Mapping[Any, Any], driver: str) -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        if isinstance(name, str) and isinstance(value, Mapping):
            said = next((each for each in value.values() if isinstance(each, str | int)), None)
            if said is not None:
                yield name.removeprefix(driver + "/"), str(said)[:253]


def _capacity(found: Mapping[Any, Any], driver: str) -> Iterator[tuple[str, Fraction]]:
    for name, entry in found.items():
        amount = parse_quantity(entry.get("value") if isinstance(entry, Mapping) else entry)
        if isinstance(name, str) and isinstance(amount, Fraction):
            yield name.removeprefix(driver + "/"), amount


def _body(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(entry, "basic") or entry


def _list(holder: object, key: str) -> list[Mapping[str, Any]]:
    value = holder.get(key) if isinstance(holder, Mapping) else None
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
