"""The tables of an audit's screen: workloads, devices, labels, waiting pods.

Nothing here decides; figures are those of the audit. Every text passes `plain`, and rich never
reads markup in it.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from rich.text import Text

from bursar.cli.audit.findings import holds
from bursar.cli.audit.layout import Column, bar, cut, grid, heading
from bursar.cli.audit.values import MONTH_HOURS, Audit, Pool, Tariff, Workload
from bursar.cli.audit.words import (
    count,
    fixed,
    hourly,
    listed,
    money,
    percent,
    plain,
    plural,
    span,
)
from bursar.domain.allocation import UNALLOCATED
from bursar.domain.classification import WorkloadClass

MOST_WAITING = 5

CLASS_STYLES = {
    WorkloadClass.TRAINING: "magenta",
    WorkloadClass.INFERENCE: "green",
    WorkloadClass.INTERACTIVE: "cyan",
    WorkloadClass.OTHER: "blue",
    WorkloadClass.UNKNOWN: "yellow",
}
LABEL_NAMES = {"costCenter": "cost center", "class": "class known"}


def so_far(nano: int | None, currency: str) -> str:
    """What something has cost so far; `?` where nobody knows."""
    return "?" if nano is None else money(Fraction(nano), currency)


# --- workloads -------------------------------------------------------------------------------


def workloads(audit: Audit, width: int, limit: int | None) -> Iterator[Text]:
    """GPU workloads, two lines each."""
    shown = audit.workloads if limit is None else audit.workloads[:limit]
    more = len(audit.workloads) - len(shown)
    note = f"{len(shown)} of {len(audit.workloads)}; --all shows all" if more else "by cost"
    if any(one.assumed for one in shown):
        note += "; ~ price assumed"
    if any(one.cost.unpriced for one in shown):
        note += "; ≥, ? price not known"
    yield from heading("GPU workloads", note, width)
    wide = width >= 100
    columns = (
        Column("WORKLOAD", 0),
        Column("CLASS", 11),
        Column("SURE", 4, right=True),
        Column("TEAM", 18 if wide else 10),
        Column("HOLDS", 24 if wide else 19),
        Column(f"{audit.currency}/H", 10, right=True),
    )
    yield from grid(columns, (_row(one) for one in shown), width, _details(shown, audit))


def _row(one: Workload) -> tuple[Text, ...]:
    verdict, team = one.classification, one.allocation.team
    style = CLASS_STYLES[one.workload_class]
    sure = "" if one.workload_class is WorkloadClass.UNKNOWN else f"{verdict.confidence:.2f}"
    cost = one.cost.known
    figure = "waits" if not one.pods else "?" if cost is None else fixed(cost)
    mark = ("≥" if one.cost.unpriced and cost is not None else "") + ("~" if one.assumed else "")
    return (
        Text(plain(one.name), "bold"),
        Text(one.workload_class.value, style),
        Text(sure, "dim"),
        Text("–", "yellow") if team == UNALLOCATED else Text(plain(team)),
        Text(plain(holds(one))),
        Text(mark + figure, "bold"),
    )


def _details(shown: Iterable[Workload], audit: Audit) -> list[list[Text]]:
    return [[Text("  " + " · ".join(_detail(one, audit)), "dim")] for one in shown]


def _detail(one: Workload, audit: Audit) -> Iterator[str]:
    yield plain(f"{one.kind} in {one.namespace}")
    if one.pods:
        yield plural(one.pods, "pod") + (f" +{one.waiting} waiting" if one.waiting else "")
        yield f"held {span(audit.now - (one.since or audit.now))}"
        if one.so_far is not None:
            yield f"{so_far(one.so_far, audit.currency)} so far"
    else:
        yield f"{plural(one.waiting, 'pod')} since {span(audit.now - one.created)}"
    if one.trouble:
        yield plain(one.trouble)
    if one.submitted_by:
        yield "by " + plain(one.submitted_by)
    if not one.cost.priced and one.pods and one.unknown:
        yield plain(one.unknown[0])
    yield _because(one)
    source = dict(one.allocation.sources).get("team")
    if source:
        yield plain(f"team from {source}")


def _because(one: Workload) -> str:
    verdict = one.classification
    strongest = next(
        (each for each in verdict.evidence if each.workload_class is one.workload_class), None
    )
    how = verdict.decided_by.value if verdict.decided_by.value != "none" else "no evidence"
    return how if strongest is None else plain(f"{how}: {' '.join(strongest.found.split())[:40]}")


# --- devices ---------------------------------------------------------------------------------


def devices(audit: Audit, width: int) -> Iterator[Text]:
    """Devices by model, with the prices of their nodes."""
    yield from heading(
        "Devices", "idle: held by nobody; use needs metrics, and is not known", width
    )
    columns = (
        Column("MODEL", 0),
        Column("HAS", 6, right=True),
        Column("HELD", 7, right=True),
        Column("IDLE", 7, right=True),
        Column(f"IDLE {audit.currency}/H", 11, right=True),
        Column("A MONTH", 12, right=True),
    )
    yield from grid(columns, (_device(pool) for pool in audit.pools), width, _tariffs(audit))


def _device(pool: Pool) -> tuple[Text, ...]:
    cost = pool.idle_cost.known if pool.idle is not None else None
    none = "–" if pool.idle == 0 else "?"
    idle = "?" if pool.idle is None else count(pool.idle)
    return (
        Text(plain(pool.accelerator), "bold"),
        Text(count(pool.devices) + ("+" if pool.uncounted else "")),
        Text(count(pool.held) + ("+" if pool.untold else "")),
        Text(idle, "yellow" if pool.idle else ""),
        Text(none if cost is None or not pool.idle else fixed(cost), "yellow" if cost else ""),
        Text(none if cost is None or not pool.idle else fixed(MONTH_HOURS * cost)),
    )


def _tariffs(audit: Audit) -> list[list[Text]]:
    return [[_tariff(each, audit.currency) for each in pool.tariffs] for pool in audit.pools]


def _tariff(one: Tariff, currency: str) -> Text:
    what = plain(one.instance_type or "node")
    if one.per_hour is None:
        return Text(f"  {one.nodes} × {what}, no price: {plain(one.origin)}", "yellow")
    named = "" if what in one.origin else f" {what}"
    mark = "assumed: " if one.assumed else ""
    rate = hourly(one.per_hour, currency)
    return Text(f"  {one.nodes} ×{named} {rate}, {mark}{plain(one.origin)}", "dim")


# --- labels and waiting pods -----------------------------------------------------------------


def labels(audit: Audit, width: int) -> Iterator[Text]:
    """Shares that are labelled, as bars."""
    yield from heading("Labels", "share of what is held that has one", width)
    room = min(24, (width - 40) // 2)
    columns = (
        Column("LABEL", 0),
        Column("GPU PODS", room + 6),
        Column("GPU COST AN HOUR", room + 6),
    )
    rows = []
    whole, cost = Fraction(audit.pods), audit.held.per_hour
    for share in audit.shares:
        pods = Fraction(share.pods)
        rows.append(
            (
                Text(LABEL_NAMES.get(share.field, share.field)),
                bar(pods, whole, room, percent(pods, whole)),
                bar(share.per_hour, cost, room, percent(share.per_hour, cost)),
            )
        )
    yield from grid(columns, rows, width)


def waiting(audit: Audit, width: int, limit: int | None) -> Iterator[Text]:
    """Pods that wait for a node, and why."""
    shown = audit.waiting if limit is None else audit.waiting[:MOST_WAITING]
    more = len(audit.waiting) - len(shown)
    note = (
        f"{len(shown)} of {len(audit.waiting)}, the longest first" if more else "the longest first"
    )
    yield from heading("Waiting GPU pods", note, width)
    for pod in shown:
        units = listed(
            [f"{'?' if n is None else count(n)} {name}" for name, n in pod.asked.items()]
        )
        line = Text(plain(f"{pod.namespace}/{pod.name}"), "bold")
        line.append(plain(f"  asks for {units}, waits {span(audit.now - pod.since)}"), "not bold")
        yield cut(line, width)
        if pod.reason:
            yield cut(Text("  " + plain(" ".join(pod.reason.split())), "dim"), width)
