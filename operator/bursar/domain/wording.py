"""How amounts and moments are written in sentences for people.

Decides only the form; whoever writes a sentence decides what it says. English, independent of any
locale, and the same for the same input: a text that changes is a write to the API server.
"""

from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from zoneinfo import ZoneInfo

from bursar.domain.budget import Measure
from bursar.domain.money import NANO, format_fraction
from bursar.domain.rate import Rate
from bursar.domain.time import HOUR, Ms, to_datetime

_SYMBOLS = {"USD": "$", "EUR": "€"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = {Measure.GPU_HOURS: "GPU-hours", Measure.NORMALIZED_GPU_HOURS: "normalized GPU-hours"}


def zone(name: str) -> tzinfo | None:
    """Find a time zone by its IANA name; None where there is no such zone."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC if name == "UTC" else None


def factors(rate: Rate, share: Fraction) -> str:
    """Write what a pod pays an hour as a product, without the factors that are 1."""
    told = f"{format_fraction(rate.total / NANO, 6)}/h x {share}"
    if rate.devices_part != 1:
        told += f" x {rate.devices_part} for its devices"
    if rate.utilization != 1:
        told += f" / {rate.utilization} expected use"
    return told


def number(value: Fraction, places: int) -> str:
    """Write with thousands separated, cut to `places` decimals; no decimals where it is whole."""
    scaled = abs(value.numerator) * 10**places // value.denominator
    whole, rest = divmod(scaled, 10**places)
    sign = "-" if value < 0 and scaled else ""
    if not rest:
        return f"{sign}{whole:,}"
    digits = f"{rest:0{places}d}".rstrip("0")
    return f"{sign}{whole:,}.{digits:0<2}"


def money(nano: Fraction, currency: str, *, places: int = 9) -> str:
    """Write nano-units, such as `$12,000`, `€0.07` or `CHF 9.50`."""
    text = number(nano / NANO, places)
    symbol = _SYMBOLS.get(currency)
    if symbol is None:
        return f"{currency} {text}"
    return f"-{symbol}{text[1:]}" if text.startswith("-") else f"{symbol}{text}"


def rate(nano_per_hour: Fraction, currency: str) -> str:
    """Write nano-units an hour with two decimals, such as `$35.52/h`; six where it is tiny."""
    places = 2 if nano_per_hour == 0 or nano_per_hour >= NANO // 100 else 6
    scaled = (nano_per_hour / NANO * 10**places).__floor__()
    whole, rest = divmod(scaled, 10**places)
    text = f"{whole:,}.{rest:0{places}d}"
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{text}/h" if symbol else f"{currency} {text}/h"


def amount(value: Fraction, measure: Measure, currency: str) -> str:
    """Write an amount in its measure: nano-units as money, device-milliseconds as GPU-hours."""
    if measure is Measure.COST:
        return money(value, currency)
    return f"{number(value / HOUR, 2)} {_UNITS[measure]}"


def day(moment: Ms, time_zone: str) -> str:
    """Write the day in that zone, such as `1 Nov`."""
    local = _local(moment, time_zone)
    return f"{local.day} {_MONTHS[local.month - 1]}"


def minute(moment: Ms, time_zone: str, *, beside: Ms) -> str:
    """Write to the minute, such as `26 Nov 22:25 (Europe/Berlin)`.

    Args:
        moment: what to write, rounded down to the minute.
        time_zone: IANA name.
        beside: a moment that the reader has in mind; the year is written where it differs.
    """
    local = _local(moment, time_zone)
    year = f" {local.year}" if local.year != _local(beside, time_zone).year else ""
    return f"{day(moment, time_zone)}{year} {local:%H:%M} ({time_zone})"


def clip(text: str, longest: int) -> str:
    """Cut a text to a length, with an ellipsis where something was cut."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _local(moment: Ms, time_zone: str) -> datetime:
    return to_datetime(moment).astimezone(zone(time_zone) or UTC)
