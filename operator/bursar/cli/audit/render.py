"""An audit on a terminal, from 60 columns on: title, figures, tables, what to do first.

Nothing here decides; figures are those of the audit. Every text passes `plain`, and rich never
reads markup in it.
"""

from collections.abc import Iterator
from fractions import Fraction

from rich.console import Console
from rich.text import Text

from bursar.cli.audit import tables
from bursar.cli.audit.layout import Column, cut, grid, heading, wrapped
from bursar.cli.audit.values import Audit, Finding, Sum
from bursar.cli.audit.words import count, hourly, money, plain, plural
from bursar.domain.time import to_datetime

WIDEST, NARROWEST = 120, 60
FIRST_THINGS = 3

TITLES = {
    1: "The one thing to do first",
    2: "The two things to do first",
    3: "The three things to do first",
}


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
        yield from tables.workloads(audit, width, limit)
    if audit.pools:
        yield from tables.devices(audit, width)
    if audit.pods:
        yield from tables.labels(audit, width)
    if audit.waiting:
        yield from tables.waiting(audit, width, limit)
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
        ("spent so far", tables.so_far(audit.so_far, audit.currency), ""),
    ]
    columns = [Column(label, (width - 3) // 4) for label, _, _ in cells]
    yield Text()
    yield from grid(columns, [[Text(figure, f"bold {style}") for _, figure, style in cells]], width)


def _idle_known(audit: Audit) -> bool:
    return audit.nodes_known and audit.namespaces is None


def _sum(total: Sum, currency: str) -> str:
    known = total.known
    if known is None:
        return "?"
    return ("≥ " if total.unpriced else "") + money(known, currency)


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
