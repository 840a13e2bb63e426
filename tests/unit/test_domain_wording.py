"""How amounts and moments are written for people."""

from fractions import Fraction

import pytest

from bursar.domain import wording
from bursar.domain.budget import Measure
from bursar.domain.money import NANO
from bursar.domain.time import HOUR
from support.purses import at


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        pytest.param("12000", "USD", "$12,000", id="whole dollars have no decimals"),
        pytest.param("0.07", "EUR", "€0.07", id="cents have two"),
        pytest.param("9.5", "CHF", "CHF 9.50", id="other currencies by their code, tenths padded"),
        pytest.param("0.000000001", "USD", "$0.000000001", id="a nano-unit is not nothing"),
        pytest.param("-3", "USD", "-$3", id="a sign stands before the symbol"),
        pytest.param("0", "USD", "$0", id="nothing"),
    ],
)
def test_money(amount: str, currency: str, text: str) -> None:
    assert wording.money(Fraction(amount) * NANO, currency) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        pytest.param("35.52", "$35.52/h", id="cents"),
        pytest.param("1234.5", "$1,234.50/h", id="thousands"),
        pytest.param("0.000123", "$0.000123/h", id="a tiny rate is not nothing"),
        pytest.param("0", "$0.00/h", id="nothing"),
    ],
)
def test_rate(amount: str, text: str) -> None:
    assert wording.rate(Fraction(amount) * NANO, "USD") == text


def test_device_time_is_written_in_hours() -> None:
    assert wording.amount(Fraction(4000 * HOUR), Measure.GPU_HOURS, "USD") == "4,000 GPU-hours"
    third = Fraction(HOUR, 3)
    normalized = wording.amount(third, Measure.NORMALIZED_GPU_HOURS, "USD")
    assert normalized == "0.33 normalized GPU-hours"


def test_a_moment_is_written_in_the_budgets_zone_with_the_year_only_where_it_differs() -> None:
    now = at("2026-11-24T12:00:00Z")
    berlin = "Europe/Berlin"
    close, reopen = at("2026-11-26T21:25:56Z"), at("2026-12-31T23:00:00Z")
    assert wording.minute(close, berlin, beside=now) == "26 Nov 22:25 (Europe/Berlin)"
    assert wording.minute(reopen, berlin, beside=now) == "1 Jan 2027 00:00 (Europe/Berlin)"


@pytest.mark.parametrize(
    "name", ["Atlantis/Capital", "Europe", "../etc/passwd", "", "/UTC", "a\0b"]
)
def test_what_is_no_zone_is_none_and_never_an_error(name: str) -> None:
    assert wording.zone(name) is None


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert wording.clip("abcdef", 4) == "abc…"
    assert wording.clip("abcd", 4) == "abcd"
