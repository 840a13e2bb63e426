"""Keeps the accounts of pods: what the stream brings becomes rows of the ledger.

What a pod is and costs is the pipeline's answer; here it is only remembered, in the world while the
pod holds something, and in the ledger for ever. Calls do not wait for anything, so that each event
is applied whole.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from bursar import pipeline
from bursar.domain.time import Ms
from bursar.domain.usage import Dimension
from bursar.domain.workload import Owner
from bursar.domain.world import PodAccount, World
from bursar.meter import bound_at
from bursar.meter.witness import Hold
from bursar.pipeline import Sighting, Surroundings
from bursar.runtime.accounting import unseen
from bursar.runtime.accounting.bookkeeping import (
    Payers,
    Vocabulary,
    dimension,
    end_of,
    intervals,
    run_of,
)
from bursar.runtime.accounting.expected import Expected
from bursar.runtime.accounting.holdings import Holdings, Left
from bursar.runtime.accounting.leaving import Leaving
from bursar.runtime.accounting.nodes import Nodes
from bursar.runtime.cluster.gateway import JSON
from bursar.runtime.configuring.catalog import Bundle
from bursar.runtime.counting.totals import Totals
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import NEXT, MemberRow, OpenPod, PodRow, Row, Run
from bursar.runtime.witness import Born, Evidence, Lost

logger = logging.getLogger(__name__)

NOTHING = Evidence()

FLUSH_SECONDS = 20.0


class Accounts:
    """The accounts of the pods of one cluster.

    Attributes:
        totals: what pods that ended ever cost, for the counters.
        classified: pods judged, by class and confidence.
        report_labels: keys of pods' labels that costs are reported by.
        seen_until: of a moment, up to when all that had happened by then has been heard of: what
            is open is known to go on until there, and no further.
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
        self._leaving = Leaving()
        self._clipped: set[str] = set()
        self._expected = Expected(nodes)
        self.holdings = Holdings(world, nodes, bundle.tables, self)
        self.report_labels: tuple[str, ...] = ()
        self.seen_until: Callable[[Ms], Ms] = lambda now: now
        self.vocabulary = Vocabulary()
        self.totals = Totals()
        self.classified: Counter[tuple[str, str]] = Counter()
        nodes.on_new_rates = self._recut

    def restore(self) -> None:
        """Take up what the ledger remembers of pods that were open, and all totals."""
        self._carried = {pod.uid: pod for pod in self._ledger.reader.open_pods()}
        self.holdings.restore(self._carried.values())
        for row in self._ledger.reader.members():
            self._members[row.pod_uid].append(row)
        self._wrote_until = self._ledger.reader.written_until()
        self.totals.take_up(self._ledger.reader, tuple(self._carried.values()))

    def recount(self) -> None:
        """Take up the ledger's totals anew, after the past was corrected there."""
        self._ledger.submit([]).result(FLUSH_SECONDS)  # what has ended since must be in there
        self.totals.take_anew(self._ledger.reader, self._world.pods)

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
        self._keep(self.holdings.share(pod, sighting.now), previous, sighting)
        if previous is None and pod.start is None and not sighting.deleted:
            self._expect(pod, obj)
        self._settle_clipped(sighting.now)
        return self._world.pods.get(uid, pod)

    def look(self, obj: JSON, owners: tuple[Owner, ...], sighting: Sighting) -> PodAccount:
        """What a pod would be, with nothing kept of it."""
        return pipeline.account(obj, self._around(obj, owners, None), sighting)

    def lost(self, present: Collection[str]) -> list[Lost]:
        """Pods that are open as far as is known, and are not among those that are there."""
        self._ledger.submit([]).result(FLUSH_SECONDS)
        gone = self.known() - set(present)
        return [
            unseen.lost(pod, self._world.pods.get(pod.uid))
            for pod in self._ledger.reader.open_pods()
            if pod.uid in gone
        ]

    def met(self, uids: Collection[str]) -> set[str]:
        """Which of these pods are known, or were."""
        return set(uids) & (self.known() | self._ended) | self._ledger.reader.ends(uids).keys()

    def relist(
        self,
        objs: Sequence[tuple[JSON, tuple[Owner, ...]]],
        now: Ms,
        *,
        gap: bool,
        since: Ms | None = None,
        evidence: Evidence = NOTHING,
    ) -> None:
        """Take in all pods there are; what was open and is missing ended while nobody watched.

        Args:
            objs: the pods with their owners.
            now: milliseconds since the epoch.
            gap: whether time has gone by that nobody watched.
            since: where there is a gap, until when somebody watched (ms); None: not known.
            evidence: what witnesses say of it.
        """
        present = {str(obj["metadata"]["uid"]) for obj, _ in objs}
        self._ledger.submit([]).result(FLUSH_SECONDS)  # what the ledger tells must be all of it
        stored = {pod.uid: pod for pod in self._ledger.reader.open_pods()}
        self._written = set(self._ledger.reader.ends(present))
        for obj, owners in objs:
            before = stored.get(str(obj["metadata"]["uid"]))
            known = before.known if before is not None else 0
            self.apply(obj, owners, Sighting(now=now, watched_since=known))
        if gap:
            self._after_gap((since, now), present, stored, evidence)
        self._written = None
        self._settle_clipped(now)

    def _after_gap(
        self,
        gap: tuple[Ms | None, Ms],
        present: set[str],
        stored: Mapping[str, OpenPod],
        evidence: Evidence,
    ) -> None:
        """Close what is missing, and count what came and went."""
        lost = self.known() - present
        held = unseen.holds(self._world.pods[uid] for uid in present & self._world.pods.keys())
        for uid in sorted(lost & stored.keys()):
            self._close_unseen(stored[uid], gap, evidence, held)
        for uid in set(self._world.pods) - present:
            del self._world.pods[uid]
            self.holdings.drop(uid)
        for born in evidence.born:
            self._bear(born, gap[1])
        if lost:
            logger.warning(
                "missed=%d the API server no longer knew how these pods ended", len(lost)
            )

    def end_with_nodes(self, now: Ms) -> None:
        """End the pods that are still listed and whose nodes are gone for good."""
        for ended in list(unseen.with_nodes(self._world, now)):
            self._world.pods[ended.uid] = ended
            self._finish(ended, self.dimension(ended), Sighting(now=now))

    def checkpoint(self, now: Ms) -> Iterator[Row]:
        """Rows that bring the ledger up to now for all that is open."""
        for pod in self._world.pods.values():
            if pod.start is not None:
                yield from intervals(pod, self.dimension(pod), self._sure(pod, now))

    def _sure(self, pod: PodAccount, now: Ms) -> Ms:
        """Up to when an open pod is known to hold its devices."""
        return max(pod.start or 0, min(now, self.seen_until(now)))

    def dimension(self, pod: PodAccount) -> Dimension:
        """What a pod's cost is reported by."""
        return dimension(pod, self._world.nodes.get(pod.node_uid), self._reported(pod))

    def _reported(self, pod: PodAccount) -> dict[str, str]:
        return {key: pod.labels[key] for key in self.report_labels if key in pod.labels}

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
            claims=self.holdings.claims_of(namespace, str(metadata["uid"])),
            booked=self.holdings.booked(str(metadata["uid"])),
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
        self.holdings.claims.forget(uid)
        self.totals.leave(uid, sighting.now)
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
            run=run_of(pod),
            priority_class=pod.priority_class,
            labels=self._reported(pod),
            grace=pod.grace,
        )
        members = self._join(pod, self._carried.get(pod.uid))
        sure = self._sure(pod, now)
        of = self.dimension(pod)
        shown = self.totals.see(pod, of, run_of(pod))
        self._ledger.submit([row, *intervals(pod, of, sure), *members, *shown])
        self._payers.touch(pod.uid)
        self._make_room(pod, now)

    def _expect(self, pod: PodAccount, obj: JSON) -> None:
        """A pod that waits: its series exist from now on, before it costs anything."""
        names = self._expected.of(pod, obj)
        self._ledger.submit(self.totals.see(pod, self.dimension(pod), run_of(pod), names))

    def _close_unseen(
        self,
        stored: OpenPod,
        gap: tuple[Ms | None, Ms],
        evidence: Evidence,
        held: Mapping[str, Sequence[Hold]],
    ) -> None:
        """Close a pod that is gone: by the best witness, else half-way."""
        since, now = gap
        first = stored.intervals[0]
        weight = self.vocabulary.weights.get(first.dimension.accelerator, Fraction(1))
        seen = self._world.pods.get(stored.uid)
        pod = seen or unseen.from_ledger(stored, weight)
        known = max(stored.known, since or 0)
        heard = evidence.heard.get(stored.uid, ())
        pod = unseen.estimated(pod, self._world, (known, now), held, heard)
        self._world.pods[pod.uid] = pod
        if seen is None:
            self._ledger.submit(list(self._join(pod, stored)))
        self._finish(pod, first.dimension, Sighting(now=now, deleted=True), first.run)

    def _bear(self, born: Born, now: Ms) -> None:
        """Count a pod that came and went unseen."""
        uid = str(born.obj["metadata"]["uid"])
        start = bound_at(born.obj)
        if start is None or uid in self._world.pods:
            return
        sighting = Sighting(now=now, deleted=True, watched_since=start, heard=born.heard)
        if born.doubt:
            looked = self.look(born.obj, born.owners, sighting)
            self._world.pods[uid] = unseen.doubted(looked, born.doubt)
        self.apply(born.obj, born.owners, sighting)

    def _make_room(self, pod: PodAccount, now: Ms) -> None:
        """Clip the ends of pods that were told to go after this one got their devices."""
        node = self._world.nodes.get(pod.node_uid)
        if node is None or not isinstance(node.devices, Fraction):
            return
        rates = self._world.rates.get(pod.node_uid, ())
        for left, end in self._leaving.displaced(pod, self._world.pods.values(), node.devices):
            before, after = left.pod, unseen.close(left.pod, end, rates)
            last = max(end_of(before), end_of(after))
            shown = self.totals.amend(left.dimension, run_of(before), before, after, last)
            self._ledger.submit([*intervals(after, left.dimension, now), *shown])
            self._leaving.replace(left, after)
            self.holdings.clipped(after)
            self._clipped.add(after.uid)

    def _settle_clipped(self, now: Ms) -> None:
        """Let the budgets count anew what pods paid that left earlier than was told."""
        if self._clipped and self._written is None:
            self._payers.amend(self._clipped, now)
            self._clipped.clear()

    def _finish(
        self, pod: PodAccount, dimension: Dimension, sighting: Sighting, run: Run | None = None
    ) -> None:
        pod = self.holdings.share(pod, sighting.now)
        end = end_of(pod, sighting.now)
        shown = self.totals.finish(pod, dimension, run or run_of(pod), end)
        self._ledger.submit([*intervals(pod, dimension, sighting.now), *shown])
        self._leaving.remember(pod, dimension)
        self.holdings.leave(pod, dimension, run or run_of(pod))
        self._payers.touch(pod.uid)
        self._payers.settle(pod)
        self._forget(pod.uid, sighting)

    def _join(self, pod: PodAccount, stored: OpenPod | None) -> Iterable[Row]:
        known = self._members.pop(pod.uid, [])
        return self._payers.join(pod, known, stored.known if stored is not None else None)

    def rewrite(self, pod: PodAccount, now: Ms) -> None:
        """Something changed what an open pod holds."""
        # Up to the change, or a restart could not tell it: who shared may be forgotten by then.
        changes = (at for held in pod.holdings for at, _ in held.steps if at <= now)
        known = max(self._sure(pod, now), *changes, 0)
        self._ledger.submit(list(intervals(pod, self.dimension(pod), known)))
        self._payers.touch(pod.uid)

    def amend(self, left: Left, after: PodAccount, now: Ms) -> None:
        """Something changed what a pod held that has ended: others held it at the same time."""
        shown = self.totals.amend(left.dimension, left.run, left.pod, after, end_of(after))
        rows = intervals(after, left.dimension, now, generation=NEXT)
        self._ledger.submit([*rows, *shown])
        self._leaving.amended(after)
        self._clipped.add(after.uid)

    def _recut(self, node_uid: str, now: Ms) -> list[Row]:
        periods = self._world.rates.get(node_uid, ())
        rows: list[Row] = []
        for uid, pod in list(self._world.pods.items()):
            if pod.node_uid == node_uid and pod.start is not None:
                fresh = pipeline.reprice(pod, periods)
                self._world.pods[uid] = fresh
                self._payers.touch(uid)
                rows += intervals(fresh, self.dimension(fresh), self._sure(fresh, now))
        return rows
