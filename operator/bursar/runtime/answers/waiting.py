"""What waits for a budget: the Jobs whose pods would be refused now, in the order of their turn."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bursar.domain.action import Mode
from bursar.domain.time import Ms, format_time
from bursar.enforce.refusal import Refusal
from bursar.runtime.budgeting.jobs import KnownJob

if TYPE_CHECKING:
    from bursar.runtime.controller import Controller

HELD = "Held"
"""Bursar has suspended it, and resumes it when its budgets open."""
REFUSED = "Refused"
"""Not suspended, but its pods are refused: another controller is its master, or it is new."""
WOULD_WAIT = "WouldWait"
"""This installation only observes: its pods start all the same."""
LEFT_HELD = "LeftHeld"
"""Bursar had suspended it, and now only observes: `bursar release-all` releases it."""


def queue(controller: "Controller", now: Ms, namespace: str | None = None) -> Mapping[str, Any]:
    """The queue: the highest priority first, and among equals the oldest.

    Args:
        controller: what is known.
        now: milliseconds since the epoch.
        namespace: of the Jobs; None: all. A place is the one among those that are shown.
    """
    mode = controller.budgets.mode
    shown = [
        (job, refused)
        for job, refused in _waiting(controller, now)
        if namespace in (None, job.view.ref.namespace)
    ]
    return {
        "mode": mode.value,
        "count": len(shown),
        "queue": [
            _entry(place, job, refused, mode) for place, (job, refused) in enumerate(shown, 1)
        ],
    }


def _waiting(controller: "Controller", now: Ms) -> Iterator[tuple[KnownJob, tuple[Refusal, ...]]]:
    for job in controller.jobs.in_turn():
        refused = controller.jobs.refusals(job.view, now)
        paused = job.view.suspended and not job.view.held_by  # by its owner: not ours to count
        if job.view.held_by or (refused and not paused and not job.view.active):
            yield job, refused


def _entry(
    place: int, job: KnownJob, refused: tuple[Refusal, ...], mode: Mode
) -> Mapping[str, Any]:
    view = job.view
    moments = [each.reopens_at for each in refused]
    until = None if not moments or None in moments else max(m for m in moments if m is not None)
    return {
        "position": place,
        "kind": view.ref.kind,
        "namespace": view.ref.namespace,
        "name": view.ref.name,
        "class": view.workload_class.value,
        "priority": view.priority,
        "created": format_time(view.created),
        "state": _state(job, mode),
        "heldBy": list(dict.fromkeys([*view.held_by, *(each.budget for each in refused)])),
        "reasons": [each.message for each in refused],
        "until": None if until is None else format_time(until),
    }


def _state(job: KnownJob, mode: Mode) -> str:
    if job.view.held_by and job.view.suspended:
        return LEFT_HELD if mode is Mode.OBSERVE else HELD
    return WOULD_WAIT if mode is Mode.OBSERVE else REFUSED
