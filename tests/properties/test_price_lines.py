"""What nodes and commitments cost is the sum of its lines, for any fleet, books and lives."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bursar.domain.rate import Rate, RatePeriod
from bursar.domain.time import DAY, HOUR, Ms, format_time
from bursar.domain.usage import Basis, Cost, End, Holding, Segment
from bursar.domain.workload import NodeFacts
from bursar.meter import commitment_segments, lines, node_segments, segments, unused
from bursar.price.books import Books, Committed, merge
from bursar.price.commitments import assign
from bursar.price.rates import Defaults, committed, rates
from support.books import book
from support.catalog import catalog
from support.fleet import demo

T0: Ms = 1_790_000_000_000
SPAN: Ms = 60 * DAY
MODELS = {name: demo(name) for name in ("h100", "t4-spot", "dgx-h100")}
EUR = [
    {"currency": "EUR", "rate": "1.08", "validUntil": format_time(T0 + 20 * DAY)},
    {"currency": "EUR", "rate": "1.17", "validFrom": format_time(T0 + 20 * DAY)},
]
prices = st.decimals("0.01", "99", places=3).map(str)
days = st.integers(0, 59).map(lambda day: T0 + day * DAY)
moments = st.integers(T0, T0 + SPAN)
shares = st.sampled_from(["0", "0.07", "0.123456789", "0.5"])
uses = st.sampled_from([None, "1", "0.6", "0.333"])
currencies = st.sampled_from([None, "EUR"])


@dataclass(frozen=True)
class Fleet:
    """A fleet under some books: nodes, what they cost, and what pods held on them."""

    books: Books
    nodes: list[tuple[NodeFacts, tuple[RatePeriod, ...]]]
    held: dict[str, list[Holding]]


def entry(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


@st.composite
def _books(draw: st.DrawFn) -> Books:
    begin, end = sorted(draw(st.lists(days, min_size=2, max_size=2, unique=True)))
    commitment = entry(
        name="ri",
        count=draw(st.integers(1, 3)),
        perHour=draw(prices),
        currency=draw(currencies),
        term={"start": format_time(begin), "end": format_time(end)},
    )
    owned = entry(
        name="own",
        purchasePrice=draw(prices),
        depreciationMonths=draw(st.integers(1, 3)),
        inServiceFrom=format_time(draw(days)),
        perMonth={"hosting": draw(prices), "staff": "7"},
        expectedUtilization=draw(uses),
        currency=draw(currencies),
    )
    rate = entry(name="r", accelerator="t4-16gb", perHour=draw(prices), currency=draw(currencies))
    discount = entry(name="off", accelerator="h100-sxm5-80gb", discountPercent="12.5")
    rules = draw(st.lists(st.sampled_from([rate, discount]), max_size=2, unique_by=id))
    one = book(
        "a",
        exchangeRates=EUR,
        rates=rules,
        ownedHardware=[owned] if draw(st.booleans()) else [],
        cpuMemoryShare=draw(shares),
    )
    two = book("b", commitments=[commitment], cpuMemoryShare=draw(shares))
    return merge([one, two])


@st.composite
def _held(draw: st.DrawFn, facts: NodeFacts, until: Ms) -> list[Holding]:
    """Pods that come one after another to each of a node's devices, one at a time to each."""
    assert isinstance(facts.devices, Fraction)
    found = []
    for _ in range(draw(st.integers(0, min(3, int(facts.devices))))):
        edges = draw(st.lists(st.integers(facts.created, until), max_size=4, unique=True))
        for start, end in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False):
            found.append(
                Holding(
                    resource="nvidia.com/gpu",
                    devices=draw(st.sampled_from([Fraction(1), Fraction(3, 14)])),
                    node_devices=facts.devices,
                    start=start,
                    end=End(at=end, basis=Basis.EXACT, witness="finishedAt"),
                )
            )
    return found


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    books, nodes = draw(_books()), []
    for number in range(draw(st.integers(1, 4))):
        facts = replace(MODELS[draw(st.sampled_from(sorted(MODELS)))], uid=f"node-{number}")
        created = draw(moments)
        until = draw(st.one_of(st.none(), st.integers(created, T0 + SPAN)))
        nodes.append(replace(facts, created=created, until=until))
    books = assign(books, nodes, T0)
    return Fleet(
        books=books,
        nodes=[
            (each, rates(each, books, catalog(), Defaults(), each.created, T0 + 2 * SPAN))
            for each in nodes
        ],
        held={each.uid: draw(_held(each, each.until or T0 + SPAN)) for each in nodes},
    )


def closed_form(
    periods: Sequence[RatePeriod], times: Fraction, life: tuple[Ms, Ms], window: tuple[Ms, Ms]
) -> int:
    """Nano-units in a window: per period of the price, floor at its end less floor at its start."""
    total = 0
    for period in periods:
        assert isinstance(period.rate, Rate)
        assert period.until is not None
        t0, end = max(period.since, life[0]), min(period.until, life[1])
        a, b = max(window[0], t0), min(window[1], end)
        if a < b:
            for kind in (period.rate.capex, period.rate.opex):
                per_ms = kind * times / HOUR
                total += (per_ms * (b - t0)).__floor__() - (per_ms * (a - t0)).__floor__()
    return total


def whole(facts: NodeFacts, periods: Sequence[RatePeriod]) -> tuple[Segment, ...]:
    end = None
    if facts.until is not None:
        end = End(at=facts.until, basis=Basis.OBSERVED, witness="observed")
    return node_segments(facts.created, end, facts.devices, periods)


def _commitments(books: Books) -> dict[str, tuple[Segment, ...]]:
    return {
        rule.what.name: commitment_segments(committed(rule, books, Defaults()), rule.what.count)
        for rule in books.commitments
        if isinstance(rule.what, Committed)
    }


@settings(deadline=None, max_examples=150)
@given(fleets(), moments, moments)
def test_the_lines_add_up_to_what_nodes_and_commitments_cost(
    fleet: Fleet, one: Ms, other: Ms
) -> None:
    frm, to = sorted([one, other])
    total, owed, on_commitments, nodes = 0, 0, 0, []
    for facts, periods in fleet.nodes:
        node = whole(facts, periods)
        pods = [part for held in fleet.held[facts.uid] for part in segments(held, periods)]
        split = lines(node, pods, frm, to)
        assert split.paid + split.idle + split.recovery + split.cpu_memory == split.node
        total += sum(
            line.total for line in (split.paid, split.idle, split.recovery, split.cpu_memory)
        )
        life, window = (facts.created, facts.until or T0 + 2 * SPAN), (frm, to)
        owed += closed_form(periods, Fraction(1), life, window)
        covered = [p for p in periods if isinstance(p.rate, Rate) and p.rate.commitment]
        on_commitments += closed_form(covered, Fraction(1), life, window)
        nodes += node
    committed_ = _commitments(fleet.books)
    rest = sum((each.total for each in unused(committed_, nodes, frm, to).values()), 0)
    bill = sum(
        closed_form(
            committed(rule, fleet.books, Defaults()),
            Fraction(rule.what.count),
            (T0, T0 + SPAN),
            (frm, to),
        )
        for rule in fleet.books.commitments
        if isinstance(rule.what, Committed)
    )
    assert total + rest == owed - on_commitments + bill


@settings(deadline=None, max_examples=150)
@given(fleets())
def test_over_whole_lives_no_line_has_the_wrong_sign(fleet: Fleet) -> None:
    frm, to = T0, T0 + 2 * SPAN
    nodes = []
    for facts, periods in fleet.nodes:
        node = whole(facts, periods)
        pods = [part for held in fleet.held[facts.uid] for part in segments(held, periods)]
        split = lines(node, pods, frm, to)
        for line, least in ((split.idle, 0), (split.cpu_memory, 0)):
            assert line.capex >= least
            assert line.opex >= least
        assert split.recovery.total <= 0
        nodes += node
    for rest in unused(_commitments(fleet.books), nodes, frm, to).values():
        assert rest.total >= 0


@settings(deadline=None, max_examples=100)
@given(fleets(), st.lists(moments, min_size=2, max_size=6))
def test_lines_of_parts_of_a_window_add_up_to_the_windows(fleet: Fleet, cuts: list[Ms]) -> None:
    cuts = sorted(cuts)
    for facts, periods in fleet.nodes:
        node = whole(facts, periods)
        pods = [part for held in fleet.held[facts.uid] for part in segments(held, periods)]
        parts = [lines(node, pods, a, b) for a, b in pairwise(cuts)]
        all_of_it = lines(node, pods, cuts[0], cuts[-1])
        for name in ("node", "paid", "idle", "recovery", "cpu_memory"):
            added = sum((getattr(part, name) for part in parts), Cost())
            assert added == getattr(all_of_it, name)
