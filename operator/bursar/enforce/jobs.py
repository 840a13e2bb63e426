"""Which Jobs wait, and which may go on.

From the Jobs, and for each of them the refusals that its pods would meet now. A Job whose pods
would be refused anyway is suspended, so that no pods thrash; it is taken back when nothing refuses
them any more. What its owner suspended is never touched, and what runs is never stopped here.
In Observe nothing is suspended: its pods start, and `observed` tells of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bursar.api import meta
from bursar.domain import wording
from bursar.domain.action import Action, Emit, Mode, ObjectRef, Resume, Suspend
from bursar.domain.classification import WorkloadClass
from bursar.domain.time import Ms
from bursar.enforce.refusal import Refusal

LONGEST_MESSAGE = 1000
"""Characters of an Event's message; the API's own bound is 1,024 bytes."""

_CONTROLLERS = ("", "CronJob")
"""Kinds of owner under which a Job is its own master; others would undo what is done here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """What must be known of a Job.

    Attributes:
        controller: kind of the controller that owns it; empty where none does.
        workload_class: of its pods.
        tagged: whether that class was set by somebody who may.
        priority_class: name of its pods' PriorityClass; empty where none is named.
        priority: value of that PriorityClass; 0 where none is named.
        suspended: `spec.suspend`.
        held_by: names of the budgets that the annotation `bursar.dev/held` keeps.
        active: pods that run or are pending.
        finished: it is complete or has failed.
        created: milliseconds since the epoch.
    """

    ref: ObjectRef
    resource_version: str
    controller: str
    workload_class: WorkloadClass
    tagged: bool
    priority_class: str
    priority: int
    suspended: bool
    held_by: tuple[str, ...]
    active: int
    finished: bool
    created: Ms


def decide(
    jobs: Iterable[JobView],
    refusals: Callable[[JobView], tuple[Refusal, ...]],
    mode: Mode,
) -> tuple[Action, ...]:
    """Decide about all Jobs that are given.

    Args:
        jobs: Jobs whose pods use accelerators.
        refusals: what refuses the pods of a Job at this moment; nothing: they may start.
        mode: whether the installation acts.

    Returns:
        Actions in order: what is to wait first, then what may go on, the highest priority and among
        equals the oldest first. An Event stands behind each change and nowhere else.
    """
    waiting: list[Action] = []
    resuming: list[JobView] = []
    ordered = sorted(jobs, key=turn)
    for job in ordered:
        if job.finished or job.controller not in _CONTROLLERS:
            continue
        found = refusals(job)
        if mode is Mode.ENFORCE and found:
            waiting.extend(_hold(job, found))
        elif job.held_by:
            resuming.append(job)
    return (*waiting, *(action for job in resuming for action in _resume(job)))


def turn(job: JobView) -> tuple[int, Ms, str]:
    """Sorts Jobs into the order in which they may start."""
    return -job.priority, job.created, job.ref.uid


def _hold(job: JobView, found: tuple[Refusal, ...]) -> tuple[Action, ...]:
    if job.suspended or job.active > 0:
        return ()
    message = said(found)
    suspend = Suspend(
        ref=job.ref,
        resource_version=job.resource_version,
        held_by=tuple(each.budget for each in found),
        message=message,
    )
    return suspend, Emit(
        ref=job.ref, event_type="Warning", reason=meta.REASON_HELD, message=message
    )


def _resume(job: JobView) -> tuple[Action, ...]:
    """Take a hold back; where its owner did so himself, only our note on it is left to take."""
    message = wording.clip(f"may start: open again is {', '.join(job.held_by)}", LONGEST_MESSAGE)
    resume = Resume(ref=job.ref, resource_version=job.resource_version, message=message)
    if not job.suspended:
        return (resume,)
    return resume, Emit(
        ref=job.ref, event_type="Normal", reason=meta.REASON_RELEASED, message=message
    )


def said(found: tuple[Refusal, ...]) -> str:
    """All refusals in one Event's message."""
    return wording.clip(" | ".join(each.message for each in found), LONGEST_MESSAGE)
