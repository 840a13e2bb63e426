"""What was said of a budget last: from the standing in memory, or after a restart from its status.

A window keeps the moment at which it closed, a warning the moment since when it stands, and a
crossing is told once: all three need the past. What can't be read of it counts as never said.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from pydantic import ValidationError

from bursar.api import aibudget as api
from bursar.api.common import ReportedClass
from bursar.domain.budget import (
    WHOLE,
    Budget,
    Crossing,
    Limits,
    Measure,
    Remembered,
    Span,
    Standing,
    Warned,
    Window,
)
from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO, parse_decimal
from bursar.domain.time import HOUR, parse_time


def remember(budget: Budget, standing: Standing) -> Remembered:
    """Keep what the next standing needs of this one."""
    return Remembered(
        generation=budget.generation,
        span=standing.span,
        windows=standing.windows,
        warning=standing.warning,
        crossed=standing.crossed,
    )


def remembered(budget: Budget, status: Mapping[str, Any] | None) -> Remembered:
    """Read what a status says.

    Args:
        budget: the purse that it is about; of scope PerNamespace, its own entry is read.
        status: `.status` of the AIBudget or ClusterAIBudget.

    Returns:
        What was said; an empty `Remembered` where there is no status, or none that can be read.
    """
    try:
        said = api.ClusterAIBudgetStatus.model_validate(status or {})
    except ValidationError:
        return Remembered()
    start = parse_time(said.period.start) if said.period else None
    if said.period is None or start is None:
        return Remembered()
    span = Span(start=start, end=parse_time(said.period.end))
    entry: api.ClusterAIBudgetStatus | api.NamespaceStanding = said
    if budget.key.member:
        member = next((each for each in said.namespaces if each.name == budget.key.member), None)
        if member is None:
            return Remembered(generation=said.observed_generation or 0, span=span)
        entry = member
    return Remembered(
        generation=said.observed_generation or 0,
        span=span,
        windows=tuple(_windows(entry.admission)),
        warning=None if budget.key.member else _warning(said.warning),
        crossed=tuple(_crossed(budget, entry)),
    )


def _windows(said: tuple[api.AdmissionWindow, ...]) -> Iterator[Window]:
    for each in said:
        closes = parse_time(each.closes_at)
        if closes is not None:
            yield Window(
                workload_class=each.class_,
                closes_at=closes,
                reopens_at=parse_time(each.reopens_at),
                message=each.message,
            )


def _warning(said: api.Warned | None) -> Warned | None:
    since = parse_time(said.since) if said else None
    return Warned(since=since, message=said.message) if said and since is not None else None


def _crossed(
    budget: Budget, entry: api.ClusterAIBudgetStatus | api.NamespaceStanding
) -> Iterator[Crossing]:
    """The thresholds that the written figures had reached."""
    compared: list[tuple[str, api.Amounts | None, Mapping[Measure, Fraction]]] = [
        (WHOLE, entry.spent, _figures(entry.limit))
    ]
    by_class = entry.spent.by_class if isinstance(entry.spent, api.Spent) else None
    for name, limits in budget.classes.items():
        compared.append((name.value, _of_class(by_class, name), _limits(limits)))
    for workload_class, amounts, limits_of in compared:
        spent = _figures(amounts)
        for threshold in budget.thresholds:
            for measure, limit in limits_of.items():
                value = spent.get(measure)
                if value is not None and value >= limit * threshold.percent / 100:
                    yield Crossing(
                        percent=threshold.percent,
                        workload_class=workload_class,
                        measure=measure,
                        actions=threshold.actions,
                    )


def _of_class(
    by_class: Mapping[ReportedClass, api.Amounts] | None, name: WorkloadClass
) -> api.Amounts | None:
    return next((amounts for key, amounts in (by_class or {}).items() if key == name.value), None)


def _limits(limits: Limits) -> Mapping[Measure, Fraction]:
    return dict(limits.items())


def _figures(amounts: api.Amounts | None) -> Mapping[Measure, Fraction]:
    """Nano-units and device-milliseconds of the figures that are there."""
    if amounts is None:
        return {}
    written = (
        (Measure.COST, parse_decimal(amounts.cost), NANO),
        (Measure.GPU_HOURS, parse_decimal(amounts.gpu_hours), HOUR),
        (Measure.NORMALIZED_GPU_HOURS, parse_decimal(amounts.normalized_gpu_hours), HOUR),
    )
    return {measure: value * unit for measure, value, unit in written if value is not None}
