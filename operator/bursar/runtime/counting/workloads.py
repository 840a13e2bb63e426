"""The series of workloads: zero from a workload's first pod on, and for a while after its last.

As many as the settings allow have series of their own, first come, first served; the others are
counted in one, `other`, for their whole life. What ended pods have cost is kept in the series' own
marks, written in the transaction that writes a pod's end.
"""

import logging
from collections import defaultdict
from collections.abc import Container, Iterable
from typing import Final

from bursar.domain.time import Ms
from bursar.domain.world import PodAccount
from bursar.meter import Tally
from bursar.runtime.counting.places import OTHER
from bursar.runtime.counting.series import WORKLOAD, Labels, Roster, Series
from bursar.runtime.ledger.rows import OpenPod, Run

logger = logging.getLogger(__name__)

REST: Labels = (OTHER, OTHER, OTHER, OTHER)
ENDED: Final = "ended"
"""Mark: when the last pod of a workload was gone (ms)."""
CLOSED_COST, CLOSED_GPU = "closed_cost", "closed_gpu"
"""Marks: what its pods that ended have cost (nano-units), and their accelerator time (10^-9 ms)."""


class Workloads:
    """The workloads of one operator.

    Attributes:
        most: series at the same time.
        retention: how long one is shown after its last pod's end (ms).
    """

    def __init__(self, roster: Roster, most: int, retention: Ms) -> None:
        self.most = most
        self.retention = retention
        self._roster = roster
        self._of: dict[str, Series] = {}
        self._pods: defaultdict[Series, set[str]] = defaultdict(set)
        self._beyond: dict[Labels, Series] = {}

    def restore(self, still_open: Iterable[OpenPod]) -> None:
        """Workloads that run and have no series of their own stay without one."""
        for pod in still_open:
            first = pod.intervals[0]
            if first.run is not None:
                key = _key(first.run, first.dimension.workload_class.value)
                if self._roster.find(WORKLOAD, key) is None:
                    self._beyond[key] = self._roster.open(WORKLOAD, REST, first.segment.start)

    def see(self, pod: PodAccount, run: Run) -> Series:
        """A pod is there, bound or not."""
        series = self._series(pod, run)
        self._of[pod.uid] = series
        self._pods[series].add(pod.uid)
        series.marks.pop(ENDED, None)
        return series

    def of(self, uid: str) -> Series | None:
        """The series of a pod that was seen."""
        return self._of.get(uid)

    def finish(self, pod: PodAccount, run: Run, whole: Tally) -> Series:
        """A pod has ended, and has cost so much."""
        series = self._of.get(pod.uid) or self._series(pod, run)
        for name, value in ((CLOSED_COST, whole.paid), (CLOSED_GPU, whole.gpu)):
            series.marks[name] = series.marks.get(name, 0) + value
        return series

    def amend(self, pod: PodAccount, run: Run, before: Tally, after: Tally) -> Series | None:
        """A pod that ended has cost something else; None where its workload is shown no more."""
        key = _key(run, pod.classification.workload_class.value)
        series = self._roster.find(WORKLOAD, key) or self._beyond.get(key)
        if series is not None:
            changes = (
                (CLOSED_COST, after.paid - before.paid),
                (CLOSED_GPU, after.gpu - before.gpu),
            )
            for name, change in changes:
                series.marks[name] = max(0, series.marks.get(name, 0) + change)
        return series

    def leave(self, uid: str, now: Ms) -> None:
        """A pod is no more."""
        series = self._of.pop(uid, None)
        if series is None:
            return
        self._pods[series].discard(uid)
        if not self._pods[series]:
            del self._pods[series]
            series.marks[ENDED] = max(now, series.marks.get(ENDED, 0))

    def retire(self, pods: Container[str], now: Ms) -> None:
        """Show no more what ended long ago; pods that went without a word have left."""
        for uid in [uid for uid in self._of if uid not in pods]:
            self.leave(uid, now)
        for series in self._roster.of(WORKLOAD):
            if series in self._pods:
                continue
            ended = series.marks.setdefault(ENDED, now)
            if series.labels == REST:
                self._beyond.clear()
            elif now - ended >= self.retention:
                self._roster.close(series)

    def beyond(self) -> int:
        """Workloads that are counted in `other` now."""
        return len(self._beyond)

    def _series(self, pod: PodAccount, run: Run) -> Series:
        key = _key(run, pod.classification.workload_class.value)
        found = self._roster.find(WORKLOAD, key) or self._beyond.get(key)
        if found is not None:
            return found
        created = pod.created or pod.start or 0
        if self._roster.count(WORKLOAD) - bool(self._roster.find(WORKLOAD, REST)) < self.most:
            return self._roster.open(WORKLOAD, key, created)
        if not self._beyond:
            said = "workloads=%d have series of their own, as many as may: others are in %r"
            logger.warning(said, self.most, OTHER)
        found = self._beyond[key] = self._roster.open(WORKLOAD, REST, created)
        return found


def _key(run: Run, workload_class: str) -> Labels:
    return run.namespace, run.kind, run.name, workload_class
