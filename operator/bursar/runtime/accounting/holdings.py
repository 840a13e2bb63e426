"""What open pods hold: split among those that hold it together, and told once claims tell it.

Calls do not wait for anything: what must be read first was read by `claims`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from bursar import pipeline
from bursar.domain.time import Ms
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Dimension
from bursar.domain.workload import ClaimFacts
from bursar.domain.world import PodAccount, World
from bursar.meter.sharing import Steps
from bursar.pipeline import Surroundings
from bursar.recognize.tables import AcceleratorTables
from bursar.runtime.accounting.nodes import Nodes
from bursar.runtime.accounting.sharers import Sharers, booked
from bursar.runtime.ledger.rows import OpenPod, Run


class ClaimSource(Protocol):
    """What claims of Dynamic Resource Allocation allocate."""

    def facts(self, namespace: str, pod_uid: str, name: str) -> ClaimFacts | None:
        """What a pod's claim allocates; None where that is not known."""

    def forget(self, pod_uid: str) -> None:
        """A pod is over."""


class NoClaims:
    """Where no claims are served, none is known."""

    def facts(self, namespace: str, pod_uid: str, name: str) -> None:
        """Nothing is known of any."""

    def forget(self, pod_uid: str) -> None:
        """Nothing is to be forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A pod that ended, with what its cost is booked under."""

    pod: PodAccount
    dimension: Dimension
    run: Run


class Books(Protocol):
    """Where it is written down what pods hold."""

    def rewrite(self, pod: PodAccount, now: Ms) -> None:
        """Something changed what an open pod holds."""

    def amend(self, left: Left, after: PodAccount, now: Ms) -> None:
        """Something changed what a pod held that has ended."""


class Holdings:
    """The holdings of the pods of one cluster.

    Attributes:
        claims: where it is known what claims allocate.
    """

    def __init__(self, world: World, nodes: Nodes, tables: AcceleratorTables, books: Books) -> None:
        self._world = world
        self._nodes = nodes
        self._tables = tables
        self._books = books
        self._sharers = Sharers(world.pods)
        self._booked: dict[str, Mapping[str, Steps]] = {}
        self._left: dict[str, Left] = {}
        self.claims: ClaimSource = NoClaims()

    def restore(self, pods: Iterable[OpenPod]) -> None:
        """Take up what the ledger has of pods that were open: the truth for their past."""
        stored = tuple(pods)
        self._booked = {pod.uid: booked(pod) for pod in stored}
        self._sharers.restore(stored, self._booked)

    def claims_of(self, namespace: str, uid: str) -> Callable[[str], ClaimFacts | None]:
        """What a claim of this pod allocates, by the claim's name."""
        return partial(self.claims.facts, namespace, uid)

    def booked(self, uid: str) -> Mapping[str, Steps]:
        """What the ledger has of a pod that was open at the start, by resource."""
        return self._booked.get(uid, {})

    def share(self, pod: PodAccount, now: Ms) -> PodAccount:
        """Split what a pod holds together with others among it and them.

        Who ended, too, held less than was written, where this one held it already.

        Args:
            pod: open, or ended just now.
            now: milliseconds since the epoch.
        """
        settled = self._sharers.take(pod)
        for uid in self._sharers.others(settled):
            other, left = self._world.pods.get(uid), self._left.get(uid)
            if other is not None and (fresh := self._sharers.take(other)) is not other:
                self._world.pods[uid] = self._recut(fresh)
                self._books.rewrite(self._world.pods[uid], now)
            elif left is not None and (fresh := self._sharers.take(left.pod)) is not left.pod:
                after = self._recut(fresh)
                self._books.amend(left, after, now)
                self._left[uid] = replace(left, pod=after)
        if not settled.ended:  # else it is taken once more when it leaves
            self._sharers.met(pod.uid)
        return pod if settled is pod else self._recut(settled)

    def leave(self, pod: PodAccount, dimension: Dimension, run: Run) -> None:
        """A pod has ended: what it held may turn out to have been less while others have it."""
        self._booked.pop(pod.uid, None)
        self._left[pod.uid] = Left(pod=pod, dimension=dimension, run=run)
        self._sharers.left(pod.uid)
        for uid in [uid for uid in self._left if uid not in self._sharers]:
            del self._left[uid]

    def caught_up(self) -> None:
        """All that happened before the start has been applied."""
        self._sharers.caught_up()

    def clipped(self, pod: PodAccount) -> None:
        """A pod that ended did so earlier than was told."""
        if pod.uid in self._left:
            self._left[pod.uid] = replace(self._left[pod.uid], pod=pod)

    def drop(self, uid: str) -> None:
        """Forget a pod of which nothing is booked."""
        self._sharers.drop(uid)
        self._booked.pop(uid, None)
        self.claims.forget(uid)

    def look_again(self, now: Ms) -> None:
        """Tell what could not be told before: a claim or a node has told more."""
        for uid, pod in list(self._world.pods.items()):
            if pod.start is None or not _untold(pod):
                continue
            known = self._world.nodes.get(pod.node_uid)
            node = known or self._nodes.find(pod.node_name, pod.start)
            around = Surroundings(
                owners=pod.owners,
                namespace_labels={},
                node=node,
                rates=self._world.rates.get(node.uid, ()) if node else (),
                tables=self._tables,
                claims=self.claims_of(pod.namespace, uid),
                booked=self.booked(uid),
            )
            fresh = pipeline.hold_again(pod, around)
            if fresh.holdings != pod.holdings:
                self._world.pods[uid] = self.share(fresh, now)
                self._books.rewrite(self._world.pods[uid], now)

    def _recut(self, pod: PodAccount) -> PodAccount:
        return pipeline.reprice(pod, self._world.rates.get(pod.node_uid, ()))


def _untold(pod: PodAccount) -> bool:
    return any(
        isinstance(part, Unknown)
        for each in pod.holdings
        for part in (each.devices, each.node_devices)
    )
