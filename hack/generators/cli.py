"""docs/reference/cli.md: every command with its arguments and options, read from the code."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer

from bursar.cli.app import app

PATH = "docs/reference/cli.md"

HEAD = """# Command line

Made by `hack/generate.py` from `operator/bursar/cli/`.

Also a plugin of kubectl: `kubectl bursar …` is the same as `bursar …`. Each command has `-h` or
`--help`. What a command answers goes to standard output, and what it says of itself to standard
error. One that fails says why in one line, and exits with a code that is not 0. Completion for your
shell: `bursar --install-completion`.

| command | does |
|---|---|
"""

_FORMS = {"str": "text", "int": "number", "Path": "path", "list": "text"}


def reference() -> dict[str, str]:
    """The page, by its path."""
    commands = list(_commands("bursar", typer.main.get_command(app)))
    rows = "".join(f"| [`{name}`](#{_anchor(name)}) | {_help(each)} |\n" for name, each in commands)
    return {PATH: HEAD + rows + "".join(_section(name, each) for name, each in commands)}


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """All commands that do something, with the words that call them."""
    for word, each in getattr(command, "commands", {}).items():
        if each.hidden:
            continue
        if hasattr(each, "commands"):
            yield from _commands(f"{name} {word}", each)
        else:
            yield f"{name} {word}", each


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def _help(command: Any) -> str:
    """The first paragraph of a command's help."""
    return " ".join((command.help or "").split("\n\n")[0].split())


def _section(name: str, command: Any) -> str:
    shown = [each for each in command.params if not getattr(each, "hidden", False)]
    arguments = [each for each in shown if each.param_type_name == "argument"]
    options = [each for each in shown if each.param_type_name == "option" and each.name != "help"]
    usage = " ".join([name, *(each.metavar or each.name.upper() for each in arguments)])
    text = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    rows = "".join(_row(each) for each in (*arguments, *options))
    table = f"\n| option | takes | default | meaning |\n|---|---|---|---|\n{rows}" if rows else ""
    return f"\n## {name}\n\n`{usage}{' [OPTIONS]' if options else ''}`\n\n{text}\n{table}"


def _row(parameter: Any) -> str:
    names = (*parameter.opts, *parameter.secondary_opts)
    if parameter.param_type_name == "argument":
        names = (parameter.metavar or parameter.name.upper(),)
    meaning = " ".join((parameter.help or "").split())
    if parameter.param_type_name == "option" and parameter.required:
        meaning += " Required."
    if parameter.envvar:
        meaning += f" Variable: `{parameter.envvar}`."
    cells = (", ".join(f"`{name}`" for name in names), _takes(parameter), _default(parameter))
    return "".join(f"| {cell} " if cell else "| " for cell in (*cells, meaning)) + "|\n"


def _takes(parameter: Any) -> str:
    kind = parameter.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{each.value}`" for each in kind)
    if kind is bool:
        return ""
    form = _FORMS.get(getattr(kind, "__name__", ""), "text")
    return f"{form}, repeatable" if parameter.multiple else form


def _default(parameter: Any) -> str:
    value = parameter.default
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return f"`{parameter.opts[0]}`" if parameter.secondary_opts and value else ""
    if value in (None, "", ()):
        return ""
    return f"`{value}`"
