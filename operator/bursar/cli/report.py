"""`bursar report`: what was spent, by any key, from the read API or from the ledger itself."""

from collections.abc import Mapping
from typing import Any

from bursar.cli.output import Block, Format, Page, cut
from bursar.cli.source import Source
from bursar.cli.watch import show as show_page

HEADINGS = {
    "cost": "COST",
    "gpuHours": "GPU-HOURS",
    "capex": "CAPEX",
    "opex": "OPEX",
    "estimatedCost": "ESTIMATED",
    "assumedCost": "ASSUMED",
    "pods": "PODS",
}


def show(
    query: Mapping[str, str], source: Source, output: Format, *, every: float | None = None
) -> None:
    """Print the report; in a table, idle and total are rows of their own."""
    with source.asking() as ask:
        show_page(lambda: page(ask("report", query)), output, every=every)


def page(answer: Mapping[str, Any]) -> Page:
    """The report in all its forms."""
    columns = {**{key: key.upper() for key in answer["by"]}, **HEADINGS}
    rows = [{**row["key"], **row} for row in answer["rows"]]
    people = [_for_people(row) for row in rows]
    first = next(iter(answer["by"]), None)
    people.extend(
        {**_for_people(answer[name]), **({first: f"({name})"} if first else {})}
        for name in ("idle", "total")
        if answer[name] is not None
    )
    title = f"{answer['from']} to {answer['to']}, {answer['currency']}"
    left_out = (answer.get("omitted") or {}).get("rows")
    return Page(
        document=answer,
        blocks=[Block(rows=people, columns=columns, title=title)],
        lines=Block(rows=rows, columns=columns),
        notes=[f"{left_out} rows are left out: ask by fewer keys"] if left_out else [],
    )


def _for_people(row: Mapping[str, Any]) -> dict[str, Any]:
    """Cut exact figures to what a person reads; the other forms keep all decimals."""
    return {key: cut(value) if key in HEADINGS else value for key, value in row.items()}
