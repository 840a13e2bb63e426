"""What must hold of money for every price, share and moment."""

import itertools
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bursar.domain.rate import Rate, RatePeriod, Unpriced
from bursar.domain.usage import Basis, Cost, End, Holding
from bursar.meter import (
    bound_at,
    cost_between,
    end_of,
    idle,
    node_segments,
    revise,
    segments,
    started,
)

YEAR = 366 * 86_400_000
moments = st.integers(0, YEAR)
amounts = st.fractions(0, 10**14, max_denominator=10**6)
rates = st.builds(
    Rate, capex=amounts, opex=amounts, currency=st.just("USD"), origin=st.sampled_from("abc")
)
prices = st.one_of(rates, st.just(Unpriced("unknown")))


@st.composite
def timelines(draw, price=prices):
    """Periods of a node's rate, without gaps, from 0 on."""
    cuts = sorted(draw(st.sets(st.integers(1, YEAR), max_size=4)))
    bounds = [0, *cuts, None]
    return [
        RatePeriod(since=since, until=until, rate=draw(price))
        for since, until in itertools.pairwise(bounds)
    ]


def exact(moment):
    return End(at=moment, basis=Basis.EXACT, witness="finishedAt")


@st.composite
def holdings(draw):
    """A pod's hold of some devices of a node, from one moment to another."""
    start, stop = sorted([draw(moments), draw(moments)])
    whole = draw(st.integers(1, 16))
    devices = draw(st.fractions(0, whole, max_denominator=14 * 8))
    return Holding(
        resource="gpu",
        devices=devices,
        node_devices=Fraction(whole),
        start=start,
        end=exact(stop),
    )


def spent(parts, frm, to):
    return sum((cost_between(part, frm, to) for part in parts), Cost())


@given(holdings(), timelines(), st.lists(moments, max_size=6))
def test_splitting_anywhere_changes_nothing(holding, periods, cuts):
    parts = segments(holding, periods)
    edges = [0, *sorted(cuts), YEAR + 1]
    windows = [spent(parts, a, b) for a, b in itertools.pairwise(edges)]
    assert sum(windows, Cost()) == spent(parts, 0, YEAR + 1)


@given(holdings(), timelines(), moments, moments, moments)
def test_what_was_spent_never_falls(holding, periods, since, one, two):
    parts = segments(holding, periods)
    sooner, later = sorted([one, two])
    before, after = spent(parts, since, sooner), spent(parts, since, later)
    assert before.capex <= after.capex
    assert before.opex <= after.opex
    assert before.device_ms <= after.device_ms


@given(holdings(), timelines())
def test_segments_cover_the_holding_without_gaps(holding, periods):
    parts = segments(holding, periods)
    assert parts[0].start == holding.start
    assert parts[-1].end == holding.end
    assert [part.end.at for part in parts[:-1]] == [part.start for part in parts[1:]]
    assert all(part.start < part.end.at for part in parts[:-1])


@given(holdings(), timelines(), moments)
def test_what_was_written_of_an_open_holding_is_what_it_costs_when_it_has_ended(
    holding, periods, now
):
    open_one = Holding(
        resource="gpu",
        devices=holding.devices,
        node_devices=holding.node_devices,
        start=holding.start,
        end=None,
    )
    now = min(now, holding.end.at)
    written = started(segments(open_one, periods), now)
    assert spent(written, 0, now) == spent(segments(holding, periods), 0, now)


@st.composite
def layouts(draw):
    """Pods that one after another take what is free of a node."""
    whole = draw(st.integers(1, 8))
    lanes = draw(st.lists(st.integers(1, 14), min_size=whole, max_size=whole))
    pods = []
    for parts in lanes:
        edges = sorted(draw(st.lists(moments, min_size=2, max_size=4)))
        for frm, to in itertools.pairwise(edges):
            slices = draw(st.integers(1, parts))
            pods += [
                Holding(
                    resource="gpu",
                    devices=Fraction(1, parts),
                    node_devices=Fraction(whole),
                    start=frm,
                    end=exact(to),
                )
            ] * slices
    return whole, pods


@given(layouts(), timelines(price=rates), moments, moments)
def test_allocated_and_idle_are_the_node_and_idle_is_never_below_zero(layout, periods, one, two):
    whole, pods = layout
    node = node_segments(0, exact(YEAR), Fraction(whole), periods)
    parts = [part for holding in pods for part in segments(holding, periods)]
    rest = idle(node, parts, 0, YEAR)
    assert rest.capex >= 0
    assert rest.opex >= 0
    assert rest.device_ms >= 0
    assert rest + spent(parts, 0, YEAR) == spent(node, 0, YEAR)
    frm, to = sorted([one, two])
    window = idle(node, parts, frm, to)
    assert window + spent(parts, frm, to) == spent(node, frm, to)
    # Differences of rounded figures: not more than one nano-unit for each row that is cut.
    assert window.total >= -2 * (len(parts) + len(node))


def rate_at(periods, moment):
    for period in periods:
        if period.since <= moment and (period.until is None or moment < period.until):
            return period.rate
    return None


@given(timelines(), timelines(), moments, st.lists(moments, min_size=1))
def test_revise_keeps_the_past_and_takes_the_future(known, computed, now, probes):
    result = revise(known, computed, now)
    for probe in probes:
        source = known if probe < now else computed
        assert rate_at(result, probe) == rate_at(source, probe)
    assert [p.until for p in result] == [p.since for p in result[1:]] + [None]
    assert revise(result, computed, now) == result


@given(timelines(), timelines(), moments, holdings())
def test_revise_never_changes_what_was_spent_before(known, computed, now, holding):
    before = spent(segments(holding, known), 0, now)
    result = revise(known, computed, now)
    if now > 0:
        assert abs(spent(segments(holding, result), 0, now).total - before.total) <= 2 * len(known)


texts = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.just("2026-11-24T12:00:00Z"))
junk = st.recursive(
    texts,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "status",
                    "state",
                    "terminated",
                    "running",
                    "finishedAt",
                    "lastTransitionTime",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
FIELDS = ["phase", "conditions", "containerStatuses", "initContainerStatuses", "startTime"]


@given(
    st.one_of(junk, st.dictionaries(st.sampled_from(FIELDS), junk)),
    junk,
    st.one_of(st.none(), moments),
    st.one_of(st.none(), moments),
)
def test_no_status_however_odd_makes_the_meter_fail(status, spec, deleted, following):
    pod = {"spec": spec, "status": status}
    start = bound_at(pod)
    end = end_of(pod, deleted, following)
    assert start is not None or end is None
    assert end is None or end.at >= start
