"""What Kubernetes Events say of pods that nobody saw end, or never saw at all.

Decides from Event objects as the API gives them (core/v1, which shows those of events.k8s.io/v1,
too). Whoever may create Events in a namespace can write anything about its pods; the one field that
he cannot write is when the API server took the Event in. An Event that claims to be much older than
that is not believed. What is odd is passed over, and nothing here raises.

Reasons and messages are those of the scheduler, the kubelet and the built-in controllers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bursar.domain.fields import mapping, text
from bursar.domain.time import MINUTE, SECOND, Ms, floor_second, parse_time
from bursar.meter.witness import Testimony, terminating

LATE: Ms = 3 * MINUTE
"""How long after its moment an Event may be taken in: senders give up after two minutes."""
AHEAD: Ms = 5 * SECOND
"""How far a sender's clock may be ahead of the API server's."""

SCHEDULED = "Scheduled"
CREATED = "SuccessfulCreate"
DELETED = "SuccessfulDelete"
COMPLETED = "Completed"
ENDING_REASONS = ("Killing", "Preempted", "Evicted")
"""About a pod: it was told to end at that moment, and its kubelet is there to do it."""
DYING_REASONS = ("TaintManagerEviction", "NodeNotReady")
"""About a pod: it was there at that moment, and its node may not be."""
BEGINNING_REASONS = ("Pulling", "Pulled", "Created", "Started", SCHEDULED)
"""About a pod: it goes on after that, whatever was said of its end before."""
NODE_GONE_REASONS = ("RemovingNode", "DeletingNode")
"""About a node: it is gone from the API, or its machine from the cloud."""
_RESTARTS = "will be restarted"
_ASSIGNED = re.compile(r"Successfully assigned (\S{1,64})/(\S{1,253}) to (\S{1,253})")
_MADE = re.compile(
    r"(?:Created pod: |create Pod )(\S{1,253})(?: in StatefulSet .*)?(?: successful)?"
)
_ENDED = re.compile(
    r"(?:Deleted pod: |delete Pod )(\S{1,253})(?: in StatefulSet .*)?(?: successful)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One Event.

    Attributes:
        kind: of the object that it is about, with `api_version`, `namespace`, `name` and `uid`.
        first: when it happened (ms); for the first time, where it happened more than once.
        last: for the last time (ms).
    """

    kind: str
    api_version: str
    namespace: str
    name: str
    uid: str
    reason: str
    message: str
    first: Ms
    last: Ms
    count: int = 1


def read(event: Mapping[str, Any], now: Ms) -> Said | None:
    """Read an Event.

    Args:
        event: as core/v1 gives it.
        now: milliseconds since the epoch.

    Returns:
        None for one that tells nothing or is not to be believed: about another namespace's object,
        from the future, or much older than the API server knows it.
    """
    metadata, about = mapping(event, "metadata"), mapping(event, "involvedObject")
    taken = parse_time(metadata.get("creationTimestamp"))
    first = _first(event, taken)
    namespace = text(about, "namespace")
    foreign = bool(namespace) and namespace != text(metadata, "namespace")
    if first is None or taken is None or foreign:
        return None
    if first > min(now, taken + SECOND) + AHEAD or first < taken - LATE:
        return None
    last = parse_time(event.get("lastTimestamp"))
    if last is None:
        last = parse_time(mapping(event, "series").get("lastObservedTime"))
    count = event.get("count") or mapping(event, "series").get("count")
    return Said(
        kind=text(about, "kind"),
        api_version=text(about, "apiVersion"),
        namespace=namespace,
        name=text(about, "name"),
        uid=text(about, "uid"),
        reason=text(event, "reason"),
        message=text(event, "message")[:1024],
        first=first,
        last=max(first, min(now, first if last is None else last)),
        count=count if isinstance(count, int) and count > 0 else 1,
    )


def of_pod(said: Iterable[Said], grace: Ms | None) -> Iterator[Testimony]:
    """What the Events of a pod's own uid say of its end.

    Args:
        said: all of them.
        grace: how long its containers may take to end (ms); None: not known.
    """
    ordered = sorted(said, key=lambda each: each.first)
    begun = max((each.last for each in ordered if each.reason in BEGINNING_REASONS), default=None)
    for each in ordered:
        if each.reason in ENDING_REASONS and _ends(each) and (begun is None or each.first > begun):
            yield from terminating(_witness(each), each.first, grace)
            break
    for each in ordered:
        if each.reason not in ENDING_REASONS:
            yield Testimony(witness=_witness(each), low=each.last)


def of_controller(said: Iterable[Said], known: Ms, grace: Ms | None) -> Iterator[Testimony]:
    """What a controller's Events say that it deleted a pod of this name.

    A name is used again: the first deletion after the pod was last known is its own.
    """
    edge = floor_second(known)
    deletions = sorted(
        (each for each in said if each.reason == DELETED and each.last >= edge),
        key=lambda each: each.first,
    )
    for each in deletions[:1]:
        sure = each.first >= edge or each.count == 2
        begun = each.first if each.first >= edge else each.last
        low = None if sure else edge
        yield from terminating(_witness(each), begun, grace, low)


def of_completion(said: Said) -> Testimony:
    """What a Job's Event says of its pods' ends: it is complete when they have ended."""
    return Testimony(witness=_witness(said), high=said.first)


def of_removal(said: Iterable[Said]) -> Iterator[Testimony]:
    """What a node's Events say of when it was gone."""
    for each in sorted(said, key=lambda each: each.first):
        if each.reason in NODE_GONE_REASONS:
            yield Testimony(witness=_witness(each), high=each.first)
            return


def assigned(said: Said) -> str | None:
    """The node that the scheduler gave a pod; None where this is no such Event."""
    found = _ASSIGNED.fullmatch(said.message) if said.reason == SCHEDULED else None
    if found is None or said.kind != "Pod" or found.group(1, 2) != (said.namespace, said.name):
        return None
    return found.group(3)


def made(said: Said) -> str | None:
    """The name of the pod that a controller says it created."""
    found = _MADE.fullmatch(said.message) if said.reason == CREATED else None
    return found.group(1) if found else None


def deleted(said: Said) -> str | None:
    """The name of the pod that a controller says it deleted."""
    found = _ENDED.fullmatch(said.message) if said.reason == DELETED else None
    return found.group(1) if found else None


def _first(event: Mapping[str, Any], taken: Ms | None) -> Ms | None:
    for value in (event.get("firstTimestamp"), event.get("eventTime")):
        moment = parse_time(value)
        if moment is not None and moment > 0:
            return moment
    return taken


def _ends(said: Said) -> bool:
    """A container that is killed to be restarted ends nothing."""
    return _RESTARTS not in said.message


def _witness(said: Said) -> str:
    return f"event:{said.reason[:64]}"
