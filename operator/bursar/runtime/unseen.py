"""Pods that vanished while nobody watched, closed from what the ledger last knew of them."""

from dataclasses import replace
from fractions import Fraction

from bursar.domain.allocation import Allocation
from bursar.domain.classification import Classification, DecidedBy
from bursar.domain.time import Ms
from bursar.domain.usage import Basis, End
from bursar.domain.world import PodAccount
from bursar.runtime.ledger.rows import OpenPod


def close(pod: PodAccount, known: Ms, now: Ms) -> PodAccount:
    """End a pod between the moment it was last known to hold its devices and now.

    Nothing tells more here, so the middle counts; the row carries both bounds.
    """
    low, high = min(known, now), now
    end = End(at=(low + high) // 2, basis=Basis.ESTIMATED, witness="heartbeat", low=low, high=high)
    segments = tuple(
        replace(part, end=end) if part.end is None or part.end.at > end.at else part
        for part in pod.segments
        if part.start <= end.at
    )
    return replace(pod, segments=segments)


def from_ledger(stored: OpenPod, weight: Fraction) -> PodAccount:
    """The account of an open pod, as far as the ledger has it."""
    first = stored.intervals[0]
    dimension = first.dimension
    return PodAccount(
        uid=stored.uid,
        namespace=stored.namespace,
        name=stored.name,
        labels={},
        created=first.segment.start,
        priority_class="",
        priority=0,
        owners=(),
        node_uid=stored.node_uid,
        node_name=first.node_name,
        accelerator=dimension.accelerator,
        requests=(),
        classification=Classification(
            workload_class=dimension.workload_class,
            activity=dimension.activity,
            confidence=0.0,
            decided_by=DecidedBy.NONE,
            evidence=(),
            model=dimension.model,
        ),
        allocation=Allocation(
            team=dimension.team,
            cost_center=dimension.cost_center,
            project=dimension.project,
            environment=dimension.environment,
        ),
        start=min(row.segment.start for row in stored.intervals),
        holdings=(),
        segments=tuple(row.segment for row in stored.intervals),
        gpu_factor=first.device_fraction,
        weight=weight,
    )
