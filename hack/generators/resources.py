"""docs/reference/resources.md: each kind's fields, what they mean, and whether they act yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bursar.api import crd, inforce
from bursar.api.common import Resource
from bursar.api.meta import API_VERSION

PATH = "docs/reference/resources.md"

HEAD = f"""# Resources

Made by `hack/generate.py` from the models in `operator/bursar/api`.

All are of `{API_VERSION}`. Money and other decimals are strings, because a float can't carry them
exactly. A field marked *not yet* is stored and reported by the condition `NotInForce`; this
release does not act upon it. Complete examples stand in `examples/`.
"""


def reference() -> dict[str, str]:
    """The page, by its path."""
    return {PATH: HEAD + "".join(_kind(resource) for resource in crd.RESOURCES)}


def _kind(resource: type[Resource]) -> str:
    schema = crd.schema_of(resource)
    scope = "Namespaced" if resource.NAMESPACED else "Cluster-scoped"
    short = f", short name `{'`, `'.join(resource.SHORT_NAMES)}`" if resource.SHORT_NAMES else ""
    parts = [
        f"\n## {resource.KIND}\n\n{schema['description']}\n\n{scope}, `{resource.PLURAL}`{short}.\n"
    ]
    for top in ("spec", "verdict", "status"):
        if top not in schema["properties"]:
            continue
        parts.append(f"\n### {resource.KIND} `{top}`\n\n")
        rules = list(_rules(top, schema["properties"][top]))
        acts = top == "spec"
        head = ["field", "type", "meaning"] + (["in force"] if acts else [])
        parts.append(f"| {' | '.join(head)} |\n|{'---|' * len(head)}\n")
        for path, each, required in _fields(top, schema["properties"][top]):
            cells = [f"`{path}`", _type(each, required=required), _meaning(each)]
            if acts:
                cells.append(_in_force(resource, path))
            parts.append(f"| {' | '.join(cells)} |\n")
        if rules:
            parts.append("\nChecked by the API server:\n\n" + "".join(rules))
    return "".join(parts)


def _fields(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Walk a schema's fields depth first, as path, schema and whether it must be set."""
    for name, each in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, each, name in schema.get("required", ())
        inner = _inner(each)
        yield from _fields(here + _suffix(each), inner)


def _inner(schema: dict[str, Any]) -> dict[str, Any]:
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            return dict(schema[key])
    return schema


def _suffix(schema: dict[str, Any]) -> str:
    return "[]" if "items" in schema else ".*" if "additionalProperties" in schema else ""


def _rules(path: str, schema: dict[str, Any]) -> Iterator[str]:
    """List the rules that span fields; those of a scalar are said by its type."""
    if schema.get("type") == "object":
        for rule in schema.get("x-kubernetes-validations", ()):
            yield f"- `{path}`: {rule['message']}\n"
    for name, each in schema.get("properties", {}).items():
        inner = _inner(each)
        yield from _rules(f"{path}.{name}{_suffix(each)}", inner)


def _type(schema: dict[str, Any], *, required: bool) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        text = "integer or string"
    elif "items" in schema:
        text = f"list of {_type(schema['items'], required=False)}"
    elif "additionalProperties" in schema:
        text = f"map of {_type(schema['additionalProperties'], required=False)}"
    else:
        text = str(schema.get("format", schema["type"]))
    return f"**{text}**" if required else text


def _meaning(schema: dict[str, Any]) -> str:
    inner = _inner(schema)
    text = str(schema.get("description", ""))
    if "enum" in inner:
        text += f" One of {', '.join(f'`{value}`' for value in inner['enum'])}."
    if "default" in schema and not isinstance(schema["default"], list):
        text += f" Default: `{schema['default']}`."
    return text.replace("|", "\\|").strip()


def _in_force(resource: type[Resource], path: str) -> str:
    note = inforce.note(resource.KIND, path)
    return "yes" if note is None else f"not yet{f': {note}' if note else ''}"
