"""What to do first: each finding with its figures, the money that it is about, and the next step.

Decided from an audit's values alone, and ranked by money an hour; what is not about money comes
after. Only what the API server tells: devices are *held*, never *used*, for use is not known
without metrics.
"""

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

from bursar.cli.audit.values import MONTH_HOURS, Audit, Finding, Pool, Sum, Tariff, Workload
from bursar.cli.audit.words import count, listed, money, percent, plural, span
from bursar.domain.allocation import UNALLOCATED
from bursar.domain.classification import WorkloadClass
from bursar.domain.time import DAY, Ms
from bursar.domain.wording import clip

LONG: Ms = DAY
"""From when on somebody should be asked whether an interactive workload is still in use."""

MOST_REASON = 160
"""Characters of the scheduler's words."""


def findings(audit: Audit) -> tuple[Finding, ...]:
    """All there is to do, what is about most money first."""
    found = [each for rule in RULES for each in rule(audit)]
    return tuple(sorted(found, key=_rank))


def _rank(finding: Finding) -> tuple[bool, Fraction]:
    # Equal ones stay in the order of RULES: money that is lost before money that is not explained.
    return finding.per_hour is None, -(finding.per_hour or Fraction(0))


def _idle(audit: Audit) -> Iterator[Finding]:
    pools = [pool for pool in audit.pools if pool.idle]
    if not pools:
        return
    pools.sort(key=lambda pool: (-pool.idle_cost.per_hour, -(pool.idle or 0)))
    idle = sum((pool.idle or Fraction(0) for pool in pools), Fraction(0))
    devices = sum((pool.devices for pool in audit.pools), Fraction(0))
    per_hour = sum((pool.idle_cost.per_hour for pool in pools), Fraction(0))
    priced = any(pool.idle_cost.priced for pool in pools)
    models = listed(
        [f"{count(p.idle or Fraction(0))} of {count(p.devices)} {p.accelerator}" for p in pools], 3
    )
    cost = _over_time(per_hour, audit.currency) if priced else "At a price that is not known"
    yield Finding(
        code="idle-devices",
        title=f"{count(idle)} of {count(devices)} devices are held by nobody",
        detail=f"{cost}: {models}.",
        per_hour=per_hour if priced else None,
        **_give_back(pools),
    )


def _give_back(pools: Iterable[Pool]) -> dict[str, str]:
    nodes = sorted(
        (node for pool in pools for node in pool.idle_nodes),
        key=lambda node: (not node.whole, -(node.per_hour or 0), node.name),
    )
    whole = [node for node in nodes if node.whole]
    if not whole:
        most = listed([f"{node.name} ({count(node.idle)})" for node in nodes])
        return {"next": f"Place new work there before the cluster grows: {most}."}
    unfit = [f"{node.name} is {node.fit}" for node in whole if node.fit]
    note = f" ({listed(unfit, 2)})" if unfit else ""
    return {
        "next": f"{plural(len(whole), 'whole node')} could be given back{note}. Cordon, "
        "then take out of the node group:",
        "command": _command("kubectl", "cordon", *(node.name for node in whole[:4])),
    }


def _over_time(per_hour: Fraction, currency: str) -> str:
    day, month = money(24 * per_hour, currency), money(MONTH_HOURS * per_hour, currency)
    return f"{day} a day, {month} a month"


def _cost(group: Iterable[Workload]) -> Sum:
    return sum((each.cost for each in group), Sum())


def _stuck(audit: Audit) -> Iterator[Finding]:
    stuck = [each for each in audit.workloads if each.trouble]
    if not stuck:
        return
    stuck.sort(key=lambda each: -each.troubled.per_hour)
    cost = sum((each.troubled for each in stuck), Sum())
    worst = stuck[0]
    yield Finding(
        code="stuck-pods",
        title=plural(len(stuck), "workload holds", "workloads hold")
        + " devices with pods in which nothing runs",
        detail=f"{listed([f'{_name(each)}, {each.trouble}' for each in stuck], 2)}.",
        per_hour=cost.known,
        next="See why, then mend or delete it:",
        command=_command("kubectl", "get", "pods", "-n", worst.namespace),
    )


def _interactive(audit: Audit) -> Iterator[Finding]:
    long = [
        each
        for each in audit.workloads
        if each.workload_class is WorkloadClass.INTERACTIVE
        and each.since is not None
        and audit.now - each.since >= LONG
    ]
    if not long:
        return
    cost, top = _cost(long), long[0]
    paid = "" if top.so_far is None else money(Fraction(top.so_far), audit.currency)
    so_far = f", {paid} so far" if paid else ""
    yield Finding(
        code="long-interactive",
        title=plural(len(long), "interactive workload has", "interactive workloads have")
        + " held devices for over a day",
        detail=f"{'The dearest: ' if len(long) > 1 else ''}{top.kind} {_name(top)} has held "
        f"{holds(top)} for {span(audit.now - (top.since or 0))}{so_far}.",
        per_hour=cost.known,
        next=f"Ask {_who(top)} whether it is still needed:",
        command=_command("kubectl", "describe", *_object(top)),
    )


def _bare(audit: Audit) -> Iterator[Finding]:
    bare = [
        each
        for each in audit.workloads
        if each.kind == "Pod" and each.pods and each.workload_class is not WorkloadClass.INTERACTIVE
    ]
    if not bare:
        return
    cost = _cost(bare)
    yield Finding(
        code="bare-pods",
        title=plural(len(bare), "bare pod holds devices", "bare pods hold devices"),
        detail="No controller restarts or ends "
        f"{'it' if len(bare) == 1 else 'them'}: {listed([_name(each) for each in bare], 3)}.",
        per_hour=cost.known,
        next="Run such work as a Job with activeDeadlineSeconds, which can also be queued.",
    )


def _no_team(audit: Audit) -> Iterator[Finding]:
    without = [
        each for each in audit.workloads if each.pods and each.allocation.team == UNALLOCATED
    ]
    if not without:
        return
    per_hour = _cost(without).per_hour
    by_namespace: defaultdict[str, Fraction] = defaultdict(Fraction)
    for each in without:
        by_namespace[each.namespace] += each.cost.per_hour
    names = sorted(by_namespace, key=lambda name: (-by_namespace[name], name))
    pods = sum(each.pods for each in without)
    if audit.held.per_hour:
        title = f"{percent(per_hour, audit.held.per_hour)} of GPU cost has no team"
    else:
        title = f"{pods:,} of {plural(audit.pods, 'GPU pod')} without a team"
    yield Finding(
        code="no-team",
        title=title,
        detail=f"{plural(pods, 'pod')} in {plural(len(names), 'namespace')}: {listed(names, 3)}.",
        per_hour=per_hour if audit.held.priced else None,
        next="Label namespaces, once for all that runs there:",
        command=_command("kubectl", "label", "namespace", names[0], "team=NAME"),
    )


def _no_class(audit: Audit) -> Iterator[Finding]:
    unknown = [
        each
        for each in audit.workloads
        if each.pods and each.workload_class is WorkloadClass.UNKNOWN
    ]
    if not unknown:
        return
    cost, top = _cost(unknown), unknown[0]
    names = [_name(each) for each in unknown]
    yield Finding(
        code="no-class",
        title=f"What {plural(len(unknown), 'workload does', 'workloads do')} can't be told",
        detail=f"Neither labels nor the manifest say it: {listed(names, 3)}.",
        per_hour=cost.known,
        next="Label the pod template, e.g. bursar.dev/class-override: training. See it:",
        command=_command("kubectl", "get", "-o", "yaml", *_object(top)) + " | bursar classify -f -",
    )


def _assumed(audit: Audit) -> Iterator[Finding]:
    tariffs = [(pool, tariff) for pool in audit.pools for tariff in pool.tariffs if tariff.assumed]
    if not tariffs:
        return
    per_hour = sum((_total(tariff) for _, tariff in tariffs), Fraction(0))
    whole = sum((pool.cost.per_hour for pool in audit.pools), Fraction(0))
    yield Finding(
        code="assumed-prices",
        title=f"{percent(per_hour, whole)} of the GPU nodes' price is assumed, not known",
        detail=f"{listed([_tariff(*each) for each in tariffs], 2)}.",
        per_hour=per_hour,
        next="Put your own prices in, then audit with --price-book prices.yaml:",
        command="bursar audit --suggest-prices > prices.yaml",
    )


def _unpriced(audit: Audit) -> Iterator[Finding]:
    tariffs = [
        (pool, each) for pool in audit.pools for each in pool.tariffs if each.per_hour is None
    ]
    if not tariffs:
        return
    nodes = sum(tariff.nodes for _, tariff in tariffs)
    yield Finding(
        code="unpriced-nodes",
        title=plural(nodes, "GPU node has no price", "GPU nodes have no price"),
        detail=f"No sum here counts {'it' if nodes == 1 else 'them'}: "
        f"{listed([_tariff(*each) for each in tariffs], 3)}.",
        per_hour=None,
        next="Put your own prices in, then audit with --price-book prices.yaml:",
        command="bursar audit --suggest-prices > prices.yaml",
    )


def _waiting(audit: Audit) -> Iterator[Finding]:
    if not audit.waiting:
        return
    first = audit.waiting[0]
    idle = sum((pool.idle or Fraction(0) for pool in audit.pools), Fraction(0))
    beside = f", while {count(idle)} devices are held by nobody" if idle else ""
    reason = f": {clip(first.reason, MOST_REASON)}" if first.reason else ""
    yield Finding(
        code="waiting-pods",
        title=plural(len(audit.waiting), "GPU pod waits", "GPU pods wait") + beside,
        detail=f"{first.namespace}/{first.name} since {span(audit.now - first.since)}{reason}",
        per_hour=None,
        next="See what would let it start:",
        command=_command("kubectl", "describe", "pod", "-n", first.namespace, first.name),
    )


RULES: tuple[Callable[[Audit], Iterator[Finding]], ...] = (
    _idle,
    _stuck,
    _interactive,
    _bare,
    _no_team,
    _assumed,
    _no_class,
    _unpriced,
    _waiting,
)


def holds(one: Workload) -> str:
    """What a workload holds: `4 h100-sxm5-80gb`; what it asks for where that can't be told."""
    parts = [f"{count(held)} {name}" for name, held in one.devices.items()]
    if one.untold or not parts:
        parts += [
            f"{'?' if units is None else count(units)} {resource.removeprefix('nvidia.com/')}"
            for resource, units in one.asked.items()
            if not parts or units is None
        ]
    return " + ".join(parts)


def _name(one: Workload) -> str:
    return f"{one.namespace}/{one.name}"


def _who(one: Workload) -> str:
    if one.submitted_by:
        return one.submitted_by
    team = one.allocation.team
    return f"namespace {one.namespace}" if team == UNALLOCATED else f"team {team}"


def _object(one: Workload) -> tuple[str, ...]:
    return "-n", one.namespace, one.kind.lower(), one.name


def _command(*words: str) -> str:
    """A command to copy. Owners' kinds and names are whatever a tenant wrote into a reference."""
    return shlex.join(words)


def _total(tariff: Tariff) -> Fraction:
    return (tariff.per_hour or Fraction(0)) * tariff.nodes


def _tariff(pool: Pool, tariff: Tariff) -> str:
    what = f"{tariff.nodes} × {tariff.instance_type or f'node with {pool.accelerator}'}"
    return f"{what}, {tariff.origin}" if tariff.per_hour is not None else what
