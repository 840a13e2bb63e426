"""Builders of budgets and of what is spent from them, in units that people write."""

from fractions import Fraction
from typing import Any

from bursar.budget.parse import budgets
from bursar.domain.budget import Amounts, Budget, Flow, Rejected
from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO
from bursar.domain.time import HOUR, Ms, parse_time


def at(text: str) -> Ms:
    """The moment that RFC 3339 text names."""
    moment = parse_time(text)
    assert moment is not None, text
    return moment


def manifest(kind: str = "AIBudget", **spec: Any) -> dict[str, Any]:
    """An AIBudget `vision` in namespace `vision`, or a ClusterAIBudget `vision`."""
    return {
        "apiVersion": "bursar.dev/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": "vision",
            **({"namespace": "vision"} if kind == "AIBudget" else {}),
            "uid": "3d0a8c6e-0000-4000-8000-000000000001",
            "generation": 3,
            "creationTimestamp": "2026-10-05T08:00:00Z",
        },
        "spec": {"limits": {"cost": "12000"}, **spec},
    }


def purse(**spec: Any) -> Budget:
    """The purse of such an AIBudget."""
    found = budgets(manifest(**spec), {})
    assert not isinstance(found, Rejected), found
    (budget,) = found
    return budget


def money(text: str) -> int:
    """Nano-units of an amount in whole units."""
    nano = Fraction(text) * NANO
    assert nano.denominator == 1, text
    return nano.numerator


def spent(cost: str, gpu_hours: str = "0") -> Amounts:
    """An amount in whole units and GPU-hours, none of it estimated."""
    hours = Fraction(gpu_hours) * HOUR
    return Amounts(cost=money(cost), gpu_ms=hours, normalized_ms=hours)


def flow(
    workload_class: WorkloadClass,
    cost_per_hour: str,
    devices: str = "0",
    since: Ms = 0,
    until: Ms | None = None,
) -> Flow:
    """A constant rate of spending."""
    return Flow(
        since=since,
        until=until,
        workload_class=workload_class,
        cost=Fraction(cost_per_hour) * NANO / HOUR,
        devices=Fraction(devices),
        normalized=Fraction(devices),
    )


NOW = at("2026-11-24T12:00:00Z")
"""The moment of the documented example."""

EXAMPLE: dict[str, Any] = {
    "period": "Monthly",
    "timeZone": "Europe/Berlin",
    "limits": {"cost": "12000", "gpuHours": "4000"},
    "classes": {"training": {"cost": "8000"}, "interactive": {"gpuHours": "200"}},
}
EXAMPLE_SPENT = {
    WorkloadClass.TRAINING: Amounts(
        cost=money("6925.4"), gpu_ms=Fraction(1000 * HOUR), estimated=money("3.2")
    ),
    WorkloadClass.INFERENCE: spent("3034.6", "893.25"),
}
EXAMPLE_FLOWS = (
    flow(WorkloadClass.TRAINING, "27.52", "4"),
    flow(WorkloadClass.INFERENCE, "8", "2"),
)
