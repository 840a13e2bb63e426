"""Folds what a slicing scheduler's resources name together into parts of devices.

Decided container by container, since a container's memory is that of each of its devices, and added
up over the pod by the same rule as whole devices. It must never take a part that is not told for a
whole device, or for none.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from bursar.domain.quantity import parse_quantity
from bursar.domain.unknown import Unknown
from bursar.domain.workload import AcceleratorRequest, Allotment, Slice
from bursar.recognize import resources
from bursar.recognize.resources import Kind, Role

Count = Fraction | Unknown
Totals = dict[str, Count]

_DEVICES, _MEMORY, _TOLD, _UNTOLD = " devices", " memory", " told", " untold"
"""Added to a resource's name (which has no blank) for what of it is added up apart."""

_MOST_DEVICES = 64
_MOST_WRITTEN = 64 * 1024
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}")


def fold(asked: Mapping[str, Count]) -> Totals:
    """What one container asks for, with the parts of devices as totals of their own."""
    groups: defaultdict[str, dict[Kind, tuple[Role, Count]]] = defaultdict(dict)
    folded: Totals = {}
    for name, count in asked.items():
        role = resources.role(name)
        if role is None:
            folded[name] = count
        elif count != 0:
            known = groups[role.lead].get(role.kind)
            groups[role.lead][role.kind] = (role, _sum(known[1], count) if known else count)
    for lead, group in groups.items():
        folded.update(_group(lead, group))
    return folded


def _group(lead: str, group: Mapping[Kind, tuple[Role, Count]]) -> Totals:
    told = {kind: count for kind, (_, count) in group.items()}
    wrong = next((count for count in told.values() if isinstance(count, Unknown)), None)
    if wrong is not None:
        return {lead: wrong}
    amounts = {kind: count for kind, count in told.items() if isinstance(count, Fraction)}
    slicing = next(iter(group.values()))[0].slicing
    if not slicing.count:
        return _totals(lead, amounts, Fraction(1))
    if Kind.COUNT not in amounts:
        return {lead: Unknown(f"{lead}: parts of devices, and no number of them")}
    count = amounts[Kind.COUNT]
    if len(amounts) == 1:
        return {lead: count}  # whole units, unless nothing but parts goes by this name
    if not slicing.cores_tell:
        amounts.pop(Kind.CORES, None)
    return _totals(lead, amounts, count)


def _totals(lead: str, amounts: Mapping[Kind, Fraction], devices: Fraction) -> Totals:
    """Parts told by the memory, else by the compute; whole devices by hundreds of the latter."""
    memory, percent, cores = (
        amounts.get(kind, Fraction(0)) for kind in (Kind.MEMORY, Kind.PERCENT, Kind.CORES)
    )
    whole = Kind.COUNT not in amounts and cores >= 100 and cores % 100 == 0
    told = {lead: devices, lead + _TOLD: devices}
    if memory and not whole:
        return {**told, lead + _MEMORY: devices * memory}
    if percent or cores:
        return {**told, lead + _DEVICES: devices * (percent or cores) / 100}
    return {lead: devices, lead + _UNTOLD: devices}


def requests(
    totals: Mapping[str, Count], annotations: Mapping[str, str]
) -> Iterator[AcceleratorRequest]:
    """The requests that a pod's totals are, by name.

    Args:
        totals: as `fold` and the scheduler's rule make them.
        annotations: of the pod: where slicing schedulers write what they gave.
    """
    for name, count in totals.items():
        if " " in name:
            continue
        role = resources.role(name)
        request = AcceleratorRequest(resource=name, count=count)
        if role is not None and isinstance(count, Fraction):
            request = replace(
                request,
                slice=_slice(name, count, role, totals),
                allotted=allotments(annotations, role.allocated),
            )
        yield request


def _slice(name: str, count: Fraction, role: Role, totals: Mapping[str, Count]) -> Slice | None:
    devices, memory, told = (
        value if isinstance(value := totals.get(name + suffix), Fraction) else Fraction(0)
        for suffix in (_DEVICES, _MEMORY, _TOLD)
    )
    known = resources.resource(name)
    named = told or name + _UNTOLD in totals
    if not named and known is not None and known.unit is not resources.Unit.PART:
        return None  # whole units of a resource that others only may make smaller
    where = " or ".join(role.allocated) or "the resource of its memory"
    return Slice(
        devices=devices,
        memory=memory,
        memory_resource=role.memory_resource,
        mib=role.slicing.mib,
        bare=max(count - told, Fraction(0)),
        hint=f"{role.slicing.scheduler} gives a default that the pod does not name: {where} tells",
    )


def allotments(annotations: Mapping[str, str], keys: tuple[str, ...]) -> tuple[Allotment, ...]:
    """What a slicing scheduler wrote that it gave: `ID,TYPE,MiB,CORES:` a device, `;` a container.

    Returns:
        One entry a device and container; empty where nothing legible is written.
    """
    found: list[Allotment] = []
    for key in keys:
        written = annotations.get(key, "")[:_MOST_WRITTEN]
        for entry in re.split(r"[:;]", written):
            fields = entry.strip().split(",")
            if len(fields) < 3:
                continue
            mib = parse_quantity(fields[2])
            if isinstance(mib, Unknown) or mib <= 0 or len(found) >= _MOST_DEVICES:
                return ()
            # A MIG instance is told by its place behind its GPU: `GPU-…[0-3]`.
            found.append(Allotment(device=fields[0].strip().partition("[")[0], mib=mib))
    return tuple(found)


def fractional(
    annotations: Mapping[str, str], labels: Mapping[str, str]
) -> AcceleratorRequest | None:
    """The part of one or several GPUs that KAI or Run:ai is asked for; None where none is."""
    key = next((key for key in resources.ANNOTATIONS if key in annotations), None)
    if key is None:
        return None
    name = f"annotation:{key}"
    devices = parse_quantity(annotations.get(resources.DEVICES, "1"))
    fraction = _decimal(annotations.get(resources.FRACTION))
    memory = _decimal(annotations.get(resources.MEMORY))
    why = None
    if isinstance(devices, Unknown) or devices.denominator != 1 or not 0 < devices <= 1024:
        why = f"{resources.DEVICES} is no number of devices"
    elif key == resources.DEVICES:
        why = f"neither {resources.FRACTION} nor {resources.MEMORY} tells the part of a device"
    elif resources.FRACTION in annotations and resources.MEMORY in annotations:
        why = f"both {resources.FRACTION} and {resources.MEMORY} are given"
    elif key == resources.FRACTION and (fraction is None or not 0 < fraction <= 1):
        why = f"{key}={annotations[key][:40]!r} is no part of a device"
    elif key == resources.MEMORY and (memory is None or memory <= 0):
        why = f"{key}={annotations[key][:40]!r} is no number of MiB"
    if why is not None or not isinstance(devices, Fraction):
        return AcceleratorRequest(resource=name, count=Unknown(f"{name}: {why}"))
    return AcceleratorRequest(
        resource=name,
        count=devices,
        slice=Slice(
            devices=(fraction or Fraction(0)) * devices,
            memory=(memory or Fraction(0)) * devices,
            mib=1,
        ),
        groups=_groups(labels),
    )


def _groups(labels: Mapping[str, str]) -> tuple[str, ...]:
    prefix = resources.GROUP_LABEL + "/"
    several = {key.removeprefix(prefix) for key in labels if key.startswith(prefix)}
    one = labels.get(resources.GROUP_LABEL)
    return tuple(sorted(several or ({one} if one else set())))


def _decimal(text: str | None) -> Fraction | None:
    return Fraction(text) if text is not None and _DECIMAL.fullmatch(text.strip()) else None


def _sum(one: Count, two: Count) -> Count:
    if isinstance(one, Unknown):
        return one
    return two if isinstance(two, Unknown) else one + two
