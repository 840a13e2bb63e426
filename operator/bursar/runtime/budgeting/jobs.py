"""Keeps the Jobs whose pods ask for accelerators, as far as holding and releasing them needs."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bursar import classify, pipeline
from bursar.api.meta import ANNOTATION_HELD, REASON_NO_RIGHT
from bursar.classify import LabelMapping
from bursar.domain.action import Action, Emit, Mode, ObjectRef, Resume, Suspend
from bursar.domain.budget import BudgetKey
from bursar.domain.classification import Classification, DecidedBy
from bursar.domain.fields import mapping, texts
from bursar.domain.time import MINUTE, Ms, parse_time
from bursar.domain.workload import Owner
from bursar.domain.world import World
from bursar.enforce.jobs import JobView, decide, turn
from bursar.enforce.refusal import Candidate, Refusal
from bursar.recognize.request import requests
from bursar.runtime.cluster.gateway import JSON
from bursar.runtime.cluster.owners import controller_of

FORBIDDEN_PAUSE: Ms = 5 * MINUTE
"""How long a Job is left alone that the operator has no right to change."""
STAYS_HELD = (
    "stays suspended by Bursar: its budgets would let it go on, but this installation has no right "
    "to resume it; run `bursar release-all`, or install the chart with enforcement again"
)
NOT_HELD = "would be suspended, but this installation has no right to: its pods are refused instead"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownJob:
    """A Job: how the core sees it, the labels of its pods, and why it has its class."""

    view: JobView
    pod_labels: Mapping[str, str]
    classification: Classification


class Jobs:
    """The accelerated Jobs of one cluster."""

    def __init__(self, world: World, mode: Mode, further: Collection[str] = ()) -> None:
        self._world = world
        self._further = further
        self._mode = mode
        self._jobs: dict[str, KnownJob] = {}
        self._put_off: dict[str, Ms] = {}

    def apply(self, obj: JSON, mappings: tuple[LabelMapping, ...], *, gone: bool) -> bool:
        """Take in a Job's state; True where it is one that asks for accelerators."""
        uid = str(obj["metadata"]["uid"])
        if gone:
            self._put_off.pop(uid, None)
            return self._jobs.pop(uid, None) is not None
        template = mapping(mapping(obj, "spec"), "template")
        if uid not in self._jobs and not requests(template, self._further):
            return False
        labels = texts(mapping(template, "metadata"), "labels")
        namespace = str(obj["metadata"].get("namespace", ""))
        verdict = self._classify(obj, template, namespace, mappings)
        view = _view(obj, template, verdict)
        self._jobs[uid] = KnownJob(view=view, pod_labels=labels, classification=verdict)
        return True

    def decide(self, now: Ms) -> tuple[Action, ...]:
        """What is to be done about waiting and held Jobs at this moment."""
        views = [
            job.view
            for uid, job in self._jobs.items()
            if _may_need_something(job.view) and self._put_off.get(uid, 0) <= now
        ]
        return decide(views, lambda view: self.refusals(view, now), self._mode)

    def refusals(self, view: JobView, now: Ms) -> tuple[Refusal, ...]:
        """What would refuse a Job's pods at this moment."""
        known = self._jobs[view.ref.uid]
        candidate = Candidate(
            workload_class=view.workload_class,
            tagged=view.tagged,
            priority_class=view.priority_class,
        )
        return pipeline.refused(self._world, view.ref.namespace, known.pod_labels, candidate, now)

    def done(self, action: Action) -> None:
        """Remember what has just been done, until the API server's own event comes."""
        match action:
            case Suspend(ref=ref, held_by=held_by):
                self._change(ref.uid, suspended=True, held_by=held_by)
            case Resume(ref=ref):
                self._change(ref.uid, suspended=False, held_by=())
            case _:
                pass

    def put_off(self, action: Suspend | Resume, now: Ms) -> Iterator[Emit]:
        """Leave a Job alone for a while that may not be changed; what is to be said, once a Job."""
        first = action.ref.uid not in self._put_off
        self._put_off[action.ref.uid] = now + FORBIDDEN_PAUSE
        if first:
            said = STAYS_HELD if isinstance(action, Resume) else NOT_HELD
            yield Emit(ref=action.ref, event_type="Warning", reason=REASON_NO_RIGHT, message=said)

    def find(self, namespace: str, name: str) -> KnownJob | None:
        """A Job by name."""
        for job in self._jobs.values():
            if job.view.ref.namespace == namespace and job.view.ref.name == name:
                return job
        return None

    def in_turn(self) -> list[KnownJob]:
        """Jobs that are not over, in the order in which they may start."""
        open_ones = (job for job in self._jobs.values() if not job.view.finished)
        return sorted(open_ones, key=lambda job: turn(job.view))

    def held(self, key: BudgetKey, namespace: str = "") -> int:
        """Jobs that wait for a budget (in one namespace)."""
        return sum(
            str(key) in job.view.held_by
            and namespace in ("", job.view.ref.namespace)
            and key.namespace in ("", job.view.ref.namespace)
            for job in self._jobs.values()
        )

    def _change(self, uid: str, *, suspended: bool, held_by: tuple[str, ...]) -> None:
        job = self._jobs.get(uid)
        if job is not None:
            view = replace(job.view, suspended=suspended, held_by=held_by)
            self._jobs[uid] = replace(job, view=view)

    def _classify(
        self,
        obj: JSON,
        template: Mapping[str, Any],
        namespace: str,
        mappings: tuple[LabelMapping, ...],
    ) -> Classification:
        metadata = obj["metadata"]
        owner = Owner(
            api_version="batch/v1",
            kind="Job",
            namespace=namespace,
            name=str(metadata.get("name", "")),
            uid=str(metadata.get("uid", "")),
            labels=texts(metadata, "labels"),
        )
        namespace_labels = self._world.namespaces.get(namespace, {})
        labels = texts(mapping(template, "metadata"), "labels")
        tag = classify.tagged(labels, (owner,), namespace_labels, mappings)
        return classify.classify(template, (owner,), tag)


def _view(obj: JSON, template: Mapping[str, Any], verdict: Classification) -> JobView:
    metadata, spec, status = obj["metadata"], mapping(obj, "spec"), mapping(obj, "status")
    held = mapping(metadata, "annotations").get(ANNOTATION_HELD)
    controller = controller_of(obj)
    pod = mapping(template, "spec")
    active = status.get("active")
    return JobView(
        ref=ObjectRef.of(obj, "batch/v1", "Job"),
        resource_version=str(metadata.get("resourceVersion", "")),
        controller=str(controller.get("kind", "")) if controller else "",
        workload_class=verdict.workload_class,
        tagged=verdict.decided_by is DecidedBy.TAGGED,
        priority_class=str(pod.get("priorityClassName") or ""),
        priority=pod["priority"] if isinstance(pod.get("priority"), int) else 0,
        suspended=spec.get("suspend") is True,
        held_by=tuple(held.split(",")) if isinstance(held, str) and held else (),
        active=active if isinstance(active, int) else 0,
        finished=_finished(status),
        created=parse_time(metadata.get("creationTimestamp")) or 0,
    )


def _may_need_something(view: JobView) -> bool:
    """Tell whether there can be anything to do: most Jobs run, or are over."""
    if view.finished:
        return False
    return bool(view.held_by) or (not view.suspended and view.active == 0)


def _finished(status: Mapping[str, Any]) -> bool:
    conditions = status.get("conditions")
    return any(
        isinstance(each, Mapping)
        and each.get("type") in ("Complete", "Failed")
        and each.get("status") == "True"
        for each in (conditions if isinstance(conditions, list) else ())
    )
