"""docs/reference/accelerators.md: every way of asking for accelerators, and the share it tells."""

from __future__ import annotations

from collections.abc import Iterator

from bursar.recognize import resources
from bursar.recognize.claims import DRIVERS, NO_ACCELERATORS
from bursar.recognize.units import Family, Slicing

PATH = "docs/reference/accelerators.md"

HEAD = """# Accelerators that are recognized

Made by `hack/generate.py` from `operator/bursar/recognize/`.

What a pod asks for, and what part of a physical device that is. A share is exact, and whatever is
legal on one device never adds up to more than that device. What nobody tells is `Unknown`, with
the reason and, where there is one, the name of what would tell it: such pods are counted, and
their cost is not (`uncountedPods` of [a report](api.md#report)). The admission policies know the
same names. What is not recognized at all is among the
[limits](../explanation/limits.md#what-is-not-recognized).

Containers add up by the scheduler's own rule: the containers and the sidecars that start before
them run together, init containers one after the other.

## Extended resources

One unit of each is what the last column says. A resource that the installation names in
`acceleratorResources` is a whole device.

| resource | vendor | one unit is |
|---|---|---|
"""

SLICES = """
## Parts of devices by several resources together

Where memory is told the share is that of the memory, else that of the compute where the scheduler
has no default of memory. Memory is compared with what one device of the node has: by the node's
capacity of the same resource, by what the scheduler registers on the node, by the label of the
memory or by the model. What a scheduler wrote that it gave goes before what was asked for, on nodes
whose devices it registers.

| scheduler | devices | memory (a unit) | hundredths of memory | of compute | what it gave |
|---|---|---|---|---|---|
"""

CLAIMS = """
## Claims of Dynamic Resource Allocation

`ResourceClaim`, from a template or shared, and the claim that serves an extended resource
(`status.extendedResourceClaimStatus`; then the resource is not counted again). A claim costs what
it allocates by `status.allocation.devices.results`, from the pod's binding to its end; pods that
hold it at the same time share that evenly, and who ended earlier leaves the rest to the others.

| of the driver | a device is |
|---|---|
"""

PARTS = """
A device of which a claim takes a part (`consumedCapacity`) counts by the part of its memory, else
by the mean of all that is taken. What an administrator only looks at (`adminAccess`) holds nothing.
Any other driver is `Unknown`. Where nothing else tells, ResourceSlices say how many devices a node
has, and which.

## Annotations, labels and variables

| on a pod | means |
|---|---|
"""

DEVICES_OF = {
    "gpu.nvidia.com": "a GPU, a GPU passed through, or a MIG instance by its profile and the table",
    "gpu.amd.com": "a GPU, a partition by its mode, or the part that is taken of one",
}


def reference() -> dict[str, str]:
    """The page, by its path."""
    names = (row for family in resources.FAMILIES for row in _resources(family))
    slicings = (_slicing(family, each) for family in resources.FAMILIES for each in family.slicings)
    drivers = [_row(f"`{driver}`", DEVICES_OF.get(driver, "a whole device")) for driver in DRIVERS]
    drivers.append(_row(", ".join(f"`{each}`" for each in NO_ACCELERATORS), "no accelerator: none"))
    return {
        PATH: "".join(
            [HEAD, *names, *_others(), SLICES, *slicings, CLAIMS, *drivers, PARTS, *_annotations()]
        )
    }


def _resources(family: Family) -> Iterator[str]:
    for each in family.resources:
        yield _row(_name(family.domain, each.name), family.vendor or "several", each.unit.value)


def _others() -> Iterator[str]:
    """Names of the same domains that the table does not know, by what is said of them."""
    by_reason: dict[str, list[str]] = {}
    for family in resources.FAMILIES:
        starts = [f"`{family.domain}/{start}…`" for start in family.starts]
        by_reason.setdefault(family.reason, []).extend(starts)
    for reason, starts in by_reason.items():
        yield _row("any other " + ", ".join(starts), "", f"unknown: {reason}")


def _slicing(family: Family, each: Slicing) -> str:
    memory = _name(family.domain, each.memory)
    unit = "as the capacity tells" if each.mib is None else f"{each.mib} MiB"
    return _row(
        each.scheduler,
        _name(family.domain, each.count) or "totals, of no number of devices",
        f"{memory} ({unit})" if memory else "",
        _name(family.domain, each.percent),
        _name(family.domain, each.cores)
        + ("" if each.cores_tell or not each.cores else " (a cap)"),
        ", ".join(f"`{one.replace('{chip}', 'CHIP')}`" for one in each.allocated),
    )


def _annotations() -> Iterator[str]:
    yield _row(f"annotation `{resources.FRACTION}`", "KAI, Run:ai: a fraction of a GPU")
    yield _row(f"annotation `{resources.MEMORY}`", "KAI, Run:ai: MiB of a GPU's memory")
    yield _row(f"annotation `{resources.DEVICES}`", "of how many GPUs; one without it")
    yield _row(
        f"label `{resources.GROUP_LABEL}`, `{resources.GROUP_LABEL}/ID`",
        "the GPU that the pod was put on: parts of one GPU that add up to more are scaled to one",
    )
    spaces = ", ".join(f"`{each}`" for each in resources.RESERVATION_NAMESPACES)
    yield _row(f"a pod in {spaces}", "a place holder: holds nothing, since the fractional pods pay")
    yield _row(
        f"variable `{resources.VISIBLE_DEVICES_ENV}`",
        "unknown: devices past the scheduler, unless its plug-in or a fraction set it",
    )


def _name(domain: str, name: str) -> str:
    """A name of the table as people write it: patterns become the names that they stand for."""
    if not name:
        return ""
    for pattern, shown in _SHOWN.items():
        name = name.replace(pattern, shown)
    return ", ".join(f"`{domain}/{one}`" for one in name.split("|"))


_SHOWN = {
    r"mig-\d+g\.\d+gb[a-z.+-]*": "mig-Cg.Mgb…",
    r"gpu-\d{1,4}gb": "gpu-Ngb",
    r"[sdqc]px_nps\d": "MODE_npsN",
    "(i915|xe)_monitoring": "i915_monitoring|xe_monitoring",
    "qgpu-core(-greedy)?": "qgpu-core|qgpu-core-greedy",
    "{chip}": "CHIP",
    "\\": "",
}


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
