"""How many devices of its node a request holds.

Decided from the request, the node's facts, the claims and the bundled MIG tables. A share is an
exact fraction of physical devices, so that what all pods of a node hold never exceeds what it has;
where the request or the node does not tell, it is `Unknown` with its reason, and never one device.
"""

import re
from collections.abc import Callable
from fractions import Fraction

from bursar.domain.unknown import Unknown
from bursar.domain.usage import Part
from bursar.domain.workload import AcceleratorRequest, ClaimFacts, NodeFacts
from bursar.recognize import labels, resources, sliced
from bursar.recognize.mig import slice_share
from bursar.recognize.node import HAMI
from bursar.recognize.resources import Unit
from bursar.recognize.sliced import Held, Share
from bursar.recognize.tables import AcceleratorTables

__all__ = ["Held", "Share", "held", "share"]

_MIG_NAME = re.compile(r"nvidia\.com/mig-(?P<profile>.+?)(?P<renamed>\.shared)?")
_UNSAID = Unknown("the node shares its devices, and no label says among how many")
_HAMI_SLICES = (
    "HAMi slices this node's devices, and the pod's annotation does not tell what it gave"
)

_BY_CAPACITY = {
    Unit.EVEN_PART: sliced.one_of_even_parts,
    Unit.GIGABYTES: sliced.gigabytes,
    Unit.CHIP_CORE: sliced.chip_core,
}


def held(
    request: AcceleratorRequest,
    node: NodeFacts,
    tables: AcceleratorTables,
    claims: Callable[[str], ClaimFacts | None] = lambda _: None,
) -> Held:
    """What a request holds of a node's devices, and what of it others may hold, too.

    Args:
        request: what the pod asks for.
        node: the node it is bound to.
        tables: the bundled device tables.
        claims: what a claim of the pod's allocates, by its name; None where that is not known.
    """
    if isinstance(request.count, Unknown):
        return Held(devices=request.count)
    if request.stands_in:
        return Held(devices=Fraction(0))
    if request.claim:
        return _claimed(request, claims(request.claim))
    if any(each.device in node.registered for each in request.allotted):
        return sliced.allotted(request, node)
    if request.slice is not None:
        return sliced.sliced(request, request.slice, node)
    one = _one(request.resource, node, tables)
    return Held(devices=one if isinstance(one, Unknown) else request.count * one)


def share(request: AcceleratorRequest, node: NodeFacts, tables: AcceleratorTables) -> Share:
    """Devices of the node that a request holds; zero for resources that hold none."""
    return held(request, node, tables).devices


def _claimed(request: AcceleratorRequest, facts: ClaimFacts | None) -> Held:
    """What a claim allocates: all pods that hold it share it."""
    if facts is None:
        why = f"{request.resource}: what the claim {request.claim[:63]} allocates is not known"
        return Held(devices=Unknown(why))
    devices = Fraction(0)
    for name in request.claim_requests or facts.devices:
        part = facts.devices.get(name, Fraction(0))
        if isinstance(part, Unknown):
            return Held(devices=Unknown(f"{request.resource}: {part.reason}"))
        devices += part
    if not devices:
        return Held(devices=devices)
    key = "/".join(("claim", facts.uid, *request.claim_requests))
    return Held(devices=devices, parts=(Part(key=key, devices=devices, of=devices),))


def _one(name: str, node: NodeFacts, tables: AcceleratorTables) -> Share:
    """Devices that one unit of a resource holds."""
    known = resources.resource(name, tables.further)
    if known is None:
        return Unknown(f"{name} is no known accelerator resource")
    match known.unit:
        case Unit.DEVICE:
            return Fraction(1)
        case Unit.NOTHING | Unit.COUNT:
            return Fraction(0)
        case Unit.GPU | Unit.GPU_REPLICA | Unit.MIG_SLICE:
            return _nvidia(name, known.unit, node, tables)
        case Unit.AMD_GPU | Unit.AMD_PARTITION:
            return _amd(name, known.unit, node)
        case Unit.CORE:
            return _core(node, tables)
        case Unit.EVEN_PART | Unit.GIGABYTES | Unit.CHIP_CORE:
            return _BY_CAPACITY[known.unit](name, node)
        case Unit.PART | Unit.UNTOLD:
            return Unknown(f"{name}: {known.reason or 'how much of a device is not told'}")


def _nvidia(name: str, unit: Unit, node: NodeFacts, tables: AcceleratorTables) -> Share:
    if unit is Unit.GPU:
        return _gpu(node, tables)
    return _replica(node) if unit is Unit.GPU_REPLICA else _mig_slice(name, node, tables)


def _gpu(node: NodeFacts, tables: AcceleratorTables) -> Share:
    if node.sharing == HAMI:
        return Unknown(_HAMI_SLICES)
    if node.sharing == labels.UNCLEAR:
        return _UNSAID
    profile = labels.mig_profile(node.labels)
    if profile is None:
        return Fraction(1, node.replicas)
    one = slice_share(profile, node.accelerator, tables)
    return one if isinstance(one, Unknown) else one / node.replicas


def _replica(node: NodeFacts) -> Share:
    told = labels.whole_number(node.labels.get("nvidia.com/gpu.shared.replicas"))
    replicas = told or (node.replicas if node.replicas > 1 else None)
    return Fraction(1, replicas) if replicas else _UNSAID


def _mig_slice(name: str, node: NodeFacts, tables: AcceleratorTables) -> Share:
    found = _MIG_NAME.fullmatch(name)
    profile = found["profile"] if found else ""
    replicas = labels.profile_replicas(node.labels, profile)
    if found and found["renamed"] and not replicas:
        return Unknown(f"{name}: shared, and no label says among how many")
    one = slice_share(profile, node.accelerator, tables)
    return one if isinstance(one, Unknown) else one / max(replicas or 1, 1)


def _amd(name: str, unit: Unit, node: NodeFacts) -> Share:
    if unit is Unit.AMD_GPU and node.sharing == HAMI:
        return Unknown(_HAMI_SLICES)
    by_label = node.labels.get(labels.AMD_PARTITION, "spx")
    mode = by_label if unit is Unit.AMD_GPU else name.partition("/")[2]
    partitions = labels.partitions_of_mode(mode, node.labels)
    if partitions is None:
        return Unknown(f"{mode}: how many partitions the GPU has in this mode is not known")
    return Fraction(1, partitions)


def _core(node: NodeFacts, tables: AcceleratorTables) -> Share:
    known = tables.accelerators.get(node.accelerator)
    if known is None or known.cores_per_device is None:
        return Unknown("how many cores a device of this node has is not known")
    return Fraction(1, known.cores_per_device)
