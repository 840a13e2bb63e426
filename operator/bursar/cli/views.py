"""`bursar runs`, `nodes`, `models` and `queue`: thin views over the pages of the read API."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bursar.cli.output import Block, Format, Page, cut
from bursar.cli.source import Source
from bursar.cli.watch import show as show_page

Answer = Mapping[str, Any]

RUNS = {
    "namespace": "NAMESPACE",
    "run": "RUN",
    "class": "CLASS",
    "model": "MODEL",
    "team": "TEAM",
    "start": "START",
    "end": "END",
    "pods": "PODS",
    "gpuHours": "GPU-HOURS",
    "cost": "COST",
}
NODES = {
    "name": "NODE",
    "accelerator": "ACCELERATOR",
    "capacityType": "CAPACITY",
    "devices": "DEVICES",
    "allocatedDevices": "ALLOCATED",
    "idleDevices": "IDLE",
    "costPerHour": "COST/H",
    "idleCostPerHour": "IDLE COST/H",
    "origin": "PRICE FROM",
}
COUNTS = ("devices", "allocatedDevices", "idleDevices")
MODELS = {
    "model": "MODEL",
    "class": "CLASS",
    "pods": "PODS",
    "gpuHours": "GPU-HOURS",
    "cost": "COST",
}
QUEUE = {
    "position": "#",
    "namespace": "NAMESPACE",
    "name": "JOB",
    "class": "CLASS",
    "priority": "PRIORITY",
    "state": "STATE",
    "waitsFor": "WAITS FOR",
    "until": "UNTIL",
}
NOBODY_NAMED = "(not named)"


def show(
    name: str,
    query: Mapping[str, str],
    source: Source,
    output: Format,
    *,
    every: float | None = None,
) -> None:
    """Print a page of the read API."""
    make = PAGES[name]
    with source.asking() as ask:
        show_page(lambda: make(ask(name, query)), output, every=every)


def runs(answer: Answer) -> Page:
    """What each run cost."""
    rows = [{**run, "run": f"{run['kind']}/{run['name']}"} for run in answer["runs"]]
    people = [{**run, "end": run["end"] or "running"} for run in rows]
    more = answer["count"] - answer["offset"] - len(rows)
    return Page(
        document=answer,
        blocks=[_block(people, RUNS, title=_window(answer))],
        lines=Block(rows=rows, columns=RUNS),
        notes=[f"{more} more: ask with --limit"] if more > 0 else [],
    )


def nodes(answer: Answer) -> Page:
    """What each node has, costs and idles."""
    rows = [
        {**node, "origin": node["origin"] or "; ".join(node["unknown"])} for node in answer["nodes"]
    ]
    people = [{**row, **{name: _count(row[name]) for name in COUNTS}} for row in rows]
    title = f"an hour, in {answer['currency']}"
    return Page(
        document=answer,
        blocks=[_block(people, NODES, title=title)],
        lines=Block(rows=rows, columns=NODES),
    )


def models(answer: Answer) -> Page:
    """What each model cost, a row a class."""
    rows = [
        {"model": model["model"], "class": name, **figures}
        for model in answer["models"]
        for name, figures in model["classes"].items()
    ]
    people = [{**row, "model": row["model"] or NOBODY_NAMED} for row in rows]
    return Page(
        document=answer,
        blocks=[_block(people, MODELS, title=_window(answer))],
        lines=Block(rows=rows, columns=MODELS),
    )


def queue(answer: Answer) -> Page:
    """What waits, in its order."""
    rows = [{**each, "waitsFor": ", ".join(each["heldBy"])} for each in answer["queue"]]
    block = Block(rows=rows, columns=QUEUE)
    return Page(document=answer, blocks=[block], notes=[] if rows else ["nothing waits"])


PAGES: Mapping[str, Callable[[Answer], Page]] = {
    "runs": runs,
    "nodes": nodes,
    "models": models,
    "queue": queue,
}


def _block(rows: Iterable[Answer], columns: Mapping[str, str], title: str) -> Block:
    """Rows as a person reads them: figures cut, all else as it is."""
    shown = [{key: cut(value) for key, value in row.items() if key in columns} for row in rows]
    return Block(rows=shown, columns=columns, title=title)


def _count(devices: str | None) -> str:
    """Devices as a person counts them: `8`, `3.5`; `?` where they cannot be told."""
    return "?" if devices is None else str(cut(devices)).rstrip("0").rstrip(".")


def _window(answer: Answer) -> str:
    return f"{answer['from']} to {answer['to']}, {answer['currency']}"
