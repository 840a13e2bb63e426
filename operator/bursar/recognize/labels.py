"""What a node's labels say of its accelerators: model, count, memory, sharing, partitions.

Decided from labels alone, with the bundled tables for the names. The labels' traps are known here:
suffixes of the product, replicas that are per device and not per node, counts that mean MIG
instances. It must never read a label for more than it says.
"""

import re
from collections.abc import Mapping

from bursar.recognize.tables import UNKNOWN_ACCELERATOR, AcceleratorTables

Labels = Mapping[str, str]

PRODUCT = "nvidia.com/gpu.product"
INSTANCE_TYPES = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
AMD_PARTITION = "amd.com/gpu.compute-memory-partition"
GKE_PARTITION = "cloud.google.com/gke-gpu-partition-size"
GKE_STRATEGY = "cloud.google.com/gke-gpu-sharing-strategy"
GKE_CLIENTS = "cloud.google.com/gke-max-shared-clients-per-gpu"

TIME_SLICING, MPS, NONE, UNCLEAR = "time-slicing", "mps", "none", "unclear"
"""Values of `NodeFacts.sharing`; unclear: shared, and the labels do not say among how many."""

_PRODUCT = re.compile(r"(?P<model>.*?)(?:-MIG-(?P<profile>.+?))?(?:-SHARED)?")
_MODEL_LABELS = (
    ("gke", ("cloud.google.com/gke-accelerator",)),
    ("amd", ("amd.com/gpu.product-name", "beta.amd.com/gpu.product-name")),
    ("amdDeviceId", ("amd.com/gpu.device-id", "beta.amd.com/gpu.device-id")),
    ("intel", ("gpu.intel.com/product",)),
    ("tpu", ("cloud.google.com/gke-tpu-accelerator",)),
)
_KARPENTER = tuple(
    f"{domain}/instance-{kind}-name"
    for domain in ("karpenter.k8s.aws", "eks.amazonaws.com", "karpenter.k8s.gcp")
    for kind in ("gpu", "accelerator")
)
_COUNTS = (
    "cloud.google.com/gke-accelerator-count",
    *(key.removesuffix("name") + "count" for key in _KARPENTER),
    "karpenter.azure.com/sku-gpu-count",
    "gpu.intel.com/device.count",
)
_MEMORY = (
    "karpenter.k8s.aws/instance-gpu-memory",
    "eks.amazonaws.com/instance-gpu-memory",
    "karpenter.k8s.gcp/instance-gpu-memory",
)
_MEMORY_TOLERANCE = 0.15
"""A model's usable memory is up to a tenth below its name's; the next size is half or double."""

_AMD_MODES = {"spx": 1, "dpx": 2, "qpx": 4, "cpx": 8}
"""Partitions of one GPU by mode on parts with eight compute dies (ROCm's device plug-in)."""


def whole_number(text: str | None) -> int | None:
    """A label's value as a number of at most nine digits; None for anything else."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,9}", text) else None


def accelerator_name(labels: Labels, tables: AcceleratorTables) -> str:
    """The canonical name of the node's model, `unknown` where no label and no table tells.

    What the driver reports goes before what the cloud's labels say, and those before the
    instance type.
    """
    for kind, text in _named(labels):
        names = tables.aliases.get((kind, text.casefold()), ())
        if len(names) == 1:
            return names[0]
    for key in INSTANCE_TYPES:
        listed = tables.instances.get(labels.get(key, ""))
        if listed is not None:
            return listed[0]
    return _by_karpenter(labels, tables)


def _named(labels: Labels) -> list[tuple[str, str]]:
    found = []
    product = labels.get(PRODUCT, "")
    if product:
        found.append(("product", _PRODUCT.fullmatch(product)["model"]))  # type: ignore[index]
    for kind, keys in _MODEL_LABELS:
        for key in keys:
            if labels.get(key):
                text = labels[key]
                if kind == "amd":
                    text = text.removeprefix("AMD_").removesuffix("_OAM")
                found.append((kind, text))
    return found


def _by_karpenter(labels: Labels, tables: AcceleratorTables) -> str:
    memory = labelled_memory_mib(labels)
    for key in _KARPENTER:
        names = tables.aliases.get(("karpenter", labels.get(key, "").casefold()), ())
        if len(names) > 1:
            names = tuple(name for name in names if _fits(name, memory, tables))
        if len(names) == 1:
            return names[0]
    return UNKNOWN_ACCELERATOR


def _fits(name: str, memory: int | None, tables: AcceleratorTables) -> bool:
    listed = tables.accelerators[name].memory_mib
    return bool(memory and listed) and abs(memory - listed) <= _MEMORY_TOLERANCE * listed  # type: ignore[operator]


def mig_profile(labels: Labels) -> str | None:
    """The profile into which every GPU of the node is cut (MIG's single strategy).

    Returns:
        The profile as in a resource's name, `INVALID` where the driver says so, None where the
        GPUs are whole.
    """
    found = _PRODUCT.fullmatch(labels.get(PRODUCT, ""))
    profile = found["profile"] if found else None
    profile = profile or labels.get(GKE_PARTITION)
    return profile.replace("+", ".") if profile else None


def labelled_count(labels: Labels) -> int | None:
    """Physical devices by the labels, None where they do not tell."""
    count = whole_number(labels.get("nvidia.com/gpu.count"))
    if count and mig_profile(labels) is None:
        return count  # under the single strategy this would be the number of instances
    return next((n for key in _COUNTS if (n := whole_number(labels.get(key)))), None)


def labelled_memory_mib(labels: Labels) -> int | None:
    """Memory of one whole device (MiB) by the labels, None where they do not tell."""
    memory = whole_number(labels.get("nvidia.com/gpu.memory"))
    if memory and mig_profile(labels) is None:
        return memory
    return next((n for key in _MEMORY if (n := whole_number(labels.get(key)))), None)


def sharing(labels: Labels) -> tuple[str, int]:
    """How one device is shared (one MIG instance, where every device is cut), by how many.

    Returns:
        One of `none`, `time-slicing`, `mps` or `unclear`, and the replicas of one device.
    """
    strategy = labels.get("nvidia.com/gpu.sharing-strategy", "")
    replicas = whole_number(labels.get("nvidia.com/gpu.replicas"))
    if not strategy and labels.get(GKE_STRATEGY):
        strategy = MPS if labels[GKE_STRATEGY] == MPS else TIME_SLICING
        replicas = whole_number(labels.get(GKE_CLIENTS))
    declared = strategy not in ("", NONE) or labels.get(PRODUCT, "").endswith("-SHARED")
    if replicas is None:
        malformed = "nvidia.com/gpu.replicas" in labels
        return (UNCLEAR, 1) if declared or malformed else (NONE, 1)
    if replicas <= 1:
        return NONE, 1  # 0: sharing is off for whole GPUs on a node with mixed MIG
    return (MPS if strategy == MPS else TIME_SLICING), replicas


def profile_replicas(labels: Labels, profile: str) -> int | None:
    """Replicas of one MIG instance of a profile under the mixed strategy, None where not told."""
    return whole_number(labels.get(f"nvidia.com/mig-{profile}.replicas"))


def amd_partitions(labels: Labels) -> int | None:
    """Partitions of one AMD GPU: 1 without the label, None for a mode whose number is not known."""
    text = labels.get(AMD_PARTITION, "")
    return partitions_of_mode(text, labels) if text else 1


def partitions_of_mode(text: str, labels: Labels) -> int | None:
    """Partitions of one AMD GPU in a mode such as `cpx_nps4`, None where not known.

    Only SPX is one device on every part; the other modes' numbers are those of parts with eight
    dies, and an MI300A has six.
    """
    mode = text.casefold().partition("_")[0]
    if mode == "spx":
        return 1
    product = labels.get("amd.com/gpu.product-name", "").casefold()
    return None if "mi300a" in product else _AMD_MODES.get(mode)
