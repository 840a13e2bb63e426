"""Prepared sums: to the nano-unit what the meter says of each segment."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bursar.domain.money import NANO
from bursar.domain.rate import Rate, Unpriced
from bursar.domain.usage import NODE, Basis, End, Segment
from bursar.meter import cost, is_priced, plain, slopes, tally

PARTS = st.fractions(min_value=Fraction(1, 1000), max_value=1)
RATES = st.builds(
    Rate,
    capex=st.fractions(min_value=0, max_value=10**12),
    opex=st.fractions(min_value=0, max_value=10**12),
    currency=st.just("USD"),
    origin=st.just("test"),
    devices_part=PARTS | st.just(Fraction(1)),
    utilization=PARTS | st.just(Fraction(1)),
)
MOMENTS = st.integers(min_value=0, max_value=10**9)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    start = draw(MOMENTS)
    end = draw(st.none() | MOMENTS)
    return Segment(
        resource=draw(st.sampled_from(["nvidia.com/gpu", NODE])),
        start=start,
        end=None if end is None else End(at=start + end, basis=Basis.EXACT, witness="finishedAt"),
        rate=draw(RATES | st.just(Unpriced("nobody knows"))),
        share=draw(st.none() | PARTS),
        devices=draw(st.none() | PARTS),
    )


@given(st.lists(segments(), max_size=5), PARTS, MOMENTS)
def test_a_tally_is_the_sum_of_what_the_meter_says(
    parts: list[Segment], factor: Fraction, upto: int
) -> None:
    found = tally(slopes(parts, factor), upto)
    assert found.paid == sum(cost(part, upto).total for part in parts)
    assert found.plain == sum(plain(part, upto).total for part in parts)
    held = {id(p): (cost(p, upto).device_ms * factor * NANO).__floor__() for p in parts}
    assert found.gpu == sum(held.values())
    assert found.unpriced == sum(held[id(p)] for p in parts if not is_priced(p))


@pytest.mark.parametrize(
    ("upto", "hours"),
    [
        pytest.param(3_600_000, 0, id="nothing before it begins"),
        pytest.param(7_200_000, 1, id="an hour after an hour"),
        pytest.param(99_999_999, 2, id="no more after its end"),
    ],
)
def test_a_segment_counts_from_its_start_to_its_end(upto: int, hours: int) -> None:
    rate = Rate(
        capex=Fraction(0), opex=Fraction(4 * NANO), currency="USD", origin="", assumed=False
    )
    part = Segment(
        resource="nvidia.com/gpu",
        start=3_600_000,
        end=End(at=10_800_000, basis=Basis.EXACT, witness="finishedAt"),
        rate=replace(rate, utilization=Fraction(1, 2)),
        share=Fraction(1, 4),
        devices=Fraction(2),
    )
    found = tally(slopes([part]), upto)
    assert (found.paid, found.plain) == (2 * hours * NANO, hours * NANO)
    assert found.gpu == 2 * hours * 3_600_000 * NANO
