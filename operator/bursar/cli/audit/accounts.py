"""Follows each pod down the operator's own path, and says what it is, holds and costs now.

Decides from a snapshot, the bundled catalog and the present moment, by the pipeline's functions
alone. Where Bursar is installed, what was stamped on a pod at birth stands. It must never take an
unknown price or share for zero.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from bursar import meter, pipeline
from bursar.api import meta
from bursar.cli.audit.snapshot import SeenPod, Snapshot
from bursar.domain.allocation import UNALLOCATED, Allocation
from bursar.domain.classification import Classification, DecidedBy, WorkloadClass
from bursar.domain.fields import mapping, text, texts
from bursar.domain.money import parse_decimal
from bursar.domain.rate import Rate, RatePeriod, Unpriced
from bursar.domain.time import HOUR, MINUTE, Ms, parse_time
from bursar.domain.unknown import Unknown
from bursar.domain.workload import NodeFacts
from bursar.domain.world import PodAccount
from bursar.price.books import Books, capacity_type
from bursar.price.catalog import Catalog
from bursar.price.commitments import assign
from bursar.price.rates import Defaults, rates
from bursar.recognize.node import node_facts
from bursar.recognize.tables import UNKNOWN_ACCELERATOR, AcceleratorTables

PATIENCE: Ms = 15 * MINUTE
"""How long a pod may take to start, or to go, before that is worth a word."""

ONLOOKER = "env:"
"""How requests are named by which a pod sees devices that it did not ask the scheduler for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the path takes besides the cluster.

    Attributes:
        currency: the reporting currency of all that comes out.
    """

    tables: AcceleratorTables
    prices: Catalog
    currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A node with accelerators.

    Attributes:
        rates: its rate over time, from its creation on.
        rate: of now.
        fit: blank, or why nothing new is placed there (`cordoned`, `not ready`).
    """

    facts: NodeFacts
    rates: tuple[RatePeriod, ...]
    rate: Rate | Unpriced
    fit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """A pod that asks for accelerators.

    Attributes:
        per_hour: nano-units an hour now, exact; None where it is not bound or not priced in full.
        so_far: nano-units since its binding; None where it was not priced in full all the time.
        devices: physical devices that it holds; None where it waits, or that can't be told.
        trouble: blank, or what is wrong with it: `not running`, `terminating`.
        waits: why the scheduler has not placed it, in its words; blank where it did.
        submitted_by: who created the top owner, where Bursar's guarded annotation says so.
        onlooker: it sees devices that it did not ask the scheduler for, and holds none.
    """

    account: PodAccount
    per_hour: Fraction | None
    so_far: int | None
    devices: Fraction | None
    rate: Rate | None
    trouble: str
    waits: str
    submitted_by: str
    onlooker: bool


def nodes(snapshot: Snapshot, rules: Rules) -> dict[str, NodeState]:
    """The nodes with accelerators, by name."""
    seen = [(_facts(obj, snapshot, rules), _fit(obj)) for obj in snapshot.nodes or ()]
    known = [(facts, fit) for facts, fit in seen if facts is not None]
    # Who holds a commitment depends on the whole fleet.
    fleet = [facts for facts, _ in known]
    since = min((facts.created for facts in fleet), default=snapshot.now)
    books = assign(snapshot.books, fleet, min(since, snapshot.now))
    return {facts.name: _node(facts, fit, books, snapshot, rules) for facts, fit in known}


def pods(snapshot: Snapshot, rules: Rules, there: Mapping[str, NodeState]) -> Iterator[PodState]:
    """Each pod that asks for accelerators and has not ended."""
    for seen in snapshot.pods:
        state = _pod(seen, snapshot, rules, there)
        if not state.account.ended:
            yield state


def _facts(obj: Mapping[str, Any], snapshot: Snapshot, rules: Rules) -> NodeFacts | None:
    facts = node_facts(obj, rules.tables)
    if isinstance(facts.devices, Unknown) and facts.accelerator == UNKNOWN_ACCELERATOR:
        return None
    bought = capacity_type(facts, snapshot.books, snapshot.now)
    return replace(facts, capacity_type=bought)


def _node(facts: NodeFacts, fit: str, books: Books, snapshot: Snapshot, rules: Rules) -> NodeState:
    now = snapshot.now
    since = min(facts.created, now)
    defaults = Defaults(currency=rules.currency)
    periods = rates(facts, books, rules.prices, defaults, since, now + HOUR)
    return NodeState(
        facts=facts,
        rates=(*periods[:-1], replace(periods[-1], until=None)),
        rate=next(period.rate for period in reversed(periods) if period.since <= now),
        fit=fit,
    )


def _fit(obj: Mapping[str, Any]) -> str:
    if mapping(obj, "spec").get("unschedulable") is True:
        return "cordoned"
    ready = _condition(obj, "Ready").get("status")
    return "" if ready in (None, "True") else "not ready"


def _pod(
    seen: SeenPod, snapshot: Snapshot, rules: Rules, there: Mapping[str, NodeState]
) -> PodState:
    obj, now = seen.obj, snapshot.now
    node = there.get(text(mapping(obj, "spec"), "nodeName"))
    around = pipeline.Surroundings(
        owners=seen.owners,
        namespace_labels=snapshot.labels.get(text(mapping(obj, "metadata"), "namespace"), {}),
        node=node.facts if node else None,
        rates=node.rates if node else (),
        tables=rules.tables,
        mappings=snapshot.mappings,
        weights=snapshot.weights,
    )
    account = pipeline.account(obj, around, pipeline.Sighting(now=now))
    if snapshot.installed:
        account = _as_stamped(account)
    begun = meter.started(account.segments, now)
    last = {part.resource: part for part in begun}
    priced_now = bool(last) and all(map(meter.is_priced, last.values()))
    priced_ever = bool(begun) and all(map(meter.is_priced, begun))
    return PodState(
        account=account,
        per_hour=_per_hour(account, now) if priced_now else None,
        so_far=pipeline.amounts(account, account.start or now, now).cost if priced_ever else None,
        devices=_devices(account),
        rate=next((part.rate for part in last.values() if isinstance(part.rate, Rate)), None),
        trouble=_trouble(obj, account, now),
        waits=_waits(obj) if account.start is None else "",
        submitted_by=_submitted_by(obj) if snapshot.installed else "",
        onlooker=all(each.resource.startswith(ONLOOKER) for each in account.requests),
    )


def _per_hour(account: PodAccount, now: Ms) -> Fraction:
    """The burn rate, as budgets count it."""
    member = meter.Member(
        workload_class=account.classification.workload_class, segments=account.segments
    )
    flows = meter.flows([member], now)
    return sum((flow.cost * HOUR for flow in flows if flow.since <= now), Fraction(0))


def _devices(account: PodAccount) -> Fraction | None:
    held = [holding.devices for holding in account.holdings]
    if not held or any(isinstance(each, Unknown) for each in held):
        return None
    return sum((each for each in held if isinstance(each, Fraction)), Fraction(0))


# --- what was stamped at birth ---------------------------------------------------------------


def _as_stamped(account: PodAccount) -> PodAccount:
    """The account with the class and the payer that its labels carry."""
    return replace(
        account,
        classification=_stamped_class(account.labels, account.classification),
        allocation=_stamped_allocation(account.labels, account.allocation),
    )


def _stamped_class(labels: Mapping[str, str], judged: Classification) -> Classification:
    try:
        workload_class = WorkloadClass(labels.get(meta.LABEL_CLASS, ""))
        decided_by = DecidedBy(labels.get(meta.LABEL_CLASS_BY, ""))
    except ValueError:
        return judged
    sure = parse_decimal(labels.get(meta.LABEL_CONFIDENCE))
    agrees = judged.workload_class is workload_class
    return replace(
        judged,
        workload_class=workload_class,
        decided_by=decided_by,
        activity=labels.get(meta.LABEL_ACTIVITY, ""),
        confidence=judged.confidence if sure is None else min(1.0, max(0.0, float(sure))),
        evidence=judged.evidence if agrees else (),
    )


def _stamped_allocation(labels: Mapping[str, str], judged: Allocation) -> Allocation:
    """What nobody else says, the stamp may: it saw labels that this user may not read."""
    keys = {
        "team": meta.LABEL_TEAM,
        "cost_center": meta.LABEL_COST_CENTER,
        "project": meta.LABEL_PROJECT,
        "environment": meta.LABEL_ENVIRONMENT,
    }
    more = {
        field: labels[key]
        for field, key in keys.items()
        if getattr(judged, field) == UNALLOCATED
        and labels.get(key, UNALLOCATED) not in ("", UNALLOCATED)
    }
    sources = (*judged.sources, *((field, "label at birth") for field in more))
    return replace(judged, **more, sources=sources)


def _submitted_by(obj: Mapping[str, Any]) -> str:
    """A name that only the admission policies can have written."""
    annotations = texts(mapping(obj, "metadata"), "annotations")
    return annotations.get(meta.ANNOTATION_SUBMITTED_BY, "")


# --- what is wrong with it -------------------------------------------------------------------


def _trouble(obj: Mapping[str, Any], account: PodAccount, now: Ms) -> str:
    """What holds devices and does nothing with them, as far as the API server can tell."""
    if account.start is None:
        return ""
    deleted = parse_time(mapping(obj, "metadata").get("deletionTimestamp"))
    if deleted is not None:
        return "terminating" if deleted + PATIENCE < now else ""
    states = [mapping(each, "state") for each in _entries(obj, "containerStatuses")]
    waiting = [mapping(state, "waiting") for state in states]
    if not states or not all(waiting) or account.start + PATIENCE >= now:
        return ""
    return f"not running: {text(waiting[0], 'reason') or 'waiting'}"


def _waits(obj: Mapping[str, Any]) -> str:
    gates = mapping(obj, "spec").get("schedulingGates")
    if isinstance(gates, list) and gates:
        return "held by scheduling gates: " + ", ".join(text(gate, "name") for gate in gates[:4])
    return text(_condition(obj, "PodScheduled"), "message")


def _condition(obj: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next((each for each in _entries(obj, "conditions") if each.get("type") == name), {})


def _entries(obj: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = mapping(obj, "status").get(key)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
