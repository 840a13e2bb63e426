"""Text made into a label value that Kubernetes accepts.

A value that had to be cut keeps a short hash of the whole, so that two long names that begin alike
stay two labels, in every run alike. It must never raise: what has no legal character at all is the
empty value, which is legal too.
"""

import hashlib
import re

LONGEST = 63
"""Characters of a label value (Kubernetes API conventions)."""

_HASH = 8
_LEGAL = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_.-]+")
_EDGES = "-_."


def legal_label_value(text: str) -> str:
    """Make a legal label value of any text.

    Args:
        text: anything, of any length; a value that is legal already comes back as it is.

    Returns:
        At most 63 characters: each run of illegal characters is one `_`, illegal edges are
        dropped, and a longer one ends in `-` and eight hexadecimal digits of its SHA-256.
    """
    if len(text) <= LONGEST and _LEGAL.fullmatch(text):
        return text
    value = _ILLEGAL.sub("_", text).strip(_EDGES)
    if len(value) <= LONGEST:
        return value
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    return f"{value[: LONGEST - _HASH - 1].rstrip(_EDGES)}-{digest}"
