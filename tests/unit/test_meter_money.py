"""Costs computed by hand, to the nano-unit."""

from fractions import Fraction

import pytest

from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import Rate, RatePeriod, Unpriced
from bursar.domain.time import HOUR, SECOND
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Basis, Cost, End, Holding
from bursar.meter import (
    Member,
    cost,
    cost_between,
    flows,
    idle,
    is_priced,
    node_segments,
    revise,
    segments,
    started,
    uncertain_between,
)

NANO = 10**9
NONE = Unpriced("nobody said")


def rate(opex, capex="0", origin="test"):
    return Rate(
        capex=Fraction(capex) * NANO, opex=Fraction(opex) * NANO, currency="USD", origin=origin
    )


P5 = rate("55.04")
CHEAP = rate("7")


def period(price, since=0, until=None):
    return RatePeriod(since=since, until=until, rate=price)


def end(moment, **more):
    return End(at=moment, basis=more.pop("basis", Basis.EXACT), witness="finishedAt", **more)


def held(devices, of, start, stop):
    return Holding(
        resource="nvidia.com/gpu",
        devices=devices if isinstance(devices, Unknown) else Fraction(devices),
        node_devices=of if isinstance(of, Unknown) else Fraction(of),
        start=start,
        end=stop if stop is None or isinstance(stop, End) else end(stop),
    )


@pytest.mark.parametrize(
    ("price", "devices", "of", "seconds", "capex", "opex"),
    [
        # 55.04 x 3/8 = 20.64; x 91 = 1878.24; / 3600 = 0.521733333…
        pytest.param(P5, 3, 8, 91, 0, 521_733_333, id="3 of 8 GPUs of a p5.48xlarge for 91 s"),
        pytest.param(P5, 8, 8, 3600, 0, 55_040_000_000, id="the whole node for an hour"),
        # 55.04 x 3/14/8 x 10 / 3600 = 0.004095238095…
        pytest.param(P5, Fraction(3, 14), 8, 10, 0, 4_095_238, id="a MIG slice for ten seconds"),
        # 5/7 and 10/7 nano-units: each rounded down, not their sum (2)
        pytest.param(
            rate("0.000036", capex="0.000018"), 1, 7, 1, 0, 1, id="CapEx and OpEx rounded apart"
        ),
        pytest.param(P5, 3, 8, 0, 0, 0, id="no time costs nothing"),
    ],
)
def test_cost_by_hand(price, devices, of, seconds, capex, opex):
    (segment,) = segments(held(devices, of, 1_000, 1_000 + seconds * SECOND), [period(price)])
    spent = cost(segment, 10**15)
    assert (spent.capex, spent.opex) == (capex, opex)
    assert spent.device_ms == Fraction(devices) * seconds * SECOND


def test_a_price_change_cuts_the_holding_and_each_part_counts_from_its_own_start():
    parts = segments(held(1, 8, 0, 2 * HOUR), [period(P5, 0, HOUR), period(CHEAP, HOUR, 3 * HOUR)])
    assert [(part.start, part.end.at, part.rate) for part in parts] == [
        (0, HOUR, P5),
        (HOUR, 2 * HOUR, CHEAP),
    ]
    assert sum((cost(part, 2 * HOUR) for part in parts), Cost()).opex == 6_880_000_000 + 875_000_000


@pytest.mark.parametrize(
    ("periods", "expected"),
    [
        pytest.param([], [(0, 100, None)], id="no period at all"),
        pytest.param(
            [period(P5, 20, 40), period(CHEAP, 60)],
            [(0, 20, None), (20, 40, P5), (40, 60, None), (60, 100, CHEAP)],
            id="before, between",
        ),
        pytest.param([period(P5, 0, 30)], [(0, 30, P5), (30, 100, None)], id="after"),
        pytest.param([period(P5, 100)], [(0, 100, None)], id="a price that comes too late"),
        pytest.param([period(P5, -50, 0)], [(0, 100, None)], id="a price that went too early"),
        pytest.param([period(NONE)], [(0, 100, None)], id="a node nobody can price"),
    ],
)
def test_time_without_a_price_is_unpriced_and_can_be_told_from_free(periods, expected):
    parts = segments(held(1, 8, 0, 100), periods)
    assert [
        (p.start, p.end.at, None if isinstance(p.rate, Unpriced) else p.rate) for p in parts
    ] == expected
    assert [is_priced(p) for p in parts] == [price is not None for *_, price in expected]
    assert sum(cost(p, 100).device_ms for p in parts) == 100


def test_a_pod_that_ended_as_it_was_bound_still_is_one_segment_at_its_rate():
    (part,) = segments(held(1, 8, 50, 50), [period(P5, 50)])
    assert (part.rate, cost(part, 100)) == (P5, Cost())


@pytest.mark.parametrize(
    ("devices", "of", "device_ms"),
    [
        pytest.param(Unknown("?"), 8, 0, id="devices unknown"),
        pytest.param(2, Unknown("?"), 20, id="denominator unknown: device time is counted"),
        pytest.param(2, 0, 20, id="a node without devices"),
        pytest.param(-2, 8, 0, id="a negative count"),
    ],
)
def test_an_unknown_share_is_no_money_and_says_so(devices, of, device_ms):
    (part,) = segments(held(devices, of, 0, 10), [period(P5)])
    assert part.share is None
    assert not is_priced(part)
    assert cost(part, 10) == Cost(device_ms=Fraction(device_ms))


def test_an_open_holding_is_cut_at_future_prices_and_started_opens_what_they_will_end():
    parts = segments(held(1, 8, 0, None), [period(P5, 0, 100), period(CHEAP, 100)])
    assert [(p.start, p.end and p.end.at) for p in parts] == [(0, 100), (100, None)]
    assert [(p.start, p.end) for p in started(parts, 40)] == [(0, None)]
    assert started(parts, 100) == parts
    assert started(parts, -1) == ()


def test_cost_between_is_cut_to_the_life_of_the_segment():
    (part,) = segments(held(8, 8, HOUR, 2 * HOUR), [period(CHEAP)])
    assert cost_between(part, 0, 10 * HOUR).opex == 7 * NANO
    assert cost_between(part, HOUR, HOUR + HOUR // 2).opex == 7 * NANO // 2
    assert cost_between(part, 3 * HOUR, 4 * HOUR) == Cost()
    assert cost_between(part, 2 * HOUR, HOUR) == Cost()


def test_what_lies_after_the_low_bound_of_an_estimated_end_is_uncertain_in_every_segment():
    guess = end(3 * HOUR, basis=Basis.ESTIMATED, low=HOUR, high=5 * HOUR)
    parts = segments(held(8, 8, 0, guess), [period(CHEAP, 0, 2 * HOUR), period(P5, 2 * HOUR)])
    uncertain = [uncertain_between(part, 0, 9 * HOUR).total for part in parts]
    assert uncertain == [7 * NANO, 55_040_000_000]
    certain = segments(held(8, 8, 0, 3 * HOUR), [period(CHEAP)])
    assert uncertain_between(certain[0], 0, 9 * HOUR) == Cost()


NEW = rate("50", origin="new")


@pytest.mark.parametrize(
    ("known", "computed", "expected"),
    [
        pytest.param([], [period(P5, 0, 80), period(NEW, 80)], [(0, P5), (80, NEW)], id="first"),
        pytest.param([period(P5, 0)], [period(P5, 0)], [(0, P5)], id="nothing changed"),
        pytest.param([period(P5, 0)], [period(NEW, 0)], [(0, P5), (50, NEW)], id="from now"),
        pytest.param(
            [period(P5, 0)],
            [period(P5, 0, 80), period(NEW, 80)],
            [(0, P5), (80, NEW)],
            id="from its date, when that is later",
        ),
        pytest.param(
            [period(P5, 0)],
            [period(P5, 0, 20), period(NEW, 20)],
            [(0, P5), (50, NEW)],
            id="from now, when its date is past",
        ),
        pytest.param(
            [period(P5, 0, 80), period(NEW, 80)],
            [period(P5, 0)],
            [(0, P5)],
            id="taken back in time",
        ),
        pytest.param(
            [period(P5, 0, 20), period(CHEAP, 20, 30), period(P5, 30)],
            [period(P5, 0)],
            [(0, P5), (20, CHEAP), (30, P5)],
            id="a change that has happened stays",
        ),
        pytest.param(
            [period(NONE, 0)],
            [period(P5, 0)],
            [(0, NONE), (50, P5)],
            id="unpriced until it was not",
        ),
        pytest.param([period(P5, 60)], [period(NEW, 0)], [(0, NEW)], id="not yet in force"),
    ],
)
def test_revise_at_50(known, computed, expected):
    periods = revise(known, computed, 50)
    assert [(p.since, p.rate) for p in periods] == expected
    assert [p.until for p in periods] == [p.since for p in periods[1:]] + [None]


def test_ten_thousand_pods_are_few_flows():
    periods = [period(P5, 0, 10 * HOUR), period(CHEAP, 10 * HOUR)]
    pods = [segments(held(1, 8, n, None), periods) for n in range(10_000)]
    training, other = WorkloadClass.TRAINING, WorkloadClass.OTHER
    members = [
        Member(workload_class=training if n % 2 else other, segments=parts, weight=Fraction(1, 2))
        for n, parts in enumerate(pods)
    ]
    result = flows(members, HOUR)
    assert [(f.workload_class, f.since, f.until) for f in result] == [
        (other, HOUR, 10 * HOUR),
        (other, 10 * HOUR, None),
        (training, HOUR, 10 * HOUR),
        (training, 10 * HOUR, None),
    ]
    assert [f.cost * HOUR for f in result[:2]] == [5_000 * 6_880_000_000, 5_000 * 875_000_000]
    assert {(f.devices, f.normalized) for f in result} == {(Fraction(5_000), Fraction(2_500))}


def test_what_has_ended_flows_no_more_and_what_has_no_price_flows_without_money():
    ended = Member(
        workload_class=WorkloadClass.OTHER, segments=segments(held(1, 8, 0, 50), [period(P5)])
    )
    unpriced = Member(
        workload_class=WorkloadClass.OTHER,
        segments=segments(held(2, 8, 0, None), []),
        device_fraction=Fraction(1, 8),
    )
    (flow,) = flows([ended, unpriced], 50)
    assert (flow.cost, flow.devices, flow.until) == (0, Fraction(1, 4), None)


def test_idle_is_what_nobody_held():
    periods = [period(P5)]
    node = node_segments(0, end(HOUR), Fraction(8), periods)
    pods = [part for count in (3, 4) for part in segments(held(count, 8, 0, HOUR), periods)]
    rest = idle(node, pods, 0, 2 * HOUR)
    assert (rest.total, rest.device_ms) == (6_880_000_000, HOUR)


def test_a_node_whose_devices_are_unknown_costs_all_the_same():
    node = node_segments(0, end(HOUR), Unknown("no label"), [period(P5)])
    pods = segments(held(3, Unknown("no label"), 0, HOUR), [period(P5)])
    assert idle(node, pods, 0, HOUR) == Cost(opex=55_040_000_000)
