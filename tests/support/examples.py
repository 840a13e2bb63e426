"""The documented examples, as objects, and small changes to them."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples"

DROP = object()
"""A change's value that takes the field away."""


def resources() -> dict[str, list[dict[str, Any]]]:
    """All objects of our group in the examples, by the file's name."""
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        documents = [each for each in yaml.safe_load_all(path.read_text("utf-8")) if each]
        found[path.name] = [_with_text_keys(each) for each in documents]
    return found


GRANT = {
    "name": "deadline",
    "amount": "2000",
    "until": "2026-11-30T00:00:00Z",
    "reason": "paper deadline",
    "grantedBy": "lee",
}
"""What the budget's example shows as a comment, because only lee may write it."""


def example(kind: str) -> dict[str, Any]:
    """The first example of a kind; a budget's with its grant."""
    found = next(
        each for objects in resources().values() for each in objects if each["kind"] == kind
    )
    return changed(found, {"spec.grants": [dict(GRANT)]}) if kind == "AIBudget" else found


def changed(obj: dict[str, Any], changes: Mapping[Any, Any]) -> dict[str, Any]:
    """A copy with values put at paths, or dropped from there.

    A path is `spec.rates.0.perHour`, or a tuple of its steps where a key holds dots.
    """
    result = copy.deepcopy(obj)
    for path, value in changes.items():
        *way, last = path.split(".") if isinstance(path, str) else path
        place: Any = result
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        if value is DROP:
            del place[last]
        elif isinstance(place, list):
            place[int(last) : int(last) + 1] = [value]
        else:
            place[last] = value
    return result


def _with_text_keys(value: Any) -> Any:
    """Spell keys as JSON does: YAML 1.1 reads an unquoted `on` as true."""
    if isinstance(value, dict):
        return {
            "true" if key is True else str(key): _with_text_keys(each)
            for key, each in value.items()
        }
    return [_with_text_keys(each) for each in value] if isinstance(value, list) else value
