"""Runs an audit: reads, judges, prints. Progress goes to standard error, where it takes long."""

import asyncio
import io
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bursar.cli.output import Format, print_rows
from bursar.errors import BursarError

if TYPE_CHECKING:
    from bursar.cli.audit.values import Audit

PIPE_WIDTH = 120
PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked for.

    Attributes:
        namespaces: the only ones to look at; none: all that may be read.
        limit: workloads in the table; None: all.
        price_book: a file with PriceBooks that count beside the cluster's.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    limit: int | None = 10
    currency: str = "USD"
    price_book: str | None = None
    suggest_budgets: bool = False
    suggest_prices: bool = False


def show(query: Query, output: Format) -> None:
    """Print the audit of a cluster, or the starter objects that it suggests.

    Raises:
        BursarError: it can't be reached or read; one line with the next step.
    """
    if not re.fullmatch(r"[A-Z]{3}", query.currency):
        raise BursarError(f"{query.currency!r} is no currency: an ISO 4217 code, such as USD")
    audit = asyncio.run(_audit(query))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without such characters shows "?"
    if query.suggest_budgets or query.suggest_prices:
        _suggest(audit, query, output)
    elif output is Format.TABLE:
        _print(audit, query.limit)
    else:
        from bursar.cli.audit.document import CSV_COLUMNS, document, rows

        found = document(audit)
        print_rows(rows(found), CSV_COLUMNS, output, found)


def _print(audit: "Audit", limit: int | None) -> None:
    from rich.console import Console

    from bursar.cli.audit import render

    console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
    render.show(audit, console, limit)


def _suggest(audit: "Audit", query: Query, output: Format) -> None:
    from bursar.cli.audit import starters

    made: tuple[starters.Starter, ...] = ()
    opening: list[str] = []
    if query.suggest_budgets:
        made += starters.budgets(audit)
        opening += starters.BUDGETS_OPENING
    if query.suggest_prices:
        made += (starters.prices(audit),)
        opening += starters.PRICES_OPENING
    if output is Format.JSON:
        print_rows([], {}, output, starters.as_list(made))
    else:
        sys.stdout.write(starters.as_yaml(made, opening))


async def _audit(query: Query) -> "Audit":
    from bursar.cli.audit.accounts import Rules
    from bursar.cli.audit.assess import assess
    from bursar.cli.audit.gather import Wanted, gather
    from bursar.runtime.configuring import catalog

    wanted = Wanted(
        kubeconfig=query.kubeconfig,
        context=query.context,
        namespaces=query.namespaces,
        currency=query.currency,
        books=_books(query.price_book),
    )
    bundle = catalog.load()
    rules = Rules(tables=bundle.tables, prices=bundle.prices, currency=query.currency)
    async with _progress() as report:
        snapshot = await gather(wanted, report)
        report("judging pods", len(snapshot.pods), None)
        return await asyncio.to_thread(assess, snapshot, rules)


def _books(file: str | None) -> tuple[dict[str, Any], ...]:
    from bursar.cli.audit.gather import price_books
    from bursar.cli.manifests import documents, read

    if file is None:
        return ()
    found = (each.manifest for each in documents(read(file)))
    return price_books([each for each in found if each is not None], file)


@asynccontextmanager
async def _progress() -> AsyncIterator[Callable[[str, int, int | None], None]]:
    """A bar on standard error once it has taken two seconds, where somebody looks at it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,.0f}"),
        TimeElapsedColumn(),
    )
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    task = progress.add_task("reading", total=None)

    async def begin() -> None:
        await asyncio.sleep(PATIENCE_SECONDS)
        progress.start()

    waiting = asyncio.ensure_future(begin()) if sys.stderr.isatty() else None
    try:
        yield lambda what, done, of: progress.update(
            task, description=what, completed=done, total=of
        )
    finally:
        if waiting is not None:
            waiting.cancel()
        if progress.live.is_started:
            progress.stop()
