"""Pods that left a node a moment ago, until it is clear that nobody got their devices earlier.

An end that was only observed, or estimated, may be told too late. A pod that is bound to devices
which were not free yet shows it: the one that had them was gone by then. So what ended is kept for
a while, by node, and clipped at such a binding. What overlaps all the same stays as it is.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from bursar.domain.time import MINUTE, Ms
from bursar.domain.usage import Basis, Dimension, End
from bursar.domain.world import PodAccount
from bursar.meter.witness import BINDING

KEPT: Ms = 10 * MINUTE
"""How long a pod that ended is kept: no binding is told later than that."""
MOST = 512
"""Pods that are kept of one node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A pod that ended, with what its cost is booked under."""

    pod: PodAccount
    dimension: Dimension
    end: End

    @property
    def loose(self) -> bool:
        """Whether its end may be earlier than it is told."""
        return self.end.basis in (Basis.OBSERVED, Basis.ESTIMATED)


class Leaving:
    """What ended of late on each node."""

    def __init__(self) -> None:
        self._left: defaultdict[str, deque[Left]] = defaultdict(lambda: deque(maxlen=MOST))

    def remember(self, pod: PodAccount, dimension: Dimension) -> None:
        """Keep a pod that has ended."""
        end = max((h.end for h in pod.holdings if h.end), key=lambda e: e.at, default=None)
        if end is not None and pod.node_uid:
            self._left[pod.node_uid].append(Left(pod=pod, dimension=dimension, end=end))

    def displaced(
        self, fresh: PodAccount, there: Iterable[PodAccount], of_node: Fraction
    ) -> list[tuple[Left, End]]:
        """Whose end lies at a pod's binding, and not after it.

        Args:
            fresh: the pod that was bound.
            there: pods that hold something now; those of other nodes are passed over.
            of_node: physical devices of its node.

        Returns:
            Pods that ended, with the ends they are to have: as few as make room, those that were
            told to end first before others.
        """
        left, binding = self._left.get(fresh.node_uid), fresh.start
        if left is None or binding is None:
            return []
        while left and left[0].end.at < binding - KEPT:
            left.popleft()
        late = [each for each in left if _start(each.pod) <= binding < each.end.at]
        doubtful = sorted((each for each in late if each.loose), key=lambda each: each.end.at)
        if not doubtful:
            return []
        total = devices(fresh) + sum((devices(each.pod) for each in late), Fraction(0))
        for pod in there:
            if pod.node_uid == fresh.node_uid and pod.uid != fresh.uid and _start(pod) <= binding:
                total += devices(pod)
        if total - sum((devices(each.pod) for each in doubtful), Fraction(0)) > of_node:
            return []  # more is held than there is, whoever left: that shows nothing
        clipped = []
        for each in doubtful:
            if total <= of_node:
                break
            end = _clip(each.end, binding)
            if end is not None and devices(each.pod):
                clipped.append((each, end))
                total -= devices(each.pod)
        return clipped

    def amended(self, pod: PodAccount) -> None:
        """Keep the account of a pod that ended as it is now."""
        for each in list(self._left.get(pod.node_uid, ())):
            if each.pod.uid == pod.uid:
                self.replace(each, pod)

    def replace(self, before: Left, pod: PodAccount) -> None:
        """Keep the clipped account in place of the one before."""
        left = self._left[pod.node_uid]
        left.remove(before)
        self.remember(pod, before.dimension)


def devices(pod: PodAccount) -> Fraction:
    """Physical devices that a pod holds, as far as they are known."""
    counts = (held.latest for held in pod.holdings)
    return sum((count for count in counts if isinstance(count, Fraction)), Fraction(0))


def _start(pod: PodAccount) -> Ms:
    return 1 << 62 if pod.start is None else pod.start


def _clip(end: End, binding: Ms) -> End | None:
    """The end as it is when devices were free again by a binding; None where it cannot be."""
    if end.basis is Basis.OBSERVED:
        return replace(end, at=binding)
    low = end.low if end.low is not None else end.at
    if low > binding:
        return None
    return replace(end, at=(low + binding) // 2, high=binding, witness=BINDING)
