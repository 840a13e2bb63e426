"""The demo's own arithmetic: what its proof of the ledger rests on, worked out by hand here."""

from fractions import Fraction
from typing import Any

import pytest

from bursar.cli.demo.closedform import Price, life, moment, nano, price, share
from bursar.sandbox import fleet

JSON = dict[str, Any]

BOOK: JSON = {
    "spec": {
        "rates": [{"name": "sixty-times", "multiplier": "60"}],
        "ownedHardware": [
            {
                "nodeSelector": {"nvidia.com/gpu.machine": "DGXH100"},
                "purchasePrice": "310000",
                "residualValue": "40000",
                "depreciationMonths": 48,
                "perMonth": {"hosting": "900", "staff": "1500"},
                "watts": 10200,
                "pricePerKWh": "0.14",
                "pue": "1.4",
            }
        ],
    }
}
CATALOG = """{"prices": [
    ["p5.48xlarge", "eu-west-1", "99", null, "list", "none", "2026-07-20"],
    ["p5.48xlarge", "us-east-1", "55.04", "26.4192", "list", "estimate", "2026-07-20"],
    ["g4dn.12xlarge", "us-east-1", "3.912", "1.40832", "list", "estimate", "2026-07-20"]
]}"""


def node(name: str) -> JSON:
    models = [*fleet.GPU_MODELS, fleet.CPU_MODEL]
    made = fleet.node(next(model for model in models if model.name == name), 1)
    made["metadata"]["creationTimestamp"] = "2026-11-24T10:00:00Z"
    return made


def pod(limits: dict[str, str], phase: str = "Running", ends: tuple[str, ...] = ()) -> JSON:
    state: list[JSON] = [{"state": {"terminated": {"finishedAt": end}}} for end in ends]
    return {
        "metadata": {"namespace": "vision", "name": "one"},
        "spec": {"containers": [{"resources": {"limits": limits}}]},
        "status": {
            "phase": phase,
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "lastTransitionTime": "2026-11-24T10:00:07Z",
                },
                {
                    "type": "PodScheduled",
                    "status": "True",
                    "lastTransitionTime": "2026-11-24T10:00:05Z",
                },
            ],
            "containerStatuses": state or [{"state": {"running": {}}}],
        },
    }


@pytest.mark.parametrize(
    ("where", "limits", "expected"),
    [
        pytest.param("h100", {"nvidia.com/gpu": "2"}, Fraction(1, 4), id="two of eight devices"),
        pytest.param(
            "h100",
            {"nvidia.com/gpu": "1", "cpu": "4"},
            Fraction(1, 8),
            id="processors are free",
        ),
        pytest.param(
            "l4-shared", {"nvidia.com/gpu": "1"}, Fraction(1, 16), id="a quarter of one of four"
        ),
        pytest.param(
            "a100-mig",
            {"nvidia.com/mig-1g.5gb": "1"},
            Fraction(15, 896),
            id="a slice is the mean of a seventh and an eighth of one of eight",
        ),
        pytest.param(
            "a100-mig",
            {"nvidia.com/gpu": "1"},
            Fraction(1, 8),
            id="a whole device beside MIG ones, whose label says no replicas",
        ),
        pytest.param("mi300x", {"amd.com/gpu": "2"}, Fraction(1, 4), id="AMD devices"),
    ],
)
def test_a_pods_share_of_its_node(where: str, limits: dict[str, str], expected: Fraction) -> None:
    assert share(pod(limits), node(where)) == expected


def test_a_rented_node_costs_its_regions_list_price_times_the_multiplier() -> None:
    assert price(node("h100"), BOOK, CATALOG) == Price(Fraction(0), Fraction("3302.4"))


def test_a_spot_node_costs_the_spot_price() -> None:
    assert price(node("t4-spot"), BOOK, CATALOG) == Price(Fraction(0), Fraction("84.4992"))


def test_a_node_that_nobody_lists_or_owns_has_no_price() -> None:
    assert price(node("cpu"), BOOK, CATALOG) is None


def test_an_owned_node_costs_depreciation_over_the_months_hours_and_running_costs_apart() -> None:
    found = price(node("dgx-h100"), BOOK, CATALOG)
    # November has 720 hours: 5,625 a month is 7.8125 an hour, and 2,400 is 3 1/3.
    assert found == Price(Fraction("7.8125") * 60, (Fraction(10, 3) + Fraction("1.9992")) * 60)


def test_each_part_of_the_cost_is_rounded_down_to_a_nano_unit() -> None:
    third = Fraction(1, 3 * 10**9)
    assert Price(third, third).cost(Fraction(1), 2 * 3_600_000) == 0
    assert Price(third, third).cost(Fraction(1), 3 * 3_600_000) == 2


def test_an_ended_pod_lives_from_its_binding_to_its_last_containers_end() -> None:
    ends = ("2026-11-24T10:00:10Z", "2026-11-24T10:00:25Z")
    until = moment("2026-11-24T10:01:00Z")
    found = life(pod({"nvidia.com/gpu": "2"}, "Succeeded", ends), node("h100"), until)
    assert (found.end - found.start, found.ended) == (20_000, True)
    # 3302.4 / 4 / 3600 x 20 s
    rate = Price(Fraction(0), Fraction("3302.4"))
    assert rate.cost(found.share, found.end - found.start) == 4_586_666_666


def test_a_running_pod_lives_up_to_the_moment_asked_for() -> None:
    until = moment("2026-11-24T10:01:00Z")
    found = life(pod({"nvidia.com/gpu": "2"}), node("h100"), until)
    assert (found.end, found.ended) == (until, False)


def test_money_is_read_without_a_float() -> None:
    assert nano("68.032016466") == 68_032_016_466
