"""What nodes say of their devices, their place and how they are bought."""

from fractions import Fraction
from typing import Any

import pytest

from bursar.domain.unknown import Unknown
from bursar.recognize.node import capacity, higher, node_facts
from support.catalog import tables
from support.fleet import demo, facts, node, place

PRODUCT = "nvidia.com/gpu.product"
COUNT = "nvidia.com/gpu.count"


@pytest.mark.parametrize(
    ("model", "accelerator", "devices", "capacity_type", "infrastructure"),
    [
        ("h100", "h100-sxm5-80gb", 8, "on-demand", "partially-managed"),
        ("a100-mig", "a100-sxm4-40gb", 8, "on-demand", "self-managed"),
        ("l4-shared", "l4-24gb", 4, "on-demand", "self-managed"),
        ("t4-spot", "t4-16gb", 4, "spot", "self-managed"),
        ("mi300x", "mi300x-192gb", 8, "on-demand", "partially-managed"),
        ("dgx-h100", "h100-sxm5-80gb", 8, "unknown", "self-managed"),
    ],
)
def test_nodes_of_the_demo(
    model: str, accelerator: str, devices: int, capacity_type: str, infrastructure: str
) -> None:
    known = demo(model)
    assert known.accelerator == accelerator
    assert known.devices == devices
    assert known.device_fraction == 1
    assert known.capacity_type == capacity_type
    assert known.infrastructure == infrastructure


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({PRODUCT: "NVIDIA-L4-SHARED"}, "l4-24gb", id="shared devices"),
        pytest.param(
            {PRODUCT: "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb"}, "a100-sxm4-80gb", id="MIG, one profile"
        ),
        pytest.param(
            {PRODUCT: "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb-SHARED"},
            "a100-sxm4-80gb",
            id="MIG, one profile, shared",
        ),
        pytest.param(
            {"cloud.google.com/gke-accelerator": "nvidia-h100-mega-80gb"},
            "h100-sxm5-80gb",
            id="GKE's name",
        ),
        pytest.param(
            {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM"},
            "mi300x-192gb",
            id="AMD's name, as live nodes may carry it",
        ),
        pytest.param({"amd.com/gpu.device-id": "74a0"}, "mi300a-128gb", id="AMD's device id"),
        pytest.param(
            {"cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice"}, "tpu-v6e", id="TPU"
        ),
        pytest.param(
            {
                "karpenter.k8s.aws/instance-gpu-name": "a100",
                "karpenter.k8s.aws/instance-gpu-memory": "81920",
            },
            "a100-sxm4-80gb",
            id="one name for two sizes, told apart by the memory",
        ),
        pytest.param(
            {"karpenter.k8s.aws/instance-gpu-name": "a100"},
            "unknown",
            id="one name for two sizes, and nothing to tell them apart",
        ),
        pytest.param(
            {"karpenter.k8s.aws/instance-accelerator-name": "trainium2"},
            "trainium2",
            id="Trainium by its label",
        ),
        pytest.param(
            place("inf2.xlarge") | {PRODUCT: "something new"},
            "inferentia2",
            id="instance type where the label is not known",
        ),
        pytest.param({PRODUCT: "NVIDIA-X1000"}, "unknown", id="a model that no table has"),
        pytest.param({}, "unknown", id="no label at all"),
    ],
)
def test_accelerator_is_named_canonically(labels: dict[str, str], expected: str) -> None:
    assert facts(labels).accelerator == expected


@pytest.mark.parametrize(
    ("labels", "seen", "expected"),
    [
        pytest.param(
            place("p5.48xlarge") | {COUNT: "7"},
            {},
            8,
            id="the table's count goes before the label's, which sees a broken device less",
        ),
        pytest.param({COUNT: "4"}, {"nvidia.com/gpu": "16"}, 4, id="label before capacity"),
        pytest.param({}, {"nvidia.com/gpu": "8"}, 8, id="capacity where nothing else tells"),
        pytest.param(
            {"nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.sharing-strategy": "time-slicing"},
            {"nvidia.com/gpu": "16"},
            4,
            id="capacity of shared devices is divided by their replicas",
        ),
        pytest.param(
            {"nvidia.com/gpu.replicas": "4"},
            {"nvidia.com/gpu.shared": "8"},
            2,
            id="renamed replicas",
        ),
        pytest.param(
            {"amd.com/gpu.compute-memory-partition": "cpx_nps4"},
            {"amd.com/gpu": "64"},
            8,
            id="AMD partitions",
        ),
        pytest.param({}, {"amd.com/cpx_nps4": "64"}, 8, id="AMD partitions by name"),
        pytest.param(
            {}, {"nvidia.com/gpu": "1", "nvidia.com/mig-1g.5gb": "7"}, None, id="mixed MIG"
        ),
        pytest.param(
            {PRODUCT: "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", COUNT: "14"},
            {"nvidia.com/gpu": "14"},
            None,
            id="under MIG's single strategy the count is that of instances",
        ),
        pytest.param(
            {},
            {"aws.amazon.com/neuron": "16", "aws.amazon.com/neuroncore": "32"},
            16,
            id="Neuron devices under both their names",
        ),
        pytest.param(place("Standard_NC128ds_xl_RTXPRO6000BSE_v6"), {}, None, id="blank count"),
        pytest.param({}, {"nvidia.com/gpu": "x"}, None, id="a capacity that is no number"),
        pytest.param({}, {}, None, id="nothing at all"),
    ],
)
def test_physical_devices(
    labels: dict[str, str], seen: dict[str, str], expected: int | None
) -> None:
    devices = facts(labels, capacity=seen).devices
    assert isinstance(devices, Unknown) if expected is None else devices == expected


def test_devices_do_not_shrink_when_the_plug_in_restarts() -> None:
    full, empty = node({}, capacity={"nvidia.com/gpu": "8"}), node({}, capacity={})
    seen = higher(capacity(full), capacity(empty))
    assert node_facts(empty, tables(), seen).devices == 8


@pytest.mark.parametrize(
    ("instance_type", "fraction"),
    [("Standard_NV6ads_A10_v5", Fraction(1, 6)), ("g6f.large", Fraction(1, 8)), ("g6.xlarge", 1)],
)
def test_a_fractional_instance_is_one_device_for_cost(
    instance_type: str, fraction: Fraction
) -> None:
    known = facts(place(instance_type))
    assert (known.devices, known.device_fraction) == (1, fraction)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"nvidia.com/gpu.replicas": "1"}, ("none", 1)),
        ({"nvidia.com/gpu.replicas": "0"}, ("none", 1)),
        ({"nvidia.com/gpu.replicas": "4"}, ("time-slicing", 4)),
        (
            {"nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.sharing-strategy": "mps"},
            ("mps", 4),
        ),
        ({"nvidia.com/gpu.sharing-strategy": "time-slicing"}, ("unclear", 1)),
        ({PRODUCT: "NVIDIA-L4-SHARED"}, ("unclear", 1)),
        ({"nvidia.com/gpu.replicas": "many"}, ("unclear", 1)),
        (
            {
                "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing",
                "cloud.google.com/gke-max-shared-clients-per-gpu": "3",
            },
            ("time-slicing", 3),
        ),
    ],
)
def test_sharing(labels: dict[str, str], expected: tuple[str, int]) -> None:
    known = facts(labels)
    assert (known.sharing, known.replicas) == expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"karpenter.sh/capacity-type": "reserved"}, "reserved"),
        ({"eks.amazonaws.com/capacityType": "SPOT"}, "spot"),
        ({"eks.amazonaws.com/capacityType": "CAPACITY_BLOCK"}, "capacity-block"),
        (
            {
                "karpenter.sh/capacity-type": "reserved",
                "karpenter.k8s.aws/capacity-reservation-type": "capacity-block",
            },
            "capacity-block",
        ),
        (
            {
                "karpenter.sh/capacity-type": "reserved",
                "karpenter.k8s.aws/capacity-reservation-type": "default",
            },
            "reserved",
        ),
        ({"cloud.google.com/gke-nodepool": "a"}, "on-demand"),
        ({"cloud.google.com/gke-nodepool": "a", "cloud.google.com/gke-spot": "true"}, "spot"),
        ({"cloud.google.com/gke-preemptible": "true"}, "spot"),
        ({"cloud.google.com/gke-flex-start": "true"}, "unknown"),
        (
            {"cloud.google.com/reservation-name": "r", "cloud.google.com/gke-nodepool": "a"},
            "reserved",
        ),
        ({"kubernetes.azure.com/scalesetpriority": "spot"}, "spot"),
        ({"kubernetes.azure.com/cluster": "c"}, "on-demand"),
        ({"oci.oraclecloud.com/oke-is-preemptible": "true"}, "spot"),
        ({"karpenter.sh/capacity-type": "odd"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_capacity_type(labels: dict[str, str], expected: str) -> None:
    assert facts(labels).capacity_type == expected


@pytest.mark.parametrize(
    ("labels", "provider_id", "provider", "infrastructure"),
    [
        ({"eks.amazonaws.com/nodegroup": "a"}, "aws:///a/i-1", "aws", "partially-managed"),
        ({}, "aws:///us-east-1a/i-1", "aws", "self-managed"),
        ({"cloud.google.com/gke-nodepool": "a"}, "gce://p/z/n", "gcp", "partially-managed"),
        (
            {},
            "azure:///subscriptions/s/resourceGroups/mc_team_ai/providers/x",
            "azure",
            "partially-managed",
        ),
        ({}, "ocid1.instance.oc1.iad.abc", "oci", "self-managed"),
        ({}, "", "", "self-managed"),
    ],
)
def test_provider_and_infrastructure(
    labels: dict[str, str], provider_id: str, provider: str, infrastructure: str
) -> None:
    known = facts(labels, provider_id=provider_id)
    assert (known.provider, known.infrastructure) == (provider, infrastructure)


def test_memory_is_the_nodes_own_figure_else_the_tables() -> None:
    assert demo("h100").memory_mib == 81559
    assert facts({PRODUCT: "NVIDIA-H100-80GB-HBM3"}).memory_mib == 80 * 1024
    assert facts(place("g6f.large")).memory_mib == 3 * 1024
    assert facts({}).memory_mib is None


@pytest.mark.parametrize(
    "obj",
    [
        {},
        {"metadata": None, "spec": 1, "status": []},
        {"metadata": {"labels": {1: 2, "a": None}, "annotations": [], "uid": 7}},
        {"status": {"capacity": {"nvidia.com/gpu": {}, 3: 4}}},
    ],
)
def test_odd_nodes_are_read_without_an_error(obj: Any) -> None:
    known = node_facts(obj, tables())
    assert known.accelerator == "unknown"
    assert isinstance(known.devices, Unknown)
