"""Who holds what together with whom: shared claims, and the parts of devices that schedulers slice.

Keeps what each open pod holds of each shared thing, and what those held that ended meanwhile. The
core says what follows for a pod's share over time; the ledger is the truth for its past.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from bursar.domain.time import Ms
from bursar.domain.usage import Holding
from bursar.domain.world import PodAccount
from bursar.meter.sharing import Sharer, Steps, capped, part_steps, steps
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

    def __init__(self) -> None:
        self._by_key: defaultdict[str, dict[str, Sharer]] = defaultdict(dict)
        self._past: dict[str, _Past] = {}
        self._awaited: set[str] = set()

    def restore(self, pods: Iterable[OpenPod]) -> None:
        """Take up what the ledger has of pods that were open."""
        for pod in pods:
            self._past[pod.uid] = _Past(booked(pod), pod.known)
            self._awaited.add(pod.uid)

    def take(self, pod: PodAccount) -> PodAccount:
        """Take in what a pod holds.

        Returns:
            The same account, with the steps of its shares; its segments are the caller's to cut.
        """
        holdings = tuple(self._settled(pod.uid, each) for each in pod.holdings)
        for each in holdings:
            self._keep(pod.uid, each)
        if pod.ended:
            self._past.pop(pod.uid, None)
        self._met(pod.uid)
        return pod if holdings == pod.holdings else replace(pod, holdings=holdings)

    def others(self, pod: PodAccount) -> set[str]:
        """Uids of open pods that hold something together with this one."""
        return {
            uid
            for each in pod.holdings
            for part in each.parts
            for uid, sharer in self._by_key.get(part.key, {}).items()
            if uid != pod.uid and sharer.end is None
        }

    def drop(self, uid: str) -> None:
        """Forget a pod of which nothing is booked."""
        self._past.pop(uid, None)
        self._met(uid)
        for key in [key for key, sharers in self._by_key.items() if uid in sharers]:
            del self._by_key[key][uid]
            self._tidy(key)

    def _settled(self, uid: str, holding: Holding) -> Holding:
        if not holding.parts:
            return holding
        around = {part.key: self._around(part.key, uid) for part in holding.parts}
        found = steps(holding, around)
        past = self._past.get(uid)
        if past is not None:
            found = capped(found, holding, past.booked.get(holding.resource, ()), past.until)
        return replace(holding, steps=found)

    def _around(self, key: str, uid: str) -> list[Sharer]:
        return [each for other, each in self._by_key[key].items() if other != uid]

    def _keep(self, uid: str, holding: Holding) -> None:
        for part in holding.parts:
            end = holding.end
            kept = None if end is None else part_steps(holding, part, self._around(part.key, uid))
            self._by_key[part.key][uid] = Sharer(
                devices=part.devices,
                start=holding.start,
                end=None if end is None else end.at,
                booked=kept,
            )
            if end is not None:
                self._tidy(part.key)

    def _met(self, uid: str) -> None:
        if uid in self._awaited:
            self._awaited.discard(uid)
            if not self._awaited:
                for key in list(self._by_key):
                    self._tidy(key)

    def _tidy(self, key: str) -> None:
        """Forget what is shared by nobody any more, once all that were open have come again."""
        ended = all(each.end is not None for each in self._by_key[key].values())
        if ended and not self._awaited:
            del self._by_key[key]

    def settle(self, pods: Mapping[str, PodAccount]) -> None:
        """Write down what ended sharers left to the open ones, and forget them, where many did.

        Args:
            pods: the open accounts, by uid.
        """
        for sharers in self._by_key.values():
            ended = {uid: end for uid, each in sharers.items() if (end := each.end) is not None}
            if len(ended) < MOST_ENDED:
                continue
            for uid in sharers.keys() - ended.keys():
                pod = pods.get(uid)
                if pod is None:
                    continue
                past = self._past.setdefault(uid, _Past({}, 0))
                past.booked |= {held.resource: as_booked(held) for held in pod.holdings}
                past.until = max(past.until, *ended.values())
            for uid in ended:
                del sharers[uid]


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
    if not isinstance(holding.devices, Fraction):
        return ()
    first = (holding.start, holding.devices)
    return (
        holding.steps
        if holding.steps[:1] and holding.steps[0][0] <= holding.start
        else (
            first,
            *holding.steps,
        )
    )
