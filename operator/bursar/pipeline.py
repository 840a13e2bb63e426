"""The path as a list: what happens to a pod, and what follows for a budget.

`PATH` is the table of contents. `account` follows it from the object that the API gives to the
pod's account, `spending` from the accounts of a budget's pods to what it has spent and what flows
on. Pure: the clock, the owners, the node and its prices are arguments.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from bursar import allocate, classify, meter
from bursar.api import meta
from bursar.budget.exchange import converted, foreseen
from bursar.budget.membership import matches
from bursar.budget.standing import standing
from bursar.domain.action import LabelPod, ObjectRef
from bursar.domain.allocation import Allocation
from bursar.domain.budget import Amounts, Flow
from bursar.domain.classification import Classification, WorkloadClass
from bursar.domain.fields import mapping, text, texts
from bursar.domain.label import legal_label_value
from bursar.domain.rate import RatePeriod, Unpriced
from bursar.domain.time import SECOND, Ms, parse_time
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Basis, End, Holding, Segment
from bursar.domain.workload import AcceleratorRequest, ClaimFacts, NodeFacts, Owner
from bursar.domain.world import Membership, PodAccount, Purse, World
from bursar.enforce.refusal import Candidate, Refusal, refusals
from bursar.price.rates import rates
from bursar.recognize.holding import Ground, hold
from bursar.recognize.request import requests, whole_devices
from bursar.recognize.tables import AcceleratorTables


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the path.

    Attributes:
        name: of its room, a folder beside this file.
        question: what it answers, in words.
        entry: the function to begin reading at.
    """

    name: str
    question: str
    entry: Callable[..., object]


PATH: tuple[Step, ...] = (
    Step(name="recognize", question="which accelerators, and what share of them?", entry=requests),
    Step(name="classify", question="what kind of work, and how sure?", entry=classify.classify),
    Step(name="allocate", question="whose cost is it?", entry=allocate.allocate),
    Step(name="price", question="what does its node cost an hour?", entry=rates),
    Step(name="meter", question="what has it cost so far?", entry=meter.cost_between),
    Step(name="budget", question="which budgets pay, and where do they stand?", entry=standing),
    Step(name="enforce", question="may it start?", entry=refusals),
)
"""The path, in order: `account` follows it for a pod, `explain` tells it, budgets end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a pod's account depends on besides the pod.

    Attributes:
        node: facts of the pod's node; None where it was never seen.
        rates: of that node.
        mappings: the organisation's labels that tell a class.
        weights: normalized devices for one device, by accelerator; 1 where none is given.
        previous: the account so far: what was judged once is not judged again in mid-run.
        claims: what a claim of the pod's allocates, by its name; None where that is not known.
        booked: what the ledger has of the pod, by resource: from when on how many devices.
    """

    owners: tuple[Owner, ...]
    namespace_labels: Mapping[str, str]
    node: NodeFacts | None
    rates: tuple[RatePeriod, ...]
    tables: AcceleratorTables
    mappings: tuple[classify.LabelMapping, ...] = ()
    budget_allocation: Allocation | None = None
    weights: Mapping[str, Fraction] = field(default_factory=dict)
    previous: PodAccount | None = None
    claims: Callable[[str], ClaimFacts | None] = lambda _: None
    booked: Mapping[str, tuple[tuple[Ms, Fraction], ...]] = field(default_factory=dict)

    @property
    def ground(self) -> Ground:
        """What tells how much the pod's requests hold."""
        return Ground(node=self.node, tables=self.tables, claims=self.claims, booked=self.booked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """How and when a pod was seen.

    Attributes:
        now: when this state was applied.
        deleted: it is gone from the API server.
        watched_since: None where the pod was watched live; else the last moment at which it is
            known to have been there, and what happened after it was missed.
        heard: what witnesses say of the end that was missed, the most trusted first.
    """

    now: Ms
    deleted: bool = False
    watched_since: Ms | None = None
    heard: tuple[meter.Testimony, ...] = ()


def account(pod: Mapping[str, Any], around: Surroundings, sighting: Sighting) -> PodAccount:
    """Follow one pod down the path: recognize, classify, allocate, price, meter."""
    judged = around.previous or _judge(pod, around)
    start = meter.bound_at(pod)
    asked = _asked(pod, judged, around, sighting)
    if start is None:
        return replace(judged, requests=asked, start=None, holdings=(), segments=())
    end = _end(pod, start, sighting, around.node)
    holdings = hold(asked, judged.holdings, around.ground, (start, end))
    periods = around.rates or (_never_priced(pod, start),)
    segments = tuple(part for held in holdings for part in meter.segments(held, periods))
    node = around.node
    return replace(
        judged,
        node_uid=node.uid if node else "",
        node_name=text(mapping(pod, "spec"), "nodeName"),
        accelerator=node.accelerator if node else "unknown",
        requests=asked,
        start=start,
        holdings=holdings,
        segments=segments,
        gpu_factor=node.device_fraction if node else Fraction(1),
        weight=around.weights.get(node.accelerator, Fraction(1)) if node else Fraction(1),
        unknown=tuple(dict.fromkeys(_reasons(holdings, segments))),
    )


def correction(pod: Mapping[str, Any], found: PodAccount) -> LabelPod | None:
    """The one write that a pod needs where the stamp at birth could not know enough, else None.

    At birth there are only the pod and its namespace; owners and the cluster's own configuration
    may tell more. What the stamp got right is not written again.
    """
    verdict, allocation = found.classification, found.allocation
    wanted = {
        meta.LABEL_ACCELERATED: "true",
        meta.LABEL_CLASS: verdict.workload_class.value,
        meta.LABEL_CLASS_BY: verdict.decided_by.value,
        meta.LABEL_TEAM: allocation.team,
        meta.LABEL_COST_CENTER: allocation.cost_center,
        meta.LABEL_PROJECT: allocation.project,
        meta.LABEL_ENVIRONMENT: allocation.environment,
    }
    count = whole_devices(found.requests)
    if count and meta.LABEL_ACCELERATOR_COUNT not in found.labels:
        wanted[meta.LABEL_ACCELERATOR_COUNT] = str(count)
    if all(found.labels.get(key) == value for key, value in wanted.items()):
        return None
    wanted[meta.LABEL_CONFIDENCE] = f"{verdict.confidence:g}"
    if verdict.activity:
        wanted[meta.LABEL_ACTIVITY] = verdict.activity
    annotations = {meta.ANNOTATION_CLASSIFICATION: summary(verdict)}
    if verdict.model:
        wanted[meta.LABEL_MODEL] = legal_label_value(verdict.model)
        annotations[meta.ANNOTATION_MODEL] = verdict.model
    ref = ObjectRef(
        api_version="v1",
        kind="Pod",
        namespace=found.namespace,
        name=found.name,
        uid=found.uid,
    )
    return LabelPod(ref=ref, labels=wanted, annotations=annotations)


def summary(verdict: Classification) -> str:
    """A classification in one line: class, confidence, what decided, the strongest evidence."""
    strongest = max(verdict.evidence, key=lambda each: each.weight, default=None)
    because = f", by {strongest.rule}: {strongest.found}" if strongest else ""
    return (
        f"{verdict.workload_class.value} ({verdict.confidence:.2f}, "
        f"{verdict.decided_by.value}{because})"
    )


def grace(pod: Mapping[str, Any]) -> Ms | None:
    """How long a pod's containers may take to end once it is deleted (ms); None: not told.

    Whoever deletes it may give it another time: that one counts, where it is known.
    """
    seconds = mapping(pod, "metadata").get("deletionGracePeriodSeconds")
    if seconds is None:
        seconds = mapping(pod, "spec").get("terminationGracePeriodSeconds")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
        return None
    return min(seconds, 10**9) * SECOND


def reprice(pod: PodAccount, rates: tuple[RatePeriod, ...]) -> PodAccount:
    """Cut an open account anew after its node's rates changed."""
    segments = tuple(part for held in pod.holdings for part in meter.segments(held, rates))
    unknown = tuple(dict.fromkeys(_reasons(pod.holdings, segments)))
    return replace(pod, segments=segments, unknown=unknown)


def _judge(pod: Mapping[str, Any], around: Surroundings) -> PodAccount:
    metadata, spec = mapping(pod, "metadata"), mapping(pod, "spec")
    labels = texts(metadata, "labels")
    tagged = classify.tagged(labels, around.owners, around.namespace_labels, around.mappings)
    return PodAccount(
        uid=text(metadata, "uid"),
        namespace=text(metadata, "namespace"),
        name=text(metadata, "name"),
        labels=labels,
        created=parse_time(metadata.get("creationTimestamp")) or 0,
        priority_class=text(spec, "priorityClassName"),
        priority=spec["priority"] if isinstance(spec.get("priority"), int) else 0,
        owners=around.owners,
        node_uid="",
        node_name="",
        accelerator="unknown",
        requests=requests(pod, around.tables.further),
        classification=classify.classify(pod, around.owners, tagged),
        allocation=allocate.allocate(
            labels, around.owners, around.namespace_labels, around.budget_allocation
        ),
        start=None,
        holdings=(),
        segments=(),
        gpu_factor=Fraction(1),
        weight=Fraction(1),
        grace=grace(pod),
    )


def _end(
    pod: Mapping[str, Any], start: Ms, sighting: Sighting, node: NodeFacts | None
) -> End | None:
    end = meter.end_of(pod, sighting.now if sighting.deleted else None, seen_at=sighting.now)
    if end is None or end.basis is not Basis.OBSERVED:
        return end
    if sighting.watched_since is not None:
        # Nobody watched: it ended after it was last known to be there and before now.
        low = max(start, min(_known_alive(pod, sighting.watched_since), sighting.now))
        end = meter.estimate(low, max(low, sighting.now), sighting.heard, untold="absent")
    with_node = meter.node_end(node, start) if node is not None else None
    return with_node if with_node is not None and with_node.at < end.at else end


def _known_alive(pod: Mapping[str, Any], watched_since: Ms) -> Ms:
    """The latest moment at which a pod that vanished unseen is known to have been there."""
    metadata = mapping(pod, "metadata")
    due = parse_time(metadata.get("deletionTimestamp"))
    grace = metadata.get("deletionGracePeriodSeconds")
    if due is None or not isinstance(grace, int):
        return watched_since
    return max(watched_since, due - grace * 1_000)


def _asked(
    pod: Mapping[str, Any], judged: PodAccount, around: Surroundings, sighting: Sighting
) -> tuple[AcceleratorRequest, ...]:
    """What a pod asks for, as of its binding: schedulers write what they give before they bind.

    Later only what is unknown is looked at again: a tenant may edit annotations in mid-run.
    """
    untold = any(isinstance(each.devices, Unknown) for each in judged.holdings)
    fixed = judged.start is not None and not untold
    if around.previous is None or sighting.deleted or fixed:
        return judged.requests
    return requests(pod, around.tables.further)


def hold_again(pod: PodAccount, around: Surroundings) -> PodAccount:
    """The account of a bound pod anew, after its node or a claim has told more."""
    if pod.start is None:
        return pod
    end = next((each.end for each in pod.holdings), None)
    holdings = hold(pod.requests, pod.holdings, around.ground, (pod.start, end))
    return reprice(replace(pod, holdings=holdings), around.rates)


def _never_priced(pod: Mapping[str, Any], start: Ms) -> RatePeriod:
    name = text(mapping(pod, "spec"), "nodeName")
    return RatePeriod(since=start, until=None, rate=Unpriced(f"node {name} was never seen"))


def _reasons(holdings: Iterable[Holding], segments: Iterable[Segment]) -> Iterable[str]:
    for held in holdings:
        for part in (held.devices, held.node_devices):
            if isinstance(part, Unknown):
                yield part.reason
    for segment in segments:
        if isinstance(segment.rate, Unpriced):
            yield segment.rate.reason


def spending(
    purse: Purse, members: Iterable[tuple[Membership, PodAccount]], now: Ms
) -> tuple[dict[WorkloadClass, Amounts], tuple[Flow, ...], tuple[str, ...]]:
    """What a budget has spent in its span by `now`, what flows on, and what cannot be told.

    All of it in the budget's own currency.
    """
    book = purse.copy()
    flowing: list[meter.Member] = []
    unknown: dict[str, None] = {}
    for membership, pod in members:
        charge(book, membership, pod, now)
        unknown.update(dict.fromkeys(pod.unknown))
        if membership.until is None:
            flowing.append(
                meter.Member(
                    workload_class=membership.workload_class,
                    segments=pod.segments,
                    weight=pod.weight,
                    device_fraction=pod.gpu_factor,
                )
            )
    flows = meter.flows(flowing, now)
    if not book.worths:
        return book.by_class, flows, tuple(unknown)
    spent, doubts = converted(book.by_worth, book.worths, now)
    return spent, foreseen(flows, book.worths), (*unknown, *doubts)


def charge(purse: Purse, membership: Membership, pod: PodAccount, upto: Ms) -> None:
    """Count in a purse what a pod has cost it by `upto`, in the reporting currency."""
    since = max(membership.since, purse.span.start)
    until = _until(membership, upto)
    if not purse.worths:
        purse.add(membership.workload_class, amounts(pod, since, until))
    for worth in purse.worths:
        frm = max(since, worth.since)
        to = until if worth.until is None else min(until, worth.until)
        if frm < to:
            purse.add(membership.workload_class, amounts(pod, frm, to), worth)


def amounts(pod: PodAccount, since: Ms, until: Ms) -> Amounts:
    """What a pod cost in [since, until): money, and device time plain and weighted."""
    nano = estimated = 0
    device_ms = Fraction(0)
    for segment in pod.segments:
        if segment.start >= until:  # there may be one for each month to come
            continue
        paid = meter.cost_between(segment, since, until)
        nano += paid.total
        device_ms += paid.device_ms
        if segment.end is not None:
            estimated += meter.uncertain_between(segment, since, until).total
    gpu_ms = device_ms * pod.gpu_factor
    normalized = gpu_ms * pod.weight
    return Amounts(cost=nano, gpu_ms=gpu_ms, normalized_ms=normalized, estimated=estimated)


def refused(
    world: World, namespace: str, labels: Mapping[str, str], candidate: Candidate, now: Ms
) -> tuple[Refusal, ...]:
    """What would refuse a pod that is created now: one refusal for each shut budget.

    Args:
        world: the budgets and where they stand.
        namespace: the pod's.
        labels: the pod's, for the budgets' selectors.
        candidate: its class and priority.
        now: milliseconds since the epoch.
    """
    namespace_labels = world.namespaces.get(namespace, {})
    items = [
        (world.budgets[key], where)
        for key, where in sorted(world.standings.items(), key=lambda item: item[0])
        if matches(world.budgets[key], namespace, namespace_labels, labels)
    ]
    return refusals(items, candidate, now)


def _until(membership: Membership, now: Ms) -> Ms:
    return now if membership.until is None else min(membership.until, now)
