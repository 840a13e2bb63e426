"""What a node costs an hour over time, and who says so."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from bursar.domain.money import NANO
from bursar.domain.rate import Rate, RatePeriod, Unpriced
from bursar.domain.time import HOUR, Ms, parse_time
from bursar.domain.unknown import Unknown
from bursar.domain.workload import NodeFacts
from bursar.price.books import Books, merge, ties
from bursar.price.owned import add_months, hours_of_month
from bursar.price.rates import Defaults, rate_at, rates
from support.books import DGX, book, books
from support.catalog import catalog
from support.fleet import demo, facts, place

NO_BOOKS = Books()
USD = Defaults()


def ms(text: str) -> Ms:
    moment = parse_time(text)
    assert moment is not None
    return moment


NOW = ms("2026-11-10T00:00:00Z")


def now(node: NodeFacts, rules: Books = NO_BOOKS, defaults: Defaults = USD) -> Rate:
    found = rate_at(node, rules, catalog(), defaults, NOW)
    assert isinstance(found, Rate)
    return found


def over(node: NodeFacts, rules: Books, since: str, until: str) -> tuple[RatePeriod, ...]:
    return rates(node, rules, catalog(), USD, ms(since), ms(until))


def per_hour(found: Rate | Unpriced) -> Fraction:
    assert isinstance(found, Rate)
    return found.total / NANO


@pytest.mark.parametrize(
    ("model", "price", "origin", "assumed"),
    [
        (
            "h100",
            "55.04",
            "catalog 2026-07-20 aws us-east-1 p5.48xlarge on-demand",
            False,
        ),
        (
            "a100-mig",
            "21.957642",
            "catalog 2026-07-20 aws us-east-1 p4d.24xlarge on-demand",
            False,
        ),
        ("l4-shared", "4.6016", "catalog 2026-07-20 aws us-east-1 g6.12xlarge on-demand", False),
        (
            "t4-spot",
            "1.40832",
            "catalog 2026-07-20 aws us-east-1 g4dn.12xlarge spot, estimated",
            False,
        ),
        (
            "mi300x",
            "48",
            "catalog 2026-06-18 azure eastus2 Standard_ND96isr_MI300X_v5 on-demand",
            False,
        ),
        (
            "dgx-h100",
            "84.24",
            "default for h100-sxm5-80gb (hyperscalers, catalog 2026-10-04)",
            True,
        ),
    ],
)
def test_nodes_of_the_demo_without_any_configuration(
    model: str, price: str, origin: str, assumed: bool
) -> None:
    found = now(demo(model))
    assert (per_hour(found), found.origin, found.assumed) == (Fraction(price), origin, assumed)
    assert found.capex == 0


def test_owned_hardware_by_hand() -> None:
    # (310,000 - 40,000) / 48 = 5,625 a month; November has 720 hours.
    # (900 + 1,500) / 720 + 10.2 kW x 1.4 x 0.14 = 3.3333... + 1.9992 an hour.
    found = now(demo("dgx-h100"), books(ownedHardware=[DGX]))
    assert found.capex == Fraction("7.8125") * NANO
    assert found.opex == (Fraction(10, 3) + Fraction("1.9992")) * NANO
    assert found.origin == "PriceBook book/dgx (owned)"
    assert not found.assumed


def test_owned_hardware_costs_each_month_the_same_sum() -> None:
    periods = over(
        demo("dgx-h100"),
        books(ownedHardware=[DGX | {"watts": None, "pricePerKWh": None}]),
        "2027-01-01T00:00:00Z",
        "2027-04-01T00:00:00Z",
    )
    costs = [
        per_hour(period.rate) * Fraction((period.until or 0) - period.since, HOUR)
        for period in periods
    ]
    assert costs == [Fraction(5625 + 2400)] * 3


def test_fully_depreciated_hardware_goes_on_costing_its_running() -> None:
    rules = books(ownedHardware=[DGX | {"depreciationMonths": 2}])
    periods = over(demo("dgx-h100"), rules, "2026-02-15T00:00:00Z", "2026-03-15T00:00:00Z")
    assert [period.since for period in periods] == [
        ms("2026-02-15T00:00:00Z"),
        ms("2026-03-01T00:00:00Z"),
    ]
    last = periods[-1].rate
    assert isinstance(last, Rate)
    assert last.capex == 0
    assert last.opex > 0


def test_before_its_service_owned_hardware_has_the_next_price() -> None:
    periods = over(
        demo("dgx-h100"),
        books(ownedHardware=[DGX | {"inServiceFrom": "2026-11-15T12:00:00Z"}]),
        "2026-11-10T00:00:00Z",
        "2026-11-20T00:00:00Z",
    )
    assert [isinstance(p.rate, Rate) and p.rate.assumed for p in periods] == [True, False]
    assert periods[1].since == ms("2026-11-15T12:00:00Z")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param({"perHour": "44.10"}, "44.10", id="for the node"),
        pytest.param({"perDeviceHour": "2.5"}, "20", id="for each device"),
        pytest.param({"discountPercent": 25}, "41.28", id="a discount on the list price"),
        pytest.param({"multiplier": "60"}, "3302.4", id="a multiple of the list price"),
        pytest.param(
            {"perHour": "1", "accelerator": "t4-16gb"}, "55.04", id="of another accelerator"
        ),
        pytest.param({"perHour": "1", "capacityTypes": ["spot"]}, "55.04", id="for spot only"),
        pytest.param(
            {"perHour": "1", "capacityTypes": ["spot", "on-demand"]}, "1", id="for on-demand too"
        ),
        pytest.param(
            {"perHour": "1", "nodeSelector": {"nvidia.com/gpu.family": "ada"}},
            "55.04",
            id="for other labels",
        ),
        pytest.param(
            {"perHour": "1", "validFrom": "2026-11-11T00:00:00Z"}, "55.04", id="not in force yet"
        ),
        pytest.param(
            {"perHour": "1", "validUntil": "2026-11-10T00:00:00Z"}, "55.04", id="no longer in force"
        ),
    ],
)
def test_a_rule_of_a_book(rule: dict[str, Any], expected: str) -> None:
    found = now(demo("h100"), books(rates=[{"name": "rule"} | rule]))
    assert per_hour(found) == Fraction(expected)
    assert ("book/rule" in found.origin) is (Fraction(expected) != Fraction("55.04"))


def test_the_origin_of_a_changed_price_names_both() -> None:
    found = now(demo("h100"), books(rates=[{"name": "x60", "multiplier": "60"}]))
    assert found.origin == (
        "PriceBook book/x60 × 60 on catalog 2026-07-20 aws us-east-1 p5.48xlarge on-demand"
    )


def test_a_multiplier_applies_to_owned_hardware_and_keeps_capex_apart() -> None:
    rules = books(rates=[{"name": "x60", "multiplier": "60"}], ownedHardware=[DGX])
    found = now(demo("dgx-h100"), rules)
    assert found.capex == Fraction("7.8125") * 60 * NANO


def test_a_change_applies_to_the_next_stated_price_and_not_to_another_change() -> None:
    rules = books(
        rates=[
            {"name": "for-all", "multiplier": "60"},
            {"name": "negotiated", "perHour": "44", "accelerator": "h100-sxm5-80gb"},
            {
                "name": "discount",
                "discountPercent": "50",
                "accelerator": "h100-sxm5-80gb",
                "capacityTypes": ["on-demand"],
            },
        ]
    )
    assert per_hour(now(demo("h100"), rules)) == 22


def test_the_most_specific_rule_wins_whatever_the_order() -> None:
    wide = {"name": "a-wide", "perHour": "1"}
    narrow = {"name": "z-narrow", "perHour": "2", "accelerator": "h100-sxm5-80gb"}
    for order in ([wide, narrow], [narrow, wide]):
        assert per_hour(now(demo("h100"), books(rates=order))) == 2


def test_of_equal_rules_the_later_one_wins_then_the_name_and_the_tie_is_told() -> None:
    one = book("a", rates=[{"name": "r", "perHour": "1"}])
    two = book("b", rates=[{"name": "r", "perHour": "2"}])
    later = book("c", rates=[{"name": "r", "perHour": "3", "validFrom": "2026-11-01T00:00:00Z"}])
    for order in ([one, two], [two, one]):
        assert per_hour(now(demo("h100"), merge(order))) == 1
        assert ties(merge(order), demo("h100"), NOW) == ("PriceBook a/r", "PriceBook b/r")
    assert per_hour(now(demo("h100"), merge([one, two, later]))) == 3
    assert ties(merge([one, later]), demo("h100"), NOW) == ()


def test_a_price_that_changes_applies_from_then_on_without_a_gap() -> None:
    rules = books(
        rates=[
            {"name": "old", "perHour": "40", "validUntil": "2026-11-10T06:00:00Z"},
            {"name": "new", "perHour": "50", "validFrom": "2026-11-10T12:00:00Z"},
            {
                "name": "other",
                "perHour": "9",
                "accelerator": "t4-16gb",
                "validFrom": "2026-11-10T01:00:00Z",
            },
        ]
    )
    periods = over(demo("h100"), rules, "2026-11-10T00:00:00Z", "2026-11-11T00:00:00Z")
    assert [per_hour(period.rate) for period in periods] == [40, Fraction("55.04"), 50]
    assert [period.since for period in periods] == [
        ms(f"2026-11-10T{hour}:00:00Z") for hour in ("00", "06", "12")
    ]
    assert [period.until for period in periods] == [
        ms("2026-11-10T06:00:00Z"),
        ms("2026-11-10T12:00:00Z"),
        ms("2026-11-11T00:00:00Z"),
    ]


def test_one_period_where_nothing_changes_and_none_for_an_empty_span() -> None:
    assert len(over(demo("h100"), NO_BOOKS, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")) == 1
    assert over(demo("h100"), NO_BOOKS, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z") == ()


@pytest.mark.parametrize(
    ("annotation", "expected", "note"),
    [
        ("12.5", "12.5", "node annotation bursar.dev/hourly-price"),
        ("0", "0", "node annotation bursar.dev/hourly-price"),
        ("-1", "55.04", "is no price"),
        ("1e3", "55.04", "is no price"),
        ("cheap", "55.04", "is no price"),
    ],
)
def test_the_nodes_own_annotation(annotation: str, expected: str, note: str) -> None:
    node = replace(demo("h100"), hourly_price=annotation)
    found = now(node)
    assert per_hour(found) == Fraction(expected)
    assert note in found.origin


def test_books_go_before_the_annotation() -> None:
    node = replace(demo("h100"), hourly_price="12.5")
    assert per_hour(now(node, books(rates=[{"name": "r", "perHour": "7"}]))) == 7


def test_the_last_resort_is_an_assumption() -> None:
    node = facts({"nvidia.com/gpu.count": "4"})
    found = now(node, defaults=Defaults(per_device_hour=Fraction(3)))
    assert (per_hour(found), found.assumed) == (12, True)


def test_without_any_source_a_node_is_unpriced_and_never_free() -> None:
    found = rate_at(facts({"nvidia.com/gpu.count": "4"}), NO_BOOKS, catalog(), USD, NOW)
    assert isinstance(found, Unpriced)
    assert "no instance type" in found.reason
    assert "no default price" in found.reason


def test_a_price_for_each_device_needs_their_number() -> None:
    node = replace(demo("h100"), devices=Unknown("nobody counted"))
    rules = books(rates=[{"name": "r", "perDeviceHour": "7"}])
    found = rate_at(node, rules, catalog(), USD, NOW)
    assert isinstance(found, Unpriced)
    assert "nobody counted" in found.reason


def test_currencies_are_converted_by_the_rate_of_the_time() -> None:
    rules = books(
        exchangeRates=[
            {"currency": "EUR", "rate": "1.08", "validFrom": "2026-01-01T00:00:00Z"},
            {"currency": "EUR", "rate": "1.10", "validFrom": "2026-11-10T12:00:00Z"},
        ],
        rates=[{"name": "r", "perHour": "10", "currency": "EUR"}],
    )
    periods = over(demo("h100"), rules, "2026-11-10T00:00:00Z", "2026-11-11T00:00:00Z")
    assert [per_hour(period.rate) for period in periods] == [Fraction("10.8"), 11]


def test_without_an_exchange_rate_a_foreign_price_is_unpriced() -> None:
    found = rate_at(demo("h100"), NO_BOOKS, catalog(), Defaults(currency="EUR"), NOW)
    assert isinstance(found, Unpriced)
    assert "USD" in found.reason


def test_weights_of_accelerators_come_from_the_first_book_by_name() -> None:
    one = book("b", acceleratorWeights=[{"accelerator": "t4-16gb", "weight": "0.1"}])
    two = book("a", acceleratorWeights=[{"accelerator": "t4-16gb", "weight": "0.08"}])
    assert merge([one, two]).weights == (("t4-16gb", Fraction("0.08")),)


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        ("2026-01-31T10:00:00Z", 1, "2026-02-28T10:00:00Z"),
        ("2027-12-15T00:00:00Z", 1, "2028-01-15T00:00:00Z"),
        ("2028-01-31T00:00:00Z", 1, "2028-02-29T00:00:00Z"),
        ("2026-01-01T00:00:00Z", 48, "2030-01-01T00:00:00Z"),
    ],
)
def test_months_later(start: str, months: int, expected: str) -> None:
    assert add_months(ms(start), months) == ms(expected)


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        ("2026-02-28T23:59:59Z", 672),
        ("2028-02-01T00:00:00Z", 696),
        ("2026-11-10T00:00:00Z", 720),
        ("2026-12-31T00:00:00Z", 744),
    ],
)
def test_hours_of_a_month(moment: str, hours: int) -> None:
    assert hours_of_month(ms(moment)) == hours


def test_place_without_labels_is_an_assumption() -> None:
    assert now(facts(place("p5.48xlarge"))).assumed
