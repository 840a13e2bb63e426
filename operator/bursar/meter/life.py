"""When a pod began to hold its devices and when it let go, told from its own status.

Decides from the pod as the API gives it and from the moments at which somebody saw it end. Fields
may be missing, of the wrong type or absurd: they then count as absent, and nothing here raises.
A pod that is being deleted holds its devices until it is really gone, so `deletionTimestamp` is
never read.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bursar.domain.fields import mapping
from bursar.domain.time import Ms, floor_second, parse_time
from bursar.domain.usage import Basis, End

_TERMINAL = ("Succeeded", "Failed")
_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def bound_at(pod: Mapping[str, Any]) -> Ms | None:
    """The moment a pod was bound to its node.

    That is the last transition of `PodScheduled=True`. A pod that never met a scheduler (a static
    pod, one made with its `nodeName`) has no such condition until its kubelet reports; there the
    kubelet's `startTime` stands in.

    Returns:
        Milliseconds since the epoch; None while the pod is not bound, and where nothing tells.
    """
    status = mapping(pod, "status")
    scheduled = _condition(status, "PodScheduled")
    if scheduled is not None:
        return scheduled
    return _moment(status.get("startTime")) if mapping(pod, "spec").get("nodeName") else None


def end_of(
    pod: Mapping[str, Any],
    deleted_at: Ms | None,
    next_binding: Ms | None = None,
    *,
    seen_at: Ms | None = None,
) -> End | None:
    """The moment a pod let go of its devices, and how that is known.

    Args:
        pod: the last state that was seen of it.
        deleted_at: when its DELETED event was received; None while it exists.
        next_binding: when the pod that got the device next was bound; an end that was only
            observed is not later than that.
        seen_at: when a terminal phase was first seen; counts where nothing in the status tells
            when that phase was reached (`deleted_at` stands in for it).

    Returns:
        The end, never before the binding; None while the pod holds its devices, and for a pod
        that was never bound.
    """
    start = bound_at(pod)
    if start is None:
        return None
    status = mapping(pod, "status")
    terminal = status.get("phase") in _TERMINAL
    if not terminal and deleted_at is None:
        return None
    if terminal or _all_ended(pod, status):
        finished = max(_finished(status), default=None)
        if finished is not None:
            return _exact(start, finished, "finishedAt")
    if terminal:
        disrupted = _condition(status, "DisruptionTarget")
        if disrupted is not None:
            return _exact(start, disrupted, "DisruptionTarget")
    moments = [
        moment for moment in (seen_at if terminal else None, deleted_at) if moment is not None
    ]
    return _observed(start, min(moments), next_binding) if moments else None


def _exact(start: Ms, at: Ms, witness: str) -> End:
    return End(at=max(start, at), basis=Basis.EXACT, witness=witness)


def _observed(start: Ms, at: Ms, next_binding: Ms | None) -> End:
    at = floor_second(at)
    if next_binding is not None and next_binding >= start:
        at = min(at, next_binding)
    return End(at=max(start, at), basis=Basis.OBSERVED, witness="observed")


def _all_ended(pod: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Tell whether every container of the pod's own ended and nothing beside them runs."""
    own = list(_entries(status, "containerStatuses"))
    declared = mapping(pod, "spec").get("containers")
    if not own or (isinstance(declared, list) and len(own) < len(declared)):
        return False
    if not all(isinstance(_state(entry).get("terminated"), Mapping) for entry in own):
        return False
    return not any(
        _state(entry).get("running") is not None
        for group in _STATUSES
        for entry in _entries(status, group)
    )


def _finished(status: Mapping[str, Any]) -> Iterator[Ms]:
    for group in _STATUSES:
        for entry in _entries(status, group):
            moment = _moment(mapping(_state(entry), "terminated").get("finishedAt"))
            if moment is not None:
                yield moment


def _state(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(entry, "state")


def _condition(status: Mapping[str, Any], name: str) -> Ms | None:
    """Last transition of a condition that is True."""
    for entry in _entries(status, "conditions"):
        if entry.get("type") == name and entry.get("status") == "True":
            moment = _moment(entry.get("lastTransitionTime"))
            if moment is not None:
                return moment
    return None


def _entries(status: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    entries = status.get(key)
    if isinstance(entries, list):
        yield from (entry for entry in entries if isinstance(entry, Mapping))


def _moment(value: object) -> Ms | None:
    """A moment after the epoch: Go's zero time (year 1) means that none was set."""
    moment = parse_time(value)
    return moment if moment is not None and moment > 0 else None
