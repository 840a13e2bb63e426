"""Brings the factors of energy and carbon together: bundled tables, settings, price books."""

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from importlib.resources import files

from bursar.domain.classification import WorkloadClass
from bursar.kpi import Grid, Model, parse_grid
from bursar.recognize.tables import AcceleratorTables

_NONE: Mapping[str, Fraction] = {}


@cache
def load() -> Grid:
    """The table of overheads and grids that ships with this version, read once."""
    return parse_grid(files("bursar.kpi").joinpath("data", "grid.json").read_text("utf-8"))


def model(
    tables: AcceleratorTables,
    utilization: Mapping[WorkloadClass, Fraction],
    owned_pue: Mapping[str, Fraction] = _NONE,
) -> Model:
    """The factors of an installation.

    Args:
        tables: of devices, for their board power.
        utilization: what the settings say, by class.
        owned_pue: of owned hardware, by accelerator.
    """
    watts = {
        name: device.watts
        for name, device in tables.accelerators.items()
        if device.watts is not None
    }
    return Model(watts=watts, grid=load(), utilization=utilization, owned_pue=owned_pue)
