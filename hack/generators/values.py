"""charts/bursar/README.md: how the chart is installed and removed, and each of its values.

Names, defaults and meanings are read from `values.yaml`, in which `# -- ` begins the comment of the
value below it; types from `values.schema.json`. A value without either is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[2] / "charts" / "bursar"
PATH = "charts/bursar/README.md"

HEAD = Path(__file__).with_name("chart.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value: its dotted name, what it may be, what it is, what it means."""

    name: str
    kind: str
    default: Any
    meaning: str


def readme() -> dict[str, str]:
    """The page, by its path."""
    names = sorted(path.stem for path in (CHART / "templates" / "crds").glob("*.yaml"))
    definitions = " \\\n    ".join(f"{name}.bursar.dev" for name in names)
    head = HEAD.read_text(encoding="utf-8").replace("{definitions}", definitions)
    return {PATH: head + "".join(_row(each) for each in described())}


def described() -> Iterator[Value]:
    """All values that somebody may set, in the order of the file.

    Raises:
        ValueError: a value has no comment or no schema; names it.
    """
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    meanings = dict(_comments(text))
    values = yaml.safe_load(text)
    for name, meaning in meanings.items():
        default, below = values, schema
        for part in name.split("."):
            default, below = default[part], below.get("properties", {}).get(part, {})
        if not below:
            raise ValueError(f"{name} is not in values.schema.json")
        yield Value(name=name, kind=_kind(below), default=default, meaning=meaning)
    if missing := sorted(set(_leaves(values, meanings, "")) - meanings.keys()):
        raise ValueError(f"values without a comment: {', '.join(missing)}")


def _leaves(value: Mapping[str, Any], known: Mapping[str, str], above: str) -> Iterator[str]:
    """All that must have a meaning: what is no map, and maps that have one as a whole."""
    for key, inner in value.items():
        name = f"{above}{key}"
        if isinstance(inner, dict) and inner and name not in known:
            yield from _leaves(inner, known, f"{name}.")
        else:
            yield name


def _comments(text: str) -> Iterator[tuple[str, str]]:
    """Each value's dotted name and the comment above it."""
    meaning = ""
    path: list[str] = []
    for line in text.splitlines():
        found = re.fullmatch(r"( *)(?:# (-- )?(.*)|([A-Za-z]+):.*)", line)
        if found is None:
            continue
        indent, begins, comment, name = found.groups()
        if comment is not None:
            meaning = comment if begins else f"{meaning} {comment}".strip()
            continue
        path = [*path[: len(indent) // 2], name]
        if meaning:
            yield ".".join(path), meaning
        meaning = ""


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if schema["type"] == "array":
        inner = schema.get("items", {}).get("type", "value")
        return f"list of {inner}s"
    return str(schema["type"])


def _row(value: Value) -> str:
    default = json.dumps(value.default, ensure_ascii=False)
    meaning = value.meaning.replace("|", "\\|")
    return f"| `{value.name}` | {value.kind} | `{default}` | {meaning} |\n"
