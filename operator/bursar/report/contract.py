"""The report as JSON, as other people's automation relies on it (see the documentation).

Money and hours are decimal strings; what cannot be told is null, never 0.
"""

from fractions import Fraction
from typing import Any

from bursar.domain.money import NANO, format_fraction, format_nano
from bursar.domain.time import HOUR, format_time
from bursar.report.figures import Figures, Report, Rules
from bursar.report.line import Energy, Other

PLACES = 9
"""Decimals of money and hours: a nano-unit of the currency is the last."""
_DARK = Energy(kwh=None, kg_co2e=None)


def to_contract(report: Report) -> dict[str, Any]:
    """Write a report as the documented JSON document."""
    rules = report.rules
    return {
        "currency": rules.currency,
        "from": format_time(report.window.since),
        "to": format_time(report.window.until),
        "by": list(report.by),
        "rows": [
            {"key": dict(zip(report.by, row.key, strict=True)), **_figures(row.figures, rules)}
            for row in report.rows
        ],
        **{
            kind.value: _figures(figures, rules)
            for kind in Other
            if (figures := report.others.get(kind)) is not None
            and (kind is Other.IDLE or not figures.empty)
        },
        "total": _figures(report.total, rules),
        **({"energy": _energy(rules.energy(report.total.uses), rules)} if rules.energy else {}),
    }


def _energy(found: Energy, rules: Rules) -> dict[str, Any]:
    """How energy is known, and what of it is not."""
    return {
        "source": rules.source,
        "unpoweredGpuHours": hours(found.unpowered),
        "ungradedKWh": _decimal(found.ungraded_kwh),
        "assumedKWh": _decimal(found.assumed_kwh),
    }


def _figures(figures: Figures, rules: Rules) -> dict[str, Any]:
    energy = rules.energy(figures.uses) if rules.energy else _DARK
    return {
        "cost": format_nano(figures.cost, PLACES),
        "capex": format_nano(figures.capex, PLACES),
        "opex": format_nano(figures.opex, PLACES),
        "gpuHours": hours(figures.gpu),
        "normalizedGpuHours": hours(rules.normalized(figures.uses)),
        "energyKWh": _decimal(energy.kwh),
        "kgCO2e": _decimal(energy.kg_co2e),
        "estimatedCost": format_nano(figures.estimated, PLACES),
        "assumedCost": format_nano(figures.assumed, PLACES),
        "unpricedGpuHours": hours(figures.unpriced),
        "pods": figures.pods,
        "uncountedPods": figures.uncounted,
    }


def hours(time: Fraction | int) -> str:
    """Write accelerator time, in 10^-9 ms, as hours."""
    if isinstance(time, int):
        # A 10^-9 of an hour is HOUR units of it: whole numbers, since reports hold many.
        return format_nano(time // HOUR if time >= 0 else -(-time // HOUR), PLACES)
    return format_fraction(time / (HOUR * NANO), PLACES)


def _decimal(value: Fraction | None) -> str | None:
    return None if value is None else format_fraction(value, PLACES)
