"""What a budget in another currency has spent: by the rate of the moment of spending."""

from fractions import Fraction

import pytest

from bursar.budget.exchange import converted, foreseen
from bursar.domain.budget import Amounts, Flow, Worth
from bursar.domain.classification import WorkloadClass
from bursar.domain.time import Ms, parse_time
from bursar.price.exchange import worths
from support.books import books

TRAINING, OTHER = WorkloadClass.TRAINING, WorkloadClass.OTHER


def ms(day: int) -> Ms:
    moment = parse_time(f"2026-11-{day:02}T00:00:00Z")
    assert moment is not None
    return moment


RULES = books(
    exchangeRates=[
        {"currency": "EUR", "rate": "1.25", "validFrom": "2026-11-01T00:00:00Z"},
        {"currency": "EUR", "rate": "2", "validFrom": "2026-11-10T00:00:00Z"},
        {"currency": "GBP", "rate": "3", "validFrom": "2026-11-05T00:00:00Z"},
        {
            "currency": "CHF",
            "rate": "1",
            "validFrom": "2026-11-05T00:00:00Z",
            "validUntil": "2026-11-06T00:00:00Z",
        },
    ]
)


@pytest.mark.parametrize(
    ("currency", "since", "expected"),
    [
        pytest.param("USD", 1, [], id="the reporting currency needs no rate"),
        pytest.param("EUR", 1, [(1, "0.8"), (10, "0.5")], id="a rate holds until the next"),
        pytest.param("EUR", 12, [(12, "0.5")], id="what is over is left out"),
        pytest.param("GBP", 1, [(1, None), (5, Fraction(1, 3))], id="before the first, none"),
        pytest.param(
            "CHF", 5, [(5, 1), (6, None)], id="after an end without a successor, none again"
        ),
        pytest.param("JPY", 1, [(1, None)], id="of a currency that no book has"),
    ],
)
def test_what_the_reporting_currency_is_worth(
    currency: str, since: int, expected: list[tuple[int, str | None]]
) -> None:
    found = worths(RULES, currency, "USD", ms(since))
    wanted = [(ms(day), None if rate is None else Fraction(rate)) for day, rate in expected]
    assert [(each.since, each.rate) for each in found] == wanted
    assert [each.until for each in found] == [day for day, _ in wanted[1:]] + [None] * bool(wanted)


def test_each_sum_is_converted_by_the_rate_of_its_time_and_rounded_once() -> None:
    first, second = worths(RULES, "EUR", "USD", ms(1))
    spent = {
        first: {TRAINING: Amounts(cost=8, gpu_ms=Fraction(3), estimated=3)},
        second: {
            TRAINING: Amounts(cost=9, gpu_ms=Fraction(4), normalized_ms=Fraction(1)),
            OTHER: Amounts(cost=3),
        },
    }
    found, reasons = converted(spent, (first, second), ms(12))
    assert found == {  # 8 × 0.8 + 9 × 0.5 = 10.9, and 3 × 0.8 = 2.4
        TRAINING: Amounts(cost=10, estimated=2, gpu_ms=Fraction(7), normalized_ms=Fraction(1)),
        OTHER: Amounts(cost=1),
    }
    assert reasons == ()


@pytest.mark.parametrize(
    ("cost", "day", "doubted"),
    [
        pytest.param(5, 12, True, id="money was spent that nobody can convert"),
        pytest.param(0, 12, False, id="none was spent then"),
        pytest.param(0, 2, True, id="nobody can convert what is spent now"),
    ],
)
def test_what_cannot_be_converted_is_doubted_and_its_time_is_counted(
    cost: int, day: int, doubted: bool
) -> None:
    unknown, known = worths(RULES, "GBP", "USD", ms(1))
    spent = {
        unknown: {TRAINING: Amounts(cost=cost, gpu_ms=Fraction(7))},
        known: {TRAINING: Amounts(cost=9)},
    }
    found, reasons = converted(spent, (unknown, known), ms(day))
    assert found[TRAINING] == Amounts(cost=3, gpu_ms=Fraction(7))
    told = (
        "no PriceBook says what GBP is worth from 2026-11-01T00:00:00Z until 2026-11-05T00:00:00Z"
    )
    assert reasons == ((told,) if doubted else ())


def test_what_flows_on_is_cut_where_the_rate_changes_and_goes_on_at_the_last_known() -> None:
    flow = Flow(
        since=ms(2),
        until=None,
        workload_class=TRAINING,
        cost=Fraction(10),
        devices=Fraction(4),
        normalized=Fraction(2),
    )
    found = foreseen([flow], worths(RULES, "EUR", "USD", ms(1)))
    assert [(each.since, each.until, each.cost) for each in found] == [
        (ms(2), ms(10), 8),
        (ms(10), None, 5),
    ]
    assert {each.devices for each in found} == {4}
    lapsed = foreseen([flow], worths(RULES, "CHF", "USD", ms(5)))
    assert [(each.since, each.cost) for each in lapsed] == [(ms(5), 10), (ms(6), 10)]
    nothing = foreseen([flow], [Worth(currency="JPY", since=ms(1), until=None, rate=None)])
    assert [each.cost for each in nothing] == [0]
