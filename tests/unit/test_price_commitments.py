"""Who holds a commitment, from when to when, and what it costs whether anybody does."""

from dataclasses import replace
from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest

from bursar.domain.money import NANO
from bursar.domain.rate import Rate, Unpriced
from bursar.domain.time import HOUR, Ms, parse_time
from bursar.domain.usage import Basis, End, Segment
from bursar.domain.workload import NodeFacts
from bursar.meter import (
    commitment_segments,
    cost_between,
    node_segments,
    revise_commitment,
    unused,
)
from bursar.price.books import Books, merge
from bursar.price.commitments import assign, seen_since
from bursar.price.rates import Defaults, committed, rate_at, rates
from support.books import DGX, book, books
from support.catalog import catalog
from support.fleet import demo

USD = Defaults()


def ms(day: int, hour: int = 0) -> Ms:
    moment = parse_time(f"2026-11-{day:02}T{hour:02}:00:00Z")
    assert moment is not None
    return moment


def ri(name: str = "ri", count: int = 2, price: str = "30", **more: Any) -> dict[str, Any]:
    term = {"start": "2026-11-05T00:00:00Z", "end": "2026-11-20T00:00:00Z"}
    return {"name": name, "count": count, "perHour": price, "term": term} | more


def node(uid: str, day: int = 1, **more: Any) -> NodeFacts:
    return replace(demo("h100"), uid=uid, name=uid, created=ms(day), **more)


def paid_by(rules: Books, facts: NodeFacts, at: Ms) -> str:
    found = rate_at(facts, rules, catalog(), USD, at)
    assert isinstance(found, Rate)
    return found.commitment


def holders(rules: Books, fleet: list[NodeFacts], at: Ms) -> str:
    given = assign(rules, fleet, ms(1))
    return " ".join(f"{n.uid}:{paid_by(given, n, at) or '-'}" for n in fleet)


THREE = [node("a", 1), node("b", 2), node("c", 3)]


@pytest.mark.parametrize(
    ("commitments", "fleet", "expected"),
    [
        pytest.param([ri()], THREE, "a:book/ri b:book/ri c:-", id="the oldest hold it"),
        pytest.param([ri(count=9)], THREE[:1], "a:book/ri", id="it may cover more than there are"),
        pytest.param(
            [ri(count=1)], [node("z"), node("y")], "z:- y:book/ri", id="of equal age, by uid"
        ),
        pytest.param(
            [ri(count=1)],
            [node("a", capacity_type="spot"), node("b")],
            "a:- b:book/ri",
            id="spot is bought apart",
        ),
        pytest.param(
            [ri(accelerator="t4-16gb")], THREE, "a:- b:- c:-", id="of another accelerator"
        ),
        pytest.param(
            [ri(nodeSelector={"nvidia.com/gpu.family": "hopper"})],
            THREE[:1],
            "a:book/ri",
            id="by labels",
        ),
        pytest.param(
            [ri("wide", 1), ri("narrow", 1, accelerator="h100-sxm5-80gb")],
            THREE,
            "a:book/narrow b:book/wide c:-",
            id="the more specific first, one for each node",
        ),
        pytest.param(
            [ri(count=2)],
            [node("a", 1, until=ms(9)), node("b", 2), node("c", 3)],
            "a:- b:book/ri c:book/ri",
            id="a node that left makes room for the next",
        ),
        pytest.param(
            [ri(count=1)],
            [node("a", 12), node("b", 13)],
            "a:- b:-",
            id="nodes to come hold nothing yet",
        ),
    ],
)
def test_holders_on_the_tenth(
    commitments: list[dict[str, Any]], fleet: list[NodeFacts], expected: str
) -> None:
    assert holders(books(commitments=commitments), fleet, ms(10)) == expected


def test_holders_do_not_depend_on_the_order_of_nodes_or_books() -> None:
    one = book("a", commitments=[ri("r", 1, "28")])
    two = book("b", commitments=[ri("r", 1, "26")])
    for fleet in permutations(THREE):
        for order in ([one, two], [two, one]):
            given = assign(merge(order), fleet, ms(1))
            assert [paid_by(given, each, ms(10)) for each in THREE] == ["a/r", "b/r", ""]


def test_a_nodes_rate_is_cut_at_the_edges_of_the_term() -> None:
    given = assign(books(commitments=[ri()]), THREE, ms(1))
    periods = rates(THREE[0], given, catalog(), USD, ms(1), ms(30))
    assert [period.since for period in periods] == [ms(1), ms(5), ms(20)]
    prices = [p.rate.total / NANO for p in periods if isinstance(p.rate, Rate)]
    assert prices == [Fraction("55.04"), 30, Fraction("55.04")]
    assert isinstance(periods[1].rate, Rate)
    assert periods[1].rate.origin == "PriceBook book/ri (commitment)"


def test_the_next_takes_over_in_the_moment_at_which_a_holder_leaves() -> None:
    fleet = [node("a", 1, until=ms(10, 7)), node("b", 2)]
    given = assign(books(commitments=[ri(count=1)]), fleet, ms(1))
    (tenure,) = given.tenures["a"]
    (next_,) = given.tenures["b"]
    assert (tenure.since, tenure.until, next_.since) == (ms(5), ms(10, 7), ms(10, 7))


def test_a_commitment_goes_before_rates_and_no_discount_changes_it() -> None:
    rules = books(
        commitments=[ri(count=1)],
        rates=[
            {"name": "off", "discountPercent": 50, "accelerator": "h100-sxm5-80gb"},
            {"name": "list", "perHour": "50"},
        ],
    )
    given = assign(rules, THREE, ms(1))
    found = [rate_at(each, given, catalog(), USD, ms(10)) for each in THREE[:2]]
    assert [f.total / NANO for f in found if isinstance(f, Rate)] == [30, 25]


def test_a_holder_of_a_commitment_is_asked_for_no_utilization() -> None:
    owned = DGX | {"nodeSelector": {}, "expectedUtilization": "0.5"}
    rules = assign(books(commitments=[ri(count=1)], ownedHardware=[owned]), THREE, ms(1))
    found = [rate_at(each, rules, catalog(), USD, ms(10)) for each in THREE[:2]]
    assert [f.utilization for f in found if isinstance(f, Rate)] == [1, Fraction(1, 2)]


def test_it_counts_from_when_it_was_first_seen() -> None:
    rules = seen_since(books(commitments=[ri()]), {"book/ri": ms(8)})
    given = assign(rules, THREE, ms(1))
    assert [paid_by(given, THREE[0], ms(day)) for day in (6, 8)] == ["", "book/ri"]
    assert [period.since for period in committed(rules.commitments[0], rules, USD)] == [ms(8)]


def test_a_foreign_commitment_costs_what_its_currency_is_worth_then() -> None:
    rules = books(
        exchangeRates=[
            {"currency": "EUR", "rate": "1.1", "validUntil": "2026-11-10T00:00:00Z"},
            {"currency": "EUR", "rate": "1.2", "validFrom": "2026-11-10T00:00:00Z"},
        ],
        commitments=[ri(currency="EUR")],
    )
    found = committed(rules.commitments[0], rules, USD)
    assert [(p.since, p.until) for p in found] == [(ms(5), ms(10)), (ms(10), ms(20))]
    assert [p.rate.total / NANO for p in found if isinstance(p.rate, Rate)] == [33, 36]


def test_without_an_exchange_rate_it_is_unpriced_for_whoever_holds_it() -> None:
    rules = assign(books(commitments=[ri(currency="EUR")]), THREE, ms(1))
    assert isinstance(committed(rules.commitments[0], rules, USD)[0].rate, Unpriced)
    assert isinstance(rate_at(THREE[0], rules, catalog(), USD, ms(10)), Unpriced)


# --- what of it nobody used ------------------------------------------------------------------


def whole(price: str, count: int, start: int = 5, end: int = 20) -> tuple[Segment, ...]:
    rules = books(commitments=[ri(count=count, price=price)])
    found = committed(rules.commitments[0], rules, USD)
    return commitment_segments([replace(found[0], since=ms(start), until=ms(end))], count)


def test_what_nobody_used_of_two_of_three() -> None:
    rules = assign(books(commitments=[ri(count=3)]), THREE[:2], ms(1))
    nodes = [
        segment
        for each in THREE[:2]
        for segment in node_segments(
            each.created,
            None,
            each.devices,
            rates(each, rules, catalog(), USD, each.created, ms(30)),
        )
    ]
    rest = unused({"book/ri": whole("30", 3)}, nodes, ms(6), ms(7))
    assert rest["book/ri"].total == 30 * 24 * NANO
    assert unused({"book/ri": whole("30", 3)}, (), ms(1), ms(30))["book/ri"].total == (
        3 * 30 * 24 * 15 * NANO
    )


@pytest.mark.parametrize(
    ("known", "computed", "expected"),
    [
        pytest.param((), whole("30", 2), [(5, 20, 60)], id="what is new is taken whole"),
        pytest.param(
            whole("30", 2), whole("30", 2), [(5, 20, 60)], id="what stays is one segment still"
        ),
        pytest.param(whole("30", 2), (), [(5, 10, 60)], id="what is gone ends now"),
        pytest.param(
            whole("30", 2),
            whole("30", 3),
            [(5, 10, 60), (10, 20, 90)],
            id="another count counts from now on",
        ),
        pytest.param(
            whole("30", 2),
            whole("31", 2),
            [(5, 10, 60), (10, 20, 62)],
            id="another price, too",
        ),
        pytest.param(
            whole("30", 2),
            whole("30", 2, 12, 22),
            [(5, 10, 60), (12, 22, 60)],
            id="what begins later leaves a gap",
        ),
        pytest.param(
            whole("30", 2, 12),
            whole("31", 2, 13),
            [(13, 20, 62)],
            id="what has not begun leaves nothing behind",
        ),
        pytest.param(
            whole("30", 2, 5, 7),
            whole("30", 2),
            [(5, 7, 60), (10, 20, 60)],
            id="what comes back counts from now on",
        ),
    ],
)
def test_an_edited_commitment_leaves_the_past_alone(
    known: tuple[Segment, ...],
    computed: tuple[Segment, ...],
    expected: list[tuple[int, int, int]],
) -> None:
    found = revise_commitment(known, computed, ms(10))
    told = [
        (part.start, part.end.at if part.end else None, cost_between(part, *_hour(part)).total)
        for part in found
    ]
    assert told == [(ms(a), ms(b), price * NANO) for a, b, price in expected]


def _hour(part: Segment) -> tuple[Ms, Ms]:
    return part.start, part.start + HOUR


def test_an_open_segment_from_the_ledger_goes_on_as_it_was() -> None:
    stored = (replace(whole("30", 2)[0], end=None),)
    (found,) = revise_commitment(stored, whole("30", 2), ms(10))
    assert found.start == ms(5)
    assert found.end == End(at=ms(20), basis=Basis.EXACT, witness="price change")
