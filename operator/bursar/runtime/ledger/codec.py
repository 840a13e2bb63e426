"""Text for what the tables keep as text: node facts as JSON, digests, and cleaned strings."""

import json
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from hashlib import blake2b
from typing import Any

from bursar.domain.unknown import Unknown
from bursar.domain.workload import NodeFacts

LONGEST = 253
"""Characters of any name that are kept: the longest that the API server lets an object have."""


def clean(text: str) -> str:
    """Text that every database takes: no NUL, no lone surrogates, not longer than `LONGEST`."""
    whole = text[:LONGEST].replace("\x00", "\ufffd")
    return whole.encode("utf-8", "replace").decode("utf-8")


def digest(*parts: object) -> str:
    """A key for interned content: equal parts, equal digest."""
    return blake2b(json.dumps(parts, default=str).encode(), digest_size=16).hexdigest()


def encode_labels(labels: Mapping[str, str]) -> str:
    """Labels as JSON."""
    return json.dumps({clean(key): clean(value) for key, value in sorted(labels.items())})


def encode_facts(facts: NodeFacts) -> str:
    """Facts as JSON; exact numbers as text, what is unknown as its reason."""
    plain = {field.name: _plain(getattr(facts, field.name)) for field in fields(NodeFacts)}
    return json.dumps(plain)


def decode_facts(text: str | None) -> NodeFacts | None:
    """Read facts back; None where none were written."""
    if text is None:
        return None
    plain: dict[str, Any] = json.loads(text)
    devices = plain["devices"]
    plain["devices"] = (
        Unknown(devices["unknown"]) if isinstance(devices, dict) else Fraction(devices)
    )
    plain["device_fraction"] = Fraction(plain["device_fraction"])
    known = {field.name for field in fields(NodeFacts)}
    return NodeFacts(**{key: value for key, value in plain.items() if key in known})


def _plain(value: object) -> object:
    match value:
        case Fraction():
            return str(value)
        case Unknown(reason):
            return {"unknown": clean(reason)}
        case Mapping():
            return {clean(str(key)): clean(str(entry)) for key, entry in value.items()}
        case str():
            return clean(value)
        case _:
            return value
