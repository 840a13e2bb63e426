"""Counters' sums: they go on where they stopped, names keep their series, nothing counts twice."""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from bursar.domain.allocation import UNALLOCATED
from bursar.domain.money import NANO
from bursar.domain.time import HOUR
from bursar.domain.usage import Cost, Dimension
from bursar.runtime.counting import places
from bursar.runtime.counting.places import OTHER, Places
from bursar.runtime.counting.series import SCRAPER, SHOWN, USAGE, WORKLOAD, Roster
from bursar.runtime.counting.totals import Reading, Totals
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import Row, SeriesGone, SeriesRow, Total
from support.ledger import P5, dimension, hold, node, period, pod

CUT = (period(P5, until=HOUR), period(replace(P5, opex=P5.opex * 2), since=HOUR))
SERIES = ("vision", "training", "unallocated", "", "h100-sxm5-80gb")
FIRST_HOUR = 27_520_000_000


def restored(ledger: Ledger) -> Reading:
    totals = Totals()
    totals.restore(ledger.reader.totals(), ledger.reader.open_pods())
    return totals.read({}, lambda _: dimension(), 0)


def _opex(nano: int) -> Cost:
    return Cost(opex=nano)


def nano(reading: Reading) -> int:
    return sum(sums.cost for sums in reading.usage.values())


def test_what_ended_is_restored_and_what_is_open_is_not(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "l.db"), "test")
    ended = [pod("p1"), hold("p1", stop=HOUR)]
    running = [pod("p2"), hold("p2", known=HOUR)]
    ledger.submit([node(), *ended, *running]).result(30)
    reading = restored(ledger)
    assert nano(reading) == FIRST_HOUR
    ((series, sums),) = reading.usage.items()
    assert series.labels == SERIES
    assert sums.gpu == 4 * HOUR * NANO
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


def test_time_without_a_price_is_counted_apart(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "l.db"), "test")
    ledger.submit([node(), pod("p1"), hold("p1", stop=HOUR, rates=())]).result(30)
    ((_, sums),) = restored(ledger).usage.items()
    assert sums.cost == 0
    assert sums.gpu == sums.unpriced == 4 * HOUR * NANO
    ledger.close()


def test_energy_is_told_where_the_power_is_known_and_nothing_is_told_elsewhere() -> None:
    known, unknown = dimension(), replace(dimension(), accelerator="novel")
    power = {known.accelerator: (7, 2)}
    totals = Totals(power=lambda use: power.get(use.accelerator))
    totals.restore({each: Total(gpu_ms=Fraction(HOUR)) for each in (known, unknown)}, [])
    found = totals.read({}, lambda _: known, 0).usage
    assert [sums.joules for sums in found.values()] == [HOUR * NANO * 7 // 2, None]


# --- corrections ----------------------------------------------------------------------------------


def test_a_correction_that_takes_off_is_remembered_beside_the_counter() -> None:
    total = {dimension(): Total(cost=_opex(900))}
    totals = Totals()
    totals.restore(total, [])
    totals.recount({dimension(): Total(cost=_opex(600))}, [])
    ((series, sums),) = totals.read({}, lambda _: dimension(), 0).usage.items()
    assert sums.cost == 600
    assert series.marks == {"corrected": 300}
    totals.recount({dimension(): Total(cost=_opex(700))}, [])
    ((series, sums),) = totals.read({}, lambda _: dimension(), 0).usage.items()
    assert (sums.cost, series.marks) == (700, {"corrected": 300}), "more is simply counted"


# --- names ----------------------------------------------------------------------------------------


def places_of(rows: Iterable[SeriesRow] = (), teams: int = 2, models: int = 2) -> Places:
    roster = Roster()
    roster.restore(rows)
    made = Places(roster, teams, models)
    made.restore()
    return made


def used(team: str = UNALLOCATED, model: str = "", namespace: str = "a") -> Dimension:
    return Dimension(namespace=namespace, team=team, model=model, accelerator="t4")


def teams(made: Places, *names: str, late: bool = False) -> list[str]:
    return [made.of(used(name), 0, late=late).labels[2] for name in names]


def test_as_many_names_as_may_have_series_and_the_rest_is_other() -> None:
    made = places_of()
    assert teams(made, "x", "y", "z", "x", "z") == ["x", "y", OTHER, "x", OTHER]


def test_what_nobody_makes_up_takes_no_place() -> None:
    made = places_of()
    assert teams(made, UNALLOCATED, "x", "", OTHER, "y", "z")[-1] == OTHER
    assert teams(made, UNALLOCATED, "y") == [UNALLOCATED, "y"]


def test_names_keep_their_series_over_a_restart_and_strangers_stay_strangers() -> None:
    rows = [row(rank, ("a", "unknown", name, "", "t4")) for rank, name in enumerate("yx", 1)]
    made = places_of(rows, teams=3)
    # z was counted in `other` before: a series of its own would count it twice.
    assert teams(made, "z", late=True) == [OTHER]
    assert teams(made, "x", "y", "z", "new") == ["x", "y", OTHER, "new"]


def test_a_lower_limit_takes_no_name_its_series() -> None:
    rows = [row(rank, ("a", "unknown", name, "", "t4")) for rank, name in enumerate("xyz", 1)]
    assert teams(places_of(rows, teams=1), "z", "new") == ["z", OTHER]


def test_models_are_bounded_apart_from_teams() -> None:
    made = places_of(models=1)
    found = [made.of(used("x", name), 0).labels[2:4] for name in ("m1", "m2")]
    assert found == [("x", "m1"), ("x", OTHER)]


def test_beyond_the_last_bound_namespaces_are_not_mixed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MAX_SERIES", 1)
    made = places_of()
    labels = [made.of(used("x", "m", namespace), 0).labels for namespace in ("a", "b", "a", "b")]
    assert labels[0] == labels[2] == ("a", "unknown", "x", "m", "t4")
    assert labels[1] == labels[3] == ("b", "unknown", OTHER, OTHER, "t4")


# --- the roster -----------------------------------------------------------------------------------


def row(rank: int, labels: tuple[str, ...], kind: str = USAGE, **marks: int) -> SeriesRow:
    return SeriesRow(rank=rank, kind=kind, labels=labels, created=0, marks=marks)


def save(ledger: Ledger, roster: Roster) -> list[Row]:
    rows = roster.unsaved()
    done = ledger.submit(rows)
    roster.saved(rows, done)
    done.result(30)
    return rows


def test_series_come_back_as_they_were_shown_whatever_they_are_called(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "l.db"), "test")
    roster = Roster()
    odd = roster.open(USAGE, ("a\x00", "\udc80", 'é"\\', "", "t4"), 5)
    gone = roster.open(WORKLOAD, ("a", "Job", "j", "training"), 6)
    odd.reach("cost", 10**30)
    odd.reach("cost", 3)
    assert len(save(ledger, roster)) == 2
    assert roster.unsaved() == []
    roster.close(gone)
    assert save(ledger, roster) == [SeriesGone(rank=2)]
    again = Roster()
    again.restore(ledger.reader.series())
    (found,) = again.of(USAGE)
    assert (found.labels, found.created, found.marks) == (odd.labels, 5, {"cost": 10**30})
    assert found.written == found.marks
    assert again.of(WORKLOAD) == ()
    assert again.open(USAGE, ("b",), 7).rank == 2, "behind all that there are"
    ledger.close()


def test_a_stranger_sees_all_as_it_stands_and_is_known_from_then_on() -> None:
    roster = Roster()
    roster.open(USAGE, ("a",), 0)
    met = roster.meet("10.0.0.1", 5)
    assert met.marks[SHOWN] == met.rank
    roster.open(USAGE, ("b",), 0)
    assert roster.meet("10.0.0.1", 6) is met
    assert met.marks[SHOWN] == met.rank, "what came since is new to him"


def test_few_scrapers_are_remembered_and_the_longest_away_is_forgotten() -> None:
    roster = Roster()
    for n in range(30):
        roster.meet(f"10.0.0.{n}", n)
    assert roster.count(SCRAPER) == 20
    assert roster.find(SCRAPER, ("10.0.0.9",)) is None
    assert roster.find(SCRAPER, ("10.0.0.29",)) is not None


def test_what_the_ledger_refused_is_not_taken_for_written(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "l.db"), "test")
    roster = Roster()
    roster.open(USAGE, ("a",), 0)
    ledger.close()
    rows = roster.unsaved()
    done = ledger.submit(rows)
    roster.saved(rows, done)
    assert done.exception(30) is not None
    assert roster.of(USAGE)[0].written is None
    assert roster.unsaved() == rows
