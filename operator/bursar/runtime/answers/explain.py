"""Each step of the path for one pod or Job, in words: what was found, from what, the result.

The figures are those that the ledger and the verdict use, not made again another way.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from bursar.domain import wording
from bursar.domain.action import Mode
from bursar.domain.allocation import Allocation
from bursar.domain.budget import Budget, Standing
from bursar.domain.classification import Classification
from bursar.domain.money import NANO, format_fraction, format_nano
from bursar.domain.rate import Unpriced
from bursar.domain.time import HOUR, SECOND, Ms, format_time
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Segment
from bursar.domain.world import Membership, PodAccount
from bursar.enforce.jobs import JobView
from bursar.enforce.refusal import Refusal
from bursar.meter import cost, started
from bursar.pipeline import PATH
from bursar.runtime.ledger.rows import MemberRow, StoredInterval

if TYPE_CHECKING:
    from bursar.runtime.controller import Controller


def pod(
    controller: "Controller", namespace: str, name: str, now: Ms, uid: str | None = None
) -> Mapping[str, Any] | None:
    """The path of a pod that has not ended; None where none has that name (and uid)."""
    found = next(
        (
            each
            for each in controller.world.pods.values()
            if each.namespace == namespace and each.name == name and uid in (None, each.uid)
        ),
        None,
    )
    if found is None:
        return None
    members = [
        (budget, membership) for budget, membership in controller.budgets.memberships(found.uid)
    ]
    steps = [
        _recognized(found),
        _classified(found.classification),
        _allocated(found.allocation),
        _priced(found, controller, now),
        _metered(found, now),
        _paid(members, controller),
    ]
    return {"kind": "Pod", "namespace": namespace, "name": name, "steps": steps}


def ended(
    rows: tuple[StoredInterval, ...], members: Sequence[MemberRow], now: Ms
) -> Mapping[str, Any]:
    """What the ledger has of a pod that is over: its sum, but no longer the evidence.

    Args:
        rows: all that count, at least one.
        members: the budgets that it counts in.
        now: milliseconds since the epoch.
    """
    first = rows[0]
    dimension, parts = first.dimension, tuple(row.segment for row in rows)
    held = (
        f"held {row.segment.devices} devices of {row.node_name} as {row.segment.resource}"
        for row in rows
        if row.segment.devices is not None
    )
    words = [dimension.workload_class.value, dimension.activity, dimension.model]
    steps = [
        _step("recognize", dimension.accelerator, iter(dict.fromkeys(held))),
        _step("classify", ", ".join(word for word in words if word), iter(())),
        _step("allocate", f"team {dimension.team}", iter(())),
        _price(parts),
        _sums(parts, now),
        _step(
            "budget",
            _payers(len(members)),
            (f"{row.budget} as {row.workload_class.value}" for row in members),
        ),
    ]
    return {"kind": "Pod", "namespace": first.namespace, "name": first.name, "steps": steps}


def job(controller: "Controller", namespace: str, name: str, now: Ms) -> Mapping[str, Any] | None:
    """Why a Job has its class, and whether its pods may start now; None where it is not known."""
    known = controller.jobs.find(namespace, name)
    if known is None:
        return None
    refused = controller.jobs.refusals(known.view, now)
    steps = [_classified(known.classification), _admitted(known.view, refused, controller)]
    return {"kind": "Job", "namespace": namespace, "name": name, "steps": steps}


def budget(rules: Budget, found: Standing) -> dict[str, Any]:
    """Where a budget stands, in exact decimal strings."""
    return {
        "budget": str(rules.key),
        "namespace": rules.key.namespace or rules.key.member,
        "name": rules.key.name,
        "currency": rules.currency,
        "periodStart": format_time(found.span.start),
        "periodEnd": None if found.span.end is None else format_time(found.span.end),
        "limits": {
            measure.value: _amount(value, measure.value) for measure, value in found.limits.items()
        },
        "spent": format_nano(found.spent.cost, 9),
        "gpuHours": format_fraction(found.spent.gpu_ms / HOUR, 9),
        "estimated": format_nano(found.spent.estimated, 9),
        "costPerHour": format_fraction(found.cost_per_hour / NANO, 9),
        "exhaustedAt": None if found.exhausted_at is None else format_time(found.exhausted_at),
        "unknown": list(found.unknown),
    }


def _amount(value: Fraction, measure: str) -> str:
    return format_fraction(value / (NANO if measure == "cost" else HOUR), 9)


def _step(step: str, answer: str, details: Iterator[str]) -> dict[str, Any]:
    question = next(each.question for each in PATH if each.name == step)
    return {"step": step, "question": question, "answer": answer, "details": list(details)}


def _recognized(found: PodAccount) -> dict[str, Any]:
    def details() -> Iterator[str]:
        for request in found.requests:
            count = request.count
            told = count.reason if isinstance(count, Unknown) else wording.number(count, 3)
            if request.claim:
                told = f"what the claim {request.claim} allocates"
            yield f"asks for {request.resource}: {told}"
        for held in found.holdings:
            devices, of = held.latest, held.node_devices
            if isinstance(devices, Unknown) or isinstance(of, Unknown):
                yield f"{held.resource}: how much of the node is unknown"
            else:
                yield f"holds {devices} of {of} devices of {found.node_name}"
        yield from found.unknown

    return _step("recognize", found.accelerator, details())


def _classified(verdict: Classification) -> dict[str, Any]:
    answer = f"{verdict.workload_class.value}, confidence {verdict.confidence:.2f}, "
    answer += f"{verdict.decided_by.value}"
    if verdict.activity:
        answer += f", {verdict.activity}"
    details = (
        f"{each.weight:+.1f} {each.workload_class.value}: {each.rule}: {each.found}"
        for each in verdict.evidence
    )
    return _step("classify", answer, details)


def _allocated(allocation: Allocation) -> dict[str, Any]:
    details = (f"{field} from {source}" for field, source in allocation.sources)
    return _step("allocate", f"team {allocation.team}", details)


def _priced(found: PodAccount, controller: "Controller", now: Ms) -> dict[str, Any]:
    step = _price(started(found.segments, now))
    facts = controller.world.nodes.get(found.node_uid)
    if facts is not None:
        tried = controller.nodes.trace(facts, now)
        step["details"] += [
            f"so: {each.outcome}"
            if each.source == "outcome"
            else f"asked: {each.source}: {each.outcome}"
            for each in tried
        ]
    return step


def _price(parts: tuple[Segment, ...]) -> dict[str, Any]:
    if not parts:
        return _step("price", "nothing is held, so nothing is paid", iter(()))
    rate = parts[-1].rate
    if isinstance(rate, Unpriced):
        return _step("price", "unpriced", iter((rate.reason,)))
    answer = f"{format_fraction(rate.total / NANO, 6)} {rate.currency} an hour for the node"
    assumed = "assumed: no source states this node's price" if rate.assumed else "stated"
    return _step("price", answer, iter((rate.origin, assumed)))


def _metered(found: PodAccount, now: Ms) -> dict[str, Any]:
    if found.start is None:
        return _step("meter", "waits: a pod that is not bound costs nothing", iter(()))
    return _sums(started(found.segments, now), now)


def _sums(parts: tuple[Segment, ...], now: Ms) -> dict[str, Any]:
    total = sum(cost(part, now).total for part in parts)
    return _step("meter", format_nano(total, 9), (_sum(part, now) for part in parts))


def _sum(part: Segment, now: Ms) -> str:
    end = part.end.at if part.end else now
    seconds = format_fraction(Fraction(max(0, end - part.start), SECOND), 3)
    if isinstance(part.rate, Unpriced) or part.share is None:
        return f"{part.resource}: {seconds} s from {format_time(part.start)}, not priced"
    factors = wording.factors(part.rate, part.share)
    paid = format_nano(cost(part, now).total, 9)
    return (
        f"{part.resource}: {factors} x {seconds} s / 3600 = {paid} (from {format_time(part.start)})"
    )


def _paid(members: list[tuple[Budget, Membership]], controller: "Controller") -> dict[str, Any]:
    def details() -> Iterator[str]:
        for rules, membership in members:
            found = controller.world.standings.get(rules.key)
            since = format_time(membership.since)
            line = f"{rules.key} as {membership.workload_class.value} since {since}"
            if found is not None:
                line += f"; {format_nano(found.spent.cost, 2)} spent"
            yield line

    return _step("budget", _payers(len(members)), details())


def _payers(count: int) -> str:
    return "1 budget pays" if count == 1 else f"{count} budgets pay"


def _admitted(
    view: JobView, refused: tuple[Refusal, ...], controller: "Controller"
) -> dict[str, Any]:
    if refused and controller.budgets.mode is Mode.OBSERVE:
        answer = "its pods may start: this installation only observes"
    elif refused and view.active:
        answer = "what runs goes on; pods that it makes from now on wait"
    elif refused:
        answer = "its pods wait"
    else:
        answer = "its pods may start"
    lines = [each.message for each in refused]
    if view.held_by:
        opening = "that opens" if len(view.held_by) == 1 else "they open"
        lines.append(
            f"suspended by Bursar for {', '.join(view.held_by)}; it goes on when {opening}"
        )
    return _step("enforce", answer, iter(lines))
