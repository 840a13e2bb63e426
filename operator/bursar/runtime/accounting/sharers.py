"""Who holds what together with whom: shared claims, and the parts of devices that schedulers slice.

Keeps what each open pod holds of each shared thing, and what those held that ended meanwhile. The
core says what follows for a pod's share over time; the ledger is the truth for the past of a pod
that was open at the start, since whoever shared with it then may have ended and be forgotten.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from bursar.domain.time import Ms
from bursar.domain.usage import Holding
from bursar.domain.world import PodAccount
from bursar.meter.sharing import Sharer, Steps, capped, steps
from bursar.runtime.ledger.rows import OpenPod

MOST_ENDED = 64
"""Sharers that ended which are kept of one shared thing: then what they left is written down."""


@dataclass(slots=True)
class _Past:
    """What is booked of an open pod up to a moment, by resource."""

    booked: dict[str, Steps]
    until: Ms


class Sharers:
    """All that is shared in one cluster."""

    def __init__(self, there: Mapping[str, PodAccount]) -> None:
        self._there = there
        self._by_key: defaultdict[str, dict[str, Sharer]] = defaultdict(dict)
        self._keys: defaultdict[str, set[str]] = defaultdict(set)
        self._past: dict[str, _Past] = {}
        self._awaited: set[str] = set()

    def restore(self, pods: Iterable[OpenPod], past: Mapping[str, Mapping[str, Steps]]) -> None:
        """Take up what the ledger has of pods that were open, by uid and resource."""
        for pod in pods:
            self._past[pod.uid] = _Past(dict(past[pod.uid]), pod.known)
            self._awaited.add(pod.uid)

    def __contains__(self, uid: object) -> bool:
        """Whether a pod holds, or held of late, something shared."""
        return uid in self._keys

    def take(self, pod: PodAccount) -> PodAccount:
        """Take in what a pod holds.

        Returns:
            The same account, with the steps of its shares; its segments are the caller's to cut.
        """
        for each in pod.holdings:
            end = None if each.end is None else each.end.at
            for part in each.parts:
                sharer = Sharer(devices=part.devices, start=each.start, end=end)
                self._by_key[part.key][pod.uid] = sharer
                self._keys[pod.uid].add(part.key)
        holdings = tuple(self._settled(pod.uid, each) for each in pod.holdings)
        return pod if holdings == pod.holdings else replace(pod, holdings=holdings)

    def others(self, pod: PodAccount) -> set[str]:
        """Uids of the pods that hold or held something together with this one."""
        keys = {part.key for each in pod.holdings for part in each.parts}
        return {uid for key in keys for uid in self._by_key.get(key, ())} - {pod.uid}

    def left(self, uid: str) -> None:
        """A pod has ended: forget what nobody shares any more."""
        self._past.pop(uid, None)
        self.met(uid)
        for key in tuple(self._keys.get(uid, ())):
            self._tidy(key)

    def drop(self, uid: str) -> None:
        """Forget a pod of which nothing is booked."""
        self._past.pop(uid, None)
        self.met(uid)
        for key in tuple(self._keys.get(uid, ())):
            self._remove(key, uid)

    def _settled(self, uid: str, holding: Holding) -> Holding:
        if not holding.parts:
            return holding
        around = {
            part.key: [each for other, each in self._by_key[part.key].items() if other != uid]
            for part in holding.parts
        }
        found = steps(holding, around)
        past = self._past.get(uid)
        if past is not None:
            found = capped(found, holding, past.booked.get(holding.resource, ()), past.until)
        return replace(holding, steps=found)

    def met(self, uid: str) -> None:
        """A pod that was open at the start has come again."""
        if uid in self._awaited:
            self._awaited.discard(uid)
            if not self._awaited:
                for key in tuple(self._by_key):
                    self._tidy(key)

    def caught_up(self) -> None:
        """Whoever was open at the start and has not come again will not come any more."""
        for uid in tuple(self._awaited):
            self.met(uid)

    def _tidy(self, key: str) -> None:
        """Forget who ended, where nobody is left or too many are kept."""
        sharers = self._by_key[key]
        ended = {uid: end for uid, each in sharers.items() if (end := each.end) is not None}
        few = len(ended) < MOST_ENDED and len(ended) < len(sharers)
        if few or not ended or self._awaited:
            return
        for uid in sharers.keys() - ended.keys():
            self._write_down(self._there.get(uid), max(ended.values()))
        for uid in ended:
            self._remove(key, uid)

    def _write_down(self, pod: PodAccount | None, until: Ms) -> None:
        """What a pod had until then stays, though it is forgotten who had the rest."""
        if pod is None:
            return
        past = self._past.setdefault(pod.uid, _Past({}, 0))
        past.booked |= {held.resource: as_booked(held) for held in pod.holdings}
        past.until = max(past.until, until)

    def _remove(self, key: str, uid: str) -> None:
        self._by_key[key].pop(uid, None)
        if not self._by_key[key]:
            del self._by_key[key]
        self._keys[uid].discard(key)
        if not self._keys[uid]:
            del self._keys[uid]


def booked(pod: OpenPod) -> dict[str, Steps]:
    """What the ledger has of a pod, by resource: from when on how many devices."""
    found: defaultdict[str, list[tuple[Ms, Fraction]]] = defaultdict(list)
    for row in sorted(pod.intervals, key=lambda row: row.segment.start):
        part = row.segment
        if part.devices is not None and (
            not found[part.resource] or found[part.resource][-1][1] != part.devices
        ):
            found[part.resource].append((part.start, part.devices))
    return {resource: tuple(each) for resource, each in found.items() if each}


def as_booked(holding: Holding) -> Steps:
    """What a holding's rows are, as `booked` reads them."""
    if isinstance(holding.devices, Fraction):
        if not holding.steps or holding.steps[0][0] > holding.start:
            return ((holding.start, holding.devices), *holding.steps)
        return holding.steps
    return ()
