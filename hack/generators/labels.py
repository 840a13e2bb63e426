"""docs/reference/labels.md: every name that Bursar writes on, or reads from, objects.

The constants' values are imported; what they mean stands under each as a docstring, which Python
does not keep, so the source is read for it.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bursar.api import meta

PATH = "docs/reference/labels.md"

HEAD = """# Labels, annotations, conditions

Made by `hack/generate.py` from `operator/bursar/api/meta.py`.

Everything that Bursar writes on objects of a cluster, or reads from them. Only Bursar may set the
verdict's labels on a pod: whatever else is found there at its creation is dropped. A name that is
*reserved* is not written or acted upon by this release.
"""

SECTIONS = (
    ("Labels", "LABEL_", "label"),
    ("Annotations", "ANNOTATION_", "annotation"),
    ("Conditions", "CONDITION_", "type"),
    ("Reasons", "REASON_", "reason"),
)
FINOPS = "The FinOps Foundation's tag of this name, copied to pods by the allocation rules."


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A constant and its docstring, empty where it has none."""

    name: str
    value: str
    text: str


def reference() -> dict[str, str]:
    """The page, by its path."""
    found = list(constants())
    parts = [HEAD]
    for title, prefix, column in SECTIONS:
        parts.append(f"\n## {title}\n\n| {column} | meaning | in use |\n|---|---|---|\n")
        parts += [_row(each) for each in found if each.name.startswith(prefix)]
    others = [each for each in found if each.name in ("GATE", "OVERRIDE_VERB")]
    parts.append(
        "\n## Scheduling gate and verb of RBAC\n\n| name | meaning | in use |\n|---|---|---|\n"
    )
    parts += [_row(each) for each in others]
    return {PATH: "".join(parts)}


def constants() -> Iterator[Constant]:
    """All constants of `bursar.api.meta` that are text, in their order."""
    body = ast.parse(inspect.getsource(meta)).body
    for index, statement in enumerate(body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        value = getattr(meta, statement.target.id)
        if isinstance(value, str):
            follower = body[index + 1] if index + 1 < len(body) else None
            yield Constant(name=statement.target.id, value=value, text=_docstring(follower))


def _docstring(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(str(statement.value.value).split())
    return ""


def _row(constant: Constant) -> str:
    text = constant.text
    if not text and constant.value in meta.ALLOCATION_LABELS:
        text = FINOPS
    use = "yes" if re.search(rf"\b{constant.name}\b", _code()) else "reserved"
    return f"| `{constant.value}` | {text.replace('|', chr(92) + '|')} | {use} |\n"


@cache
def _code() -> str:
    """All of the program but the list of names itself."""
    own = Path(meta.__file__)
    modules = sorted(own.parents[1].rglob("*.py"))
    return "\n".join(each.read_text(encoding="utf-8") for each in modules if each != own)
