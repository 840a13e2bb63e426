"""Electricity in reports: modeled for what pods held, and open about what it does not know."""

from fractions import Fraction

import pytest

from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO
from bursar.domain.time import HOUR
from bursar.domain.usage import Dimension
from bursar.kpi import MODELED, Model
from bursar.report import (
    Amounts,
    Line,
    Other,
    OtherLine,
    Rules,
    Use,
    Window,
    report,
    to_contract,
)
from bursar.runtime.configuring.energy import load, modeled

GRID = load()
REGION = "us-east-1"
SITE = GRID.site(REGION)
MODEL = Model(watts={"big": Fraction(700)}, grid=GRID)
WINDOW = Window(since=0, until=HOUR)
HOURS = HOUR * NANO
"""An hour of one accelerator, as reports count it."""


def told(*lines: Line, idle: int = 0) -> dict[str, object]:
    rules = Rules(currency="USD", energy=modeled(MODEL), source=MODELED)
    other = OtherLine(kind=Other.IDLE, amounts=Amounts(gpu=idle), use=Use("big", REGION))
    return to_contract(report(lines, [other] if idle else [], ("namespace",), WINDOW, rules))


def line(accelerator: str = "big", region: str = REGION, hours: int = 2) -> Line:
    dimension = Dimension(
        namespace="a",
        workload_class=WorkloadClass.TRAINING,
        accelerator=accelerator,
        region=region,
        capacity_type="on-demand",
    )
    return Line(dimension=dimension, since=0, amounts=Amounts(gpu=hours * HOURS), pods=1, fresh=1)


def test_a_row_has_its_energy_and_carbon_exactly() -> None:
    found = told(line())
    pue, intensity = SITE.pue or GRID.assumed_pue, SITE.intensity
    assert intensity is not None
    kwh = Fraction(700 * 2, 1000) * pue
    row = found["rows"][0]  # type: ignore[index]
    assert Fraction(row["energyKWh"]) == kwh
    assert Fraction(row["kgCO2e"]) == pytest.approx(float(kwh * intensity), abs=1e-9)
    assert found["energy"]["source"] == MODELED  # type: ignore[index]


def test_of_what_nobody_held_nothing_is_modeled() -> None:
    found = told(line(), idle=5 * HOURS)
    assert found["idle"]["energyKWh"] is None  # type: ignore[index]
    assert found["total"]["energyKWh"] == found["rows"][0]["energyKWh"]  # type: ignore[index]


def test_a_board_of_unknown_power_is_time_that_is_counted_apart() -> None:
    found = told(line("strange"))
    row = found["rows"][0]  # type: ignore[index]
    assert (row["energyKWh"], row["kgCO2e"]) == (None, None)
    assert found["energy"]["unpoweredGpuHours"] == "2.000000000"  # type: ignore[index]


def test_an_unknown_grid_leaves_carbon_open_and_says_of_how_much() -> None:
    found = told(line(region="atlantis"))
    row = found["rows"][0]  # type: ignore[index]
    assert row["energyKWh"] is not None
    assert row["kgCO2e"] is None
    assert found["energy"]["ungradedKWh"] == row["energyKWh"]  # type: ignore[index]
