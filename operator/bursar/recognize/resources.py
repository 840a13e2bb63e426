"""What a resource's name says, looked up in the table of `families`.

The admission policies' "uses an accelerator" expression is compiled from the same table
(`NAME_PATTERN`, `ANNOTATIONS`, `VISIBLE_DEVICES_ENV`), so that what is stamped, refused and metered
cannot drift apart.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from bursar.recognize.families import FAMILIES
from bursar.recognize.units import Family, Resource, Slicing, Unit

__all__ = ["FAMILIES", "Family", "Resource", "Slicing", "Unit"]

FRACTION, MEMORY, DEVICES = "gpu-fraction", "gpu-memory", "gpu-fraction-num-devices"
ANNOTATIONS: tuple[str, ...] = (FRACTION, MEMORY, DEVICES)
"""Pod annotations with which KAI and Run:ai are asked for a part of a GPU."""

GROUP_LABEL = "runai-gpu-group"
"""Label of a pod with the shared GPU that KAI or Run:ai put it on; `GROUP_LABEL/ID` for several."""

VISIBLE_DEVICES_ENV = "NVIDIA_VISIBLE_DEVICES"
"""Environment variable by which the NVIDIA runtime hands out devices past the scheduler."""

NO_DEVICES: tuple[str, ...] = ("", "none", "void")
"""Values of that variable that hand out nothing."""

RESERVATION_NAMESPACES: tuple[str, ...] = ("kai-resource-reservation", "runai-reservation")
"""Where KAI's and Run:ai's place holders run, each for the fractional pods on one GPU."""


def _family_pattern(family: Family) -> str:
    starts = "" if "" in family.starts else "(" + "|".join(map(re.escape, family.starts)) + ")"
    # re.escape escapes "-", which RE2 takes as well, but which makes the policies dearer to run.
    return (re.escape(family.domain) + "/" + starts).replace(r"\-", "-")


NAME_PATTERN: str = "^(" + "|".join(map(_family_pattern, FAMILIES)) + ")"
"""RE2 expression (CEL's `matches`, and Python's `re.match`) of every accelerator resource name."""

_NAME = re.compile(NAME_PATTERN)
_BY_DOMAIN = {family.domain: family for family in FAMILIES}
_COMPILED = {
    family.domain: tuple((re.compile(resource.name), resource) for resource in family.resources)
    for family in FAMILIES
}
MAX_NAME = 253 + 1 + 63
"""Longest legal resource name: a DNS subdomain, a slash and a label."""


class Kind(StrEnum):
    """What a resource of a slicing scheduler names."""

    COUNT = "devices"
    MEMORY = "memory"
    PERCENT = "hundredths of the memory"
    CORES = "hundredths of the compute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """The part that a resource plays among those of its slicing scheduler.

    Attributes:
        lead: name of the resource under which their parts are added up.
        memory_resource: whole name of the memory's resource.
        allocated: annotations in which the scheduler writes what it gave.
    """

    slicing: Slicing
    kind: Kind
    lead: str
    memory_resource: str
    allocated: tuple[str, ...]


def _plain(name: str) -> str:
    """A name as a regular expression; the table writes some of them as plain names."""
    return name if "\\" in name or "(" in name else re.escape(name).replace(r"\{chip\}", "{chip}")


def _compiled(family: Family) -> tuple[tuple[re.Pattern[str], Slicing, Kind], ...]:
    found = []
    for slicing in family.slicings:
        names = {
            Kind.COUNT: slicing.count,
            Kind.MEMORY: slicing.memory,
            Kind.PERCENT: slicing.percent,
            Kind.CORES: slicing.cores,
        }
        for kind, name in names.items():
            if name:
                pattern = _plain(name).replace("{chip}", f"(?P<chip>{slicing.chip})")
                found.append((re.compile(pattern), slicing, kind))
    return tuple(found)


_SLICINGS = {family.domain: _compiled(family) for family in FAMILIES if family.slicings}


@lru_cache(maxsize=4096)
def role(name: str) -> Role | None:
    """What a resource names for its slicing scheduler; None where it is none of those."""
    domain, _, rest = name.partition("/")
    for pattern, slicing, kind in _SLICINGS.get(domain, ()):
        found = pattern.fullmatch(rest)
        if found is None:
            continue
        chip = found["chip"] if slicing.chip else ""
        lead = slicing.count or slicing.memory
        return Role(
            slicing=slicing,
            kind=kind,
            lead=f"{domain}/{lead}".replace("{chip}", chip),
            memory_resource=f"{domain}/{slicing.memory}".replace("{chip}", chip),
            allocated=tuple(each.replace("{chip}", chip) for each in slicing.allocated),
        )
    return None


def is_accelerator(name: object, further: Collection[str] = ()) -> bool:
    """Whether a resource name is one of an accelerator.

    Args:
        name: of the resource.
        further: names that the installation says are accelerators, too.
    """
    if not isinstance(name, str) or len(name) > MAX_NAME:
        return False
    return _NAME.match(name) is not None or name in further


def resource(name: str, further: Collection[str] = ()) -> Resource | None:
    """What one unit of a named resource is; None where it is no accelerator.

    What the installation names further is a whole device, unless the table knows better.
    """
    if not is_accelerator(name, further):
        return None
    whole = Resource(name=re.escape(name), unit=Unit.DEVICE) if name in further else None
    domain, _, rest = name.partition("/")
    for pattern, known in _COMPILED.get(domain, ()):
        if pattern.fullmatch(rest):
            return whole if whole and known.unit is Unit.EVEN_PART else known
    if role(name) is not None:
        return Resource(name=re.escape(rest), unit=Unit.PART)
    if whole is not None:
        return whole
    return Resource(name=re.escape(rest), unit=Unit.UNTOLD, reason=_BY_DOMAIN[domain].reason)


def vendor(name: str) -> str:
    """The vendor of a resource's devices in lower case, empty where the name does not tell."""
    family = _BY_DOMAIN.get(name.partition("/")[0])
    return family.vendor if family is not None else ""
