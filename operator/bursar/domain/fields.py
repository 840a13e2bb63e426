"""Reads fields of objects that tenants write: what is missing or of the wrong type is absent.

Nothing here raises, so that the core can ask any object anything.
"""

from collections.abc import Mapping
from typing import Any


def mapping(holder: object, key: str) -> Mapping[Any, Any]:
    """The object in a field; an empty one where there is none."""
    value = holder.get(key) if isinstance(holder, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def text(holder: object, key: str) -> str:
    """The text in a field; blank where there is none."""
    value = holder.get(key) if isinstance(holder, Mapping) else None
    return value if isinstance(value, str) else ""


def texts(holder: object, key: str) -> dict[str, str]:
    """Labels or annotations: those whose key and value are text."""
    return {
        name: value
        for name, value in mapping(holder, key).items()
        if isinstance(name, str) and isinstance(value, str)
    }
