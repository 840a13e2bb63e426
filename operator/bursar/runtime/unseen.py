"""Pods that vanished while nobody watched, closed from what the ledger last knew of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from bursar import meter
from bursar.domain.allocation import Allocation
from bursar.domain.classification import Classification, DecidedBy
from bursar.domain.rate import RatePeriod
from bursar.domain.time import Ms
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Basis, End, Holding, Segment
from bursar.domain.world import PodAccount
from bursar.runtime.ledger.rows import OpenPod


def close(pod: PodAccount, known: Ms, now: Ms, rates: Sequence[RatePeriod]) -> PodAccount:
    """End a pod between the moment it was last known to hold its devices and now.

    Nothing tells more here, so the middle counts; the row carries both bounds.

    Args:
        pod: still open.
        known: when it last held its devices (ms).
        now: when it was found gone (ms).
        rates: of its node, to the end: a price may have changed while nobody watched.
    """
    low, high = min(known, now), now
    end = End(at=(low + high) // 2, basis=Basis.ESTIMATED, witness="heartbeat", low=low, high=high)
    holdings = tuple(replace(held, end=end) for held in pod.holdings)
    segments = tuple(part for held in holdings for part in meter.segments(held, rates))
    return replace(pod, holdings=holdings, segments=segments)


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
        holdings=tuple(_holdings(stored)),
        segments=tuple(row.segment for row in stored.intervals),
        gpu_factor=first.device_fraction,
        weight=weight,
    )


def _holdings(stored: OpenPod) -> Iterator[Holding]:
    """What the rows of each resource are the parts of."""
    firsts: dict[str, Segment] = {}
    for row in sorted(stored.intervals, key=lambda row: row.segment.start):
        firsts.setdefault(row.segment.resource, row.segment)
    untold = Unknown("the ledger has no share of this pod")
    for resource, part in firsts.items():
        devices: Fraction | Unknown = untold if part.devices is None else part.devices
        of: Fraction | Unknown = untold
        if part.share is not None and part.devices is not None:
            of = part.devices / part.share if part.share else Fraction(1)
        yield Holding(
            resource=resource, devices=devices, node_devices=of, start=part.start, end=None
        )
