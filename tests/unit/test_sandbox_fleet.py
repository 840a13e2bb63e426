"""The fleet of fake nodes says what real ones of its models say."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bursar.sandbox import fleet

PRICES = Path(__file__).parents[2] / ".." / "shared" / "data" / "prices" / "gpu_instances.csv"


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        pytest.param(
            0,
            ["h100-1", "a100-mig-1", "l4-shared-1", "t4-spot-1", "mi300x-1", "dgx-h100-1", "cpu-1"],
            id="none asked for: one of each model, and one without GPUs",
        ),
        pytest.param(2, ["h100-1", "a100-mig-1", "cpu-1"], id="fewer than there are models"),
        pytest.param(
            8,
            [
                *("h100-1", "a100-mig-1", "l4-shared-1", "t4-spot-1", "mi300x-1", "dgx-h100-1"),
                *("h100-2", "a100-mig-2", "cpu-1"),
            ],
            id="more than there are models: the second of the first ones",
        ),
    ],
)
def test_nodes_go_through_the_models_in_turn(wanted: int, names: list[str]) -> None:
    assert [node["metadata"]["name"] for node in fleet.nodes(wanted)] == names


@pytest.mark.parametrize("model", [pytest.param(m, id=m.name) for m in fleet.GPU_MODELS])
def test_a_node_is_managed_by_kwok_and_offers_its_devices(model: fleet.Model) -> None:
    node = fleet.node(model, 1)
    assert node["metadata"]["annotations"] == {"kwok.x-k8s.io/node": "fake"}
    assert node["status"]["capacity"] == node["status"]["allocatable"]
    for resource, count in model.devices.items():
        assert node["status"]["capacity"][resource] == str(count)


@pytest.mark.parametrize("model", [pytest.param(m, id=m.name) for m in fleet.GPU_MODELS])
def test_labels_and_devices_agree(model: fleet.Model) -> None:
    labels, devices = model.labels, model.devices
    if "amd.com/gpu" in devices:
        assert labels["amd.com/gpu.product-name"] == "Instinct_MI300X"
        return
    replicas = int(labels["nvidia.com/gpu.replicas"])
    if labels.get("nvidia.com/mig.strategy") == "mixed":
        # Whole devices and cut ones together are the physical ones: 7 and 2 slices to a device.
        cut = devices["nvidia.com/mig-1g.5gb"] // 7 + devices["nvidia.com/mig-3g.20gb"] // 2
        assert devices["nvidia.com/gpu"] + cut == int(labels["nvidia.com/gpu.count"])
        assert replicas == 0
    else:
        assert devices["nvidia.com/gpu"] == int(labels["nvidia.com/gpu.count"]) * replicas
    assert labels["nvidia.com/gpu.product"].endswith("-SHARED") == (replicas > 1)


def test_owned_hardware_names_no_cloud() -> None:
    node = fleet.node(fleet.GPU_MODELS[-1], 1)
    assert "spec" not in node
    assert "node.kubernetes.io/instance-type" not in node["metadata"]["labels"]


@pytest.mark.skipif(not PRICES.exists(), reason="the shared price data is not there")
def test_every_rented_model_has_a_list_price_and_that_many_devices() -> None:
    with PRICES.open(encoding="utf-8", newline="") as file:
        known = {
            (row["instance_type"], row["region"]): (row["accelerator_count"], row["gfd_product"])
            for row in csv.DictReader(file)
        }
    for model in fleet.GPU_MODELS[:-1]:
        place = (
            model.labels["node.kubernetes.io/instance-type"],
            model.labels["topology.kubernetes.io/region"],
        )
        count, product = known[place]
        assert count == model.labels.get("nvidia.com/gpu.count", "8")
        assert product == model.labels.get("nvidia.com/gpu.product", "").removesuffix("-SHARED")
