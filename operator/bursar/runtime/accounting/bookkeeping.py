"""The accounts' own words for the ledger: who pays, under which dimension, in which rows."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from bursar.classify import LabelMapping
from bursar.domain.allocation import Allocation
from bursar.domain.time import Ms
from bursar.domain.usage import Dimension, Segment
from bursar.domain.workload import NodeFacts
from bursar.domain.world import PodAccount
from bursar.runtime.ledger.rows import CURRENT, IntervalRows, MemberRow, Row, Run


class Payers(Protocol):
    """The budgets, as the accounts see them."""

    def join(
        self, pod: PodAccount, known: Iterable[MemberRow] = (), taken_up: Ms | None = None
    ) -> Iterable[Row]:
        """A pod was bound (or taken up again, with the memberships it has): who pays for it?"""

    def settle(self, pod: PodAccount) -> None:
        """A pod has ended: its cost is final."""

    def touch(self, uid: str) -> None:
        """Something about a pod changed: its budgets must be looked at."""

    def amend(self, uids: Collection[str], now: Ms) -> None:
        """Pods that ended did so earlier than was told: what they paid is counted anew."""

    def allocation(self, namespace: str, labels: dict[str, str]) -> Allocation | None:
        """What the namespace's budget says of whose cost a pod is."""


@dataclass(slots=True)
class Vocabulary:
    """What the organisation's configuration says of classes and weights."""

    mappings: tuple[LabelMapping, ...] = ()
    weights: dict[str, Fraction] = field(default_factory=dict)


def dimension(
    pod: PodAccount, node: NodeFacts | None, labels: Mapping[str, str] | None = None
) -> Dimension:
    """What a pod's cost is reported by.

    Args:
        pod: its account.
        node: that it runs on; None where it was never seen.
        labels: the pod's, of the installation's report labels only.
    """
    return Dimension(
        namespace=pod.namespace,
        workload_class=pod.classification.workload_class,
        activity=pod.classification.activity,
        team=pod.allocation.team,
        cost_center=pod.allocation.cost_center,
        project=pod.allocation.project,
        environment=pod.allocation.environment,
        model=pod.classification.model,
        accelerator=pod.accelerator,
        capacity_type=node.capacity_type if node else "unknown",
        infrastructure=node.infrastructure if node else "",
        region=node.region if node else "",
        labels=tuple(sorted((labels or {}).items())),
    )


def intervals(
    pod: PodAccount, dimension: Dimension, now: Ms, generation: int = CURRENT
) -> Iterator[Row]:
    """A pod's rows of the ledger, one for each resource."""
    by_resource: defaultdict[str, list[Segment]] = defaultdict(list)
    for segment in pod.segments:
        by_resource[segment.resource].append(segment)
    for parts in by_resource.values():
        yield IntervalRows(
            pod_uid=pod.uid,
            segments=tuple(parts),
            known=now,
            dimension=dimension,
            device_fraction=pod.gpu_factor,
            generation=generation,
            reason="" if generation == CURRENT else "shared with others",
        )


def end_of(pod: PodAccount, otherwise: Ms = 0) -> Ms:
    """When a pod let go of all that it held (ms)."""
    return max((part.end.at for part in pod.segments if part.end), default=otherwise)


def run_of(pod: PodAccount) -> Run:
    """The run that a pod is part of: its root owner, or itself."""
    if not pod.owners:
        return Run(uid=pod.uid, kind="Pod", namespace=pod.namespace, name=pod.name)
    root = pod.owners[-1]
    return Run(uid=root.uid, kind=root.kind, namespace=root.namespace, name=root.name)
