"""How many devices of its node a request holds.

Decided from the request, the node's facts and the bundled MIG tables. A share is an exact
fraction of physical devices, so that what all pods of a node hold never exceeds what it has;
where the request or the node does not tell, it is `Unknown` with its reason, and never one device.
"""

import re
from fractions import Fraction

from bursar.domain.unknown import Unknown
from bursar.domain.workload import AcceleratorRequest, NodeFacts
from bursar.recognize import labels, resources
from bursar.recognize.node import HAMI
from bursar.recognize.resources import Unit
from bursar.recognize.tables import UNKNOWN_ACCELERATOR, AcceleratorTables

Share = Fraction | Unknown

_HAMI_SLICES = Unknown("HAMi slices this node's devices, and its allocation is not read yet")
_MIG_NAME = re.compile(r"nvidia\.com/mig-(?P<profile>.+?)(?P<renamed>\.shared)?")

_PROFILE = re.compile(r"(?P<slices>\d+g\.\d+gb)(?:[.+-](?:me|gfx|me\.all))?")


def share(request: AcceleratorRequest, node: NodeFacts, tables: AcceleratorTables) -> Share:
    """Devices of the node that a request holds.

    Args:
        request: what the pod asks for.
        node: the node it is bound to.
        tables: the bundled device tables.

    Returns:
        Devices, where 1 is one physical device of the node (of a fractional instance: the fraction
        that it has); zero for resources that hold none.
    """
    if isinstance(request.count, Unknown):
        return request.count
    known = resources.resource(request.resource)
    if known is None:
        return Unknown(f"{request.resource} is no known accelerator resource")
    one = _one(request.resource, known, node, tables)
    return one if isinstance(one, Unknown) else request.count * one


def _one(name: str, known: resources.Resource, node: NodeFacts, tables: AcceleratorTables) -> Share:
    """Devices that one unit of a resource holds."""
    match known.unit:
        case Unit.DEVICE:
            return Fraction(1)
        case Unit.NOTHING:
            return Fraction(0)
        case Unit.GPU:
            return _gpu(node, tables)
        case Unit.GPU_REPLICA:
            return _replica(node)
        case Unit.MIG_SLICE:
            return _mig_slice(name, node, tables)
        case Unit.AMD_GPU:
            return _amd_gpu(node)
        case Unit.AMD_PARTITION:
            return _amd(name.partition("/")[2], node)
        case Unit.CORE:
            return _core(node, tables)
        case Unit.UNTOLD:
            return Unknown(f"{name}: {known.reason}")


def _gpu(node: NodeFacts, tables: AcceleratorTables) -> Share:
    if node.sharing == HAMI:
        return _HAMI_SLICES
    if node.sharing == labels.UNCLEAR:
        return Unknown("the node shares its devices, and no label says among how many")
    profile = labels.mig_profile(node.labels)
    if profile is None:
        return Fraction(1, node.replicas)
    one = _slice(profile, node, tables)
    return one if isinstance(one, Unknown) else one / node.replicas


def _replica(node: NodeFacts) -> Share:
    told = labels.whole_number(node.labels.get("nvidia.com/gpu.shared.replicas"))
    replicas = told or (node.replicas if node.replicas > 1 else None)
    if not replicas:
        return Unknown("the node shares its devices, and no label says among how many")
    return Fraction(1, replicas)


def _mig_slice(name: str, node: NodeFacts, tables: AcceleratorTables) -> Share:
    found = _MIG_NAME.fullmatch(name)
    profile = found["profile"] if found else ""
    replicas = labels.profile_replicas(node.labels, profile)
    if found and found["renamed"] and not replicas:
        return Unknown(f"{name}: shared, and no label says among how many")
    one = _slice(profile, node, tables)
    return one if isinstance(one, Unknown) else one / max(replicas or 1, 1)


def _slice(profile: str, node: NodeFacts, tables: AcceleratorTables) -> Share:
    if node.accelerator == UNKNOWN_ACCELERATOR:
        return Unknown(f"MIG profile {profile}: the node's model of GPU is not known")
    written = _PROFILE.fullmatch(profile)
    # Media engines and graphics change nothing of the slices, and are spelled in several ways.
    known = tables.mig_profiles.get((node.accelerator, written["slices"])) if written else None
    if known is not None:
        return known.share
    return Unknown(f"MIG profile {profile} is not one of the {node.accelerator}'s")


def _amd_gpu(node: NodeFacts) -> Share:
    if node.sharing == HAMI:
        return _HAMI_SLICES
    return _amd(node.labels.get(labels.AMD_PARTITION, "spx"), node)


def _amd(mode: str, node: NodeFacts) -> Share:
    partitions = labels.partitions_of_mode(mode, node.labels)
    if partitions is None:
        return Unknown(f"{mode}: how many partitions the GPU has in this mode is not known")
    return Fraction(1, partitions)


def _core(node: NodeFacts, tables: AcceleratorTables) -> Share:
    known = tables.accelerators.get(node.accelerator)
    if known is None or known.cores_per_device is None:
        return Unknown("how many cores a device of this node has is not known")
    return Fraction(1, known.cores_per_device)
