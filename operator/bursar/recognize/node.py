"""What a node says of its accelerators, its place and its price, read once into `NodeFacts`.

Decided from labels, annotations, capacity and the bundled tables. The number of physical devices,
the denominator of every share, is the table's count for the instance type, else the count on the
labels, else that of the devices that a slicing scheduler registers, else what the highest capacity
ever seen stands for, else what ResourceSlices publish; never `allocatable`, which shrinks when a
device breaks. It must never guess a model or a count: both may be unknown.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from bursar.domain.fields import mapping, text, texts
from bursar.domain.quantity import parse_quantity
from bursar.domain.time import parse_time
from bursar.domain.unknown import Unknown
from bursar.domain.workload import NodeFacts
from bursar.recognize import resources
from bursar.recognize.claims import Device, of_node
from bursar.recognize.labels import (
    accelerator_name,
    amd_partitions,
    labelled_count,
    labelled_memory_mib,
    mig_profile,
    partitions_of_mode,
    sharing,
)
from bursar.recognize.place import (
    capacity_type,
    infrastructure,
    instance_type,
    provider,
    region,
    zone,
)
from bursar.recognize.tables import UNKNOWN_ACCELERATOR, AcceleratorTables

HOURLY_PRICE = "bursar.dev/hourly-price"
"""Annotation of a node with its own price an hour."""

HAMI_PREFIX = "hami.io/node-"
"""Prefix of the annotations by which HAMi registers a node's devices."""

REGISTERS = (HAMI_PREFIX, "volcano.sh/node-")
"""Prefixes of annotations of schedulers that slice devices: `…-VENDOR-register` or the reverse."""
_MOST_WRITTEN = 256 * 1024
_MOST_DEVICES = 256

HAMI = "hami"
"""Value of `NodeFacts.sharing` where HAMi slices the devices."""


def node_facts(
    node: Mapping[str, Any],
    tables: AcceleratorTables,
    capacity_seen: Mapping[str, Fraction] | None = None,
    published: Iterable[Device] = (),
) -> NodeFacts:
    """Everything that recognition, pricing and metering need of a node.

    Args:
        node: the object as the API writes it.
        tables: the bundled device tables.
        capacity_seen: the highest capacity ever seen of each accelerator resource of this node
            (uid), as `capacity` gives it; the node's present capacity counts in any case.
        published: devices of the node that ResourceSlices describe.

    Returns:
        The facts; blank text, `unknown` or `Unknown` stand where the node does not tell.
    """
    metadata = mapping(node, "metadata")
    labels = texts(metadata, "labels")
    annotations = texts(metadata, "annotations")
    provider_id = text(mapping(node, "spec"), "providerID")
    model = accelerator_name(labels, tables)
    how, replicas = sharing(labels)
    if any(key.startswith(HAMI_PREFIX) for key in annotations):
        how = HAMI
    listed = tables.instances.get(instance_type(labels), ("", None))[1]
    fraction = listed if listed is not None and listed < 1 else Fraction(1)
    seen = higher(capacity_seen or {}, capacity(node, tables.further))
    registered = dict(_registered(annotations))
    facts = NodeFacts(
        uid=text(metadata, "uid"),
        name=text(metadata, "name"),
        labels=labels,
        instance_type=instance_type(labels),
        region=region(labels),
        zone=zone(labels),
        provider=provider(labels, provider_id),
        capacity_type=capacity_type(labels),
        infrastructure=infrastructure(labels, provider_id),
        accelerator=model,
        memory_mib=_memory(labels, model, fraction, tables),
        devices=_devices(listed, labels, seen, (how, replicas), len(registered)),
        device_fraction=fraction,
        replicas=replicas,
        sharing=how,
        mig_strategy=_mig_strategy(labels),
        hourly_price=annotations.get(HOURLY_PRICE),
        created=parse_time(metadata.get("creationTimestamp")) or 0,
        capacity={name: str(units) for name, units in sorted(seen.items())},
        registered=registered,
    )
    return _by_slices(facts, published, tables)


def _by_slices(
    facts: NodeFacts, published: Iterable[Device], tables: AcceleratorTables
) -> NodeFacts:
    """Fill in from ResourceSlices what nothing else tells."""
    devices, model = of_node(tuple(published), tables)
    if isinstance(facts.devices, Unknown) and devices is not None:
        facts = replace(facts, devices=devices)
    if facts.accelerator == UNKNOWN_ACCELERATOR and model != UNKNOWN_ACCELERATOR:
        memory = facts.memory_mib or tables.accelerators[model].memory_mib
        facts = replace(facts, accelerator=model, memory_mib=memory)
    return facts


def _registered(annotations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Memory (MiB) of the devices that slicing schedulers register on the node, by id.

    As JSON, or as `ID,COUNT,MiB,…:` a device (HAMi before 2.5, Volcano).
    """
    for key in sorted(annotations):
        if not key.startswith(REGISTERS) or "-register" not in key:
            continue
        written = annotations[key][:_MOST_WRITTEN]
        for device, memory in (_as_json(written) or _as_text(written))[:_MOST_DEVICES]:
            size = parse_quantity(memory)
            if device and isinstance(size, Fraction) and size > 0:
                yield device, str(size)


def _as_json(written: str) -> list[tuple[str, object]]:
    try:
        entries = json.loads(written)
    except (ValueError, RecursionError):
        return []
    entries = entries if isinstance(entries, list) else []
    return [(text(each, "id"), each.get("devmem")) for each in entries if isinstance(each, Mapping)]


def _as_text(written: str) -> list[tuple[str, object]]:
    entries = (entry.split(",") for entry in written.split(":"))
    return [(fields[0].strip(), fields[2]) for fields in entries if len(fields) > 2]


def capacity(node: Mapping[str, Any], further: frozenset[str] = frozenset()) -> dict[str, Fraction]:
    """The accelerator resources of a node's capacity, those that are positive whole numbers.

    Args:
        node: the object as the API writes it.
        further: resource names that the installation says are accelerators, too.
    """
    found = {}
    for name, value in mapping(mapping(node, "status"), "capacity").items():
        if resources.is_accelerator(name, further):
            count = parse_quantity(value)
            if isinstance(count, Fraction) and count > 0 and count.denominator == 1:
                found[name] = count
    return found


def higher(one: Mapping[str, Fraction], two: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """The higher capacity of each resource: what to keep for a node's uid while watching it."""
    return {
        name: max(one.get(name, Fraction(0)), two.get(name, Fraction(0)))
        for name in one.keys() | two.keys()
    }


def _devices(
    listed: Fraction | None,
    labels: Mapping[str, str],
    seen: Mapping[str, Fraction],
    shared: tuple[str, int],
    registered: int,
) -> Fraction | Unknown:
    """Physical devices: by table, labels, a slicing scheduler, or the highest capacity seen."""
    if listed is not None:
        return max(listed, Fraction(1))
    labelled = labelled_count(labels)
    if labelled is not None or registered:
        return Fraction(labelled or registered)
    counts = {
        name: _devices_of(name, units, labels, shared)
        for name, units in seen.items()
        if _tells(name)
    }
    if not counts:
        return Unknown("no table, label, capacity or slice tells how many devices the node has")
    # A device stands under several names at once (Neuron's two), never as the sum of them.
    told = [count for count in counts.values() if count is not None]
    if len(told) < len(counts):
        unclear = ", ".join(sorted(name for name, count in counts.items() if count is None))[:200]
        return Unknown(f"capacity of {unclear} does not tell how many devices the node has")
    return max(told)


_SILENT = (
    resources.Unit.NOTHING,
    resources.Unit.CORE,
    resources.Unit.CHIP_CORE,
    resources.Unit.PART,
)


def _tells(name: str) -> bool:
    """Whether a resource's capacity stands for devices at all."""
    role = resources.role(name)
    if role is not None and role.kind is resources.Kind.CORES and not role.slicing.count:
        return True
    known = resources.resource(name)
    return known is None or known.unit not in _SILENT


def _devices_of(
    name: str, units: Fraction, labels: Mapping[str, str], shared: tuple[str, int]
) -> Fraction | None:
    """The devices that so many units of a resource stand for; None where nobody can tell."""
    known = resources.resource(name)
    unit = known.unit if known is not None else resources.Unit.DEVICE  # named by the installation
    how, replicas = shared
    parts: int | None = None
    if unit in (resources.Unit.DEVICE, resources.Unit.COUNT):
        parts = 1
    elif unit is resources.Unit.PART:
        parts = 100  # hundredths of the compute, whatever the memory
    elif unit is resources.Unit.AMD_GPU:
        parts = amd_partitions(labels) if how != HAMI else None
    elif unit is resources.Unit.AMD_PARTITION:
        parts = partitions_of_mode(name.partition("/")[2], labels)
    elif unit is resources.Unit.GPU_REPLICA:
        parts = replicas if replicas > 1 else None
    elif unit is resources.Unit.GPU and how != HAMI and mig_profile(labels) is None:
        parts = replicas
    whole = units / parts if parts else None
    return whole if whole is not None and whole.denominator == 1 else None


def _memory(
    labels: Mapping[str, str], model: str, fraction: Fraction, tables: AcceleratorTables
) -> int | None:
    """Memory of one device (MiB): the node's own figure, else the table's."""
    labelled = labelled_memory_mib(labels)
    if labelled is not None:
        return labelled
    known = tables.accelerators.get(model)
    if known is None or known.memory_mib is None:
        return None
    return int(known.memory_mib * fraction)


def _mig_strategy(labels: Mapping[str, str]) -> str:
    strategy = labels.get("nvidia.com/mig.strategy", "")
    if not strategy and mig_profile(labels) is not None:
        return "single"
    return strategy
