"""Parts of devices that a slicing scheduler, KAI or Run:ai was asked for, or says that it gave.

Decided from the request and the node's facts. What the scheduler wrote down goes before what the
pod asks for, but only for devices that it registers on the node: the pod's annotations are its
tenant's. It must never count a default that nobody tells.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from bursar.domain.unknown import Unknown
from bursar.domain.usage import Part
from bursar.domain.workload import AcceleratorRequest, NodeFacts, Slice

Share = Fraction | Unknown
ONE = Fraction(1)

CHIP_LABELS = ("node.kubernetes.io/npu.chip.name", "accelerator")
"""Labels by which Huawei's plug-in and Volcano name a node's chip."""

CHIP_CORES = {"910A": 30, "910B2": 24, "910B3": 20, "910B4": 20, "310P": 8, "310P3": 8}
"""AI cores of a chip (HAMi's table of vNPUs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a request holds.

    Attributes:
        devices: physical devices, where 1 is one physical device of the node (of a fractional
            instance: the fraction that it has); zero for what holds none.
        parts: what of it other pods may hold, too.
    """

    devices: Share
    parts: tuple[Part, ...] = ()


def allotted(request: AcceleratorRequest, node: NodeFacts) -> Held:
    """What the scheduler wrote that it gave, by the memory of the devices that it registers."""
    found: dict[str, Fraction] = {}
    for each in request.allotted:
        memory = Fraction(node.registered.get(each.device, "0"))
        if not memory:
            return Held(
                devices=Unknown(
                    f"{request.resource}: given of the device {each.device[:63]}, which the node"
                    " does not register"
                )
            )
        found[each.device] = found.get(each.device, Fraction(0)) + each.mib / memory
    if isinstance(request.count, Fraction) and len(request.allotted) < request.count:
        return Held(
            devices=Unknown(
                f"{request.resource}: asks for {request.count} and its annotation tells of"
                f" {len(request.allotted)}"
            )
        )
    parts = tuple(
        Part(key=f"{node.uid}/device/{device}", devices=share, of=ONE)
        for device, share in sorted(found.items())
    )
    return Held(devices=sum(found.values(), start=Fraction(0)), parts=parts)


def sliced(request: AcceleratorRequest, wanted: Slice, node: NodeFacts) -> Held:
    """What a request for parts of devices holds."""
    if wanted.bare:
        return Held(devices=Unknown(f"{request.resource}: {wanted.hint}"))
    devices = wanted.devices
    if wanted.memory:
        whole = _memory_of_device(wanted, node)
        if isinstance(whole, Unknown):
            return Held(devices=Unknown(f"{request.resource}: {whole.reason}"))
        devices += wanted.memory / whole
    groups = request.groups
    if not groups or len(groups) != request.count:
        return Held(devices=devices)
    parts = tuple(
        Part(key=f"{node.uid}/group/{group}", devices=devices / len(groups), of=ONE)
        for group in groups
    )
    return Held(devices=devices, parts=parts)


def _memory_of_device(wanted: Slice, node: NodeFacts) -> Share:
    """Units of memory of one device: of the node's capacity, else by the size of a unit."""
    offered = even_part(wanted.memory_resource, node)
    if isinstance(offered, Fraction):
        return offered
    if wanted.mib is None:
        return Unknown(f"how much memory a device has in this unit is not known: {offered.reason}")
    sizes = {Fraction(size) for size in node.registered.values()}
    memory = sizes.pop() if len(sizes) == 1 else node.memory_mib
    if not memory:
        return Unknown(
            "how much memory the node's device has is not known: a label such as"
            " nvidia.com/gpu.memory, or a model that the catalog has, would tell"
        )
    return Fraction(memory) / wanted.mib


def even_part(resource: str, node: NodeFacts) -> Share:
    """Units of a resource that one device of the node offers, by the node's capacity."""
    offered = Fraction(node.capacity.get(resource, "0"))
    if isinstance(node.devices, Unknown):
        return Unknown(f"how many devices {resource} is spread over: {node.devices.reason}")
    if not offered or not node.devices:
        return Unknown(f"the node offers no {resource}")
    return offered / node.devices


def one_of_even_parts(resource: str, node: NodeFacts) -> Share:
    """The part of a device that one unit is, where all the node's devices offer alike."""
    units = even_part(resource, node)
    if isinstance(units, Unknown):
        return Unknown(f"{resource}: the plug-in may share a device, and {units.reason}")
    # More devices than units: some are broken, or not offered; never more than a device each.
    return min(ONE, 1 / units)


def gigabytes(resource: str, node: NodeFacts) -> Share:
    """The part of a device that a slice of so many gigabytes is (nos counts 1000 MiB a GB)."""
    size = resource.rpartition("-")[2].removesuffix("gb")
    if not node.memory_mib:
        return Unknown(f"{resource}: how much memory the node's GPU has is not known")
    return Fraction(int(size), math.ceil(Fraction(node.memory_mib, 1000)))


def chip_core(resource: str, node: NodeFacts) -> Share:
    """The part of a chip that one of its cores is."""
    for key in CHIP_LABELS:
        chip = node.labels.get(key, "").removeprefix("huawei-").removeprefix("Ascend")
        if chip in CHIP_CORES:
            return Fraction(1, CHIP_CORES[chip])
    units = even_part(resource, node)
    if isinstance(units, Fraction):
        return min(ONE, 1 / units)
    return Unknown(
        f"{resource}: how many cores the chip has is not known: {CHIP_LABELS[0]} would tell"
    )
