"""How an audit writes figures, times and names that tenants chose.

A name goes to a terminal: what could move its cursor, change its colors or reverse its text is
replaced. Figures are rounded down, so that no sum looks larger than it is.
"""

from fractions import Fraction
from typing import Any

from bursar.domain import wording
from bursar.domain.money import NANO, format_fraction
from bursar.domain.time import DAY, HOUR, MINUTE, SECOND, Ms

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
LONGEST = 500
"""Characters of a tenant's text that are kept."""


def plain(text: str) -> str:
    """A text without control, formatting or unpaired characters, of bounded length."""
    cut = wording.clip(text, LONGEST)
    return cut if cut.isprintable() else "".join(c if c.isprintable() else REPLACEMENT for c in cut)


def cleaned(value: Any) -> Any:
    """A document in which every text is `plain`."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain(str(key)): cleaned(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(each) for each in value]
    return value


def money(nano: Fraction, currency: str) -> str:
    """An amount in a sentence: `$0.35`, `$35.52`, `$12,340`."""
    if 0 < nano < NANO // 100:
        return "<" + wording.money(Fraction(NANO, 100), currency)
    whole = abs(nano) >= 1000 * NANO
    return wording.money(nano, currency, places=0 if whole else 2)


def hourly(nano: Fraction, currency: str) -> str:
    """A rate in a sentence: `$35.52/h`."""
    return wording.rate(nano, currency)


def fixed(nano: Fraction) -> str:
    """An amount in a column: thousands apart, and two decimals where it is below a million."""
    whole, _, cents = format_fraction(nano / NANO, 2).partition(".")
    return f"{int(whole):,}" if int(whole) >= 10**6 else f"{int(whole):,}.{cents}"


def count(value: Fraction) -> str:
    """A number of devices: `8`, `0.26`."""
    return wording.number(value, 2)


def span(length: Ms) -> str:
    """A length of time in its two largest units: `9 d 4 h`, `3 h 10 m`, `12 m`, `40 s`."""
    length = max(0, length)
    for large, unit, small, part in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "m"),
    ):
        if length >= large:
            rest = length % large // small
            return (
                f"{length // large} {unit} {rest} {part}" if rest else f"{length // large} {unit}"
            )
    return f"{length // MINUTE} m" if length >= MINUTE else f"{length // SECOND} s"


def percent(part: Fraction, whole: Fraction) -> str:
    """A share: `61 %`; a dash where there is nothing to have a share of."""
    if not whole:
        return "–"
    value = 100 * part / whole
    return "<1 %" if 0 < value < 1 else f"{int(value)} %"


def plural(number: int, one: str, many: str = "") -> str:
    """`1 pod`, `2 pods`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: list[str], most: int = 4) -> str:
    """`a, b, c and 5 more`."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
