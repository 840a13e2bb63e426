"""`bursar report`: what was spent, by any key, from the read API or from the ledger itself."""

from collections.abc import Iterator, Mapping
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
    "unpricedGpuHours": "UNPRICED H",
    "pods": "PODS",
    "uncountedPods": "UNCOUNTED",
}
DOUBTS = ("unpricedGpuHours", "uncountedPods")
"""Columns of a table that are left out where they hold nothing."""
FIGURES = (
    "cost",
    "capex",
    "opex",
    "gpuHours",
    "normalizedGpuHours",
    "energyKWh",
    "kgCO2e",
    "estimatedCost",
    "assumedCost",
    "unpricedGpuHours",
    "pods",
    "uncountedPods",
)
"""Columns of CSV after the keys, always these and in this order."""
OTHERS = ("idle", "recovery", "cpuMemory", "unusedCommitments", "corrections")
"""What the nodes cost besides, each a line of its own."""
ALLOCATED = "allocated"
"""What CSV calls a line of pods; the other lines are called as in `OTHERS`."""


def show(
    query: Mapping[str, str], source: Source, output: Format, *, every: float | None = None
) -> None:
    """Print the report; what no pod pays, and in a table the total, are rows of their own."""
    with source.asking() as ask:
        show_page(lambda: page(ask("report", query)), output, every=every)


def page(answer: Mapping[str, Any]) -> Page:
    """The report in all its forms."""
    keys = list(answer["by"])
    people = [_for_people({**row["key"], **row}) for row in answer["rows"]]
    first = next(iter(keys), None)
    people.extend(
        {**_for_people(answer[name]), **({first: f"({name})"} if first else {})}
        for name in (*OTHERS, "total")
        if answer.get(name) is not None
    )
    doubtful = {name for name in DOUBTS if any(_something(row.get(name)) for row in people)}
    columns = {key: key.upper() for key in keys} | {
        name: heading
        for name, heading in HEADINGS.items()
        if name not in DOUBTS or name in doubtful
    }
    title = f"{answer['from']} to {answer['to']}, {answer['currency']}"
    return Page(
        document=answer,
        blocks=[Block(rows=people, columns=columns, title=title)],
        lines=Block(rows=list(_lines(answer)), columns=_columns(keys)),
        notes=list(_notes(answer)),
    )


def _columns(keys: list[str]) -> dict[str, str]:
    names = ["line", *keys, "currency", *FIGURES]
    return dict(zip(names, names, strict=True))


def _lines(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Lines of CSV, which add up to the total: it has none of its own, to be summed with them."""
    about = {"currency": answer["currency"]}
    for row in answer["rows"]:
        yield {**row, **row["key"], **about, "line": ALLOCATED}
    for name in OTHERS:
        if answer.get(name) is not None:
            yield {**answer[name], **about, "line": name}


def _notes(answer: Mapping[str, Any]) -> Iterator[str]:
    left_out = (answer.get("omitted") or {}).get("rows")
    if left_out:
        yield f"{left_out} rows are left out: ask by fewer keys, narrow it with --where, or --limit"
    yield from answer.get("limits") or ()


def _something(value: object) -> bool:
    return value not in (None, 0) and bool(str(value).strip("0."))


def _for_people(row: Mapping[str, Any]) -> dict[str, Any]:
    """Cut exact figures to what a person reads; the other forms keep all decimals."""
    return {key: cut(value) if key in HEADINGS else value for key, value in row.items()}
