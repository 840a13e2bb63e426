"""What a pod asks for: by the scheduler's rule, in every way of asking, and never by guessing."""

import csv
import re
from fractions import Fraction
from typing import Any

import pytest

from bursar.domain.unknown import Unknown
from bursar.recognize import resources
from bursar.recognize.request import requests, whole_devices
from support.catalog import SOURCE
from support.fleet import container, pod

GPU = "nvidia.com/gpu"


def asked(obj: Any) -> dict[str, Any]:
    """Counts by name, with unknown ones as None."""
    return {
        each.resource: None if isinstance(each.count, Unknown) else each.count
        for each in requests(obj)
    }


def sidecar(limits: dict[str, Any]) -> dict[str, Any]:
    return container(limits, restartPolicy="Always")


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        pytest.param(pod(container({"cpu": "4"})), {}, id="no accelerator, nothing asked"),
        pytest.param(pod(container({GPU: "2"})), {GPU: 2}, id="one container"),
        pytest.param(
            pod(container({GPU: 1}), container({GPU: 2})), {GPU: 3}, id="containers add up"
        ),
        pytest.param(
            pod(container({GPU: 1}), init=(container({GPU: 4}), container({GPU: 2}))),
            {GPU: 4},
            id="init containers run one after the other: the largest counts",
        ),
        pytest.param(
            pod(container({GPU: 1}), init=(sidecar({GPU: 2}),)),
            {GPU: 3},
            id="a sidecar goes on running beside the containers",
        ),
        pytest.param(
            pod(container({GPU: 1}), init=(sidecar({GPU: 2}), container({GPU: 4}))),
            {GPU: 6},
            id="an init container runs beside the sidecars before it",
        ),
        pytest.param(
            pod(container({GPU: 1}), init=(container({GPU: 4}), sidecar({GPU: 2}))),
            {GPU: 4},
            id="an init container runs without the sidecars after it",
        ),
        pytest.param(
            pod({"name": "a", "resources": {"requests": {GPU: "1"}}}),
            {GPU: 1},
            id="a request without its limit still counts",
        ),
        pytest.param(
            pod(container({GPU: 1}), overhead={GPU: "1"}), {GPU: 2}, id="overhead of the runtime"
        ),
        pytest.param(pod(container({GPU: "0"})), {}, id="zero asks for nothing"),
        pytest.param(
            pod(container({"nvidia.com/mig-1g.10gb": 2, "google.com/tpu": "4"})),
            {"google.com/tpu": 4, "nvidia.com/mig-1g.10gb": 2},
            id="two resources, in the order of the names",
        ),
        pytest.param(
            pod(container({"nvidia.com/hostdev": 1, "rdma/hca": 1})),
            {},
            id="network cards of the same makers are no accelerators",
        ),
    ],
)
def test_counts_follow_the_schedulers_rule(obj: Any, expected: dict[str, int]) -> None:
    assert asked(obj) == expected


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("8", 8),
        (8, 8),
        ("1k", 1000),
        ("1e2", 100),
        ("2.0", 2),
        ("1000m", 1),
        ("0.5", None),
        ("500m", None),
        ("-1", None),
        (-3, None),
        ("1Ei", None),
        pytest.param(10**5000, None, id="a number too long to print"),
        pytest.param("9" * 400, None, id="a text too long to read"),
        ("eight", None),
        ("", None),
        (None, None),
        ([], None),
        (True, None),
    ],
)
def test_every_quantity_is_a_number_or_unknown(quantity: Any, expected: int | None) -> None:
    assert asked(pod(container({GPU: quantity}))) == {GPU: expected}


def test_one_malformed_container_makes_the_sum_unknown() -> None:
    found = requests(pod(container({GPU: 1}), container({GPU: "x"})))
    assert isinstance(found[0].count, Unknown)
    assert "nvidia.com/gpu" in found[0].count.reason


@pytest.mark.parametrize(
    ("obj", "names"),
    [
        pytest.param(
            pod(container(), annotations={"gpu-fraction-num-devices": "2"}),
            ["annotation:gpu-fraction-num-devices"],
            id="KAI's number of devices alone",
        ),
        pytest.param(
            pod(container(), annotations={"gpu-fraction": "half"}),
            ["annotation:gpu-fraction"],
            id="a fraction that is none",
        ),
        pytest.param(
            pod(container(), annotations={"gpu-fraction": "1.5"}),
            ["annotation:gpu-fraction"],
            id="a fraction above one",
        ),
        pytest.param(
            pod(container(), annotations={"gpu-fraction": "0"}),
            ["annotation:gpu-fraction"],
            id="a fraction of nothing",
        ),
        pytest.param(
            pod(container(), annotations={"gpu-memory": "2Gi"}),
            ["annotation:gpu-memory"],
            id="memory that is no number of MiB",
        ),
        pytest.param(
            pod(container(), annotations={"gpu-fraction": "0.5", "gpu-memory": "2000"}),
            ["annotation:gpu-fraction"],
            id="a fraction and a memory at once",
        ),
        pytest.param(
            pod(
                container(),
                annotations={"gpu-fraction": "0.5", "gpu-fraction-num-devices": "many"},
            ),
            ["annotation:gpu-fraction"],
            id="a fraction of nobody knows how many devices",
        ),
        pytest.param(
            pod(container(), resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "x"}]),
            ["claim:gpu"],
            id="a claim that is not made yet",
        ),
        pytest.param(
            pod(container(env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}])),
            ["env:NVIDIA_VISIBLE_DEVICES"],
            id="devices past the scheduler",
        ),
        pytest.param(
            pod(container(env=[{"name": "NVIDIA_VISIBLE_DEVICES", "valueFrom": {}}])),
            ["env:NVIDIA_VISIBLE_DEVICES"],
            id="devices past the scheduler, by a value from elsewhere",
        ),
        pytest.param(
            pod(
                container(),
                ephemeralContainers=[{"env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "0"}]}],
            ),
            ["env:NVIDIA_VISIBLE_DEVICES"],
            id="devices past the scheduler, in a debug container",
        ),
        pytest.param(
            pod(
                container({GPU: 0}, env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]),
            ),
            ["env:NVIDIA_VISIBLE_DEVICES"],
            id="a limit of zero hides nothing",
        ),
        pytest.param(
            pod(container({"nvidia.com/gpumem": 3000})),
            [GPU],
            id="HAMi's memory, and of no number of devices",
        ),
        pytest.param(
            pod(container({GPU: 1, "nvidia.com/gpumem": "much"})), [GPU], id="memory that is none"
        ),
        pytest.param(
            pod(container({"aws.amazon.com/neuron": 1, "aws.amazon.com/neuroncore": 2})),
            ["aws.amazon.com/neuron"],
            id="two views of one Neuron device",
        ),
    ],
)
def test_what_the_pod_does_not_tell_is_unknown_and_never_one_device(
    obj: Any, names: list[str]
) -> None:
    found = requests(obj)
    assert [each.resource for each in found] == names
    assert all(isinstance(each.count, Unknown) and each.count.reason for each in found)


def parts(obj: Any) -> dict[str, tuple[Any, Any, Any]]:
    """Devices told, memory told and devices of which no part is told, by resource."""
    return {
        each.resource: (each.slice.devices, each.slice.memory, each.slice.bare)
        for each in requests(obj)
        if each.slice is not None
    }


QGPU, QMEM = "tke.cloud.tencent.com/qgpu-core", "tke.cloud.tencent.com/qgpu-memory"


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        pytest.param(
            pod(container({GPU: 2, "nvidia.com/gpumem": 3000, "nvidia.com/gpucores": 30})),
            {GPU: (0, 6000, 0)},
            id="HAMi's memory is that of each device, and its cores are only a cap",
        ),
        pytest.param(
            pod(container({GPU: 3, "nvidia.com/gpumem-percentage": 25})),
            {GPU: (Fraction(3, 4), 0, 0)},
            id="hundredths of the memory",
        ),
        pytest.param(
            pod(
                container({GPU: 1, "nvidia.com/gpumem": 1000}),
                container({GPU: 2, "nvidia.com/gpumem": 2000}),
            ),
            {GPU: (0, 5000, 0)},
            id="each container has memory of its own",
        ),
        pytest.param(
            pod(
                container({GPU: 1, "nvidia.com/gpumem": 1000}),
                init=(container({GPU: 1, "nvidia.com/gpumem": 4000}),),
            ),
            {GPU: (0, 4000, 0)},
            id="an init container's memory is the peak",
        ),
        pytest.param(
            pod(container({GPU: 1, "nvidia.com/gpumem": 1000}), container({GPU: 1})),
            {GPU: (0, 1000, 1)},
            id="one container says no memory",
        ),
        pytest.param(
            pod(container({GPU: 1, "nvidia.com/gpucores": 30})),
            {GPU: (0, 0, 1)},
            id="cores alone do not tell, since HAMi gives memory by default",
        ),
        pytest.param(pod(container({GPU: 1})), {}, id="whole GPUs have no parts"),
        pytest.param(
            pod(container({"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 8000})),
            {"volcano.sh/vgpu-number": (0, 8000, 0)},
            id="Volcano's memory",
        ),
        pytest.param(
            pod(container({"volcano.sh/vgpu-number": 1})),
            {"volcano.sh/vgpu-number": (0, 0, 1)},
            id="Volcano's device without its part",
        ),
        pytest.param(
            pod(container({QGPU: 50, QMEM: 8})), {QMEM: (0, 8, 0)}, id="totals, by the memory"
        ),
        pytest.param(
            pod(container({QGPU: 30})), {QMEM: (Fraction(3, 10), 0, 0)}, id="by the compute alone"
        ),
        pytest.param(
            pod(container({QGPU: 200, QMEM: 1})), {QMEM: (2, 0, 0)}, id="hundreds are whole devices"
        ),
        pytest.param(
            pod(container({"tke.cloud.tencent.com/qgpu-core-greedy": 40})),
            {QMEM: (Fraction(2, 5), 0, 0)},
            id="what runs offline, too",
        ),
        pytest.param(
            pod(container({"tencent.com/vcuda-core": 20, "tencent.com/vcuda-memory": 30})),
            {"tencent.com/vcuda-memory": (0, 30, 0)},
            id="Tencent's first sharing",
        ),
        pytest.param(
            pod(container({"aliyun.com/gpu-mem": 3})),
            {"aliyun.com/gpu-mem": (0, 3, 0)},
            id="Alibaba's memory",
        ),
        pytest.param(
            pod(container({"huawei.com/Ascend910B3": 1, "huawei.com/Ascend910B3-memory": 16384})),
            {"huawei.com/Ascend910B3": (0, 16384, 0)},
            id="memory of an Ascend by its model",
        ),
        pytest.param(
            pod(container({"iluvatar.ai/BI-V150-vgpu": 1, "iluvatar.ai/BI-V150.vMem": 64})),
            {"iluvatar.ai/BI-V150-vgpu": (0, 64, 0)},
            id="memory of an Iluvatar by its model",
        ),
        pytest.param(
            pod(
                container(
                    {
                        "cambricon.com/vmlu": 1,
                        "cambricon.com/mlu.smlu.vcore": 20,
                        "cambricon.com/mlu.smlu.vmemory": 30,
                    }
                )
            ),
            {"cambricon.com/vmlu": (Fraction(3, 10), 0, 0)},
            id="hundredths of a Cambricon's memory",
        ),
        pytest.param(
            pod(container({"cambricon.com/vmlu": 1, "cambricon.com/mlu.smlu.vcore": 20})),
            {"cambricon.com/vmlu": (Fraction(1, 5), 0, 0)},
            id="hundredths of a Cambricon's compute",
        ),
        pytest.param(
            pod(container(), annotations={"gpu-fraction": "0.25"}),
            {"annotation:gpu-fraction": (Fraction(1, 4), 0, 0)},
            id="KAI's fraction of a GPU",
        ),
        pytest.param(
            pod(container(), annotations={"gpu-fraction": ".5", "gpu-fraction-num-devices": "3"}),
            {"annotation:gpu-fraction": (Fraction(3, 2), 0, 0)},
            id="KAI's fraction of several GPUs",
        ),
        pytest.param(
            pod(container(), annotations={"gpu-memory": "2000", "gpu-fraction-num-devices": "2"}),
            {"annotation:gpu-memory": (0, 4000, 0)},
            id="KAI's memory of two GPUs",
        ),
    ],
)
def test_parts_of_devices_are_added_up_as_their_scheduler_does(
    obj: Any, expected: dict[str, tuple[Any, Any, Any]]
) -> None:
    assert parts(obj) == expected


def test_a_fraction_beside_whole_devices_means_nothing() -> None:
    both = pod(container({GPU: 2}), annotations={"gpu-fraction": "0.1"})
    assert asked(both) == {GPU: 2}


def test_the_variable_of_a_fraction_is_its_schedulers_unless_the_tenant_wrote_it() -> None:
    given = [{"name": "NVIDIA_VISIBLE_DEVICES", "valueFrom": {"configMapKeyRef": {}}}]
    written = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]
    notes = {"gpu-fraction": "0.1"}
    assert asked(pod(container(env=given), annotations=notes)) == {"annotation:gpu-fraction": 1}
    assert asked(pod(container(env=written), annotations=notes)) == {
        "annotation:gpu-fraction": 1,
        "env:NVIDIA_VISIBLE_DEVICES": None,
    }


def test_groups_that_the_scheduler_chose_are_read() -> None:
    one = pod(container(), annotations={"gpu-fraction": "0.5"})
    one["metadata"]["labels"] = {"runai-gpu-group": "g1"}
    several = pod(container(), annotations={"gpu-fraction": "0.5"})
    several["metadata"]["labels"] = {"runai-gpu-group/b": "b", "runai-gpu-group/a": "a"}
    assert [each.groups for each in requests(one)] == [("g1",)]
    assert [each.groups for each in requests(several)] == [("a", "b")]


def test_place_holders_stand_in_for_the_pods_that_pay() -> None:
    found = requests(pod(container({GPU: 1}), namespace="kai-resource-reservation"))
    assert [(each.resource, each.stands_in) for each in found] == [(GPU, True)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("GPU-1,NVIDIA,3000,30:;", [("GPU-1", 3000)]),
        ("GPU-1,NVIDIA,3000,30:GPU-2,NVIDIA,1000,0:;", [("GPU-1", 3000), ("GPU-2", 1000)]),
        (";GPU-1,NVIDIA,3000,30:;GPU-1,NVIDIA,500,0:;", [("GPU-1", 3000), ("GPU-1", 500)]),
        ("GPU-1,NVIDIA,8000,10:", [("GPU-1", 8000)]),
        ("GPU-1[0-3],NVIDIA,10240,14:;", [("GPU-1", 10240)]),
        ("GPU-1,NVIDIA,much,10:", []),
        ("GPU-1,NVIDIA,0,10:", []),
        ("GPU-1,NVIDIA,-5,10:", []),
        ("x", []),
        ("", []),
        pytest.param("GPU-1,NVIDIA,1,1:" * 100, [], id="more devices than any node has"),
    ],
)
def test_what_hami_wrote_is_read_or_left_out_whole(
    written: str, expected: list[tuple[str, int]]
) -> None:
    found = requests(
        pod(container({GPU: 1}), annotations={"hami.io/vgpu-devices-allocated": written})
    )
    assert [(each.device, each.mib) for each in found[0].allotted] == expected


def with_status(obj: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {**obj, "status": status}


def test_claims_are_named_as_their_objects_are() -> None:
    shared = {"name": "a", "resourceClaimName": "whole"}
    made = {"name": "b", "resourceClaimTemplateName": "template"}
    obj = with_status(
        pod(container(), resourceClaims=[shared, made]),
        resourceClaimStatuses=[{"name": "b", "resourceClaimName": "pod-b-x7"}],
    )
    assert [(each.resource, each.claim) for each in requests(obj)] == [
        ("claim:a", "whole"),
        ("claim:b", "pod-b-x7"),
    ]


def test_a_resource_that_a_claim_serves_is_told_by_the_claim_alone() -> None:
    obj = with_status(
        pod(container({GPU: 2, "nvidia.com/mig-1g.5gb": 1})),
        extendedResourceClaimStatus={
            "resourceClaimName": "pod-extended-resources-9",
            "requestMappings": [
                {"containerName": "main", "resourceName": GPU, "requestName": "container-0-0"},
                {"containerName": "two", "resourceName": GPU, "requestName": "container-1-0"},
            ],
        },
    )
    found = {each.resource: each for each in requests(obj)}
    assert found[GPU].claim == "pod-extended-resources-9"
    assert found[GPU].claim_requests == ("container-0-0", "container-1-0")
    assert found["nvidia.com/mig-1g.5gb"].claim == ""
    assert len(found) == 2


def test_resources_of_the_whole_pod_are_raised_in() -> None:
    obj = pod(container({GPU: 1}), resources={"limits": {GPU: "4"}})
    assert asked(obj) == {GPU: 4}


def test_what_the_installation_names_is_asked_for_too() -> None:
    obj = pod(container({"example.com/card": 2}))
    assert asked(obj) == {}
    found = requests(obj, {"example.com/card"})
    assert [(each.resource, each.count) for each in found] == [("example.com/card", 2)]


@pytest.mark.parametrize("value", ["", "none", "void"])
def test_visible_devices_that_hand_out_nothing_ask_for_nothing(value: str) -> None:
    env = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": value}]
    assert requests(pod(container(env=env))) == ()


def test_the_plug_ins_own_variable_is_no_second_request() -> None:
    env = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]
    assert asked(pod(container({GPU: 1}, env=env))) == {GPU: Fraction(1)}


@pytest.mark.parametrize(
    "obj", [{}, {"spec": None}, {"spec": {"containers": "x"}}, {"metadata": 3, "spec": []}]
)
def test_odd_objects_ask_for_nothing(obj: Any) -> None:
    assert requests(obj) == ()


def test_pattern_takes_every_resource_of_the_table() -> None:
    for family in resources.FAMILIES:
        for known in family.resources:
            stem = re.sub(r"\\d\+|\\d", "1", known.name.split("|")[0])
            name = family.domain + "/" + re.sub(r"\[[^]]*\]\*?", "c", stem).replace("\\", "")
            assert resources.is_accelerator(name), name


def test_pattern_holds_nothing_that_re2_does_not_know() -> None:
    assert not re.search(r"\(\?|\\[1-9]|\\[bBZ]|[*+?]\+", resources.NAME_PATTERN)
    assert len(resources.NAME_PATTERN) < 700  # the API server charges policies by its length


def test_pattern_takes_every_resource_that_was_collected() -> None:
    table = SOURCE / "resources.csv"
    if not table.is_file():
        pytest.skip("the collected resource names are not beside this checkout")
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "extended_resource"]
    names = {
        re.sub(r"<[^>]*>", "1", name.strip("` "))
        for row in rows
        for name in row["key"].split(" | ")
        if "/" in name and "<cpx" not in name
    }
    missed = {name for name in names if not resources.is_accelerator(name)}
    assert len(names) > 50
    assert missed == {"nvidia.com/priority"}  # orders HAMi's pods, and asks for nothing


@pytest.mark.parametrize(
    ("name", "vendor"), [(GPU, "nvidia"), ("habana.ai/gaudi", "intel"), ("cpu", "")]
)
def test_vendor_is_told_by_the_domain(name: str, vendor: str) -> None:
    assert resources.vendor(name) == vendor


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        pytest.param(pod(container({"google.com/tpu": 4})), 4, id="chips"),
        pytest.param(
            pod(container({GPU: 2}), container({"habana.ai/gaudi": 1})), 3, id="two kinds"
        ),
        pytest.param(pod(container({"nvidia.com/mig-1g.5gb": 1})), None, id="a slice"),
        pytest.param(pod(container({GPU: 1, "nvidia.com/gpumem": 100})), None, id="a part"),
        pytest.param(pod(container({GPU: "x"})), None, id="no number"),
        pytest.param(
            pod(container(), resourceClaims=[{"name": "g", "resourceClaimName": "c"}]),
            None,
            id="a claim",
        ),
        pytest.param(pod(container()), 0, id="nothing"),
    ],
)
def test_whole_devices_are_told_by_the_pod_alone(obj: Any, expected: int | None) -> None:
    assert whole_devices(requests(obj)) == expected
