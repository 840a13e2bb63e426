"""What an installation that only observes would have refused: said by Events, and counted.

From each pod that is new and the budgets that were shut when it was made: the question that the
admission policies would have asked. It must never say the same twice of one workload, however many
pods that makes, and never act.
"""

from collections import Counter

from bursar import pipeline
from bursar.api import meta
from bursar.domain import wording
from bursar.domain.action import Emit, ObjectRef
from bursar.domain.classification import DecidedBy
from bursar.domain.world import PodAccount, World
from bursar.enforce.jobs import LONGEST_MESSAGE, said
from bursar.enforce.refusal import Candidate

MOST_TOLD = 20_000
"""Workloads whose telling is remembered; beyond that the oldest may be told of once more."""


class Observed:
    """The refusals that did not happen.

    Attributes:
        refusals: pods that would have been refused, by namespace.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._told: dict[str, tuple[str, ...]] = {}
        self.refusals: Counter[str] = Counter()

    def look(self, pod: PodAccount) -> Emit | None:
        """Judge a new pod as the API server would have.

        Returns:
            An Event on its top owner; None where nothing would have refused it, or where the same
            has been told of that owner before.
        """
        candidate = Candidate(
            workload_class=pod.classification.workload_class,
            tagged=pod.classification.decided_by is DecidedBy.TAGGED,
            priority_class=pod.priority_class,
        )
        found = pipeline.refused(self._world, pod.namespace, pod.labels, candidate, pod.created)
        if not found:
            return None
        self.refusals[pod.namespace] += 1
        ref = _top(pod)
        budgets = tuple(each.budget for each in found)
        if self._told.get(ref.uid) == budgets:
            return None
        self._told.pop(ref.uid, None)
        self._told[ref.uid] = budgets
        if len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]
        message = wording.clip(f"would have been refused: {said(found)}", LONGEST_MESSAGE)
        return Emit(ref=ref, event_type="Normal", reason=meta.REASON_OBSERVE_ONLY, message=message)


def _top(pod: PodAccount) -> ObjectRef:
    if not pod.owners:
        return ObjectRef(
            api_version="v1", kind="Pod", namespace=pod.namespace, name=pod.name, uid=pod.uid
        )
    top = pod.owners[-1]
    return ObjectRef(
        api_version=top.api_version,
        kind=top.kind,
        namespace=top.namespace,
        name=top.name,
        uid=top.uid,
    )
