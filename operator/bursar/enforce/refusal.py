"""What would refuse a pod at a moment: the admission policies' own question, asked by the operator.

From the budgets that count the pod and where they stand. The policies ask it in CEL of the verdict;
both must give the same answer, so exemptions, sleep and the class of an unknown workload are judged
here in the same way.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bursar.domain.budget import WHOLE, Budget, Standing, Window
from bursar.domain.classification import WorkloadClass
from bursar.domain.time import Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What would start.

    Attributes:
        tagged: its class was set by somebody who may.
        priority_class: name of its PriorityClass; empty where none is named. Pods of built-in
            controllers may use it: their templates are guarded.
    """

    workload_class: WorkloadClass
    tagged: bool = False
    priority_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One budget that says no.

    Attributes:
        budget: as messages name it.
        message: what is told.
        reopens_at: until when (ms); None: not by itself.
    """

    budget: str
    message: str
    reopens_at: Ms | None = None


def refusals(
    items: Iterable[tuple[Budget, Standing]], candidate: Candidate, now: Ms
) -> tuple[Refusal, ...]:
    """Find every budget that refuses.

    Args:
        items: the budgets that count the pod, and where they stand.
        candidate: the pod.
        now: milliseconds since the epoch.

    Returns:
        One refusal for each shut budget, in the order given.
    """
    found: list[Refusal] = []
    for budget, standing in items:
        window = _refusal(budget, standing, candidate, now)
        if window is not None:
            found.append(
                Refusal(
                    budget=str(budget.key), message=window.message, reopens_at=window.reopens_at
                )
            )
    return tuple(found)


def _refusal(budget: Budget, standing: Standing, candidate: Candidate, now: Ms) -> Window | None:
    if budget.suspend_until is not None and now < budget.suspend_until:
        return None
    if candidate.tagged and candidate.workload_class in budget.exempt_classes:
        return None
    if candidate.priority_class and candidate.priority_class in budget.exempt_priority_classes:
        return None
    unknown = candidate.workload_class is WorkloadClass.UNKNOWN
    pays_as = budget.unknown_as if unknown else candidate.workload_class
    for window in standing.windows:
        if window.workload_class not in (WHOLE, pays_as.value):
            continue
        if window.closes_at <= now and (window.reopens_at is None or now < window.reopens_at):
            return window
    return None
