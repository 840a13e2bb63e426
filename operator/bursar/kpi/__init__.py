"""KPI: what else does a workload's use of accelerators come to?

Decides from device time and stated factors; today that is energy and carbon. It reads no clock and
no file, and an unknown factor stays unknown: it is never zero and never a guess in silence.
"""

from bursar.kpi.energy import (
    DEFAULT_UTILIZATION,
    MODELED,
    Energy,
    Model,
    Use,
    energy_of,
    joules_per_ms,
    parse_utilization,
)
from bursar.kpi.grid import Grid, Site, parse_grid

__all__ = [
    "DEFAULT_UTILIZATION",
    "MODELED",
    "Energy",
    "Grid",
    "Model",
    "Site",
    "Use",
    "energy_of",
    "joules_per_ms",
    "parse_grid",
    "parse_utilization",
]
