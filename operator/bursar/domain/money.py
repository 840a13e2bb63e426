"""Exact money: integers of nano-units (10^-9 of one unit of the currency), `Fraction` on the way.

A float never enters: a year of sevenths of a cent must add up to the same sum however it is cut.
"""

import re
from fractions import Fraction

NANO = 10**9
MAX_DIGITS = 18
_DECIMAL = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS}}}(?:\.[0-9]{{1,{MAX_DIGITS}}})?")


def parse_decimal(text: object) -> Fraction | None:
    """Read a plain decimal string such as `"12000"` or `"0.07"`, exactly.

    Returns:
        The number; None for anything that is no plain decimal (exponents, floats, blanks).
    """
    if not isinstance(text, str) or len(text) > 2 * MAX_DIGITS + 2:
        return None
    return Fraction(text) if _DECIMAL.fullmatch(text) else None


def format_nano(nano: int, places: int = 6) -> str:
    """Write nano-units as a decimal string in whole units, rounded towards zero to `places`."""
    # Not as a fraction, which is six times as slow: a report writes a million of these.
    scaled = abs(nano) * 10**places // NANO
    return _decimal(scaled, places, negative=nano < 0)


def format_fraction(amount: Fraction, places: int = 6) -> str:
    """Write any exact amount as a decimal string with `places` decimals, rounded towards zero."""
    scaled = abs(amount.numerator) * 10**places // amount.denominator
    return _decimal(scaled, places, negative=amount.numerator < 0)


def _decimal(scaled: int, places: int, *, negative: bool) -> str:
    sign = "-" if negative and scaled else ""
    whole, rest = divmod(scaled, 10**places)
    return f"{sign}{whole}.{rest:0{places}d}" if places else f"{sign}{whole}"
