"""Every collected way of asking for accelerators has its answer: a share, nothing, or what to tell.

The list lies beside this checkout; a name that is added to it must be answered for here.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from bursar.domain.unknown import Unknown
from bursar.domain.workload import ClaimFacts, NodeFacts
from bursar.recognize import claims
from bursar.recognize.request import requests
from bursar.recognize.share import held
from support.catalog import SOURCE, tables
from support.fleet import container, facts, place, pod

ASKING = ("extended_resource", "pod_annotation", "pod_label", "dra")
A100 = "NVIDIA-A100-SXM4-40GB"
SLICE = (Fraction(1, 7) + Fraction(1, 8)) / 2
GPU = "nvidia.com/gpu"
FOUR = {"nvidia.com/gpu.product": "NVIDIA-L40S", "nvidia.com/gpu.count": "4"}
HAMI = {"hami.io/node-nvidia-register": '[{"id": "GPU-a", "devmem": 40000}]'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A pod that asks in one way, its node, and what it holds of it (devices)."""

    limits: Mapping[str, Any] = field(default_factory=dict)
    devices: Fraction | int | None
    node: NodeFacts = field(default_factory=lambda: facts(FOUR))
    notes: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    said: str = ""

    def answer(self) -> Fraction | Unknown | None:
        """What the pod holds; None where it asks for nothing."""
        obj = pod(container(self.limits), annotations=self.notes)
        obj["metadata"]["labels"] = dict(self.labels)
        found = requests(obj)
        if not found:
            return None
        (request,) = found
        return held(request, self.node, tables()).devices


def of(name: str, devices: Fraction | int, **node: Any) -> Case:
    """A pod that asks for one unit of a resource by itself."""
    return Case(
        limits={name: 1}, devices=devices, node=facts(FOUR | node.pop("labels", {}), **node)
    )


def untold(limits: Mapping[str, Any], said: str, **node: Any) -> Case:
    """A pod whose share needs a word that nobody has given."""
    return Case(limits=limits, devices=None, said=said, node=facts(FOUR, **node))


def parted(count: str, part: str, units: int, devices: Fraction, **capacity: str) -> Case:
    """A pod that asks for a part of one device by two resources together."""
    offered = {name.replace("__", "/"): units_ for name, units_ in capacity.items()}
    return Case(limits={count: 1, part: units}, devices=devices, node=facts(FOUR, capacity=offered))


CASES: dict[str, Case] = {
    GPU: Case(limits={GPU: 3}, devices=3),
    "nvidia.com/gpu.shared": of(
        "nvidia.com/gpu.shared", Fraction(1, 5), labels={"nvidia.com/gpu.replicas": "5"}
    ),
    "nvidia.com/mig-<C>g.<M>gb": of(
        "nvidia.com/mig-1g.5gb", SLICE, labels={"nvidia.com/gpu.product": A100}
    ),
    "nvidia.com/mig-<C>g.<M>gb.shared": of(
        "nvidia.com/mig-1g.5gb.shared",
        SLICE / 2,
        labels={"nvidia.com/gpu.product": A100, "nvidia.com/mig-1g.5gb.replicas": "2"},
    ),
    "nvidia.com/gpumem": parted(GPU, "nvidia.com/gpumem", 12288, Fraction(1, 4)),
    "nvidia.com/gpumem-percentage": parted(GPU, "nvidia.com/gpumem-percentage", 25, Fraction(1, 4)),
    "nvidia.com/gpucores": untold({GPU: 1, "nvidia.com/gpucores": 30}, "vgpu-devices-allocated"),
    "nvidia.com/priority": Case(limits={"nvidia.com/priority": 1}, devices=None),
    "hami.io/vgpu-devices-allocated": Case(
        limits={GPU: 1},
        notes={"hami.io/vgpu-devices-allocated": "GPU-a,NVIDIA,10000,30:;"},
        node=facts({}, annotations=HAMI),
        devices=Fraction(1, 4),
    ),
    "volcano.sh/vgpu-number": untold({"volcano.sh/vgpu-number": 1}, "volcano.sh/vgpu-ids-new"),
    "volcano.sh/vgpu-memory": parted(
        "volcano.sh/vgpu-number", "volcano.sh/vgpu-memory", 12288, Fraction(1, 4)
    ),
    "volcano.sh/vgpu-cores": untold(
        {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-cores": 50}, "volcano.sh/vgpu-ids-new"
    ),
    "volcano.sh/gpu-memory": Case(limits={"volcano.sh/gpu-memory": 12288}, devices=Fraction(1, 4)),
    "volcano.sh/gpu-number": of("volcano.sh/gpu-number", 1),
    "aliyun.com/gpu-mem": of(
        "aliyun.com/gpu-mem", Fraction(1, 48), capacity={"aliyun.com/gpu-mem": "192"}
    ),
    "aliyun.com/gpu-count": of("aliyun.com/gpu-count", 0),
    "aliyun.com/gpu-core.percentage": of("aliyun.com/gpu-core.percentage", Fraction(1, 100)),
    "tencent.com/vcuda-core": of("tencent.com/vcuda-core", Fraction(1, 100)),
    "tencent.com/vcuda-memory": of("tencent.com/vcuda-memory", Fraction(256, 49152)),
    "tke.cloud.tencent.com/qgpu-core": of("tke.cloud.tencent.com/qgpu-core", Fraction(1, 100)),
    "tke.cloud.tencent.com/qgpu-core-greedy": of(
        "tke.cloud.tencent.com/qgpu-core-greedy", Fraction(1, 100)
    ),
    "tke.cloud.tencent.com/qgpu-memory": of("tke.cloud.tencent.com/qgpu-memory", Fraction(1, 48)),
    "elasticgpu.com/gpu-core": of("elasticgpu.com/gpu-core", Fraction(1, 100)),
    "elasticgpu.com/gpu-memory": of("elasticgpu.com/gpu-memory", Fraction(1, 49152)),
    "vke.volcengine.com/mgpu-core": of("vke.volcengine.com/mgpu-core", Fraction(1, 100)),
    "vke.volcengine.com/mgpu-memory": of("vke.volcengine.com/mgpu-memory", Fraction(1, 49152)),
    "gpu-fraction": Case(notes={"gpu-fraction": "0.5"}, devices=Fraction(1, 2)),
    "gpu-memory": Case(notes={"gpu-memory": "12288"}, devices=Fraction(1, 4)),
    "gpu-fraction-num-devices": Case(
        notes={"gpu-fraction": "0.5", "gpu-fraction-num-devices": "3"}, devices=Fraction(3, 2)
    ),
    "received-resource-type": Case(notes={"received-resource-type": "Fraction"}, devices=None),
    "runai-gpu-group": Case(
        notes={"gpu-fraction": "0.5"}, labels={"runai-gpu-group": "g"}, devices=Fraction(1, 2)
    ),
    "nvshare.com/gpu": of("nvshare.com/gpu", Fraction(1, 10), capacity={"nvshare.com/gpu": "40"}),
    "nvidia.com/gpu-<N>gb": of(
        "nvidia.com/gpu-10gb", Fraction(10, 47), labels={"nvidia.com/gpu.memory": "46068"}
    ),
    "amd.com/gpu": of("amd.com/gpu", 1),
    "amd.com/<cpx|dpx|qpx|spx>_<nps1|nps2|nps4>": of("amd.com/cpx_nps4", Fraction(1, 8)),
    "amd.com/gpumem": parted("amd.com/gpu", "amd.com/gpumem", 12288, Fraction(1, 4)),
    "amd.com/gpucores": untold(
        {"amd.com/gpu": 1, "amd.com/gpucores": 30}, "hami.io/amd-devices-allocated"
    ),
    "gpu.intel.com/i915": of(
        "gpu.intel.com/i915", Fraction(1, 3), capacity={"gpu.intel.com/i915": "12"}
    ),
    "gpu.intel.com/xe": untold({"gpu.intel.com/xe": 1}, "the node offers no gpu.intel.com/xe"),
    "gpu.intel.com/monitoring": of("gpu.intel.com/monitoring", 0),
    "npu.intel.com/accel": of("npu.intel.com/accel", 1),
    "habana.ai/gaudi": of("habana.ai/gaudi", 1),
    "google.com/tpu": of("google.com/tpu", 1),
    "aws.amazon.com/neuron": of("aws.amazon.com/neuron", 1),
    "aws.amazon.com/neurondevice": of("aws.amazon.com/neurondevice", 1),
    "aws.amazon.com/neuroncore": Case(
        limits={"aws.amazon.com/neuroncore": 1},
        devices=Fraction(1, 2),
        node=facts(place("inf2.xlarge")),
    ),
    "qualcomm.com/qaic": of("qualcomm.com/qaic", 1),
    "huawei.com/Ascend910": of("huawei.com/Ascend910", 1),
    "huawei.com/npu-core": of(
        "huawei.com/npu-core", Fraction(1, 24), labels={"node.kubernetes.io/npu.chip.name": "910B2"}
    ),
    "cambricon.com/mlu": of("cambricon.com/mlu", 1),
    "cambricon.com/vmlu": untold({"cambricon.com/vmlu": 1}, "cambricon-mlu-devices-allocated"),
    "cambricon.com/mlu.smlu.vcore": parted(
        "cambricon.com/vmlu", "cambricon.com/mlu.smlu.vcore", 10, Fraction(1, 10)
    ),
    "cambricon.com/mlu.smlu.vmemory": parted(
        "cambricon.com/vmlu", "cambricon.com/mlu.smlu.vmemory", 20, Fraction(1, 5)
    ),
    "hygon.com/dcunum": untold({"hygon.com/dcunum": 1}, "hami.io/dcu-devices-allocated"),
    "hygon.com/dcumem": parted("hygon.com/dcunum", "hygon.com/dcumem", 12288, Fraction(1, 4)),
    "hygon.com/dcucores": untold(
        {"hygon.com/dcunum": 1, "hygon.com/dcucores": 60}, "hami.io/dcu-devices-allocated"
    ),
    "mthreads.com/vgpu": untold({"mthreads.com/vgpu": 1}, "mthreads-vgpu-devices-allocated"),
    "mthreads.com/sgpu-memory": parted(
        "mthreads.com/vgpu", "mthreads.com/sgpu-memory", 24, Fraction(1, 4)
    ),
    "mthreads.com/sgpu-core": untold(
        {"mthreads.com/vgpu": 1, "mthreads.com/sgpu-core": 8}, "mthreads-vgpu-devices-allocated"
    ),
    "metax-tech.com/gpu": of("metax-tech.com/gpu", 1),
    "metax-tech.com/sgpu": untold({"metax-tech.com/sgpu": 1}, "metax-sgpu-devices-allocated"),
    "metax-tech.com/vcore": untold(
        {"metax-tech.com/sgpu": 1, "metax-tech.com/vcore": 60}, "metax-sgpu-devices-allocated"
    ),
    "metax-tech.com/vmemory": parted(
        "metax-tech.com/sgpu", "metax-tech.com/vmemory", 12, Fraction(1, 4)
    ),
    "enflame.com/gcu": of("enflame.com/gcu", 1),
    "enflame.com/drs-gcu": untold({"enflame.com/drs-gcu": 1}, "enflame-vgpu-devices-allocated"),
    "enflame.com/gcu-memory": parted(
        "enflame.com/drs-gcu",
        "enflame.com/gcu-memory",
        12,
        Fraction(1, 4),
        **{"enflame.com__gcu-memory": "192"},
    ),
    "enflame.com/gcu-core": untold(
        {"enflame.com/drs-gcu": 1, "enflame.com/gcu-core": 4}, "enflame-vgpu-devices-allocated"
    ),
    "kunlunxin.com/xpu": of("kunlunxin.com/xpu", 1),
    "kunlunxin.com/vxpu": untold({"kunlunxin.com/vxpu": 1}, "hami.io/kunlun-allocated"),
    "kunlunxin.com/vxpu-memory": parted(
        "kunlunxin.com/vxpu", "kunlunxin.com/vxpu-memory", 24576, Fraction(1, 2)
    ),
    "iluvatar.ai/<chip>-vgpu": untold(
        {"iluvatar.ai/BI-V150-vgpu": 1}, "iluvatar-vgpu-devices-allocated"
    ),
    "iluvatar.ai/<chip>.vMem": parted(
        "iluvatar.ai/BI-V150-vgpu", "iluvatar.ai/BI-V150.vMem", 48, Fraction(1, 4)
    ),
    "iluvatar.ai/<chip>.vCore": untold(
        {"iluvatar.ai/MR-V100-vgpu": 1, "iluvatar.ai/MR-V100.vCore": 50},
        "iluvatar-vgpu-devices-allocated",
    ),
    "vastaitech.com/va": of("vastaitech.com/va", 1),
    "birentech.com/gpu": of("birentech.com/gpu", 1),
}


def claimed(driver: str, attributes: Mapping[str, str], **more: Any) -> Fraction | Unknown:
    """What a pod holds by a claim of one device."""
    described = {name: {"string": value} for name, value in attributes.items()}
    device = {"name": "d", "attributes": described, "capacity": {"memory": {"value": "40Gi"}}}
    spec = {"driver": driver, "pool": {"name": "p"}, "devices": [device]}
    result = {"request": "r", "driver": driver, "pool": "p", "device": "d", **more}
    results = claims.allocated({"status": {"allocation": {"devices": {"results": [result]}}}})
    known = {each.key: each for each in claims.devices({"spec": spec})}
    share = ClaimFacts(uid="u", devices=claims.held_by(results or (), known, tables()))
    obj = pod(container(), resourceClaims=[{"name": "gpu", "resourceClaimName": "c"}])
    (request,) = requests(obj)
    return held(request, facts(FOUR), tables(), lambda _: share).devices


NVIDIA = "gpu.nvidia.com"
H100 = {"type": "mig", "profile": "1g.10gb", "productName": "NVIDIA H100 80GB HBM3"}
CLAIMS: dict[str, Callable[[], list[Fraction | Unknown]]] = {
    "resource.k8s.io ResourceClaim, deviceClassName gpu.nvidia.com": lambda: [
        claimed(NVIDIA, {"type": "gpu"})
    ],
    "deviceClassName mig.nvidia.com": lambda: [claimed(NVIDIA, H100) / SLICE],  # type: ignore[operator]
    "deviceClassName vfio.gpu.nvidia.com": lambda: [claimed(NVIDIA, {"type": "vfio"})],
    "deviceClassName compute-domain-daemon.nvidia.com | compute-domain-default-channel.nvidia.com"
    " (driver compute-domain.nvidia.com)": lambda: [claimed("compute-domain.nvidia.com", {}) + 1],  # type: ignore[operator]
    "driver gpu.amd.com / gpu.intel.com / neuron.aws.com / tpu.google.com": lambda: [
        claimed(driver, {})
        for driver in ("gpu.amd.com", "gpu.intel.com", "neuron.aws.com", "tpu.google.com")
    ],
    "claim.status.allocation.devices.results[].{driver,pool,device,consumedCapacity,shareID}": (
        lambda: [
            claimed(NVIDIA, {"type": "gpu"}, consumedCapacity={"memory": "10Gi"}, shareID="s") * 4  # type: ignore[operator]
        ]
    ),
}
"""Each gives ones."""

LABELS: dict[str, tuple[Mapping[str, str], str, Any]] = {
    "nvidia.com/gpu.product": (
        {"nvidia.com/gpu.product": f"{A100}-SHARED"},
        "accelerator",
        "a100-sxm4-40gb",
    ),
    "nvidia.com/gpu.count": ({"nvidia.com/gpu.count": "8"}, "devices", 8),
    "nvidia.com/gpu.replicas": ({"nvidia.com/gpu.replicas": "4"}, "replicas", 4),
    "nvidia.com/gpu.sharing-strategy": (
        {"nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.sharing-strategy": "mps"},
        "sharing",
        "mps",
    ),
    "nvidia.com/gpu.memory": ({"nvidia.com/gpu.memory": "40960"}, "memory_mib", 40960),
    "nvidia.com/mig.strategy, mig.capable, mps.capable": (
        {"nvidia.com/mig.strategy": "mixed"},
        "mig_strategy",
        "mixed",
    ),
    "cloud.google.com/gke-accelerator": (
        {"cloud.google.com/gke-accelerator": "nvidia-l4"},
        "accelerator",
        "l4-24gb",
    ),
    "cloud.google.com/gke-accelerator-count": (
        {"cloud.google.com/gke-accelerator-count": "2"},
        "devices",
        2,
    ),
    "cloud.google.com/gke-gpu-partition-size": (
        {"cloud.google.com/gke-gpu-partition-size": "1g.5gb"},
        "mig_strategy",
        "single",
    ),
    "cloud.google.com/gke-gpu-sharing-strategy": (
        {
            "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing",
            "cloud.google.com/gke-max-shared-clients-per-gpu": "3",
        },
        "sharing",
        "time-slicing",
    ),
    "cloud.google.com/gke-max-shared-clients-per-gpu": (
        {
            "cloud.google.com/gke-gpu-sharing-strategy": "mps",
            "cloud.google.com/gke-max-shared-clients-per-gpu": "3",
        },
        "replicas",
        3,
    ),
    "cloud.google.com/gke-tpu-accelerator": (
        {"cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice"},
        "accelerator",
        "tpu-v6e",
    ),
    "karpenter.k8s.aws/instance-gpu-{name,manufacturer,count,memory}": (
        {"karpenter.k8s.aws/instance-gpu-count": "8"},
        "devices",
        8,
    ),
    "karpenter.k8s.aws/instance-accelerator-{name,manufacturer,count}": (
        {"karpenter.k8s.aws/instance-accelerator-name": "trainium2"},
        "accelerator",
        "trainium2",
    ),
    "eks.amazonaws.com/instance-gpu-*": (
        {"eks.amazonaws.com/instance-gpu-count": "4"},
        "devices",
        4,
    ),
    "karpenter.azure.com/sku-gpu-{name,manufacturer,count}": (
        {"karpenter.azure.com/sku-gpu-count": "2"},
        "devices",
        2,
    ),
    "karpenter.k8s.gcp/instance-gpu-{name,manufacturer,count,memory}": (
        {"karpenter.k8s.gcp/instance-gpu-memory": "81920"},
        "memory_mib",
        81920,
    ),
    "amd.com/gpu.{product-name,family,vram,cu-count,simd-count,device-id,compute-memory-partition,"
    "compute-partitioning-supported,memory-partitioning-supported}": (
        {"amd.com/gpu.device-id": "74a1"},
        "accelerator",
        "mi300x-192gb",
    ),
    "gpu.intel.com/{product,family,device.count,device-id.*}": (
        {"gpu.intel.com/device.count": "2"},
        "devices",
        2,
    ),
    "karpenter.sh/capacity-type": ({"karpenter.sh/capacity-type": "spot"}, "capacity_type", "spot"),
    "karpenter.k8s.aws/capacity-reservation-type": (
        {"karpenter.k8s.aws/capacity-reservation-type": "capacity-block"},
        "capacity_type",
        "capacity-block",
    ),
    "eks.amazonaws.com/capacityType": (
        {"eks.amazonaws.com/capacityType": "SPOT"},
        "capacity_type",
        "spot",
    ),
    "cloud.google.com/gke-spot": ({"cloud.google.com/gke-spot": "true"}, "capacity_type", "spot"),
    "cloud.google.com/gke-preemptible": (
        {"cloud.google.com/gke-preemptible": "true"},
        "capacity_type",
        "spot",
    ),
    "cloud.google.com/gke-provisioning": (
        {"cloud.google.com/gke-provisioning": "standard"},
        "capacity_type",
        "on-demand",
    ),
    "cloud.google.com/gke-flex-start": (
        {"cloud.google.com/gke-flex-start": "true"},
        "capacity_type",
        "unknown",
    ),
    "cloud.google.com/reservation-name": (
        {"cloud.google.com/reservation-name": "r"},
        "capacity_type",
        "reserved",
    ),
    "kubernetes.azure.com/scalesetpriority": (
        {"kubernetes.azure.com/scalesetpriority": "spot"},
        "capacity_type",
        "spot",
    ),
    "kubernetes.azure.com/priority": (
        {"kubernetes.azure.com/priority": "spot"},
        "capacity_type",
        "spot",
    ),
    "oci.oraclecloud.com/oke-is-preemptible": (
        {"oci.oraclecloud.com/oke-is-preemptible": "true"},
        "capacity_type",
        "spot",
    ),
    "node.kubernetes.io/lifecycle": (
        {"node.kubernetes.io/lifecycle": "spot"},
        "capacity_type",
        "spot",
    ),
    "spotinst.io/node-lifecycle, scheduling.cast.ai/spot": (
        {"scheduling.cast.ai/spot": "true"},
        "capacity_type",
        "spot",
    ),
    "node.kubernetes.io/instance-type": (place("p5.48xlarge"), "devices", 8),
    "topology.kubernetes.io/region": (place("a", region="eu-1"), "region", "eu-1"),
    "topology.kubernetes.io/zone": (place("a", zone="eu-1a"), "zone", "eu-1a"),
}

NOTHING_SAID = {
    "nvidia.com/gpu.family / .compute.major / .minor": "the product tells more",
    "nvidia.com/mig-<p>.count / .product / .replicas / .slices.gi / .slices.ci / .memory": (
        "the replicas are read with the request for the profile; the slices are the table's"
    ),
    "nvidia.com/vgpu.present": "the instance type has the fraction, and its price is that already",
    "nvidia.com/gpu.clique": "NVLink's domain, no device",
    "nvidia.com/device-plugin.config, nvidia.com/mig.config": "what follows is in other labels",
    "cloud.google.com/gke-tpu-topology": "that of the whole slice, of which the node is a part",
    "kubernetes.azure.com/accelerator": "the vendor, which the product tells",
    "accelerator": "read for Huawei's chips alone, with the request for their cores",
    "eks.amazonaws.com/compute-type": "how the node is managed, not how it is bought",
    "cloud.google.com/compute-class": "a name that somebody chose",
}
"""Labels of which no field is made, and why."""


@cache
def rows() -> list[dict[str, str]]:
    table = SOURCE / "resources.csv"
    if not table.is_file():
        pytest.skip("the collected ways of asking are not beside this checkout")
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_collected_way_is_answered_for() -> None:
    asking = {row["key"] for row in rows() if row["kind"] in ASKING}
    told = {row["key"] for row in rows() if row["kind"] not in ASKING}
    assert asking - CASES.keys() - CLAIMS.keys() == set()
    assert told - LABELS.keys() - NOTHING_SAID.keys() == set()


@pytest.mark.parametrize("key", CASES)
def test_a_pod_that_asks_so_holds_a_share_or_nothing_or_is_told_what_is_missing(key: str) -> None:
    case = CASES[key]
    answer = case.answer()
    if case.said:
        assert isinstance(answer, Unknown)
        assert case.said in answer.reason
    else:
        assert answer == case.devices


@pytest.mark.parametrize("key", CLAIMS)
def test_a_claim_holds_what_it_allocates(key: str) -> None:
    assert set(CLAIMS[key]()) == {1}


@pytest.mark.parametrize("key", LABELS)
def test_a_label_is_read(key: str) -> None:
    labels, name, expected = LABELS[key]
    blank = facts({})
    assert getattr(facts(labels), name) == expected
    assert expected == "unknown" or getattr(blank, name) != expected
