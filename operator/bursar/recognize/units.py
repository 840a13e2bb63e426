"""What a unit of an accelerator resource can be, and how resources together name a part of one.

Decides nothing: these are the forms that the table in `families` is written in.
"""

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What one unit of a resource is."""

    GPU = "a GPU, or what the node's labels say that it is split into"
    GPU_REPLICA = "a replica of a time-sliced or MPS-shared GPU"
    MIG_SLICE = "a MIG instance, by the model's own table of slices"
    AMD_GPU = "a GPU, or a partition of it where the node's label says so"
    AMD_PARTITION = "a partition whose mode stands in the name"
    DEVICE = "a whole device"
    CORE = "a core of a device, by the model's number of cores"
    EVEN_PART = "one of the parts that the node's capacity offers, spread evenly over its devices"
    CHIP_CORE = "a core of a chip, by the node's capacity or its label of the chip"
    GIGABYTES = "a slice of memory whose gigabytes stand in the name"
    PART = "a part of a device, told by the resources of its scheduler together"
    COUNT = "a device of the node, told in its capacity and asked for by nobody"
    NOTHING = "a view that holds no device"
    UNTOLD = "a part of a device that the name and the node's labels do not tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource name, or a family of them.

    Attributes:
        name: regular expression of the name after the slash, matched whole.
        unit: what one unit is.
        reason: why the share is unknown, where `unit` is `UNTOLD`, and what would tell.
    """

    name: str
    unit: Unit
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slicing:
    """Resources of one scheduler that together name parts of devices.

    Where the memory is told the share is that of the memory, else that of the compute: schedulers
    fit both, so that either adds up to at most one device.

    Attributes:
        scheduler: who slices, for people.
        count: name, after the slash, of the number of devices of which a part is meant; blank where
            the other resources name totals. `{chip}` stands for a chip's name.
        memory: name of the memory.
        mib: MiB of one unit of it; None where only the node's capacity tells.
        percent: name of the hundredths of the memory.
        cores: regular expression of the names of the hundredths of the compute.
        cores_tell: whether the compute alone tells the share; else a scheduler's default of memory
            does, which the pod does not name.
        chip: regular expression of what `{chip}` stands for.
        allocated: words of the annotations in which the scheduler writes what it gave.
    """

    scheduler: str
    count: str = ""
    memory: str = ""
    mib: int | None = None
    percent: str = ""
    cores: str = ""
    cores_tell: bool = False
    chip: str = ""
    allocated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The accelerator resources under one domain.

    Attributes:
        domain: the part before the slash.
        vendor: the devices' vendor in lower case, empty where several share the domain.
        starts: how the names of accelerators begin; `""` for all names of the domain.
        resources: those whose unit is known, the first match decides.
        slicings: resources that name parts of devices together; a count alone that `resources`
            knows is what that says.
        reason: why the share of any other name of the family is unknown.
    """

    domain: str
    vendor: str
    starts: tuple[str, ...]
    reason: str
    resources: tuple[Resource, ...] = ()
    slicings: tuple[Slicing, ...] = ()
