"""`bursar explain`: each step of the path for one pod or Job, with its inputs."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from bursar.cli.output import Format, print_rows
from bursar.cli.reach import connected
from bursar.cli.server import Where, segment
from bursar.errors import BursarError

KINDS = {"pod": "pod", "pods": "pod", "po": "pod", "job": "job", "jobs": "job"}
COLUMNS = {"step": "STEP", "question": "QUESTION", "answer": "ANSWER", "details": "DETAILS"}


def show(what: str, namespace: str, where: Where, output: Format) -> None:
    """Print the path of KIND/NAME.

    Raises:
        BursarError: no such kind or object, or the read API does not answer.
    """
    kind, slash, name = what.partition("/")
    if not slash or kind.lower() not in KINDS or not name:
        raise BursarError(f"{what!r} is not KIND/NAME: write pod/NAME or job/NAME")
    with connected(where) as api:
        path = f"explain/{KINDS[kind.lower()]}/{segment(namespace)}/{segment(name)}"
        answer = api.get(path)
    if output is Format.TABLE:
        _print_steps(answer)
        return
    steps = [
        {**step, "details": "; ".join(_lines(step.get("details") or []))}
        for step in answer["steps"]
    ]
    print_rows(steps, COLUMNS, output, document=answer)


def _print_steps(answer: Mapping[str, Any]) -> None:
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


def _lines(details: Sequence[Mapping[str, Any] | str]) -> list[str]:
    return [
        detail if isinstance(detail, str) else ", ".join(f"{k} {v}" for k, v in detail.items())
        for detail in details
    ]
