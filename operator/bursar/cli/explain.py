"""`bursar explain`: each step of the path for a pod or Job with its inputs, and the whole sum."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bursar.cli.output import Format, print_rows
from bursar.cli.reach import connected
from bursar.cli.server import Where, segment
from bursar.errors import BursarError

SHORT = {
    "pods": "pod",
    "po": "pod",
    "jobs": "job",
    "deployments": "deployment",
    "deploy": "deployment",
}
COLUMNS = {"step": "STEP", "question": "QUESTION", "answer": "ANSWER", "details": "DETAILS"}
_SHOWN = 20
"""Pods of a run, and months, that a person is shown one by one."""


def show(what: str, namespace: str, where: Where, output: Format, query: Mapping[str, str]) -> None:
    """Print the path of KIND/NAME, and what its cost is made of.

    Raises:
        BursarError: no such object, or the read API does not answer.
    """
    kind, slash, name = what.partition("/")
    if not slash or not kind.isalpha() or not name:
        raise BursarError(f"{what!r} is not KIND/NAME: write pod/NAME or job/NAME")
    kind = SHORT.get(kind.lower(), kind.lower())
    with connected(where) as api:
        answer = api.get(f"explain/{kind}/{segment(namespace)}/{segment(name)}", query)
    if output is Format.TABLE:
        _print(answer)
        return
    steps = [
        {**step, "details": "; ".join(_lines(step.get("details") or []))}
        for step in (*answer["steps"], *_as_step(answer))
    ]
    print_rows(steps, COLUMNS, output, document=answer)


def _as_step(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The sum as one more row of CSV."""
    found = answer.get("sum")
    if found:
        yield {
            "step": "sum",
            "question": "what is its whole cost made of?",
            "answer": f"{found['cost']} {answer['currency']}",
            "details": [line.strip() for line in _sum_lines(found)],
        }


def _print(answer: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    # A pipe has no width: a program that reads this must not find it wrapped.
    console = Console(soft_wrap=not sys.stdout.isatty())
    console.print(Text(f"{answer['kind']} {answer['namespace']}/{answer['name']}", "bold"))
    for step in answer["steps"]:
        console.print()
        console.print(Text(step["step"], "bold cyan"), Text(step["question"], "dim"))
        console.print(Text("  " + step["answer"], "bold"))
        for line in _lines(step.get("details") or []):
            console.print(Text("    " + line))
    for step in _as_step(answer):
        console.print()
        console.print(Text(step["step"], "bold cyan"), Text(step["question"], "dim"))
        console.print(Text("  " + step["answer"], "bold"))
        for line in _sum_lines(answer["sum"]):
            console.print(Text("    " + line))
    for limit in answer.get("limits") or ():
        Console(stderr=True).print(limit, style="dim", highlight=False, soft_wrap=True)


def _sum_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What the whole sum is made of."""
    until = "now" if found["goesOn"] else found["to"]
    yield f"from {found['from']} to {until}; CapEx {found['capex']}, OpEx {found['opex']}"
    if not found["priced"]:
        yield "part of it has no price: that is not in the sum"
    if found["estimatedCost"].strip("0."):
        yield f"{found['estimatedCost']} of it rests on an estimated end"
    for row in found.get("rows") or ():
        yield from _row_lines(row)
    yield from _several(found)
    months = found["months"]
    if len(months) > 1:
        yield from (f"in {month['month']}: {month['cost']}" for month in months[:_SHOWN])
        yield from _more(len(months) - _SHOWN, "months")
    for row in found.get("superseded") or ():
        yield f"no longer counted, replaced by generation {row['supersededBy']}:"
        yield from (f"  {line}" for line in _row_lines(row))
    for other in found.get("namesakes") or ():
        yield f"another pod had this name, from {other['from']} on: --uid {other['uid']}"


def _row_lines(row: Mapping[str, Any]) -> Iterator[str]:
    node = row["node"] or "a node that was never seen"
    if row["devices"] is None:
        yield f"{row['resource']}: how many devices of {node} is not known"
    else:
        of = row["nodeDevices"] or "?"
        share = f" = {row['share']} of its price" if row["share"] else ""
        yield f"{row['resource']}: {row['devices']} of {of} devices of {node}{share}"
    yield f"  {row['sum']}"
    price = row["price"]
    if "origin" in price:
        doubt = ", assumed: nobody states it" if price["assumed"] else ""
        paid = f", paid by the commitment {price['commitment']}" if price["commitment"] else ""
        yield f"  price from {price['origin']}{paid}{doubt}"
    yield f"  {_life(row)}"


def _life(row: Mapping[str, Any]) -> str:
    end = row["end"]
    if end is None:
        return f"from {row['start']} on: it goes on"
    told = f"from {row['start']} to {end['at']}, {end['basis']}, told by {end['witness']}"
    if end["earliest"] or end["latest"]:
        told += f" (between {end['earliest'] or row['start']} and {end['latest'] or end['at']})"
    return told


def _several(found: Mapping[str, Any]) -> Iterator[str]:
    """The pods of a run."""
    pods = found.get("pods")
    if pods is None:
        return
    yield "1 pod" if found["count"] == 1 else f"{found['count']} pods"
    for pod in pods[:_SHOWN]:
        until = "now" if pod["goesOn"] else pod["to"]
        yield f"  {pod['name']}: {pod['cost']}, from {pod['from']} to {until}"
    yield from _more(found["count"] - _SHOWN, "pods")


def _more(count: int, what: str) -> Iterator[str]:
    if count > 0:
        yield f"  and {count} more {what}"


def _lines(details: Sequence[Mapping[str, Any] | str]) -> list[str]:
    return [
        detail if isinstance(detail, str) else ", ".join(f"{k} {v}" for k, v in detail.items())
        for detail in details
    ]
