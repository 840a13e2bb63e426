"""Keeps the accounts of pods: what the stream brings becomes rows of the ledger.

What a pod is and costs is the pipeline's answer; here it is only remembered, in the world while the
pod holds something, and in the ledger for ever. Calls do not wait for anything, so that each event
is applied whole.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from bursar import pipeline
from bursar.classify import LabelMapping
from bursar.domain.allocation import Allocation
from bursar.domain.time import Ms
from bursar.domain.usage import Dimension, Segment
from bursar.domain.workload import Owner
from bursar.domain.world import PodAccount, World
from bursar.meter import bound_at
from bursar.pipeline import Sighting, Surroundings
from bursar.runtime import unseen
from bursar.runtime.catalog import Bundle
from bursar.runtime.gateway import JSON
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import IntervalRows, MemberRow, OpenPod, PodRow, Row, Run
from bursar.runtime.nodes import Nodes
from bursar.runtime.totals import Totals

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 20.0


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

    def allocation(self, namespace: str, labels: dict[str, str]) -> Allocation | None:
        """What the namespace's budget says of whose cost a pod is."""


@dataclass(slots=True)
class Vocabulary:
    """What the organisation's configuration says of classes and weights."""

    mappings: tuple[LabelMapping, ...] = ()
    weights: dict[str, Fraction] = field(default_factory=dict)


class Accounts:
    """The accounts of the pods of one cluster.

    Attributes:
        totals: what pods that ended ever cost, for the counters.
        classified: pods judged, by class and confidence.
    """

    def __init__(
        self, world: World, ledger: Ledger, bundle: Bundle, nodes: Nodes, payers: Payers
    ) -> None:
        self._world = world
        self._ledger = ledger
        self._bundle = bundle
        self._nodes = nodes
        self._payers = payers
        self._ended: set[str] = set()
        self._written: set[str] | None = None
        self._wrote_until: Ms = 0
        self._carried: dict[str, OpenPod] = {}
        self._members: defaultdict[str, list[MemberRow]] = defaultdict(list)
        self.vocabulary = Vocabulary()
        self.totals = Totals()
        self.classified: Counter[tuple[str, str]] = Counter()
        nodes.on_new_rates = self._recut

    def restore(self) -> None:
        """Take up what the ledger remembers of pods that were open, and all totals."""
        self._carried = {pod.uid: pod for pod in self._ledger.reader.open_pods()}
        for row in self._ledger.reader.members():
            self._members[row.pod_uid].append(row)
        self._wrote_until = self._ledger.reader.written_until()
        self.totals.restore(self._ledger.reader.totals(), self._carried.values())

    def known(self) -> set[str]:
        """Uids of pods that are open, as far as is known."""
        return set(self._carried) | {p.uid for p in self._world.pods.values() if p.start}

    def apply(self, obj: JSON, owners: tuple[Owner, ...], sighting: Sighting) -> PodAccount | None:
        """Take in a pod's state.

        Returns:
            Its account; None where it had ended before.
        """
        uid = str(obj["metadata"]["uid"])
        if uid in self._ended:
            if sighting.deleted:
                self._ended.discard(uid)
            return None
        previous = self._world.pods.get(uid)
        pod = pipeline.account(obj, self._around(obj, owners, previous), sighting)
        first_bound = previous is None or previous.start is None
        if first_bound and uid not in self._carried and self._is_written(pod):
            self._forget(uid, sighting)
            return None
        if previous is None:
            verdict = pod.classification
            self.classified[verdict.workload_class.value, f"{verdict.confidence:.2f}"] += 1
        self._keep(pod, previous, sighting)
        return pod

    def look(self, obj: JSON, owners: tuple[Owner, ...], sighting: Sighting) -> PodAccount:
        """What a pod would be, with nothing kept of it."""
        return pipeline.account(obj, self._around(obj, owners, None), sighting)

    def relist(self, objs: Sequence[tuple[JSON, tuple[Owner, ...]]], now: Ms, *, gap: bool) -> None:
        """Take in all pods there are; what was open and is missing ended while nobody watched.

        Args:
            objs: the pods with their owners.
            now: milliseconds since the epoch.
            gap: whether time has gone by that nobody watched.
        """
        present = {str(obj["metadata"]["uid"]) for obj, _ in objs}
        self._ledger.submit([]).result(FLUSH_SECONDS)  # what the ledger tells must be all of it
        stored = {pod.uid: pod for pod in self._ledger.reader.open_pods()}
        self._written = set(self._ledger.reader.ends(present))
        for obj, owners in objs:
            before = stored.get(str(obj["metadata"]["uid"]))
            since = before.known if before is not None else 0
            self.apply(obj, owners, Sighting(now=now, watched_since=since))
        self._written = None
        if not gap:
            return
        lost = self.known() - present
        if lost:
            logger.warning(
                "missed=%d the API server no longer knew how these pods ended", len(lost)
            )
            for uid in lost & stored.keys():
                self._close_unseen(stored[uid], now)
        for uid in set(self._world.pods) - present:
            del self._world.pods[uid]

    def checkpoint(self, now: Ms) -> Iterator[Row]:
        """Rows that bring the ledger up to now for all that is open."""
        for pod in self._world.pods.values():
            if pod.start is not None:
                yield from intervals(pod, self.dimension(pod), now)

    def dimension(self, pod: PodAccount) -> Dimension:
        """What a pod's cost is reported by."""
        node = self._world.nodes.get(pod.node_uid)
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
        )

    def current_totals(self, now: Ms) -> Totals:
        """The totals with what open pods have cost so far."""
        totals = self.totals.copy()
        for pod in self._world.pods.values():
            if pod.start is not None:
                totals.count(self.dimension(pod), pod.segments, now, pod.gpu_factor)
        return totals

    def _around(
        self, obj: JSON, owners: tuple[Owner, ...], previous: PodAccount | None
    ) -> Surroundings:
        metadata = obj["metadata"]
        namespace = str(metadata.get("namespace", ""))
        start = bound_at(obj)
        name = str((obj.get("spec") or {}).get("nodeName") or "")
        node = None
        if start is not None:
            known = self._world.nodes.get(previous.node_uid) if previous else None
            node = known or self._nodes.find(name, start)
        return Surroundings(
            owners=owners,
            namespace_labels=self._world.namespaces.get(namespace, {}),
            node=node,
            rates=self._world.rates.get(node.uid, ()) if node else (),
            tables=self._bundle.tables,
            mappings=self.vocabulary.mappings,
            budget_allocation=self._payers.allocation(namespace, metadata.get("labels") or {}),
            weights=self.vocabulary.weights,
            previous=previous,
        )

    def _is_written(self, pod: PodAccount) -> bool:
        """Tell whether the ledger has this pod's end already (it is a relic, or a replay).

        Asked of pods bound before the ledger was last written by somebody else, and of no other:
        a replay brings the pod's whole life again, its end last.
        """
        if pod.start is None:
            return False
        if self._written is not None:
            return pod.uid in self._written
        return pod.start <= self._wrote_until and bool(self._ledger.reader.ends([pod.uid]))

    def _forget(self, uid: str, sighting: Sighting) -> None:
        self._world.pods.pop(uid, None)
        self._carried.pop(uid, None)
        self._members.pop(uid, None)
        if not sighting.deleted:
            self._ended.add(uid)

    def _keep(self, pod: PodAccount, previous: PodAccount | None, sighting: Sighting) -> None:
        if pod.start is None:
            if sighting.deleted:
                self._forget(pod.uid, sighting)
            else:
                self._world.pods[pod.uid] = pod
            return
        self._world.pods[pod.uid] = pod
        if previous is None or previous.start is None:
            self._open(pod, sighting.now)
        if pod.ended or not pod.holdings:
            self._finish(pod, self.dimension(pod), sighting)

    def _open(self, pod: PodAccount, now: Ms) -> None:
        row = PodRow(
            uid=pod.uid,
            namespace=pod.namespace,
            name=pod.name,
            node_uid=pod.node_uid,
            run=_run(pod),
            priority_class=pod.priority_class,
        )
        members = self._join(pod, self._carried.get(pod.uid))
        self._ledger.submit([row, *intervals(pod, self.dimension(pod), now), *members])
        self._payers.touch(pod.uid)

    def _close_unseen(self, stored: OpenPod, now: Ms) -> None:
        """Close a pod that is gone without a trace."""
        first = stored.intervals[0]
        weight = self.vocabulary.weights.get(first.dimension.accelerator, Fraction(1))
        seen = self._world.pods.get(stored.uid)
        known = seen or unseen.from_ledger(stored, weight)
        rates = self._world.rates.get(stored.node_uid, ())
        pod = unseen.close(known, stored.known, now, rates)
        self._world.pods[pod.uid] = pod
        if seen is None:
            self._ledger.submit(list(self._join(pod, stored)))
        self._finish(pod, first.dimension, Sighting(now=now, deleted=True))

    def _finish(self, pod: PodAccount, dimension: Dimension, sighting: Sighting) -> None:
        self._ledger.submit(list(intervals(pod, dimension, sighting.now)))
        end = max((part.end.at for part in pod.segments if part.end), default=sighting.now)
        self.totals.count(dimension, pod.segments, end, pod.gpu_factor)
        self._payers.touch(pod.uid)
        self._payers.settle(pod)
        self._forget(pod.uid, sighting)

    def _join(self, pod: PodAccount, stored: OpenPod | None) -> Iterable[Row]:
        known = self._members.pop(pod.uid, [])
        return self._payers.join(pod, known, stored.known if stored is not None else None)

    def _recut(self, node_uid: str, now: Ms) -> list[Row]:
        periods = self._world.rates.get(node_uid, ())
        rows: list[Row] = []
        for uid, pod in list(self._world.pods.items()):
            if pod.node_uid == node_uid and pod.start is not None:
                fresh = pipeline.reprice(pod, periods)
                self._world.pods[uid] = fresh
                self._payers.touch(uid)
                rows += intervals(fresh, self.dimension(fresh), now)
        return rows


def intervals(pod: PodAccount, dimension: Dimension, now: Ms) -> Iterator[Row]:
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
        )


def _run(pod: PodAccount) -> Run:
    if not pod.owners:
        return Run(uid=pod.uid, kind="Pod", namespace=pod.namespace, name=pod.name)
    root = pod.owners[-1]
    return Run(uid=root.uid, kind=root.kind, namespace=root.namespace, name=root.name)
