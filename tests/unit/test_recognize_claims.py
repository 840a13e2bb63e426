"""What claims of Dynamic Resource Allocation allocate, and what slices say of a node."""

from fractions import Fraction
from typing import Any

import pytest

from bursar.domain.unknown import Unknown
from bursar.domain.usage import Part
from bursar.domain.workload import AcceleratorRequest, ClaimFacts
from bursar.recognize.claims import NO_ACCELERATORS, allocated, devices, held_by, of_node
from bursar.recognize.node import node_facts
from bursar.recognize.share import held
from support import dra
from support.catalog import tables
from support.fleet import facts, node

SLICE = (Fraction(1, 7) + Fraction(1, 8)) / 2
NVIDIA, AMD = "gpu.nvidia.com", "gpu.amd.com"


def published(driver: str, *entries: dict[str, Any], node_name: str = "node") -> Any:
    spec = {"driver": driver, "nodeName": node_name, "pool": {"name": "node"}}
    return devices({"spec": {**spec, "devices": list(entries)}})


def entry(name: str, *, capacity: dict[str, str] | None = None, **attributes: str) -> Any:
    return {
        "name": name,
        "attributes": {key: {"string": value} for key, value in attributes.items()},
        "capacity": {key: {"value": value} for key, value in (capacity or {}).items()},
    }


def claim(*results: dict[str, Any]) -> Any:
    return {"status": {"allocation": {"devices": {"results": list(results)}}}}


def result(device: str, driver: str = NVIDIA, **more: Any) -> dict[str, Any]:
    return {"request": "r", "driver": driver, "pool": "node", "device": device, **more}


def total(obj: Any, *found: Any) -> Any:
    known = {each.key: each for each in found}
    results = allocated(obj)
    assert results is not None
    shares = held_by(results, known, tables())
    return shares["r"]


ATTRIBUTES = {"type": "mig", "productName": "NVIDIA H100 80GB HBM3", "parentUUID": "GPU-0"}
HALF_MEMORY = {"memory": "40Gi"}


@pytest.mark.parametrize(
    ("results", "entries", "driver", "expected"),
    [
        pytest.param([result("gpu-0")], [entry("gpu-0", type="gpu")], NVIDIA, 1, id="a whole GPU"),
        pytest.param(
            [result("gpu-0"), result("gpu-1")],
            [entry("gpu-0", type="gpu"), entry("gpu-1", type="gpu")],
            NVIDIA,
            2,
            id="two GPUs",
        ),
        pytest.param(
            [result("vfio-0")], [entry("vfio-0", type="vfio")], NVIDIA, 1, id="a GPU passed through"
        ),
        pytest.param(
            [result("m")], [entry("m", profile="1g.10gb", **ATTRIBUTES)], NVIDIA, SLICE, id="MIG"
        ),
        pytest.param(
            [result("m")],
            [entry("m", profile="1g.10gb+me", **ATTRIBUTES)],
            NVIDIA,
            SLICE,
            id="MIG with media engines",
        ),
        pytest.param(
            [result("gpu-0", adminAccess=True)],
            [entry("gpu-0", type="gpu")],
            NVIDIA,
            0,
            id="an administrator's look holds nothing",
        ),
        pytest.param(
            [result("channel-0", "compute-domain.nvidia.com")], [], NVIDIA, 0, id="a channel"
        ),
        pytest.param([result("eth1", "dra.net")], [], NVIDIA, 0, id="a network card"),
        pytest.param(
            [result("gpu-0", consumedCapacity={"memory": "10Gi"})],
            [entry("gpu-0", type="gpu", capacity={"memory": "40Gi"})],
            NVIDIA,
            Fraction(1, 4),
            id="a part of the memory",
        ),
        pytest.param(
            [result("gpu-0", consumedCapacity={"gpu.nvidia.com/cores": "30", "slots": "1"})],
            [entry("gpu-0", type="gpu", capacity={"cores": "60", "slots": "4"})],
            NVIDIA,
            Fraction(3, 8),
            id="the mean of what is taken, where none of it is memory",
        ),
        pytest.param(
            [result("g", AMD)], [entry("g", type="amdgpu")], AMD, 1, id="a whole GPU of AMD's"
        ),
        pytest.param(
            [result("g", AMD)],
            [entry("g", type="amdgpu-partition", partitionProfile="cpx_nps4")],
            AMD,
            Fraction(1, 8),
            id="a partition of AMD's",
        ),
        pytest.param(
            [result("g", AMD, consumedCapacity={"partitions": "1"})],
            [entry("g", computePartition="dpx", capacity={"partitions": "2", "memory": "96Gi"})],
            AMD,
            Fraction(1, 2),
            id="a partition that AMD's driver cuts when it is taken",
        ),
        pytest.param(
            [result("n", "neuron.aws.com")],
            [entry("n")],
            "neuron.aws.com",
            1,
            id="another's device",
        ),
    ],
)
def test_share_is_exact(
    results: list[Any], entries: list[Any], driver: str, expected: Fraction
) -> None:
    assert total(claim(*results), *published(driver, *entries)) == expected


@pytest.mark.parametrize(
    ("results", "entries", "said"),
    [
        pytest.param(
            [result("gpu-9")], [], "no ResourceSlice", id="a device that nobody described"
        ),
        pytest.param(
            [result("x", "gpu.acme.example")], [], "gpu.acme.example", id="a driver nobody knows"
        ),
        pytest.param(
            [result("m")],
            [entry("m", type="mig", profile="1g.10gb", productName="X1000")],
            "model",
            id="MIG of an unknown model",
        ),
        pytest.param(
            [result("gpu-0", consumedCapacity={"memory": "50Gi"})],
            [entry("gpu-0", type="gpu", capacity=HALF_MEMORY)],
            "memory",
            id="more than the device has",
        ),
        pytest.param(
            [result("gpu-0", consumedCapacity={"memory": "much"})],
            [entry("gpu-0", type="gpu", capacity=HALF_MEMORY)],
            "memory",
            id="a quantity that is none",
        ),
        pytest.param(
            [result("gpu-0"), result("gpu-9")],
            [entry("gpu-0", type="gpu")],
            "gpu-9",
            id="one of two",
        ),
    ],
)
def test_what_nobody_tells_is_unknown_with_its_reason(
    results: list[Any], entries: list[Any], said: str
) -> None:
    share = total(claim(*results), *published(NVIDIA, *entries))
    assert isinstance(share, Unknown)
    assert said in share.reason


@pytest.mark.parametrize(
    "odd",
    [{}, {"status": 3}, {"status": {"allocation": None}}, {"status": {"allocation": []}}],
)
def test_a_claim_without_an_allocation_allocates_nothing_yet(odd: Any) -> None:
    assert allocated(odd) is None


def test_odd_claims_and_slices_are_read_as_far_as_they_go() -> None:
    assert allocated({"status": {"allocation": {"devices": {"results": [1, {}]}}}}) is not None
    assert devices({"spec": {"devices": [1, {}, {"name": 3}]}}) == ()
    assert devices({}) == ()


def test_devices_of_the_first_beta_are_read_too() -> None:
    old = {"name": "gpu-0", "basic": {"attributes": {"type": {"string": "gpu"}}}}
    (device,) = published(NVIDIA, old)
    assert device.attributes == {"type": "gpu"}


def test_names_of_attributes_may_carry_the_drivers_domain() -> None:
    (device,) = published(
        NVIDIA,
        {
            "name": "m",
            "attributes": {
                "gpu.nvidia.com/profile": {"string": "1g.5gb"},
                "resource.kubernetes.io/pciBusID": {"string": "0000:19:00.0"},
            },
        },
    )
    assert set(device.attributes) == {"profile", "resource.kubernetes.io/pciBusID"}


class TestNode:
    def test_slices_tell_devices_and_model_where_nothing_else_does(self) -> None:
        found = node_facts(node({}), tables(), published=devices(dra.slice_of("node")))
        assert (found.devices, found.accelerator) == (4, "h100-sxm5-80gb")
        assert found.memory_mib == 80 * 1024

    def test_labels_and_capacity_go_before_slices(self) -> None:
        slices = devices(dra.slice_of("node"))
        labelled = node({"nvidia.com/gpu.count": "8"})
        assert node_facts(labelled, tables(), published=slices).devices == 8
        offering = node({}, capacity={"nvidia.com/gpu": "2"})
        assert node_facts(offering, tables(), published=slices).devices == 2

    def test_partitions_of_one_gpu_are_one_device(self) -> None:
        bus = {"resource.kubernetes.io/pciBusID": {"string": "0000:19:00.0"}}
        parts = [
            {
                "name": f"g{index}",
                "attributes": {"partitionProfile": {"string": "cpx_nps1"}, **bus},
            }
            for index in range(8)
        ]
        assert of_node(published(AMD, *parts), tables())[0] == 1

    def test_partitions_that_do_not_name_their_gpu_are_added_up(self) -> None:
        def parts(count: int) -> Any:
            return published(
                AMD, *(entry(f"g{i}", partitionProfile="cpx_nps1") for i in range(count))
            )

        assert of_node(parts(16), tables())[0] == 2
        assert of_node(parts(15), tables())[0] is None

    def test_cards_of_the_network_are_no_accelerators(self) -> None:
        for driver in NO_ACCELERATORS:
            assert of_node(published(driver, entry("x")), tables()) == (None, "unknown")


class TestPod:
    request = AcceleratorRequest(resource="claim:gpus", count=Fraction(1), claim="c")

    def hold(self, facts_of: ClaimFacts | None, request: AcceleratorRequest | None = None) -> Any:
        return held(request or self.request, facts({}), tables(), lambda _: facts_of)

    def test_holds_all_that_its_claim_allocates_and_shares_it(self) -> None:
        found = self.hold(ClaimFacts(uid="u", devices={"a": Fraction(1), "b": Fraction(1, 2)}))
        part = Part(key="claim/u", devices=Fraction(3, 2), of=Fraction(3, 2))
        assert (found.devices, found.parts) == (Fraction(3, 2), (part,))

    def test_by_a_resource_holds_what_is_allocated_for_that(self) -> None:
        both = ClaimFacts(uid="u", devices={"a": Fraction(1), "b": Fraction(2)})
        one = AcceleratorRequest(
            resource="nvidia.com/gpu", count=Fraction(1), claim="c", claim_requests=("b",)
        )
        assert self.hold(both, one).devices == 2

    def test_without_its_claim_is_unknown(self) -> None:
        found = self.hold(None)
        assert isinstance(found.devices, Unknown)
        assert "claim c" in found.devices.reason

    def test_with_a_claim_of_no_devices_holds_none(self) -> None:
        found = self.hold(ClaimFacts(uid="u", devices={"a": Fraction(0)}))
        assert (found.devices, found.parts) == (0, ())

    def test_with_one_part_unknown_is_unknown(self) -> None:
        found = self.hold(ClaimFacts(uid="u", devices={"a": Fraction(1), "b": Unknown("why")}))
        assert isinstance(found.devices, Unknown)
