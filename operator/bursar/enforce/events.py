"""Events about budgets themselves: a threshold is crossed, enforcement falls asleep or wakes.

From what was said last and what is the case now, so that each is told once. Never about figures
that only move.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bursar.api import meta
from bursar.domain import wording
from bursar.domain.action import Emit, ObjectRef
from bursar.domain.budget import (
    WHOLE,
    Budget,
    Crossing,
    Remembered,
    Standing,
    ThresholdAction,
)


def crossing_events(
    ref: ObjectRef, budget: Budget, before: Remembered, standing: Standing
) -> tuple[Emit, ...]:
    """Tell of each threshold with Notify that has been crossed since.

    Args:
        ref: the AIBudget or ClusterAIBudget.
        budget: the purse.
        before: what was said last.
        standing: where it stands now.
    """
    told = {_identity(each) for each in before.crossed} if before.span == standing.span else set()
    return tuple(
        Emit(
            ref=ref,
            event_type="Warning",
            reason=meta.REASON_THRESHOLD_CROSSED,
            message=_crossed(budget, standing, each),
        )
        for each in standing.crossed
        if ThresholdAction.NOTIFY in each.actions and _identity(each) not in told
    )


def sleep_events(
    ref: ObjectRef, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> tuple[Emit, ...]:
    """Tell that enforcement was put to sleep, or is awake again.

    Args:
        ref: the AIBudget or ClusterAIBudget.
        before: its status as it stands now.
        after: its status as it will be written.
    """
    slept = _enforced(before or {}).get("reason") == meta.REASON_SUSPENDED
    condition = _enforced(after)
    sleeps = condition.get("reason") == meta.REASON_SUSPENDED
    if slept == sleeps:
        return ()
    text = f"enforcement is {condition.get('message', '')}" if sleeps else "enforcement is awake"
    kind = "Warning" if sleeps else "Normal"
    return (Emit(ref=ref, event_type=kind, reason=meta.REASON_SUSPENDED, message=text),)


def _enforced(status: Mapping[str, Any]) -> Mapping[str, Any]:
    conditions = status.get("conditions")
    found = conditions if isinstance(conditions, (list, tuple)) else ()
    return next(
        (
            each
            for each in found
            if isinstance(each, Mapping) and each.get("type") == meta.CONDITION_ENFORCED
        ),
        {},
    )


def _identity(crossing: Crossing) -> tuple[object, ...]:
    return crossing.percent, crossing.workload_class, crossing.measure


def _crossed(budget: Budget, standing: Standing, crossing: Crossing) -> str:
    limits = standing.limits
    for name, own in budget.classes.items():
        if name.value == crossing.workload_class:
            limits = own
    limit = dict(limits.items())[crossing.measure]
    of = wording.amount(limit, crossing.measure, budget.currency)
    whom = "" if crossing.workload_class == WHOLE else f" for {crossing.workload_class}"
    share = wording.number(crossing.percent, 2)
    closing = next(_closings(budget, standing), "")
    return f"{budget.key}: {share} % of {of}{whom} is reached{closing}"


def _closings(budget: Budget, standing: Standing) -> Iterator[str]:
    """What closes in the current period, and when, the soonest first."""
    end = standing.span.end
    for window in standing.windows:
        if standing.now < window.closes_at and (end is None or window.closes_at < end):
            when = wording.minute(window.closes_at, budget.time_zone, beside=standing.span.start)
            what = "it" if window.workload_class == WHOLE else window.workload_class
            yield f"; if what runs goes on running, {what} closes on {when}"
