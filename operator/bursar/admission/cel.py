"""Small builders for CEL, the API server's expression language.

Decides how Python values are spelled in CEL. Never evaluates anything: what an expression means is
decided by the API server, and shown by the tests that run against one.
"""

import json
from collections.abc import Iterable


def text(value: str) -> str:
    """A string literal; CEL's escapes are a superset of JSON's."""
    return json.dumps(value, ensure_ascii=True)


def texts(values: Iterable[str]) -> str:
    """A list of string literals."""
    return "[" + ", ".join(map(text, values)) + "]"


def any_of(*terms: str) -> str:
    """Alternatives, one a line, in parentheses."""
    return "(" + "\n|| ".join(terms) + ")"


def all_of(*terms: str) -> str:
    """Conditions that must all hold, one a line, in parentheses."""
    return "(" + "\n&& ".join(terms) + ")"


def labels_of(thing: str) -> str:
    """The labels of an object, empty where it has none."""
    return f"{thing}.metadata.?labels.orValue({{}})"


def annotations_of(thing: str) -> str:
    """The annotations of an object, empty where it has none."""
    return f"{thing}.metadata.?annotations.orValue({{}})"
