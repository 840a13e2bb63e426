"""Pods that vanished while nobody watched, closed from what the ledger and witnesses tell."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from bursar import meter
from bursar.domain.allocation import Allocation
from bursar.domain.classification import Classification, DecidedBy
from bursar.domain.rate import RatePeriod
from bursar.domain.time import MINUTE, Ms
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Basis, End, Holding, Segment
from bursar.domain.workload import NodeFacts
from bursar.domain.world import PodAccount, World
from bursar.meter.witness import BINDING, NODE_GONE, Hold, Testimony
from bursar.runtime.accounting.leaving import devices
from bursar.runtime.ledger.rows import OpenPod
from bursar.runtime.witness import Lost

LINGER: Ms = MINUTE
"""How long after its node a pod may be listed before it is taken to have ended with it: a node made
anew takes its pods over, and the collector of orphans waits 40 seconds."""


def close(pod: PodAccount, end: End, rates: Sequence[RatePeriod]) -> PodAccount:
    """End a pod's account.

    Args:
        pod: still open, or ended otherwise.
        end: of all that it holds.
        rates: of its node, to the end: a price may have changed while nobody watched.
    """
    holdings = tuple(replace(held, end=end) for held in pod.holdings)
    segments = tuple(part for held in holdings for part in meter.segments(held, rates))
    return replace(pod, holdings=holdings, segments=segments)


def estimated(
    pod: PodAccount,
    world: World,
    between: tuple[Ms, Ms],
    held: Mapping[str, Sequence[Hold]],
    heard: Iterable[Testimony],
) -> PodAccount:
    """The account, closed, of a pod that vanished while nobody watched.

    Args:
        pod: still open.
        world: for its node, whose own end bounds it, and the rates of that.
        between: when it was last known to hold its devices, and when it was missed (ms).
        held: what other pods surely hold, by node.
        heard: what other witnesses say.
    """
    node, start = world.nodes.get(pod.node_uid), pod.start or 0
    known, missed = (max(start, moment) for moment in between)
    bound = by_binding(pod, known, node, held.get(pod.node_uid, ()))
    end = meter.estimate(known, missed, (*bound, *by_node(node), *heard))
    return close(pod, end, world.rates.get(pod.node_uid, ()))


def lost(stored: OpenPod, seen: PodAccount | None) -> Lost:
    """What to ask witnesses of a pod that is gone."""
    first = stored.intervals[0]
    owner = seen.owners[0].uid if seen is not None and seen.owners else ""
    return Lost(
        uid=stored.uid,
        namespace=stored.namespace,
        name=stored.name,
        owner=owner or (first.run.uid if first.run is not None else ""),
        known=stored.known,
        grace=first.grace,
    )


def holds(pods: Iterable[PodAccount]) -> dict[str, list[Hold]]:
    """What pods surely hold, by node."""
    found: defaultdict[str, list[Hold]] = defaultdict(list)
    for pod in pods:
        if pod.start is None or not pod.node_uid:
            continue
        ends = [held.end for held in pod.holdings if held.end is not None]
        if any(end.basis is not Basis.EXACT for end in ends):
            continue
        until = max((end.at for end in ends), default=None)
        found[pod.node_uid].append(
            Hold(uid=pod.uid, start=pod.start, until=until, devices=devices(pod))
        )
    return found


def with_nodes(world: World, now: Ms) -> Iterator[PodAccount]:
    """The accounts, closed, of pods that are still listed and whose nodes are gone for good."""
    for pod in world.pods.values():
        node = world.nodes.get(pod.node_uid)
        if pod.start is None or node is None or node.until is None:
            continue
        end = meter.node_end(node, pod.start)
        noticed = node.until if node.until_high is None else node.until_high
        if end is not None and now - noticed >= LINGER and node.name not in world.node_uids:
            yield close(pod, end, world.rates.get(pod.node_uid, ()))


def by_node(node: NodeFacts | None) -> tuple[Testimony, ...]:
    """What a node's own end says of its pods' ends."""
    if node is None or node.until is None:
        return ()
    high = node.until if node.until_high is None else node.until_high
    return (Testimony(witness=NODE_GONE, high=high),)


def by_binding(
    pod: PodAccount, known: Ms, node: NodeFacts | None, held: Sequence[Hold]
) -> tuple[Testimony, ...]:
    """What the bindings of other pods say of when a pod had let go.

    Args:
        pod: the one that is gone.
        known: when it was last known to be there (ms).
        node: of both; None: never seen.
        held: what other pods surely hold on it.
    """
    mine = devices(pod)
    if node is None or not isinstance(node.devices, Fraction) or not mine or not held:
        return ()
    binding = meter.displaced(pod.uid, mine, known, node.devices, held)
    return () if binding is None else (Testimony(witness=BINDING, high=binding),)


def doubted(looked: PodAccount, why: str) -> PodAccount:
    """An account, not bound yet, of a pod of which nobody knows how many devices it held."""
    untold = Unknown(why)
    requests = tuple(replace(asked, count=untold) for asked in looked.requests)
    return replace(looked, start=None, holdings=(), segments=(), requests=requests)


def from_ledger(stored: OpenPod, weight: Fraction) -> PodAccount:
    """The account of an open pod, as far as the ledger has it."""
    first = stored.intervals[0]
    dimension = first.dimension
    return PodAccount(
        uid=stored.uid,
        namespace=stored.namespace,
        name=stored.name,
        labels=dict(dimension.labels),
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
    steps: defaultdict[str, list[tuple[Ms, Fraction]]] = defaultdict(list)
    for row in sorted(stored.intervals, key=lambda row: row.segment.start):
        part = row.segment
        first = firsts.setdefault(part.resource, part)
        last = steps[part.resource][-1][1] if steps[part.resource] else first.devices
        if part.devices is not None and last is not None and part.devices != last:
            steps[part.resource].append((part.start, part.devices))
    untold = Unknown("the ledger has no share of this pod")
    for resource, part in firsts.items():
        count: Fraction | Unknown = untold if part.devices is None else part.devices
        of: Fraction | Unknown = untold
        if part.share is not None and part.devices is not None:
            of = part.devices / part.share if part.share else Fraction(1)
        yield Holding(
            resource=resource,
            devices=count,
            node_devices=of,
            start=part.start,
            end=None,
            steps=tuple(steps[resource]),
        )
