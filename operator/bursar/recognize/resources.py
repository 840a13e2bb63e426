"""The one table of the ways in which pods ask for accelerators.

It says, for each resource name, whose device it is and how a share of a device follows from it.
The admission policies' "uses an accelerator" expression is compiled from the same table
(`NAME_PATTERN`, `ANNOTATIONS`, `VISIBLE_DEVICES_ENV`), so that what is stamped, refused and metered
cannot drift apart. It must never hold a name of hardware that is no accelerator: a network
card in `nvidia.com/` is not ours.

Sources of the names: the device plugins' own documentation (NVIDIA k8s-device-plugin, ROCm, Intel,
AWS Neuron, GKE), HAMi's, Volcano's, KAI's and the Chinese clouds' schedulers.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What one unit of a resource is."""

    GPU = "a GPU, or what the node's labels say that it is split into"
    GPU_REPLICA = "a replica of a time-sliced or MPS-shared GPU"
    MIG_SLICE = "a MIG instance"
    AMD_GPU = "a GPU, or a partition of it where the node's label says so"
    AMD_PARTITION = "a partition whose mode stands in the name"
    DEVICE = "a whole device"
    CORE = "a core of a device"
    NOTHING = "a view that holds no device"
    UNTOLD = "a part of a device that the name and the node's labels do not tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource name, or a family of them.

    Attributes:
        name: regular expression of the name after the slash, matched whole.
        unit: what one unit is.
        reason: why the share is unknown, where `unit` is `UNTOLD`.
        qualifies: name after the slash of the resource whose units this one makes smaller.
    """

    name: str
    unit: Unit
    reason: str = ""
    qualifies: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The accelerator resources under one domain.

    Attributes:
        domain: the part before the slash.
        vendor: the devices' vendor in lower case, empty where several share the domain.
        starts: how the names of accelerators begin; `""` for all names of the domain.
        resources: those whose unit is known, the first match decides.
        reason: why the share of any other name of the family is unknown.
    """

    domain: str
    vendor: str
    starts: tuple[str, ...]
    reason: str
    resources: tuple[Resource, ...] = ()


_HAMI = "a slice of memory or cores by HAMi, whose allocation is not read yet"
_VENDOR_SLICE = "a slice by the vendor's own scheduler, whose allocation is not read yet"
_OTHER_NAME = "no known kind of device or slice"
_INTEL_SHARED = "the plug-in may share a device, and no label says among how many"


def _hami(domain_gpu: str) -> tuple[Resource, ...]:
    return tuple(
        Resource(name=name, unit=Unit.UNTOLD, reason=_HAMI, qualifies=domain_gpu)
        for name in ("gpumem", "gpumem-percentage", "gpucores")
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        domain="nvidia.com",
        vendor="nvidia",
        starts=("gpu", "mig-"),
        reason=_OTHER_NAME,
        resources=(
            Resource(name="gpu", unit=Unit.GPU),
            Resource(name=r"gpu\.shared", unit=Unit.GPU_REPLICA),
            Resource(name=r"mig-\d+g\.\d+gb[a-z.+-]*", unit=Unit.MIG_SLICE),
            *_hami("gpu"),
            Resource(
                name=r"gpu-\d+gb",
                unit=Unit.UNTOLD,
                reason="an MPS slice by memory of nos, whose partitioning is not read yet",
            ),
        ),
    ),
    Family(
        domain="amd.com",
        vendor="amd",
        starts=("gpu", "spx_", "dpx_", "qpx_", "cpx_"),
        reason=_OTHER_NAME,
        resources=(
            Resource(name="gpu", unit=Unit.AMD_GPU),
            Resource(name=r"[sdqc]px_nps\d", unit=Unit.AMD_PARTITION),
            *_hami("gpu"),
        ),
    ),
    Family(
        domain="gpu.intel.com",
        vendor="intel",
        starts=("",),
        reason=_INTEL_SHARED,
        resources=(Resource(name="monitoring|(i915|xe)_monitoring", unit=Unit.NOTHING),),
    ),
    Family(
        domain="npu.intel.com",
        vendor="intel",
        starts=("",),
        reason=_OTHER_NAME,
        resources=(Resource(name="accel", unit=Unit.DEVICE),),
    ),
    Family(
        domain="habana.ai",
        vendor="intel",
        starts=("",),
        reason=_OTHER_NAME,
        resources=(Resource(name="gaudi", unit=Unit.DEVICE),),
    ),
    Family(
        domain="google.com",
        vendor="google",
        starts=("tpu",),
        reason=_OTHER_NAME,
        resources=(Resource(name="tpu", unit=Unit.DEVICE),),
    ),
    Family(
        domain="aws.amazon.com",
        vendor="aws",
        starts=("neuron",),
        reason=_OTHER_NAME,
        resources=(
            Resource(name="neuron|neurondevice", unit=Unit.DEVICE),
            Resource(name="neuroncore", unit=Unit.CORE),
        ),
    ),
    Family(
        domain="qualcomm.com",
        vendor="qualcomm",
        starts=("qaic",),
        reason=_OTHER_NAME,
        resources=(Resource(name="qaic", unit=Unit.DEVICE),),
    ),
    Family(
        domain="huawei.com",
        vendor="huawei",
        starts=("",),
        reason=_VENDOR_SLICE,
        resources=(Resource(name="Ascend910|Ascend310|Ascend310P", unit=Unit.DEVICE),),
    ),
    Family(
        domain="cambricon.com",
        vendor="cambricon",
        starts=("",),
        reason=_VENDOR_SLICE,
        resources=(Resource(name="mlu", unit=Unit.DEVICE),),
    ),
    *(
        Family(domain=domain, vendor=vendor, starts=("",), reason=_VENDOR_SLICE)
        for domain, vendor in (
            ("hygon.com", "hygon"),
            ("mthreads.com", "moore-threads"),
            ("metax-tech.com", "metax"),
            ("enflame.com", "enflame"),
            ("kunlunxin.com", "kunlunxin"),
            ("iluvatar.ai", "iluvatar"),
            ("vastaitech.com", "vastai"),
            ("birentech.com", "biren"),
            ("elasticgpu.com", "nvidia"),
            ("run.ai", "nvidia"),
        )
    ),
    *(
        Family(domain=domain, vendor="nvidia", starts=starts, reason=_VENDOR_SLICE)
        for domain, starts in (
            ("volcano.sh", ("gpu", "vgpu")),
            ("aliyun.com", ("gpu",)),
            ("tencent.com", ("vcuda",)),
            ("tke.cloud.tencent.com", ("qgpu",)),
            ("vke.volcengine.com", ("mgpu",)),
            ("nvshare.com", ("gpu",)),
        )
    ),
    Family(
        domain="deviceclass.resource.kubernetes.io",
        vendor="",
        starts=("",),
        reason="devices of a class of Dynamic Resource Allocation, whose claim is not read yet",
    ),
)

ANNOTATIONS: tuple[str, ...] = ("gpu-fraction", "gpu-memory", "gpu-fraction-num-devices")
"""Pod annotations with which KAI and Run:ai are asked for a part of a GPU."""

ALLOCATION_ANNOTATIONS: tuple[str, ...] = ("hami.io/vgpu-devices-allocated",)
"""Pod annotations that say that what the pod's resources name was given as a slice."""

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


def is_accelerator(name: object) -> bool:
    """Whether a resource name is one of an accelerator."""
    return isinstance(name, str) and len(name) <= MAX_NAME and _NAME.match(name) is not None


def resource(name: str) -> Resource | None:
    """What one unit of a named resource is; None where it is no accelerator."""
    if not is_accelerator(name):
        return None
    domain, _, rest = name.partition("/")
    for pattern, known in _COMPILED[domain]:
        if pattern.fullmatch(rest):
            return known
    return Resource(name=re.escape(rest), unit=Unit.UNTOLD, reason=_BY_DOMAIN[domain].reason)


def vendor(name: str) -> str:
    """The vendor of a resource's devices in lower case, empty where the name does not tell."""
    family = _BY_DOMAIN.get(name.partition("/")[0])
    return family.vendor if family is not None else ""
