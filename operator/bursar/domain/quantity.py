"""Kubernetes quantities (`8`, `0.5`, `1k`, `500m`, `2Gi`, `1e3`), exactly.

The grammar is that of `k8s.io/apimachinery/pkg/api/resource.Quantity`.
"""

import re
from fractions import Fraction

from bursar.domain.unknown import Unknown

_QUANTITY = re.compile(
    r"([+-]?)([0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})"
    r"(?:(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)|[eE]([+-]?[0-9]{1,2}))?"
)
_TOO_LARGE = 10**30
_SUFFIX = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 10**3),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9),
    "T": Fraction(10**12), "P": Fraction(10**15), "E": Fraction(10**18),
    "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30),
    "Ti": Fraction(2**40), "Pi": Fraction(2**50), "Ei": Fraction(2**60),
}  # fmt: skip


def parse_quantity(value: object) -> Fraction | Unknown:
    """Read a quantity as manifests and the API write it (a string, or a bare integer in YAML).

    Returns:
        The exact number, negative ones too; `Unknown` with the reason for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return Unknown(f"a quantity is a string or a number, not {type(value).__name__}")
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        return Unknown("a quantity of more than thirty digits is none that a node could have")
    text = str(value).strip()
    match = _QUANTITY.fullmatch(text) if len(text) <= 64 else None
    if match is None:
        return Unknown(f"{text[:40]!r} is not a Kubernetes quantity")
    sign, digits, suffix, exponent = match.groups()
    number = Fraction(digits.rstrip(".") if digits[-1] == "." else digits)
    if suffix:
        number *= _SUFFIX[suffix]
    elif exponent:
        number *= Fraction(10) ** int(exponent)
    return -number if sign == "-" else number
