"""What share of a device the parts are that slicing schedulers give."""

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from bursar.domain.unknown import Unknown
from bursar.domain.usage import Part
from bursar.domain.workload import NodeFacts
from bursar.recognize.request import requests
from bursar.recognize.share import held
from support.catalog import tables
from support.fleet import container, facts, pod

GPU = "nvidia.com/gpu"
REGISTER = "hami.io/node-nvidia-register"
GIVEN = "hami.io/vgpu-devices-allocated"
TWO = json.dumps(
    [
        {"id": "GPU-a", "count": 10, "devmem": 24000, "devcore": 100, "health": True},
        {"id": "GPU-b", "count": 10, "devmem": 24000, "devcore": 100, "health": True},
    ]
)


def of(node: NodeFacts, obj: Any) -> dict[str, Fraction | Unknown]:
    """What a pod holds, by request."""
    return {each.resource: held(each, node, tables()).devices for each in requests(obj)}


def hami(register: str = TWO, **more: Any) -> NodeFacts:
    return facts({}, annotations={REGISTER: register}, capacity={GPU: "20"}, **more)


def given(text: str, limits: dict[str, Any] | None = None) -> Any:
    return pod(container(limits or {GPU: 1}), annotations={GIVEN: text})


class TestHami:
    def test_what_it_wrote_goes_before_what_was_asked_for(self) -> None:
        obj = given("GPU-a,NVIDIA,6000,30:;", {GPU: 1, "nvidia.com/gpumem": 3000})
        assert of(hami(), obj) == {GPU: Fraction(1, 4)}

    def test_several_devices_and_containers_add_up(self) -> None:
        obj = given("GPU-a,NVIDIA,6000,0:GPU-b,NVIDIA,12000,0:;GPU-a,NVIDIA,3000,0:;")
        assert of(hami(), obj) == {GPU: Fraction(9, 24) + Fraction(12, 24)}

    def test_parts_of_one_device_are_known_to_be_of_one(self) -> None:
        (request,) = requests(given("GPU-a,NVIDIA,6000,0:GPU-b,NVIDIA,12000,0:;"))
        assert held(request, hami(), tables()).parts == (
            Part(key="uid-node/device/GPU-a", devices=Fraction(1, 4), of=Fraction(1)),
            Part(key="uid-node/device/GPU-b", devices=Fraction(1, 2), of=Fraction(1)),
        )

    def test_without_its_word_the_memory_that_was_asked_for_counts(self) -> None:
        obj = pod(container({GPU: 2, "nvidia.com/gpumem": 6000}))
        assert of(hami(), obj) == {GPU: Fraction(1, 2)}

    def test_hundredths_of_the_memory_need_no_node(self) -> None:
        obj = pod(container({GPU: 2, "nvidia.com/gpumem-percentage": 40}))
        assert of(facts({}), obj) == {GPU: Fraction(4, 5)}

    def test_its_first_way_to_register_devices_is_read_too(self) -> None:
        node = hami("GPU-a,10,32768,100,NVIDIA-V100,0,true:GPU-b,10,32768,100,NVIDIA-V100,0,true:")
        assert node.devices == 2
        assert of(node, given("GPU-b,NVIDIA,8192,0:;")) == {GPU: Fraction(1, 4)}

    @pytest.mark.parametrize(
        "obj",
        [
            pytest.param(pod(container({GPU: 1})), id="nothing told"),
            pytest.param(pod(container({GPU: 1, "nvidia.com/gpucores": 30})), id="cores alone"),
            pytest.param(given("GPU-a,NVIDIA,much,0:;"), id="an illegible word"),
            pytest.param(
                given("GPU-a,NVIDIA,1,0:;", {GPU: 2}), id="told of fewer devices than asked for"
            ),
            pytest.param(
                given("GPU-a,NVIDIA,1,0:GPU-x,NVIDIA,1,0:;", {GPU: 2}), id="a foreign device"
            ),
        ],
    )
    def test_what_it_does_not_tell_is_unknown(self, obj: Any) -> None:
        (share,) = of(hami(), obj).values()
        assert isinstance(share, Unknown)
        assert share.reason

    def test_the_word_of_a_tenant_counts_nowhere_else(self) -> None:
        whole = facts({"nvidia.com/gpu.product": "NVIDIA-L4"}, capacity={GPU: "4"})
        assert of(whole, given("GPU-a,NVIDIA,1,0:;", {GPU: 4})) == {GPU: 4}

    @pytest.mark.parametrize("register", ["", "x", "[]", "[3]", "{}", '[{"id": 3}]', "a,b,c:"])
    def test_an_odd_register_tells_nothing(self, register: str) -> None:
        node = hami(register)
        assert node.registered == {}
        assert isinstance(node.devices, Unknown)

    def test_its_splits_are_not_the_nodes_devices(self) -> None:
        assert hami().devices == 2


L40S = {"nvidia.com/gpu.product": "NVIDIA-L40S", "nvidia.com/gpu.count": "4"}
"""48 GiB a device by the bundled table."""


@pytest.mark.parametrize(
    ("node", "limits", "expected"),
    [
        pytest.param(
            facts(L40S | {"nvidia.com/gpu.memory": "46068"}),
            {GPU: 1, "nvidia.com/gpumem": 23034},
            Fraction(1, 2),
            id="memory of a device by its label",
        ),
        pytest.param(
            facts(L40S, capacity={"volcano.sh/vgpu-memory": "800"}),
            {"volcano.sh/vgpu-number": 2, "volcano.sh/vgpu-memory": 50},
            Fraction(1, 2),
            id="Volcano's units, whatever its factor",
        ),
        pytest.param(
            facts({}, capacity={"volcano.sh/gpu-number": "2", "volcano.sh/gpu-memory": "64000"}),
            {"volcano.sh/gpu-memory": 8000},
            Fraction(1, 4),
            id="Volcano's first sharing",
        ),
        pytest.param(
            facts({}, capacity={"volcano.sh/gpu-number": "2"}),
            {"volcano.sh/gpu-number": 2},
            Fraction(2),
            id="Volcano's whole devices",
        ),
        pytest.param(
            facts({}, capacity={"aliyun.com/gpu-count": "4", "aliyun.com/gpu-mem": "96"}),
            {"aliyun.com/gpu-mem": 6},
            Fraction(1, 4),
            id="Alibaba's units, whichever they are",
        ),
        pytest.param(
            facts({}, capacity={"aliyun.com/gpu-count": "4", "aliyun.com/gpu-mem": "96"}),
            {"aliyun.com/gpu-core.percentage": 30},
            Fraction(3, 10),
            id="Alibaba's compute",
        ),
        pytest.param(
            facts(
                {}, capacity={"tencent.com/vcuda-core": "200", "tencent.com/vcuda-memory": "128"}
            ),
            {"tencent.com/vcuda-core": 50, "tencent.com/vcuda-memory": 16},
            Fraction(1, 4),
            id="Tencent's blocks of memory",
        ),
        pytest.param(
            facts(L40S),
            {"tke.cloud.tencent.com/qgpu-core": 30, "tke.cloud.tencent.com/qgpu-memory": 12},
            Fraction(1, 4),
            id="Tencent's GiB, of a device that the table has",
        ),
        pytest.param(
            facts(L40S),
            {"elasticgpu.com/gpu-core": 70},
            Fraction(7, 10),
            id="Elastic GPU's compute",
        ),
        pytest.param(
            facts(L40S, capacity={"vke.volcengine.com/mgpu-memory": "160000"}),
            {"vke.volcengine.com/mgpu-core": 10, "vke.volcengine.com/mgpu-memory": 8000},
            Fraction(1, 5),
            id="Volcengine's memory",
        ),
        pytest.param(
            facts(L40S, capacity={"nvshare.com/gpu": "40"}),
            {"nvshare.com/gpu": 1},
            Fraction(1, 10),
            id="nvshare's virtual devices",
        ),
        pytest.param(
            facts({"nvidia.com/gpu.memory": "81559"}),
            {"nvidia.com/gpu-10gb": 2},
            Fraction(20, 82),
            id="slices of nos, as it counts a device's gigabytes",
        ),
        pytest.param(
            facts({"gpu.intel.com/device.count": "2"}, capacity={"gpu.intel.com/i915": "20"}),
            {"gpu.intel.com/i915": 3},
            Fraction(3, 10),
            id="Intel's devices, each shared by ten",
        ),
        pytest.param(
            facts({"node.kubernetes.io/npu.chip.name": "910B3"}),
            {"huawei.com/npu-core": 5},
            Fraction(1, 4),
            id="cores of an Ascend by the label of its chip",
        ),
        pytest.param(
            facts({}, capacity={"huawei.com/Ascend310P": "4", "huawei.com/npu-core": "32"}),
            {"huawei.com/npu-core": 4},
            Fraction(1, 2),
            id="cores of an Ascend by the capacity",
        ),
        pytest.param(
            facts(
                {}, annotations={"hami.io/node-register-Ascend910B3": '[{"id":"a","devmem":65536}]'}
            ),
            {"huawei.com/Ascend910B3": 1, "huawei.com/Ascend910B3-memory": 16384},
            Fraction(1, 4),
            id="memory of an Ascend that HAMi registers",
        ),
        pytest.param(
            facts({}, capacity={"mthreads.com/gpu": "2", "mthreads.com/sgpu-memory": "192"}),
            {"mthreads.com/vgpu": 1, "mthreads.com/sgpu-memory": 24},
            Fraction(1, 4),
            id="Moore Threads' blocks of memory",
        ),
        pytest.param(
            facts({}, capacity={"metax-tech.com/gpu": "8", "metax-tech.com/vmemory": "512"}),
            {"metax-tech.com/sgpu": 2, "metax-tech.com/vmemory": 16, "metax-tech.com/vcore": 60},
            Fraction(1, 2),
            id="MetaX's memory",
        ),
        pytest.param(
            facts({}, capacity={"enflame.com/gcu": "1"}),
            {"enflame.com/vgcu": 1, "enflame.com/vgcu-percentage": 30},
            Fraction(3, 10),
            id="hundredths of an Enflame",
        ),
        pytest.param(
            facts(L40S, annotations={"volcano.sh/node-vgpu-register": "GPU-a,10,40000,L40S,true:"}),
            {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 10000},
            Fraction(1, 4),
            id="memory of a device that Volcano registers",
        ),
    ],
)
def test_share_is_exact(node: NodeFacts, limits: dict[str, Any], expected: Fraction) -> None:
    assert set(of(node, pod(container(limits))).values()) == {expected}


@pytest.mark.parametrize(
    ("node", "limits", "said"),
    [
        pytest.param(
            facts({}), {GPU: 1, "nvidia.com/gpumem": 100}, "nvidia.com/gpu.memory", id="memory"
        ),
        pytest.param(
            facts(L40S), {"aliyun.com/gpu-mem": 1}, "offers no", id="units of no capacity"
        ),
        pytest.param(
            facts({}, capacity={"gpu.intel.com/i915": "20"}),
            {"gpu.intel.com/i915": 1},
            "how many devices",
            id="Intel's capacity without the number of devices",
        ),
        pytest.param(
            facts({}), {"volcano.sh/vgpu-number": 1}, "volcano.sh/vgpu-ids-new", id="a default"
        ),
    ],
)
def test_an_unknown_share_names_what_would_tell_it(
    node: NodeFacts, limits: dict[str, Any], said: str
) -> None:
    (share,) = of(node, pod(container(limits))).values()
    assert isinstance(share, Unknown)
    assert said in share.reason


def test_what_the_installation_names_is_a_whole_device() -> None:
    named = replace(tables(), further=frozenset({"example.com/card", "gpu.intel.com/i915"}))
    for name in named.further:
        (request,) = requests(pod(container({name: 3})), named.further)
        assert held(request, facts({}), named).devices == 3


class TestKai:
    node = facts({"nvidia.com/gpu.memory": "80000"}, capacity={GPU: "8"})

    def fractional(self, notes: dict[str, str], labels: dict[str, str]) -> Any:
        obj = pod(container(), annotations=notes)
        obj["metadata"]["labels"] = labels
        (request,) = requests(obj)
        return held(request, self.node, tables())

    def test_memory_is_that_of_the_nodes_device(self) -> None:
        assert self.fractional({"gpu-memory": "20000"}, {}).devices == Fraction(1, 4)

    def test_a_part_of_a_group_is_one_of_a_shared_device(self) -> None:
        found = self.fractional({"gpu-fraction": "0.5"}, {"runai-gpu-group": "g"})
        half = Part(key="uid-node/group/g", devices=Fraction(1, 2), of=Fraction(1))
        assert found.parts == (half,)

    def test_several_groups_have_their_parts_each(self) -> None:
        notes = {"gpu-fraction": "0.25", "gpu-fraction-num-devices": "2"}
        found = self.fractional(notes, {"runai-gpu-group/a": "a", "runai-gpu-group/b": "b"})
        assert found.devices == Fraction(1, 2)
        assert [(part.key, part.devices) for part in found.parts] == [
            ("uid-node/group/a", Fraction(1, 4)),
            ("uid-node/group/b", Fraction(1, 4)),
        ]

    def test_place_holders_hold_nothing(self) -> None:
        obj = pod(container({GPU: 1}), namespace="kai-resource-reservation")
        assert of(self.node, obj) == {GPU: 0}
