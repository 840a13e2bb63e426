"""Energy and carbon: the product by hand, and unknown factors that stay unknown."""

from fractions import Fraction
from importlib.resources import files

import pytest

from bursar.domain.classification import WorkloadClass
from bursar.kpi import Energy, Grid, Model, Site, Use, energy_of, parse_grid, parse_utilization

HOUR = 3_600_000
TRAINING, INFERENCE = WorkloadClass.TRAINING, WorkloadClass.INFERENCE
GRID = Grid(
    as_of="2026-10-04",
    sites={
        "us-east-1": Site(pue=Fraction("1.135"), intensity=Fraction("0.4158")),
        "mx-central-1": Site(pue=Fraction("1.135"), intensity=None),
        "deu": Site(pue=None, intensity=Fraction("0.381")),
    },
    assumed_pue=Fraction("1.5"),
)
MODEL = Model(
    watts={"h100": Fraction(700), "t4": Fraction(70)},
    grid=GRID,
    owned_pue={"h100": Fraction("1.4")},
)


def use(
    accelerator: str = "h100",
    region: str = "us-east-1",
    workload_class: WorkloadClass = TRAINING,
    capacity_type: str = "on-demand",
) -> Use:
    return Use(
        accelerator=accelerator,
        region=region,
        workload_class=workload_class,
        capacity_type=capacity_type,
    )


@pytest.mark.parametrize(
    ("held", "kwh", "kg"),
    [
        pytest.param(use(), "0.7945", "0.3303531", id="training draws the board power"),
        pytest.param(
            use(workload_class=INFERENCE), "0.39725", "0.16517655", id="inference half of it"
        ),
        pytest.param(use(region="US-EAST-1"), "0.7945", "0.3303531", id="names fold their case"),
        pytest.param(
            use(region="deu", capacity_type="owned"),
            "0.98",
            "0.37338",
            id="owned hardware has its price book's PUE, and its country's grid",
        ),
        pytest.param(
            use("t4", region="deu", capacity_type="owned"),
            "0.105",
            "0.040005",
            id="owned hardware without a stated PUE has the assumed one",
        ),
    ],
)
def test_an_hour_by_hand(held: Use, kwh: str, kg: str) -> None:
    found = energy_of([(held, Fraction(HOUR))], MODEL)
    assert (found.kwh, found.kg_co2e) == (Fraction(kwh), Fraction(kg))
    assert found.known
    assert found.graded


def test_a_device_without_a_known_power_is_time_and_no_energy() -> None:
    found = energy_of([(use("novel"), Fraction(HOUR))], MODEL)
    assert found == Energy(unpowered_ms=Fraction(HOUR))
    assert not found.known
    assert not found.graded


def test_a_place_without_a_known_grid_has_energy_and_no_carbon() -> None:
    found = energy_of([(use(region="mx-central-1"), Fraction(HOUR))], MODEL)
    assert (found.kwh, found.kg_co2e) == (Fraction("0.7945"), Fraction(0))
    assert found.ungraded_joules == found.joules
    assert found.known
    assert not found.graded


def test_a_place_that_nobody_knows_has_the_assumed_overhead_and_says_so() -> None:
    found = energy_of([(use(region=""), Fraction(HOUR))], MODEL)
    assert found.joules == found.assumed_joules == Fraction(700 * 3_600) * Fraction("1.5")


def test_parts_add_up_to_the_whole() -> None:
    parts = [(use(), Fraction(1, 3)), (use("novel"), Fraction(2)), (use(region=""), Fraction(5, 7))]
    whole = energy_of(parts, MODEL)
    assert whole == sum((energy_of([part], MODEL) for part in parts), Energy())


def test_no_time_is_no_energy_and_known() -> None:
    assert energy_of([], MODEL) == Energy()
    assert Energy().known
    assert Energy().graded


def test_the_bundled_table_has_what_clouds_label_their_nodes_with() -> None:
    text = files("bursar.kpi").joinpath("data", "grid.json").read_text("utf-8")
    grid = parse_grid(text)
    assert grid.site("us-east-1") == GRID.site("us-east-1")
    assert grid.site("eastus2").pue == Fraction("1.185")
    assert grid.site("us-east1").pue == Fraction("1.102"), "Google states one for the region"
    assert grid.site("nowhere") == Site(pue=None, intensity=None)
    for region, site in grid.sites.items():
        assert site.pue is None or 1 <= site.pue < 3, region
        assert site.intensity is None or 0 < site.intensity < 2, region


def test_utilization_is_read_by_class() -> None:
    assert parse_utilization("training=0.9, inference=1") == {
        TRAINING: Fraction(9, 10),
        INFERENCE: Fraction(1),
    }
    assert parse_utilization("") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("gaming=1", "'gaming' is no class", id="a class that is none"),
        pytest.param("training=2", "'2' of training is no part", id="more than all"),
        pytest.param("training=-0.1", "'-0.1' of training is no part", id="less than nothing"),
        pytest.param("training", "'' of training is no part", id="no number"),
    ],
)
def test_what_is_no_utilization_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_utilization(text)


def test_a_class_set_by_hand_counts() -> None:
    model = Model(watts=MODEL.watts, grid=GRID, utilization=parse_utilization("training=0.5"))
    assert energy_of([(use(), Fraction(HOUR))], model).kwh == Fraction("0.39725")
