"""Manifests from a file: JSON Lines, JSON, YAML with several documents, and lists of objects.

Each document is read by itself, so that one that is broken does not hide the others. What a reader
must bear is bounded: the file's size, and for each document the number of values that aliases and
merge keys expand to, the depth, and the number of aliases. Never raises on a document; only a file
that can't be opened or is too large is an error.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from bursar.errors import BursarError

FILE_LIMIT = 64 * 2**20
"""Bytes of a file. The API server takes 3 MiB an object, so this is a large cluster's export."""
OBJECT_LIMIT = 1_000_000
"""Values of one object, aliases expanded."""
LIST_LIMIT = 20_000_000
"""Values of a document that may be a list of objects, aliases expanded."""
DEPTH_LIMIT = 100
ALIAS_LIMIT = 1000
MERGE_LIMIT = 10_000

_MARKER = re.compile(r"^---(?=[ \t\r\n]|$)", re.MULTILINE)
_NOTHING = re.compile(r"(?:\s|#[^\n]*(?:\n|$)|%[^\n]*(?:\n|$)|^\.\.\.[ \t]*$)*", re.MULTILINE)
_BROKEN = (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError, AttributeError)
_BLANK = re.compile(r"\s*")
_LISTS_DEEP = 4


class ManifestFileError(BursarError):
    """A file of manifests can't be read at all."""

    exit_code = 2

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(f"{file}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document: an object, or why there is none.

    Attributes:
        parsed: whether it could be read at all, be it an object or not.
    """

    manifest: Mapping[str, Any] | None
    error: str
    parsed: bool


def read(file: str) -> str:
    """The text of a file, `-` for standard input.

    Raises:
        ManifestFileError: it can't be opened, or has more than FILE_LIMIT bytes.
    """
    try:
        if file == "-":
            data = _bounded(sys.stdin.buffer)
        else:
            with Path(file).open("rb") as stream:
                data = _bounded(stream)
    except OSError as error:
        raise ManifestFileError(file, error.strerror or str(error)) from error
    if len(data) > FILE_LIMIT:
        raise ManifestFileError(file, f"more than {FILE_LIMIT >> 20} MiB")
    return data.decode("utf-8-sig", errors="replace")


def documents(text: str) -> Iterator[Document]:
    """The documents of a text in their order; items of a list are documents."""
    for value in _values(text):
        if isinstance(value, Document):
            yield value
        else:
            yield from _objects(value, 0)


def _bounded(stream: IO[bytes]) -> bytes:
    return stream.read(FILE_LIMIT + 1)


def _values(text: str) -> Iterator[Any]:
    """Each document's value, or a Document that says what is wrong with it."""
    if text.lstrip()[:1] in ("{", "["):
        whole = _json_stream(text)
        if whole is not None:
            yield from whole
            return
    lines = [line for line in text.splitlines() if line.strip()]
    if _is_json_lines(lines):
        yield from (_json(line) for line in lines)
        return
    for part in _MARKER.split(text):
        if not _NOTHING.fullmatch(part):
            yield _yaml(part)


def _json_stream(text: str) -> list[Any] | None:
    """One or several JSON values one after the other; None where any of the text is not JSON."""
    decoder = json.JSONDecoder()
    values: list[Any] = []
    at = _BLANK.match(text, 0).end()  # type: ignore[union-attr]
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        values.append(_measured(value))
        at = _BLANK.match(text, at).end()  # type: ignore[union-attr]
    return values


def _is_json_lines(lines: list[str]) -> bool:
    """Some line is an object by itself, and no line parts YAML documents."""
    if any(line.startswith("---") for line in lines):
        return False
    return any(line.startswith("{") and isinstance(_json(line), Mapping) for line in lines[:100])


def _measured(value: Any) -> Any:
    try:
        _measure(value)
    except _BROKEN as error:
        return _unreadable(error)
    return value


def _json(text: str) -> Any:
    try:
        value = json.loads(text)
        _measure(value)
    except _BROKEN as error:
        return _unreadable(error)
    return value


def _yaml(text: str) -> Any:
    try:
        _scan(text)
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader with bounds
        _measure(value)
    except _BROKEN as error:
        return _unreadable(error)
    return value


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """The safe loader, with a bound on what merge keys copy."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > MERGE_LIMIT:
            raise yaml.YAMLError(f"merge keys make more than {MERGE_LIMIT} entries of one mapping")


def _scan(text: str) -> None:
    """Look at a document's events before it is composed, which the C library does by recursion.

    Raises:
        yaml.YAMLError: too deep, too many aliases, or no YAML.
    """
    depth = aliases = 0
    for event in yaml.parse(text, Loader=_Base):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > DEPTH_LIMIT:
            raise yaml.YAMLError(f"nested deeper than {DEPTH_LIMIT}")
        if aliases > ALIAS_LIMIT:
            raise yaml.YAMLError(f"more than {ALIAS_LIMIT} aliases")


def _measure(value: object, limit: int = LIST_LIMIT) -> None:
    """Refuse what would expand too far: aliases share values, and walking follows each of them.

    Raises:
        ValueError: too many values, too deep, or a value that contains itself.
    """
    sizes: dict[int, int] = {}
    inside: set[int] = set()

    def size(item: object, depth: int) -> int:
        if not isinstance(item, (Mapping, list)):
            return 1
        key = id(item)
        if key in inside:
            raise ValueError("a value contains itself")
        if depth > DEPTH_LIMIT:
            raise ValueError(f"nested deeper than {DEPTH_LIMIT}")
        if key not in sizes:
            inside.add(key)
            children = item.values() if isinstance(item, Mapping) else item
            sizes[key] = 1 + sum(size(child, depth + 1) for child in children)
            inside.discard(key)
        if sizes[key] > limit:
            raise ValueError(f"expands to more than {limit} values")
        return sizes[key]

    size(value, 0)


def _objects(value: Any, depth: int) -> Iterator[Document]:
    """Take lists apart."""
    if isinstance(value, Document):
        yield value
        return
    items = _items(value)
    if items is not None and depth < _LISTS_DEEP:
        for item in items:
            yield from _objects(item, depth + 1)
    elif isinstance(value, Mapping):
        yield _object(value)
    else:
        kind = type(value).__name__
        yield Document(manifest=None, error=f"a {kind}, not an object", parsed=True)


def _object(value: Mapping[str, Any]) -> Document:
    try:
        _measure(value, OBJECT_LIMIT)
    except ValueError as error:
        return _unreadable(error)
    return Document(manifest=value, error="", parsed=True)


def _items(value: Any) -> list[Any] | None:
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping) and str(value.get("kind")).endswith("List"):
        items = value.get("items")
        return items if isinstance(items, list) else None
    return None


def _unreadable(error: BaseException) -> Document:
    text = " ".join(str(error).split()) or type(error).__name__
    return Document(manifest=None, error=text[:240], parsed=False)
