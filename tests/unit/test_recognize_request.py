"""What a pod asks for: by the scheduler's rule, in every way of asking, and never by guessing."""

import csv
import re
from fractions import Fraction
from typing import Any

import pytest

from bursar.domain.unknown import Unknown
from bursar.recognize import resources
from bursar.recognize.request import requests
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
            pod(container(), annotations={"gpu-fraction": "0.5"}),
            ["annotation:gpu-fraction"],
            id="KAI's fraction of a GPU",
        ),
        pytest.param(
            pod(container(), annotations={"gpu-memory": "2000"}),
            ["annotation:gpu-memory"],
            id="KAI's memory of a GPU",
        ),
        pytest.param(
            pod(container(), annotations={"gpu-fraction-num-devices": "2"}),
            ["annotation:gpu-fraction-num-devices"],
            id="KAI's number of devices alone",
        ),
        pytest.param(
            pod(container(), resourceClaims=[{"name": "gpu", "resourceClaimName": "x"}]),
            ["claim:gpu"],
            id="a claim of Dynamic Resource Allocation",
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
            pod(container({GPU: 1, "nvidia.com/gpumem": 3000, "nvidia.com/gpucores": 30})),
            [GPU],
            id="HAMi's slice of a GPU",
        ),
        pytest.param(
            pod(container({"nvidia.com/gpumem": 3000})),
            ["nvidia.com/gpumem"],
            id="HAMi's memory alone",
        ),
        pytest.param(
            pod(container({GPU: 1}), annotations={"hami.io/vgpu-devices-allocated": "x"}),
            [GPU],
            id="a slice that HAMi has given",
        ),
        pytest.param(
            pod(container({GPU: 1}), namespace="kai-resource-reservation"),
            [GPU],
            id="KAI's place holder for fractional pods",
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
