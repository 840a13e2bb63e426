"""Where a price comes from, step by step, and what goes with it."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from bursar.domain.money import NANO
from bursar.domain.rate import Rate
from bursar.domain.time import Ms, parse_time
from bursar.domain.unknown import Unknown
from bursar.domain.workload import NodeFacts
from bursar.price.books import Books, capacity_type, merge, ties
from bursar.price.commitments import assign
from bursar.price.rates import Defaults, rate_at, trace
from support.books import DGX, book, books
from support.catalog import catalog
from support.fleet import demo, facts

ALL = {"nodeSelector": {}}
EUR = [{"currency": "EUR", "rate": "1.1"}]


def ms(text: str) -> Ms:
    moment = parse_time(text)
    assert moment is not None
    return moment


NOW = ms("2026-11-10T00:00:00Z")
TERM = {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}


def now(node: NodeFacts, rules: Books, defaults: Defaults | None = None) -> Rate:
    found = rate_at(node, rules, catalog(), defaults or Defaults(), NOW)
    assert isinstance(found, Rate)
    return found


def steps(
    node: NodeFacts, rules: Books | None = None, defaults: Defaults | None = None
) -> list[str]:
    rules = assign(rules or Books(), [node], NOW)
    found = trace(node, rules, catalog(), defaults or Defaults(), NOW)
    return [f"{each.source}: {each.outcome}" for each in found]


LIST = "catalog 2026-07-20 aws us-east-1 p5.48xlarge on-demand"


@pytest.mark.parametrize(
    ("given", "spec", "last"),
    [
        pytest.param(
            {"opencost_price": "7", "hourly_price": "8"},
            {
                "commitments": [{"name": "c", "count": 1, "perHour": "9", "term": TERM}],
                "rates": [{"name": "r", "perHour": "10"}],
                "ownedHardware": [DGX | ALL],
            },
            [
                "commitment: 9.000000 USD an hour, PriceBook book/c (commitment)",
                "outcome: 9.000000 USD an hour, PriceBook book/c (commitment)",
            ],
            id="a commitment goes before all",
        ),
        pytest.param(
            {"opencost_price": "7", "hourly_price": "8"},
            {"rates": [{"name": "r", "perHour": "10"}], "ownedHardware": [DGX | ALL]},
            [
                "price book: 10.000000 USD an hour, PriceBook book/r",
                "outcome: 10.000000 USD an hour, PriceBook book/r",
            ],
            id="then a rate",
        ),
        pytest.param(
            {"opencost_price": "7", "hourly_price": "8"},
            {"ownedHardware": [DGX | ALL]},
            [
                "owned hardware: 13.145033 USD an hour, PriceBook book/dgx (owned)",
                "outcome: 13.145033 USD an hour, PriceBook book/dgx (owned)",
            ],
            id="then owned hardware",
        ),
        pytest.param(
            {"opencost_price": "7", "hourly_price": "8"},
            {},
            [
                "annotation: 8.000000 USD an hour, node annotation bursar.dev/hourly-price",
                "outcome: 8.000000 USD an hour, node annotation bursar.dev/hourly-price",
            ],
            id="then the annotation",
        ),
        pytest.param(
            {"opencost_price": "7", "hourly_price": "dear"},
            {},
            [
                "OpenCost: 7.000000 USD an hour, OpenCost node_total_hourly_cost",
                "outcome: 7.000000 USD an hour, OpenCost node_total_hourly_cost",
            ],
            id="then OpenCost",
        ),
        pytest.param(
            {"opencost_price": "0"},
            {},
            [f"catalog: 55.040000 USD an hour, {LIST}", f"outcome: 55.040000 USD an hour, {LIST}"],
            id="then the catalog",
        ),
        pytest.param(
            {},
            {"rates": [{"name": "off", "discountPercent": "50", "currency": "EUR"}]},
            [
                f"catalog: 55.040000 USD an hour, {LIST}",
                f"outcome: 27.520000 USD an hour, PriceBook book/off × 0.5 on {LIST}",
            ],
            id="a discount applies to the source that states a price",
        ),
        pytest.param(
            {},
            {"exchangeRates": EUR, "rates": [{"name": "r", "perHour": "10", "currency": "EUR"}]},
            [
                "price book: 10.000000 EUR an hour, PriceBook book/r",
                "outcome: 11.000000 USD an hour, PriceBook book/r",
            ],
            id="a foreign price is converted at the end",
        ),
        pytest.param(
            {},
            {"rates": [{"name": "r", "perHour": "10", "currency": "EUR"}]},
            [
                "price book: 10.000000 EUR an hour, PriceBook book/r",
                "outcome: unpriced: PriceBook book/r is in EUR, and no exchange rate to USD holds",
            ],
            id="where nobody tells what it is worth, it is unpriced",
        ),
    ],
)
def test_the_first_source_that_states_a_price_ends_the_search(
    given: dict[str, Any], spec: dict[str, Any], last: list[str]
) -> None:
    assert steps(replace(demo("h100"), **given), books(**spec))[-2:] == last


def test_each_source_that_says_nothing_says_why() -> None:
    other = {"name": "r", "perHour": "1", "accelerator": "t4-16gb"}
    taken = {"name": "c", "count": 1, "perHour": "9", "term": TERM}
    rules = books(rates=[other], commitments=[taken])
    older, younger = replace(demo("h100"), uid="a"), replace(demo("h100"), uid="b")
    given = assign(rules, [older, younger], NOW)
    found = trace(younger, given, catalog(), Defaults(), NOW)
    assert [(each.source, each.outcome) for each in found[:5]] == [
        ("commitment", "older nodes hold all that is committed to"),
        ("price book", "no rule is for this node now"),
        ("owned hardware", "no entry is for this node now"),
        ("annotation", "the node has no bursar.dev/hourly-price"),
        ("OpenCost", "no node_total_hourly_cost of this node is known"),
    ]
    assert [each.found for each in found] == [False] * 5 + [True, True]


def test_the_search_for_a_machine_that_no_list_has() -> None:
    found = steps(demo("dgx-h100"))
    assert found[5] == "catalog: the node has no instance type"
    assert found[6].endswith(
        "default for h100-sxm5-80gb (hyperscalers, catalog 2026-10-04), assumed"
    )


def test_the_search_may_find_nothing() -> None:
    found = steps(facts({"nvidia.com/gpu.count": "4"}))
    assert found[-2] == "operator's default rate: none is set"
    assert found[-1].startswith("outcome: unpriced: the node has no instance type; ")
    odd = replace(facts({}), devices=Unknown("nobody counted"))
    assert "nobody counted" in steps(odd, defaults=Defaults(per_device_hour=Fraction(3)))[-2]


def test_opencosts_currency_is_converted_like_any_other() -> None:
    node = replace(demo("h100"), opencost_price="50")
    rules = books(exchangeRates=EUR)
    found = now(node, rules, Defaults(opencost_currency="EUR"))
    assert (found.total / NANO, found.assumed) == (55, False)


# --- what goes with a price ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"a": "0.1", "b": "0.2"}, "0.9", id="the first book by name holds"),
        pytest.param({"a": "0.000", "b": "0.2"}, "0.8", id="a share of zero is none"),
        pytest.param({"a": None, "b": "0.25"}, "0.75", id="nor is one that is not set"),
        pytest.param({"a": None}, "1", id="without any, devices carry all"),
    ],
)
def test_what_of_a_price_devices_carry(given: dict[str, str | None], expected: str) -> None:
    made = [
        book(name, **({} if share is None else {"cpuMemoryShare": share}))
        for name, share in given.items()
    ]
    for order in (made, made[::-1]):
        assert now(demo("h100"), merge(order)).devices_part == Fraction(expected)


def test_utilization_is_expected_of_owned_hardware_alone() -> None:
    rules = books(ownedHardware=[DGX | {"expectedUtilization": "0.8"}])
    assert now(demo("dgx-h100"), rules).utilization == Fraction("0.8")
    assert now(demo("h100"), rules).utilization == 1
    dearer = books(
        ownedHardware=[DGX | {"expectedUtilization": "0.8"}],
        rates=[{"name": "x", "multiplier": "2"}],
    )
    assert now(demo("dgx-h100"), dearer).utilization == Fraction("0.8")


@pytest.mark.parametrize(
    ("told", "entry", "expected"),
    [
        pytest.param("unknown", ALL, "owned", id="a book calls it owned, and nothing else does"),
        pytest.param("on-demand", ALL, "on-demand", id="labels go before a book"),
        pytest.param("owned", {}, "unknown", id="of another machine: no longer owned"),
        pytest.param(
            "unknown",
            ALL | {"inServiceFrom": "2026-12-01T00:00:00Z"},
            "unknown",
            id="not in service yet",
        ),
    ],
)
def test_how_a_node_is_bought(told: str, entry: dict[str, Any], expected: str) -> None:
    node = replace(demo("h100"), capacity_type=told)
    assert capacity_type(node, books(ownedHardware=[DGX | entry]), NOW) == expected


@pytest.mark.parametrize("kind", ["on-demand", "spot", "reserved", "capacity-block", "owned"])
def test_a_rule_selects_each_capacity_type(kind: str) -> None:
    rules = books(rates=[{"name": "r", "perHour": "1", "capacityTypes": [kind]}])
    node = replace(demo("h100"), capacity_type=kind)
    assert now(node, rules).origin == "PriceBook book/r"
    assert now(replace(node, capacity_type="unknown"), rules).origin != "PriceBook book/r"


# --- ties ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        pytest.param(
            {"cpuMemoryShare": "0.1"},
            {"cpuMemoryShare": "0.2"},
            ("PriceBook a/cpuMemoryShare", "PriceBook b/cpuMemoryShare"),
            id="two shares for CPU and memory",
        ),
        pytest.param(
            {"exchangeRates": EUR},
            {"exchangeRates": [{"currency": "EUR", "rate": "1.2"}]},
            ("PriceBook a/exchangeRates EUR", "PriceBook b/exchangeRates EUR"),
            id="two rates of one currency from one moment",
        ),
        pytest.param(
            {"exchangeRates": EUR, "cpuMemoryShare": "0.1"},
            {"exchangeRates": EUR, "cpuMemoryShare": "0.1"},
            (),
            id="the same twice",
        ),
        pytest.param(
            {"exchangeRates": EUR},
            {"exchangeRates": [EUR[0] | {"rate": "2", "validFrom": "2026-01-01T00:00:00Z"}]},
            (),
            id="a later rate is no tie",
        ),
    ],
)
def test_entries_of_which_only_the_name_decided(
    one: dict[str, Any], two: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert merge([book("b", **two), book("a", **one)]).conflicts == expected


def test_owned_hardware_ties_as_rates_do() -> None:
    rules = merge(
        [
            book("a", ownedHardware=[DGX]),
            book("b", ownedHardware=[DGX | {"purchasePrice": "300000"}]),
        ]
    )
    assert ties(rules, demo("dgx-h100"), NOW) == ("PriceBook a/dgx", "PriceBook b/dgx")


def test_two_commitments_for_the_same_nodes_are_no_tie() -> None:
    one = {"name": "c", "count": 1, "perHour": "9", "term": TERM}
    rules = merge([book("a", commitments=[one]), book("b", commitments=[one | {"perHour": "8"}])])
    assert ties(rules, demo("h100"), NOW) == rules.conflicts == ()
