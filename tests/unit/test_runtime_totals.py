"""Counters: they go on where they stopped, and a price change counts nothing twice."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from bursar.domain.time import HOUR
from bursar.runtime.ledger import Ledger
from bursar.runtime.totals import Totals
from support.ledger import P5, dimension, hold, node, period, pod

CUT = (period(P5, until=HOUR), period(replace(P5, opex=P5.opex * 2), since=HOUR))
SERIES = ("vision", "training", "unallocated", "", "h100-sxm5-80gb")
FIRST_HOUR = 27_520_000_000


def restored(ledger: Ledger) -> Totals:
    totals = Totals()
    totals.restore(ledger.reader.totals(), ledger.reader.open_pods())
    return totals


def nano(totals: Totals) -> int:
    return sum(counted.nano for _, counted in totals.items())


def test_what_ended_is_restored_and_what_is_open_is_not(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "l.db"), "test")
    ended = [pod("p1"), hold("p1", stop=HOUR)]
    running = [pod("p2"), hold("p2", known=HOUR)]
    ledger.submit([node(), *ended, *running]).result(30)
    totals = restored(ledger)
    assert nano(totals) == FIRST_HOUR
    ((series, counted),) = totals.items()
    assert series == SERIES
    assert counted.gpu_ms == 4 * HOUR
    ledger.close()


def test_the_row_that_a_price_change_closed_is_not_counted_before_its_pod_ends(
    tmp_path: Path,
) -> None:
    ledger = Ledger.open(str(tmp_path / "l.db"), "test")
    ledger.submit([node(), pod(), hold(rates=CUT, known=2 * HOUR)]).result(30)
    assert nano(restored(ledger)) == 0
    ledger.submit([hold(rates=CUT, stop=2 * HOUR)]).result(30)
    assert nano(restored(ledger)) == 3 * FIRST_HOUR
    ledger.close()


def test_a_copy_takes_open_pods_in_and_leaves_the_counters_alone() -> None:
    totals = Totals()
    fresh = totals.copy()
    fresh.count(dimension(), hold(stop=HOUR).segments, HOUR, Fraction(1))
    assert nano(fresh) == FIRST_HOUR
    assert nano(totals) == 0


def test_time_without_a_price_is_counted_apart() -> None:
    totals = Totals()
    totals.count(dimension(), hold(stop=HOUR, rates=()).segments, HOUR, Fraction(1, 2))
    ((_, counted),) = totals.items()
    assert counted.nano == 0
    assert counted.gpu_ms == counted.unpriced_gpu_ms == 2 * HOUR


def test_a_counter_of_odd_shares_is_the_same_after_a_restart(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "l.db"), "test")
    slices = [hold(f"p{n}", devices=Fraction(15, 112), stop=n * 997) for n in range(1, 8)]
    totals = Totals()
    for each in slices:
        totals.count(dimension(), each.segments, each.known, Fraction(1))
    ledger.submit([node(), *(pod(each.pod_uid) for each in slices), *slices]).result(30)
    assert dict(restored(ledger).items()) == dict(totals.items())
    ledger.close()
