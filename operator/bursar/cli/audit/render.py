"""An audit on a terminal, from 60 columns on: workloads, devices, labels, what to do first.

Nothing here decides; figures are those of the audit. Every text passes `plain`, and rich never
reads markup in it.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from rich.console import Console
from rich.text import Text

from bursar.cli.audit.findings import holds
from bursar.cli.audit.layout import Column, bar, cut, grid, heading, wrapped
from bursar.cli.audit.values import MONTH_HOURS, Audit, Finding, Pool, Sum, Tariff, Workload
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
from bursar.domain.time import to_datetime

WIDEST, NARROWEST = 120, 60
FIRST_THINGS = 3
MOST_WAITING = 5

CLASS_STYLES = {
    WorkloadClass.TRAINING: "magenta",
    WorkloadClass.INFERENCE: "green",
    WorkloadClass.INTERACTIVE: "cyan",
    WorkloadClass.OTHER: "blue",
    WorkloadClass.UNKNOWN: "yellow",
}
TITLES = {
    1: "The one thing to do first",
    2: "The two things to do first",
    3: "The three things to do first",
}
LABEL_NAMES = {"costCenter": "cost center", "class": "class known"}


def show(audit: Audit, console: Console, limit: int | None) -> None:
    """Print an audit.

    Args:
        audit: what was found.
        console: where to; its width is used up to WIDEST.
        limit: how many workloads are shown; None: all, with all findings and waiting pods.
    """
    width = max(NARROWEST, min(console.width, WIDEST))
    for line in lines(audit, width, limit):
        # Commands to copy may be longer than a line: the terminal wraps them, not we.
        console.print(line, soft_wrap=True, highlight=False)


def lines(audit: Audit, width: int, limit: int | None) -> Iterator[Text]:
    """The lines of an audit, none wider than `width` but commands."""
    yield from _title(audit, width)
    if not audit.pools and not audit.workloads:
        yield from _without(audit, width)
        yield from _gaps(audit, width)
        return
    yield from _figures(audit, width)
    if audit.workloads:
        yield from _workloads(audit, width, limit)
    if audit.pools:
        yield from _devices(audit, width)
    if audit.pods:
        yield from _labels(audit, width)
    if audit.waiting:
        yield from _waiting(audit, width, limit)
    yield from _gaps(audit, width)
    yield from _first(audit, width, limit)
    yield from _closing(audit, width, limit)


# --- title and totals ------------------------------------------------------------------------


def _title(audit: Audit, width: int) -> Iterator[Text]:
    place = audit.place
    at = f"{to_datetime(audit.now):%Y-%m-%d %H:%M} UTC"
    where = [plain(each) for each in (place.context, place.server, place.version) if each]
    title = Text("Bursar audit", "bold reverse")
    title.append(f"  {at}, read-only: nothing is installed or changed", "not bold not reverse dim")
    yield cut(title, width)
    yield cut(Text(" · ".join(where), "dim"), width)


def _without(audit: Audit, width: int) -> Iterator[Text]:
    looked = f"{plural(audit.pods_read, 'pod')} looked at"
    if audit.nodes_known and audit.namespaces is None:
        sentence = (
            f"No GPUs here: no node has an accelerator, and no pod asks for one ({looked}). "
            "Nothing to pay and nothing to do. To see an audit of a cluster with GPUs, start one "
            "without any: bursar sandbox up"
        )
    else:
        sentence = f"No pod asks for an accelerator in what could be read ({looked})."
    yield Text()
    yield from wrapped(Text(sentence), width)


def _figures(audit: Audit, width: int) -> Iterator[Text]:
    idle = sum((pool.idle_cost for pool in audit.pools), Sum())
    devices = sum((pool.devices for pool in audit.pools), Fraction(0))
    held = sum((pool.held for pool in audit.pools), Fraction(0))
    cells = [
        ("held, an hour", _sum(audit.held, audit.currency), ""),
        ("idle, an hour", _sum(idle, audit.currency) if _idle_known(audit) else "?", "yellow"),
        ("devices held", f"{count(held)} of {count(devices)}" if audit.nodes_known else "?", ""),
        ("spent so far", _so_far(audit.so_far, audit.currency), ""),
    ]
    columns = [Column(label, (width - 3) // 4) for label, _, _ in cells]
    yield Text()
    yield from grid(columns, [[Text(figure, f"bold {style}") for _, figure, style in cells]], width)


def _so_far(nano: int | None, currency: str) -> str:
    return "?" if nano is None else money(Fraction(nano), currency)


def _idle_known(audit: Audit) -> bool:
    return audit.nodes_known and audit.namespaces is None


def _sum(total: Sum, currency: str) -> str:
    known = total.known
    if known is None:
        return "?"
    return ("≥ " if total.unpriced else "") + money(known, currency)


# --- workloads -------------------------------------------------------------------------------


def _workloads(audit: Audit, width: int, limit: int | None) -> Iterator[Text]:
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
            yield f"{_so_far(one.so_far, audit.currency)} so far"
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


def _devices(audit: Audit, width: int) -> Iterator[Text]:
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


def _labels(audit: Audit, width: int) -> Iterator[Text]:
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


def _waiting(audit: Audit, width: int, limit: int | None) -> Iterator[Text]:
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


def _gaps(audit: Audit, width: int) -> Iterator[Text]:
    notes = [f"{each.what}: {each.why}; {each.so}." for each in audit.gaps]
    if audit.onlookers:
        notes.append(
            f"{plural(audit.onlookers, 'pod sees', 'pods see')} GPUs without asking the scheduler "
            "(NVIDIA_VISIBLE_DEVICES), as drivers and exporters do: not counted above."
        )
    if not notes:
        return
    yield from heading("Not seen", "", width)
    for note in notes:
        yield from wrapped(Text(plain(note), "yellow"), width, "  ", "! ")


# --- what to do ------------------------------------------------------------------------------


def _first(audit: Audit, width: int, limit: int | None) -> Iterator[Text]:
    shown = audit.findings if limit is None else audit.findings[:FIRST_THINGS]
    if not shown:
        yield from heading("Nothing to do first", "all is held, labelled and priced", width)
        return
    title = TITLES.get(len(shown), f"The {len(shown)} things to do")
    note = "by the money an hour that each is about" if shown[0].per_hour is not None else ""
    yield from heading(title, note, width)
    for index, finding in enumerate(shown, start=1):
        yield _title_of(index, finding, audit, width)
        yield from wrapped(Text(plain(finding.detail)), width, "   ")
        yield from wrapped(Text(plain(finding.next), "dim"), width, "   ")
        if finding.command:
            yield Text("   $ " + plain(finding.command), "cyan")


def _title_of(index: int, finding: Finding, audit: Audit, width: int) -> Text:
    about = "" if finding.per_hour is None else hourly(finding.per_hour, audit.currency)
    line = cut(Text(f"{index}. {plain(finding.title)}", "bold"), width - len(about) - 1)
    line.pad_right(width - line.cell_len - len(about))
    line.append(about, "yellow")
    line.rstrip()
    return line


def _closing(audit: Audit, width: int, limit: int | None) -> Iterator[Text]:
    more = len(audit.findings) - FIRST_THINGS
    rest = f"{plural(more, 'more thing')} to do: --all. " if limit is not None and more > 0 else ""
    starters = "Starter budgets from these figures: bursar audit --suggest-budgets"
    yield Text()
    yield from wrapped(Text(rest + (starters if audit.pods else ""), "dim"), width)
