"""`bursar ledger`: what accountants do with the ledger.

While an operator runs it is asked to do it, since it is the one writer. A ledger that is named with
`--ledger` is opened here instead: to read it that is always right, to write it only while no
operator runs, which else would be shut out.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from bursar.cli import options
from bursar.cli.options import (
    Cluster,
    Context,
    From,
    Kubeconfig,
    Month,
    Output,
    Server,
    To,
    Token,
    TokenFile,
)
from bursar.cli.output import Block, Format, Page, cut, print_page
from bursar.cli.server import WRITE_SECONDS, Where
from bursar.cli.source import given
from bursar.errors import BursarError

app = typer.Typer(no_args_is_help=True)

Ledger = Annotated[
    str | None, typer.Option(help="Open this ledger itself: a URL, or a SQLite file.")
]
Currency = Annotated[str, typer.Option(help="With --ledger: of all its money, ISO 4217.")]
Table = Mapping[str, str]

CHECKS = {"check": "COMPARED", "compared": "FIGURES", "different": "DIFFERENT"}
DIFFERENCES = {"check": "CHECK", "where": "WHERE", "kept": "KEPT", "counted": "COUNTED"}
MONTHS = {"month": "MONTH", "cost": "COST", "capex": "CAPEX", "opex": "OPEX", "closed": "CLOSED",
          "by": "BY"}  # fmt: skip
MOVED = {"namespace": "NAMESPACE", "count": "PODS", "before": "BEFORE", "after": "AFTER",
         "difference": "DIFFERENCE"}  # fmt: skip
CONTENTS = {"file": "FILE", "clusters": "CLUSTERS", "followed": "FOLLOWED UNTIL", "bytes": "BYTES"}
MONEY = ("cost", "capex", "opex", "before", "after", "difference")


@app.command()
def verify(
    month: Annotated[str | None, typer.Option(help="Only this month: YYYY-MM.")] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    token: Token = None,
    token_file: TokenFile = None,
    ledger: Ledger = None,
    cluster: Cluster = "default",
    output: Output = Format.TABLE,
) -> None:
    """Recompute costs, sums and totals, compare them with the ledger; exit 1 where one differs."""
    where = options.where(server, token, token_file, kubeconfig, context)
    if ledger is None:
        query = given(month=month)
        answer = _api(where, lambda api: api.get("ledger/verify", query, WRITE_SECONDS))
    else:
        with _reader(ledger, cluster) as (reader, now):
            from bursar.runtime.ledger.admin.verify import verify as compare

            answer = dict(compare(reader, now, month).document())
    print_page(_verdict(answer), output)
    if answer["different"]:
        raise typer.Exit(1)


@app.command()
def close(
    month: Annotated[str | None, typer.Argument(help="YYYY-MM.", metavar="[YYYY-MM]")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show the closed months.")] = False,
    by: Annotated[str, typer.Option(help="Who closes it; without it, whose token it is.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Although its figures may still move by themselves.")
    ] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    token: Token = None,
    token_file: TokenFile = None,
    ledger: Ledger = None,
    cluster: Cluster = "default",
    output: Output = Format.TABLE,
) -> None:
    """Make a month's figures final; what becomes known of it later is booked as a correction."""
    where = options.where(server, token, token_file, kubeconfig, context)
    if listed == (month is not None):
        raise BursarError("name a month to close (YYYY-MM), or --list")
    if month is None:
        print_page(_months(_closed(where, ledger, cluster)), output)
        return
    if ledger is None:
        query = given(month=month, by=by, force="true" if force else "")
        answer = _api(where, lambda api: api.post("ledger/close", query))
    else:
        answer = _close_here(ledger, cluster, month, by, force=force)
    notes = []
    if answer["already"]:
        notes = [f"{month} was closed already, {answer['closed']} by {answer['by']}: it stays so"]
    print_page(_months([answer], answer, notes), output)


@app.command()
def rerate(
    start: From = None,
    to: To = None,
    month: Month = None,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads the corrections.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    token: Token = None,
    token_file: TokenFile = None,
    ledger: Ledger = None,
    cluster: Cluster = "default",
    price_book: Annotated[
        str | None, typer.Option(help="With --ledger: file with the PriceBooks.")
    ] = None,
    currency: Currency = "USD",
    output: Output = Format.TABLE,
) -> None:
    """Correct the past by today's PriceBooks; what was booked before stays visible beside it."""
    where = options.where(server, token, token_file, kubeconfig, context)
    if not (start or month):
        raise BursarError("name the time whose prices were wrong: --from and --to, or --month")
    query = given(month=month, from_=start, to=to, reason=reason,
                  preview="true" if dry_run else "")  # fmt: skip
    if ledger is None:
        answer = _api(where, lambda api: api.post("ledger/rerate", query))
    else:
        from bursar.cli.rerating import rerate_here

        answer = rerate_here(ledger, cluster, query, price_book, currency)
    print_page(_rerating(answer), output)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="New file for the copy.")],
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    token: Token = None,
    token_file: TokenFile = None,
    ledger: Ledger = None,
    output: Output = Format.TABLE,
) -> None:
    """Copy all of a SQLite ledger to a file here, while the operator goes on."""
    from bursar.runtime.ledger.admin import files

    where = options.where(server, token, token_file, kubeconfig, context)
    if file.exists():
        raise BursarError(f"{file} is there already: name a new file")
    part = file.with_name(file.name + ".part")
    try:
        if ledger is not None:
            files.backup(ledger, part)
        else:
            with part.open("xb") as target:
                _api(where, lambda api: api.download("ledger/backup", target))
        contents = files.inspect(part)
        part.replace(file)
    except OSError as error:
        raise BursarError(f"{file}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    print_page(_contents(file, contents), output)


@app.command()
def restore(
    file: Annotated[str, typer.Argument(help="The copy; - for standard input.")],
    ledger: Annotated[str, typer.Option(help="The SQLite file that it replaces.")],
    output: Output = Format.TABLE,
) -> None:
    """Put a copy in a SQLite ledger's place while no operator runs; the old file is kept."""
    from bursar.runtime.ledger.admin import files

    with _copy(file) as source:
        contents = files.restore(source, ledger)
    print_page(_contents(Path(ledger), contents), output)


# --- where the ledger is -------------------------------------------------------------------------


def _api(where: Where, ask: Callable[[Any], Any]) -> Any:
    from bursar.cli.reach import connected

    with connected(where) as api:
        return ask(api)


@contextmanager
def _reader(url: str, cluster: str) -> Iterator[tuple[Any, int]]:
    from bursar.runtime import clock
    from bursar.runtime.ledger import Reader

    reader = Reader.open(url, cluster)
    try:
        yield reader, clock.now()
    finally:
        reader.close()


def _closed(where: Where, ledger: str | None, cluster: str) -> list[dict[str, Any]]:
    if ledger is None:
        found: list[dict[str, Any]] = _api(where, lambda api: api.get("ledger/months"))["months"]
        return found
    from bursar.runtime.ledger.admin.months import closed_months, told

    with _reader(ledger, cluster) as (reader, _):
        return [told(each) for each in closed_months(reader)]


def _close_here(url: str, cluster: str, month: str, by: str, *, force: bool) -> dict[str, Any]:
    import getpass

    from bursar.runtime import clock
    from bursar.runtime.ledger import Ledger as Opened
    from bursar.runtime.ledger.admin.months import close as close_month
    from bursar.runtime.ledger.admin.months import told

    opened = Opened.open(url, cluster)
    try:
        who = by or getpass.getuser()
        return told(close_month(opened, month, who, clock.now(), force=force))
    finally:
        opened.close()


@contextmanager
def _copy(file: str) -> Iterator[Path]:
    """A copy's file; what comes from standard input is kept in one meanwhile."""
    import shutil
    import sys
    import tempfile

    if file != "-":
        yield Path(file)
        return
    with tempfile.NamedTemporaryFile(suffix=".db") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.flush()
        yield Path(kept.name)


# --- how answers are shown -----------------------------------------------------------------------


def _verdict(answer: Mapping[str, Any]) -> Page:
    blocks = [Block(rows=answer["checks"], columns=CHECKS)]
    if answer["differences"]:
        blocks.append(Block(rows=answer["differences"], columns=DIFFERENCES))
    notes = list(answer["notes"])
    if answer["omitted"]:
        notes.append(f"{answer['omitted']} more differences")
    return Page(document=answer, blocks=blocks, notes=notes)


def _months(
    months: list[dict[str, Any]], document: object = None, notes: list[str] | None = None
) -> Page:
    rows = [_cut(each) for each in months]
    return Page(
        document=months if document is None else document,
        blocks=[Block(rows=rows, columns=MONTHS)],
        lines=Block(rows=months, columns=MONTHS),
        notes=notes or ([] if months else ["no month is closed"]),
    )


def _rerating(answer: Mapping[str, Any]) -> Page:
    nodes = {"namespace": "(nodes)", **answer["nodes"]}
    rows = [*answer["namespaces"], nodes]
    done = "would cost" if answer["preview"] else "costs now"
    changed = bool(answer["namespaces"] or answer["nodes"]["count"])
    notes = [] if changed else ["every price is as it should be: nothing changes"]
    if changed and not answer["preview"]:
        notes.append(f"reference: {answer['reference']}")
    title = f"{answer['from']} to {answer['to']}, what it {done}, {answer['currency']}"
    return Page(
        document=answer,
        blocks=[Block(rows=[_cut(row) for row in rows], columns=MOVED, title=title)],
        lines=Block(rows=rows, columns=MOVED),
        notes=notes,
    )


def _contents(file: Path, contents: Any) -> Page:
    from bursar.domain.time import format_time

    followed = None if contents.observed is None else format_time(contents.observed)
    row = {
        "file": str(file),
        "clusters": list(contents.clusters),
        "followed": followed,
        "bytes": contents.size,
    }
    shown = {**row, "clusters": ", ".join(contents.clusters), "followed": followed or "never"}
    return Page(document=row, blocks=[Block(rows=[shown], columns=CONTENTS)])


def _cut(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: cut(value) if key in MONEY else value for key, value in row.items()}
