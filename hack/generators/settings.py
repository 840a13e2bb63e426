"""docs/reference/settings.md: what an installation can set, and what stands where it does not."""

from __future__ import annotations

from enum import Enum
from typing import Any

from pydantic.fields import FieldInfo

from bursar.settings import PREFIX, Settings

PATH = "docs/reference/settings.md"

HEAD = f"""# Settings

Made by `hack/generate.py` from `operator/bursar/settings.py`.

What `bursar run` takes. A flag goes before the environment's variable, and that before the default.
A value that does not fit is refused at the start, in one line that names it. All variables begin
with `{PREFIX}`; in a cluster the chart's values set them.

| flag | variable | default | meaning |
|---|---|---|---|
"""


def reference() -> dict[str, str]:
    """The page, by its path."""
    rows = (_row(name, field) for name, field in Settings.model_fields.items())
    return {PATH: HEAD + "".join(rows)}


def _row(name: str, field: FieldInfo) -> str:
    meaning = " ".join((field.description or "").split())
    choices = getattr(field.annotation, "__members__", None)
    if choices:
        meaning += f" One of {', '.join(f'`{each.value}`' for each in choices.values())}."
    bounds = _bounds(field)
    flag = name.replace("_", "-")
    return (
        f"| `--{flag}` | `{PREFIX}{name.upper()}` | {_default(field.default)} |"
        f" {meaning}{bounds} |\n"
    )


def _default(value: object) -> str:
    if value is None:
        return ""
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _bounds(field: FieldInfo) -> str:
    found: dict[str, Any] = {}
    for constraint in field.metadata:
        for key in ("ge", "le"):
            if hasattr(constraint, key):
                found[key] = getattr(constraint, key)
    return f" From {found['ge']} to {found['le']}." if found.keys() == {"ge", "le"} else ""
