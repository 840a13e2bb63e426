"""Every bound of a schema that an object touches, broken one at a time.

Bounds are what OpenAPI itself checks (enum, pattern, lengths, ranges, formats, required); the
rules in CEL have their cases in `support.refusals`.
"""

from collections.abc import Callable, Iterator
from typing import Any

from support.examples import DROP

Steps = tuple[str, ...]
Change = tuple[str, Steps, Any]
"""Name of the bound, path of the field, value that breaks it."""


def violations(schema: dict[str, Any], value: Any, path: Steps) -> Iterator[Change]:
    """Yield a change for each bound of the schema at, and below, a value.

    Args:
        schema: the structural schema of the value.
        value: a valid one.
        path: where it stands.
    """
    yield from _broken(schema, value, path)
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            yield "required", (*path, name), DROP
        for name, each in value.items():
            inner = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            yield from violations(inner, each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from violations(schema["items"], each, (*path, str(index)))


_LEAST = {"minLength": "", "minItems": [], "minProperties": {}}
"""What is too short wherever a least length above zero is asked for."""

_BREAKS: dict[str, Callable[[Any, Any], Any]] = {
    "enum": lambda _, value: "no-such-value" if isinstance(value, str) else not value,
    "pattern": lambda *_: "~",
    "format": lambda *_: "~",
    "maxLength": lambda bound, _: "1" * (bound + 1),
    "minimum": lambda bound, _: bound - 1,
    "maximum": lambda bound, _: bound + 1,
    "maxItems": lambda bound, value: value[:1] * (bound + 1),
    "maxProperties": lambda bound, value: dict.fromkeys(
        (f"k{n}" for n in range(bound + 1)), next(iter(value.values()))
    ),
}
"""A value that breaks each bound, from the bound and a valid value."""


def _broken(schema: dict[str, Any], value: Any, path: Steps) -> Iterator[Change]:
    if value is None:
        return
    for name, make in _BREAKS.items():
        if name in schema:
            yield name, path, make(schema[name], value)
    for name, empty in _LEAST.items():
        if schema.get(name):
            yield name, path, empty
