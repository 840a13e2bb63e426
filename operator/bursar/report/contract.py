"""The report as JSON, as other people's automation relies on it (see the documentation).

Money and hours are decimal strings; what this release cannot tell is null, never 0.
"""

from fractions import Fraction
from typing import Any

from bursar.domain.money import format_fraction, format_nano
from bursar.domain.time import HOUR, format_time
from bursar.report.figures import Figures, Report

PLACES = 9
"""Decimals of money and hours: a nano-unit of the currency is the last."""


def to_contract(report: Report) -> dict[str, Any]:
    """Write a report as the documented JSON document."""
    return {
        "currency": report.currency,
        "from": format_time(report.window.since),
        "to": format_time(report.window.until),
        "by": list(report.by),
        "rows": [
            {"key": dict(zip(report.by, row.key, strict=True)), **_figures(row.figures)}
            for row in report.rows
        ],
        "idle": _figures(report.idle),
        "total": _figures(report.total),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "cost": format_nano(figures.cost, PLACES),
        "capex": format_nano(figures.capex, PLACES),
        "opex": format_nano(figures.opex, PLACES),
        "gpuHours": hours(figures.gpu_ms),
        "normalizedGpuHours": hours(figures.normalized_ms),
        # Neither measured nor modelled in this release.
        "energyKWh": None,
        "kgCO2e": None,
        "estimatedCost": format_nano(figures.estimated, PLACES),
        "assumedCost": format_nano(figures.assumed, PLACES),
        "unpricedGpuHours": hours(figures.unpriced_ms),
        "pods": len(figures.pods),
        "uncountedPods": len(figures.uncounted),
    }


def hours(milliseconds: Fraction) -> str:
    """Write accelerator-milliseconds as hours."""
    return format_fraction(milliseconds / HOUR, PLACES)
