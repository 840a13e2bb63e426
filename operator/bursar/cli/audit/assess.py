"""From a snapshot to an audit: pods added up into workloads, devices into pools, labels counted.

What a pod is, holds and costs is the pipeline's answer (`accounts`); here it is only added up.
Pure. It must never say that a device idles where a pod might hold it unseen.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from bursar.cli.audit.accounts import PodState, Rules, nodes, pods
from bursar.cli.audit.findings import findings
from bursar.cli.audit.pools import pools
from bursar.cli.audit.snapshot import Snapshot
from bursar.cli.audit.values import Audit, Share, Sum, Waiting, Workload
from bursar.domain.allocation import UNALLOCATED
from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import Rate
from bursar.domain.unknown import Unknown
from bursar.domain.world import PodAccount

FIELDS: Mapping[str, str] = {
    "team": "team",
    "costCenter": "cost_center",
    "project": "project",
    "environment": "environment",
}
"""What a cost can be allocated by, and the field of an Allocation for each."""


def assess(snapshot: Snapshot, rules: Rules) -> Audit:
    """Judge a cluster.

    Args:
        snapshot: what was read of it.
        rules: the bundled tables, and the currency of all sums.
    """
    there = nodes(snapshot, rules)
    states = list(pods(snapshot, rules, there))
    asking = [state for state in states if not state.onlooker]
    bound = [state for state in asking if state.account.start is not None]
    found = Audit(
        now=snapshot.now,
        place=snapshot.place,
        currency=rules.currency,
        namespaces=snapshot.namespaces,
        installed=snapshot.installed,
        pods_read=snapshot.pods_read,
        nodes_known=snapshot.nodes is not None,
        pods=len(bound),
        workloads=_workloads(asking),
        onlookers=len(states) - len(asking),
        pools=pools(there, bound, complete=snapshot.namespaces is None),
        shares=tuple(_shares(bound)),
        held=_sum(bound),
        so_far=_so_far(bound),
        waiting=_waiting(asking),
        findings=(),
        budgets=snapshot.budgets,
        gaps=snapshot.gaps,
    )
    return replace(found, findings=findings(found))


def _sum(states: Iterable[PodState]) -> Sum:
    total = Sum()
    for state in states:
        total += Sum(
            per_hour=state.per_hour or Fraction(0),
            priced=int(state.per_hour is not None),
            unpriced=int(state.per_hour is None),
        )
    return total


def _so_far(states: Iterable[PodState]) -> int | None:
    """What is known of it; None where nothing is (nothing at all has cost nothing)."""
    known = [state.so_far for state in states]
    told = [each for each in known if each is not None]
    return sum(told) if told or not known else None


# --- workloads -------------------------------------------------------------------------------


def _workloads(states: Iterable[PodState]) -> tuple[Workload, ...]:
    groups: defaultdict[tuple[str, ...], list[PodState]] = defaultdict(list)
    for state in states:
        account = state.account
        uid = account.owners[-1].uid if account.owners else account.uid
        team = account.allocation.team
        # An owner's uid is what the pod's author wrote: it joins nothing across namespaces.
        key = account.namespace, uid, account.classification.workload_class.value, team
        groups[key].append(state)
    return tuple(sorted(map(_workload, groups.values()), key=_rank))


def _rank(one: Workload) -> tuple[Fraction, bool, str, str]:
    """The dearest first; what can't be priced after what can, what waits last."""
    return -one.cost.per_hour, not one.pods, one.namespace, one.name


def _workload(group: Sequence[PodState]) -> Workload:
    bound = [state for state in group if state.account.start is not None]
    least_sure = min(group, key=lambda state: state.account.classification.confidence).account
    devices: defaultdict[str, Fraction] = defaultdict(Fraction)
    for state in bound:
        if state.devices:
            devices[state.account.accelerator] += state.devices
    rates = [state.rate for state in bound if state.rate is not None]
    first = group[0].account
    root = first.owners[-1] if first.owners else None
    troubled = [state for state in bound if state.trouble]
    return Workload(
        kind=root.kind if root else "Pod",
        namespace=first.namespace,
        name=root.name if root else first.name,
        classification=least_sure.classification,
        allocation=first.allocation,
        submitted_by=next((state.submitted_by for state in group if state.submitted_by), ""),
        pods=len(bound),
        waiting=len(group) - len(bound),
        devices=dict(devices),
        untold=sum(state.devices is None for state in bound),
        asked=_asked([state.account for state in group]),
        since=min((state.account.start or 0 for state in bound), default=None),
        created=min(state.account.created for state in group),
        cost=_sum(bound),
        so_far=_so_far(bound),
        origins=_distinct(rates),
        assumed=any(rate.assumed for rate in rates),
        unknown=tuple(dict.fromkeys(why for state in group for why in state.account.unknown)),
        trouble=troubled[0].trouble if troubled else "",
        troubled=_sum(troubled),
    )


def _distinct(rates: Iterable[Rate]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(rate.origin for rate in rates))


def _asked(accounts: Iterable[PodAccount]) -> dict[str, Fraction | None]:
    total: dict[str, Fraction | None] = {}
    for account in accounts:
        for request in account.requests:
            so_far = total.get(request.resource, Fraction(0))
            known = not isinstance(request.count, Unknown) and so_far is not None
            total[request.resource] = so_far + request.count if known else None  # type: ignore[operator]
    return total


# --- labels, and who waits -------------------------------------------------------------------


def _shares(bound: Sequence[PodState]) -> Iterable[Share]:
    for name, field in FIELDS.items():
        yield _share(
            name, [s for s in bound if getattr(s.account.allocation, field) != UNALLOCATED]
        )
    unknown = WorkloadClass.UNKNOWN
    yield _share(
        "class", [s for s in bound if s.account.classification.workload_class is not unknown]
    )


def _share(name: str, having: Sequence[PodState]) -> Share:
    return Share(field=name, pods=len(having), per_hour=_sum(having).per_hour)


def _waiting(states: Iterable[PodState]) -> tuple[Waiting, ...]:
    found = [
        Waiting(
            namespace=state.account.namespace,
            name=state.account.name,
            asked=_asked([state.account]),
            since=state.account.created,
            reason=state.waits,
        )
        for state in states
        if state.account.start is None
    ]
    return tuple(sorted(found, key=lambda pod: (pod.since, pod.namespace, pod.name)))
