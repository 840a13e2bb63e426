"""What a budget is measured on: the whole of it, and each class with sub-limits of its own.

From what is spent in the current period and what flows from now on. Decides nothing yet.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bursar.budget.limits import Step, cost_steps
from bursar.budget.membership import paying_class
from bursar.budget.project import Line, line
from bursar.domain.budget import (
    WHOLE,
    Amounts,
    Budget,
    Crossing,
    Flow,
    Limits,
    Measure,
    Span,
    Threshold,
)
from bursar.domain.classification import WorkloadClass
from bursar.domain.time import Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The whole budget, or one class of it.

    Attributes:
        workload_class: a class, or `*`.
        base: its limits with no grants.
        lines: for every measure what is spent of it from now on.
        steps: for every measure with a limit, its limits from now to the end of the period.
    """

    workload_class: str
    base: Limits
    lines: Mapping[Measure, Line]
    steps: Mapping[Measure, tuple[Step, ...]]

    def reached(self, percent: Fraction, span: Span) -> Iterator[tuple[Fraction, Measure, Step]]:
        """For each measure, the first moment from now on at which so much of its limit is spent.

        A limit of zero or less is reached at once.
        """
        for measure, steps in self.steps.items():
            ends = [*(step.since for step in steps[1:]), span.end]
            for step, end in zip(steps, ends, strict=True):
                level = step.limit * percent / 100
                at = (
                    Fraction(step.since)
                    if step.limit <= 0
                    else self.lines[measure].crossing(level, step.since, end)
                )
                if at is not None and (end is None or at < end):
                    yield at, measure, step
                    break


def targets(
    budget: Budget,
    span: Span,
    spent: Mapping[WorkloadClass, Amounts],
    flows: Sequence[Flow],
    now: Ms,
) -> tuple[Target, ...]:
    """Draw up the whole budget first, then each class with sub-limits, in the order of their names.

    Args:
        budget: its limits.
        span: the period that contains `now`.
        spent: in that period, by class.
        flows: what flows from now on.
        now: milliseconds since the epoch.
    """
    total = sum(spent.values(), Amounts())
    lines = {each: line(total.measure(each), flows, each, now) for each in Measure}
    steps: dict[Measure, tuple[Step, ...]] = {
        measure: (Step(since=now, limit=limit),) for measure, limit in budget.limits.items()
    }
    if Measure.COST in steps:
        steps[Measure.COST] = cost_steps(budget, span, lines[Measure.COST], now)
    whole = Target(workload_class=WHOLE, base=budget.limits, lines=lines, steps=steps)
    return (whole, *_classes(budget, spent, flows, now))


def _classes(
    budget: Budget, spent: Mapping[WorkloadClass, Amounts], flows: Sequence[Flow], now: Ms
) -> Iterator[Target]:
    for name, limits in sorted(budget.classes.items()):
        own = [each for each in flows if paying_class(budget, each.workload_class) is name]
        paid = (amounts for key, amounts in spent.items() if paying_class(budget, key) is name)
        total = sum(paid, Amounts())
        yield Target(
            workload_class=name.value,
            base=limits,
            lines={each: line(total.measure(each), own, each, now) for each in Measure},
            steps={each: (Step(since=now, limit=limit),) for each, limit in limits.items()},
        )


def crossings(
    found: Iterable[Target], thresholds: Iterable[Threshold], now: Ms
) -> tuple[Crossing, ...]:
    """The thresholds that are reached at `now`, in their order."""
    return tuple(
        Crossing(
            percent=threshold.percent,
            workload_class=target.workload_class,
            measure=measure,
            actions=threshold.actions,
        )
        for target in found
        for threshold in thresholds
        for measure, steps in target.steps.items()
        if steps[0].limit <= 0
        or target.lines[measure].at(now) >= steps[0].limit * threshold.percent / 100
    )
