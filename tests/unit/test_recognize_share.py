"""What share of a device a request holds."""

from fractions import Fraction
from typing import Any

import pytest

from bursar.domain.unknown import Unknown
from bursar.domain.workload import AcceleratorRequest, NodeFacts
from bursar.recognize.share import share
from support.catalog import tables
from support.fleet import demo, facts, place

GPU = "nvidia.com/gpu"
PRODUCT = "nvidia.com/gpu.product"
A100 = "NVIDIA-A100-SXM4-40GB"


def held(resource: str, count: Any, node: NodeFacts) -> Fraction | Unknown:
    return share(AcceleratorRequest(resource=resource, count=Fraction(count)), node, tables())


@pytest.mark.parametrize(
    ("resource", "count", "node", "expected"),
    [
        pytest.param(GPU, 4, demo("h100"), Fraction(4), id="half of an H100 node"),
        pytest.param(GPU, 1, demo("a100-mig"), Fraction(1), id="a whole GPU beside MIG"),
        pytest.param(
            "nvidia.com/mig-1g.5gb",
            1,
            demo("a100-mig"),
            (Fraction(1, 7) + Fraction(1, 8)) / 2,
            id="a seventh and an eighth of an A100",
        ),
        pytest.param(
            "nvidia.com/mig-3g.20gb",
            2,
            demo("a100-mig"),
            Fraction(3, 7) + Fraction(4, 8),
            id="two halves of an A100",
        ),
        pytest.param(GPU, 1, demo("l4-shared"), Fraction(1, 4), id="a replica of four"),
        pytest.param(GPU, 3, demo("l4-shared"), Fraction(3, 4), id="three replicas of four"),
        pytest.param(GPU, 1, demo("t4-spot"), Fraction(1), id="a T4"),
        pytest.param("amd.com/gpu", 8, demo("mi300x"), Fraction(8), id="a whole MI300X node"),
        pytest.param(GPU, 8, demo("dgx-h100"), Fraction(8), id="a whole DGX"),
        pytest.param(
            "nvidia.com/mig-2g.12gb",
            1,
            facts({PRODUCT: "NVIDIA-A30"}),
            Fraction(2, 4),
            id="half of an A30, in quarters",
        ),
        pytest.param(
            "nvidia.com/mig-1g.24gb.gfx",
            1,
            facts({PRODUCT: "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"}),
            Fraction(1, 4),
            id="a quarter of an RTX PRO 6000, with graphics",
        ),
        pytest.param(
            "nvidia.com/mig-1g.24gb-me",
            1,
            facts({PRODUCT: "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"}),
            Fraction(1, 4),
            id="a quarter of an RTX PRO 6000, without media engines",
        ),
        pytest.param(
            "nvidia.com/mig-1g.5gb.me",
            1,
            facts({PRODUCT: A100}),
            Fraction(15, 112),
            id="media engines change no slice",
        ),
        pytest.param(
            "nvidia.com/mig-1g.5gb.shared",
            1,
            facts({PRODUCT: A100, "nvidia.com/mig-1g.5gb.replicas": "5"}),
            Fraction(15, 112) / 5,
            id="a replica of a slice, renamed",
        ),
        pytest.param(
            "nvidia.com/mig-1g.5gb",
            1,
            facts({PRODUCT: A100, "nvidia.com/mig-1g.5gb.replicas": "5"}),
            Fraction(15, 112) / 5,
            id="a replica of a slice, not renamed",
        ),
        pytest.param(
            GPU,
            1,
            facts({PRODUCT: f"{A100}-MIG-1g.5gb"}),
            Fraction(15, 112),
            id="a slice under MIG's single strategy",
        ),
        pytest.param(
            GPU,
            1,
            facts({PRODUCT: f"{A100}-MIG-1g.5gb-SHARED", "nvidia.com/gpu.replicas": "2"}),
            Fraction(15, 224),
            id="a replica of a slice under MIG's single strategy",
        ),
        pytest.param(
            GPU,
            1,
            facts(
                {
                    "cloud.google.com/gke-accelerator": "nvidia-tesla-a100",
                    "cloud.google.com/gke-gpu-partition-size": "1g.5gb",
                    "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing",
                    "cloud.google.com/gke-max-shared-clients-per-gpu": "3",
                }
            ),
            Fraction(15, 336),
            id="a client of a partition on GKE",
        ),
        pytest.param(
            "nvidia.com/gpu.shared",
            2,
            facts({PRODUCT: "NVIDIA-L4", "nvidia.com/gpu.replicas": "10"}),
            Fraction(2, 10),
            id="renamed replicas",
        ),
        pytest.param(
            GPU,
            1,
            facts(
                {"nvidia.com/gpu.replicas": "2", "nvidia.com/gpu.sharing-strategy": "mps"},
            ),
            Fraction(1, 2),
            id="MPS",
        ),
        pytest.param(
            "amd.com/gpu",
            1,
            facts({"amd.com/gpu.compute-memory-partition": "cpx_nps4"}),
            Fraction(1, 8),
            id="an AMD partition by the node's label",
        ),
        pytest.param(
            "amd.com/dpx_nps1", 1, demo("mi300x"), Fraction(1, 2), id="an AMD partition by its name"
        ),
        pytest.param(
            "google.com/tpu", 4, facts(place("ct5lp-hightpu-4t")), Fraction(4), id="TPU chips"
        ),
        pytest.param("habana.ai/gaudi", 2, facts({}), Fraction(2), id="Gaudi cards"),
        pytest.param(
            "aws.amazon.com/neuroncore",
            3,
            facts(place("inf2.xlarge")),
            Fraction(3, 2),
            id="Neuron cores, two a device",
        ),
        pytest.param(
            "aws.amazon.com/neurondevice",
            1,
            facts(place("trn1.32xlarge")),
            Fraction(1),
            id="a Neuron device",
        ),
        pytest.param(
            GPU,
            1,
            facts(place("Standard_NV6ads_A10_v5")),
            Fraction(1),
            id="a sixth of an A10 that is the node's one device",
        ),
        pytest.param(
            "gpu.intel.com/monitoring", 1, facts({}), Fraction(0), id="a view that holds nothing"
        ),
    ],
)
def test_share_is_exact(resource: str, count: int, node: NodeFacts, expected: Fraction) -> None:
    assert held(resource, count, node) == expected


@pytest.mark.parametrize(
    ("resource", "node"),
    [
        pytest.param(
            GPU,
            facts({}, annotations={"hami.io/node-nvidia-register": "x"}),
            id="HAMi's node",
        ),
        pytest.param(
            "amd.com/gpu",
            facts({}, annotations={"hami.io/node-amd-register": "x"}),
            id="HAMi's node of AMD's devices",
        ),
        pytest.param("nvidia.com/gpumem", demo("h100"), id="HAMi's memory"),
        pytest.param("nvshare.com/gpu", demo("h100"), id="virtual devices that it does not offer"),
        pytest.param("huawei.com/npu-core", facts({}), id="cores of a chip that no label names"),
        pytest.param("huawei.com/Ascend910-2c", facts({}), id="a fixed slice of an Ascend"),
        pytest.param("gpu.intel.com/i915", facts({}), id="Intel's device, shared by nobody knows"),
        pytest.param("volcano.sh/vgpu-number", demo("h100"), id="Volcano's slice"),
        pytest.param("nvidia.com/gpu-10gb", facts({}), id="a slice of nobody knows how much"),
        pytest.param("huawei.com/Ascend910B3", facts({}), id="HAMi's Ascend"),
        pytest.param("run.ai/gpu", demo("h100"), id="Run:ai"),
        pytest.param(
            "deviceclass.resource.kubernetes.io/gpu.nvidia.com", demo("h100"), id="a device class"
        ),
        pytest.param("nvidia.com/gpu.unheard-of", demo("h100"), id="a name that nobody knows"),
        pytest.param("example.com/thing", demo("h100"), id="no accelerator at all"),
        pytest.param("nvidia.com/gpu.shared", demo("h100"), id="shared by nobody knows how many"),
        pytest.param(GPU, facts({PRODUCT: "NVIDIA-L4-SHARED"}), id="shared, and not told how"),
        pytest.param(
            "nvidia.com/mig-1g.5gb.shared",
            facts({PRODUCT: A100}),
            id="a shared slice, and not told among how many",
        ),
        pytest.param("nvidia.com/mig-1g.7gb", demo("a100-mig"), id="a profile of another model"),
        pytest.param("nvidia.com/mig-1g.5gb", facts({}), id="a slice of an unknown model"),
        pytest.param(GPU, facts({PRODUCT: f"{A100}-MIG-INVALID"}), id="MIG set up wrongly"),
        pytest.param(
            "amd.com/gpu",
            facts(
                {
                    "amd.com/gpu.product-name": "Instinct_MI300A",
                    "amd.com/gpu.compute-memory-partition": "cpx_nps1",
                }
            ),
            id="partitions of a part with six dies",
        ),
        pytest.param("aws.amazon.com/neuroncore", facts({}), id="cores of an unknown device"),
    ],
)
def test_what_nobody_tells_is_unknown_with_its_reason(resource: str, node: NodeFacts) -> None:
    found = held(resource, 1, node)
    assert isinstance(found, Unknown)
    assert found.reason


def test_an_unknown_count_keeps_its_reason() -> None:
    request = AcceleratorRequest(resource="claim:gpu", count=Unknown("why"))
    assert share(request, demo("h100"), tables()) == Unknown("why")
