"""`bursar report`: what was spent, by any key, from the read API or from the ledger itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bursar.cli.output import Format, print_rows
from bursar.cli.server import ask, find_server
from bursar.errors import BursarError

HEADINGS = {
    "cost": "COST",
    "gpuHours": "GPU-HOURS",
    "capex": "CAPEX",
    "opex": "OPEX",
    "estimatedCost": "ESTIMATED",
    "assumedCost": "ASSUMED",
    "pods": "PODS",
}


PLACES = 4
"""Decimals in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to report."""

    by: str
    month: str | None
    start: str | None
    to: str | None

    def parameters(self) -> dict[str, str]:
        """As the read API takes them."""
        named = {"by": self.by, "month": self.month, "from": self.start, "to": self.to}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Source:
    """Where to read: the read API (found by the kubeconfig where none is named), or a ledger."""

    server: str | None
    ledger: str | None
    kubeconfig: Path | None
    cluster: str = "default"


def show(query: Query, source: Source, output: Format) -> None:
    """Print the report; in a table, idle and total are rows of their own."""
    answer = _read(query, source)
    keys = {key: key.upper() for key in answer["by"]}
    rows = [{**row["key"], **row} for row in answer["rows"]]
    if output is Format.TABLE:
        rows = [_for_people(row) for row in rows]
        first = next(iter(keys), None)
        rows.extend(
            {**_for_people(answer[name]), **({first: f"({name})"} if first else {})}
            for name in ("idle", "total")
        )
        _print_window(answer)
    print_rows(rows, {**keys, **HEADINGS}, output, document=answer)


def _for_people(row: Mapping[str, Any]) -> dict[str, Any]:
    """Cut exact figures to what a person reads; the other forms keep all decimals."""
    return {
        key: value[: value.index(".") + PLACES + 1]
        if key in HEADINGS and isinstance(value, str) and "." in value
        else value
        for key, value in row.items()
    }


def _read(query: Query, source: Source) -> dict[str, Any]:
    if source.ledger and source.server:
        raise BursarError("name --server or --ledger, not both: they are two ways to one answer")
    if not source.ledger:
        return ask(find_server(source.server, source.kubeconfig), "report", query.parameters())
    from bursar.runtime.clock import now
    from bursar.runtime.reporting import report_of_ledger

    return report_of_ledger(source.ledger, source.cluster, query.parameters(), now())


def _print_window(answer: Mapping[str, Any]) -> None:
    from rich.console import Console

    Console().print(
        f"{answer['from']} to {answer['to']}, {answer['currency']}", style="bold", highlight=False
    )
