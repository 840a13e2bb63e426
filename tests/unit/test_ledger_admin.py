"""What accountants do: verify, re-rate, close, back up and restore, in both databases."""

import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bursar.domain.rate import Unpriced
from bursar.domain.time import DAY, HOUR, parse_time
from bursar.domain.usage import Basis
from bursar.errors import BursarError, LedgerError
from bursar.meter import recut, splice
from bursar.runtime.ledger import Ledger, Reader
from bursar.runtime.ledger.admin import files, months, rerate
from bursar.runtime.ledger.admin.verify import verify
from bursar.runtime.ledger.rows import CheckpointRow, RateRows
from support.ledger import CHEAP, P5, end, hold, member, node, node_hold, period, pod

WAIT = 30
T0 = parse_time("2026-10-30T12:00:00Z")
"""Two pods live over the end of October, one within it, one is open."""
NOVEMBER = parse_time("2026-11-01T00:00:00Z")
NOW = parse_time("2026-11-24T12:00:00Z")
RATES = (period(P5, T0),)


def write(ledger, *rows):
    ledger.submit(rows).result(WAIT)


def lived(ledger):
    """The four pods' lives, and their node's."""
    write(
        ledger,
        node(created=T0),
        RateRows(node_uid="n1", periods=RATES, revised=T0),
        node_hold(start=T0, known=NOW, rates=RATES),
        pod("within"),
        hold("within", start=T0, stop=T0 + 5 * HOUR + 1, rates=RATES, devices=3),
        member("within", since=T0),
        pod("over"),
        hold("over", start=T0, stop=NOVEMBER + 7 * HOUR + 3, rates=RATES, devices=2),
        pod("after"),
        hold(
            "after",
            start=NOVEMBER + 3,
            stop=end(NOVEMBER + DAY, Basis.ESTIMATED, "job", low=NOVEMBER + HOUR, high=NOW),
            rates=RATES,
            devices=1,
        ),
        pod("open"),
        hold("open", start=T0 + 1, known=NOW, rates=RATES, devices=1),
        CheckpointRow(stream="pods", resource_version="9", observed=NOW),
    )


@pytest.fixture
def filled(ledger):
    lived(ledger)
    return ledger


def differences(reader, month=None):
    found = verify(reader, NOW, month)
    assert found.different >= len(found.differences)
    return [(each.check, each.where, each.kept, each.counted) for each in found.differences]


def test_a_ledger_that_is_as_it_should_be_has_no_difference(filled):
    verdict = verify(filled.reader, NOW)
    assert verdict.differences == []
    compared = {check.name: check.compared for check in verdict.checks}
    assert compared["cost of pods' rows = rate × share × time"] == 4
    assert compared["sums by hour and day = what the rows add up to"] > 30
    assert compared["memberships lie in their pods' lives"] == 1
    assert verify(filled.reader, NOW, "2026-10").differences == []


def test_a_ledger_that_was_never_written_to_is_verified_too(ledger):
    assert differences(ledger.reader) == []


TAMPERED = [
    pytest.param(
        "UPDATE pod_interval SET opex_nano = '1' WHERE pod_id ="
        " (SELECT id FROM pod WHERE uid = 'within')",
        "cost of pods' rows",
        "pod vision/pod-within (within) from 2026-10-30T12:00:00Z",
        id="a cost",
    ),
    pytest.param(
        "UPDATE pod_interval SET end_ms = end_ms + 1000 WHERE pod_id ="
        " (SELECT id FROM pod WHERE uid = 'within')",
        "sums by hour and day",
        "from 2026-10-30T17:00:00Z",
        id="an end",
    ),
    pytest.param(
        "DELETE FROM pod_interval WHERE pod_id = (SELECT id FROM pod WHERE uid = 'over')",
        "totals = closed rows",
        "namespace vision",
        id="a row that is gone",
    ),
    pytest.param(
        "UPDATE daily SET capex_nano = 5", "sums by hour and day", "daily capex_nano", id="a day"
    ),
    pytest.param(
        "DELETE FROM hourly_node WHERE hour_ms > 0",
        "sums by hour and day",
        "hourly_node opex_nano from",
        id="hours of a node",
    ),
    pytest.param(
        "UPDATE total SET gpu_ms_nano = '7'", "totals = closed rows", "gpu_ms_nano", id="a total"
    ),
    pytest.param(
        "UPDATE node_interval SET opex_nano = '7'",
        "cost of nodes' rows",
        "node name-of-n1 (n1)",
        id="a node's cost",
    ),
    pytest.param(
        "UPDATE budget_member SET from_ms = from_ms - 1",
        "memberships",
        "pod vision/pod-within (within)",
        id="a membership before its pod",
    ),
    pytest.param(
        "UPDATE pod_interval SET superseded_by = 9 WHERE pod_id ="
        " (SELECT id FROM pod WHERE uid = 'after')",
        "each hold counts in one generation",
        "pod vision/pod-after (after)",
        id="a generation that nothing followed",
    ),
]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("statement", "check", "where"), TAMPERED)
def test_what_was_tampered_with_is_found_and_named(filled, database, statement, check, where):
    database.run(statement)
    found = differences(filled.reader)
    assert any(each[0].startswith(check) and where in each[1] for each in found), found


def test_a_reference_to_nothing_is_found(tmp_path):
    ledger = Ledger.open(str(tmp_path / "ledger.db"), "test")
    lived(ledger)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as raw:
        raw.execute("UPDATE pod SET node_id = 99 WHERE uid = 'open'")
        raw.commit()
    (found,) = [each for each in differences(ledger.reader) if each[0].startswith("references")]
    assert found[1:] == ("table pod, row 4", "refers to node", "no such row")
    ledger.close()


def test_hours_of_another_month_are_left_alone(filled, database):
    database.run(f"UPDATE daily SET capex_nano = 5 WHERE day_ms >= {NOVEMBER}")
    assert differences(filled.reader, "2026-10") == []
    assert differences(filled.reader, "2026-11") != []


# --- closing -------------------------------------------------------------------------------------


def test_a_closed_month_keeps_its_figures_and_what_comes_later_is_a_correction(filled):
    closed = months.close(filled, "2026-10", "ada", NOW)
    days = NOVEMBER - T0
    nano = 55_040_000_000
    expected = (
        nano * 3 * (5 * HOUR + 1) // (8 * HOUR) + nano * 2 * days // (8 * HOUR)
        + nano * 1 * (days - 1) // (8 * HOUR)
    )  # fmt: skip
    assert (closed.opex, closed.capex, closed.by, closed.already) == (expected, 0, "ada", False)
    assert differences(filled.reader) == []
    better = replace(end(T0 + 6 * HOUR), witness="finishedAt")
    write(filled, hold("within", start=T0, stop=better, rates=RATES, devices=3))
    assert months.closed_months(filled.reader) == (closed,)
    assert differences(filled.reader) == []
    again = months.close(filled, "2026-10", "bob", NOW)
    assert (again.already, again.by, again.opex) == (True, "ada", expected)


@pytest.mark.parametrize(
    ("month", "now", "why"),
    [
        pytest.param("2026-11", NOW, "2026-11 is not over: it ends 2026-12-01", id="not over"),
        pytest.param("2026-13", NOW, "'2026-13' is no month", id="no month"),
        pytest.param("26-1", NOW, "'26-1' is no month", id="no month either"),
    ],
)
def test_a_month_that_cannot_be_closed_says_why_even_by_force(filled, month, now, why):
    for force in (False, True):
        with pytest.raises(BursarError, match=why):
            months.close(filled, month, "ada", now, force=force)


def test_a_month_whose_figures_may_still_move_is_closed_only_by_force(ledger):
    write(
        ledger,
        pod("open"),
        hold("open", start=T0, known=NOVEMBER - HOUR, rates=RATES),
        CheckpointRow(stream="pods", resource_version="9", observed=NOVEMBER - HOUR),
    )
    with pytest.raises(BursarError) as told:
        months.close(ledger, "2026-10", "ada", NOW)
    assert "followed only until 2026-10-31T23:00:00Z; of 1 pods it is not known" in str(told.value)
    assert months.closed_months(ledger.reader) == ()
    assert not months.close(ledger, "2026-10", "ada", NOW, force=True).already
    write(ledger, hold("open", start=T0, stop=NOVEMBER - HOUR + 1, rates=RATES))
    assert differences(ledger.reader) == []


# --- re-rating -----------------------------------------------------------------------------------

FROM, TO = T0 + HOUR, NOVEMBER + 2 * HOUR
CORRECTED = splice(RATES, (period(CHEAP, T0),), FROM, TO)


def run(ledger, rates=CORRECTED):
    plan = rerate.plan(ledger.reader, {"n1": rates}, FROM, TO)
    for row in plan.rows(NOW, "a typing error", "R1"):
        write(ledger, row)
    return plan


def spent(ledger):
    return {
        (row.pod_uid, row.segment.start): row.cost.total
        for row in ledger.reader.intervals(0, 10**13)
    }


def price(rate, devices, frm, to):
    return sum(int(part * devices * (to - frm) // (8 * HOUR)) for part in (rate.capex, rate.opex))


def test_a_re_rated_past_costs_what_the_new_rates_say_and_both_versions_stay(filled, database):
    plan = run(filled)
    assert spent(filled) == {
        ("within", T0): price(P5, 3, T0, FROM),
        ("within", FROM): price(CHEAP, 3, FROM, T0 + 5 * HOUR + 1),
        ("over", T0): price(P5, 2, T0, FROM),
        ("over", FROM): price(CHEAP, 2, FROM, TO),
        ("over", TO): price(P5, 2, TO, NOVEMBER + 7 * HOUR + 3),
        ("after", NOVEMBER + 3): price(CHEAP, 1, NOVEMBER + 3, TO),
        ("after", TO): price(P5, 1, TO, NOVEMBER + DAY),
        ("open", T0 + 1): price(P5, 1, T0 + 1, FROM),
        ("open", FROM): price(CHEAP, 1, FROM, TO),
        ("open", TO): price(P5, 1, TO, NOW),
    }
    assert differences(filled.reader) == []
    old = database.run("SELECT COUNT(*) FROM pod_interval WHERE superseded_by = 1")
    assert old[0][0] == 4
    assert plan.moved["vision"].count == 4
    assert plan.moved[rerate.NODES].after < plan.moved[rerate.NODES].before
    assert filled.reader.rates()["n1"].periods == CORRECTED


def test_a_plan_says_to_the_nano_unit_what_will_be(filled):
    def within():
        return sum(
            (
                row.cost.total if row.segment.end else 0
                for row in filled.reader.intervals(0, 10**13)
                if row.segment.start >= FROM and row.known <= TO
            ),
        )

    plan = rerate.plan(filled.reader, {"n1": CORRECTED}, FROM, TO)
    run(filled)
    assert plan.moved["vision"].after == within()


def test_re_rating_twice_changes_nothing_more(filled, database):
    run(filled)
    before, rows = spent(filled), database.run("SELECT COUNT(*) FROM pod_interval")
    plan = run(filled)
    assert (spent(filled), database.run("SELECT COUNT(*) FROM pod_interval")) == (before, rows)
    assert plan.moved == {}


def test_what_goes_on_keeps_its_generation_and_what_is_told_late_stays_late(filled):
    run(filled)
    fresh = recut(hold("open", start=T0 + 1, known=NOW, rates=RATES, devices=1).segments, CORRECTED)
    told = hold("open", start=T0 + 1, known=NOW, rates=RATES, devices=1)
    write(filled, replace(told, segments=fresh, known=NOW + HOUR))
    assert spent(filled)["open", TO] == price(P5, 1, TO, NOW + HOUR)
    write(filled, hold("within", start=T0, stop=T0 + 5 * HOUR + 1, rates=RATES, devices=3))
    assert spent(filled)["within", FROM] == price(CHEAP, 3, FROM, T0 + 5 * HOUR + 1)
    assert differences(filled.reader) == []


def test_a_pod_that_came_while_it_was_planned_is_re_rated_too(filled):
    plan = rerate.plan(filled.reader, {"n1": CORRECTED}, FROM, TO)
    write(filled, pod("late"), hold("late", start=FROM, stop=FROM + HOUR, rates=RATES, devices=8))
    for row in plan.rows(NOW, "", ""):
        write(filled, row)
    assert spent(filled)["late", FROM] == price(CHEAP, 8, FROM, FROM + HOUR)


def test_a_closed_month_takes_a_re_rating_as_corrections_with_its_reason(filled, database):
    closed = months.close(filled, "2026-10", "ada", NOW)
    run(filled)
    assert months.closed_months(filled.reader) == (closed,)
    assert differences(filled.reader) == []
    told = set(database.run("SELECT month, reason, reference FROM correction"))
    assert told == {("2026-10", "a typing error", "R1")}


def test_what_had_no_price_gets_one(filled):
    unknown = (period(Unpriced("nobody says"), T0),)
    run(filled, splice(RATES, unknown, FROM, TO))
    assert spent(filled)["over", FROM] == 0
    run(filled)
    assert spent(filled)["over", FROM] == price(CHEAP, 2, FROM, TO)
    assert differences(filled.reader) == []


CHILD = """
    import os, sys
    sys.path[:0] = sys.argv[3:]
    from sqlalchemy import event
    from test_ledger_admin import CORRECTED, FROM, NOW, TO
    from bursar.runtime.ledger import Ledger
    from bursar.runtime.ledger.admin import rerate

    ledger = Ledger.open(sys.argv[1], "test")

    @event.listens_for(ledger._writer._engine, "before_cursor_execute")
    def die(connection, cursor, statement, *rest):
        if statement.startswith(sys.argv[2]):
            os._exit(9)

    plan = rerate.plan(ledger.reader, {"n1": CORRECTED, "n2": CORRECTED}, FROM, TO)
    for row in plan.rows(NOW, "", ""):
        ledger.submit([row]).result(30)
"""


@pytest.mark.parametrize(
    ("database", "at"),
    [("sqlite", "UPDATE pod_interval"), ("postgresql", "INSERT INTO daily ")],
    indirect=["database"],
)
def test_killed_in_the_middle_each_node_is_as_before_or_after_and_it_is_resumed(database, at):
    ledger = Ledger.open(database.url, "test")
    lived(ledger)
    write(
        ledger,
        node("n2", created=T0),
        RateRows(node_uid="n2", periods=RATES, revised=T0),
        node_hold("n2", start=T0, known=NOW, rates=RATES),
        pod("other", node_uid="n2"),
        hold("other", start=T0, stop=T0 + 2 * HOUR, rates=RATES),
    )
    before = spent(ledger)
    ledger.close()
    here = Path(__file__)
    paths = [str(here.parents[2] / "operator"), str(here.parents[1]), str(here.parent)]
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), database.url, at, *paths],
        check=False,
        timeout=60,
        capture_output=True,
    )
    assert child.returncode == 9, child.stderr.decode()
    ledger = Ledger.open(database.url, "test")
    assert spent(ledger) == before
    assert differences(ledger.reader) == []
    plan = rerate.plan(ledger.reader, {"n1": CORRECTED, "n2": CORRECTED}, FROM, TO)
    for row in plan.rows(NOW, "", ""):
        write(ledger, row)
    assert spent(ledger)["over", FROM] == price(CHEAP, 2, FROM, TO)
    assert spent(ledger)["other", FROM] == price(CHEAP, 4, FROM, T0 + 2 * HOUR)
    assert differences(ledger.reader) == []
    ledger.close()


# --- files ---------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "volume"
    folder.mkdir()
    return folder / "ledger.db"


def test_a_backup_is_taken_under_a_writer_and_restored_without_one(place, tmp_path):
    ledger = Ledger.open(str(place), "test")
    lived(ledger)
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # somebody writes meanwhile
        contents = files.backup(str(place), tmp_path / "copy.db")
        other.execute("ROLLBACK")
    assert (contents.clusters, contents.observed) == (("test",), NOW)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy.db", "volume"]
    kept = spent(ledger)
    write(ledger, pod("lost"), hold("lost", stop=HOUR))
    with pytest.raises(LedgerError, match="scale the operator to 0"):
        files.restore(tmp_path / "copy.db", str(place))
    assert len(spent(ledger)) == len(kept) + 1
    ledger.close()
    for _ in range(3):
        Ledger.open(str(place), "test").close()
    files.restore(tmp_path / "copy.db", str(place))
    restored = Ledger.open(str(place), "test")
    assert restored.term == 5
    assert spent(restored) == kept
    assert differences(restored.reader) == []
    restored.close()
    before = Reader.open(str(place.with_name("ledger.db" + files.KEPT)), "test")
    assert len(list(before.intervals(0, 10**13))) == len(kept) + 1
    before.close()


def test_a_damaged_ledger_is_replaced_and_a_missing_one_made(place, tmp_path):
    ledger = Ledger.open(str(place), "test")
    lived(ledger)
    files.backup(str(place), tmp_path / "copy.db")
    kept = spent(ledger)
    ledger.close()
    place.write_text("not a database any more " * 99)
    files.restore(tmp_path / "copy.db", str(place))
    place.rename(tmp_path / "elsewhere.db")
    files.restore(tmp_path / "copy.db", str(place))
    anew = Ledger.open(str(place), "test")
    assert spent(anew) == kept
    anew.close()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        pytest.param(lambda path: path.write_text("text " * 999), "is no ledger", id="no database"),
        pytest.param(lambda path: path.write_bytes(b""), "is no ledger", id="an empty file"),
        pytest.param(lambda path: path.unlink(), "is no ledger", id="no file"),
        pytest.param(
            lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
            "is (damaged|no ledger)",
            id="half of it",
        ),
    ],
)
def test_what_is_no_backup_replaces_nothing(place, tmp_path, spoil, why):
    ledger = Ledger.open(str(place), "test")
    lived(ledger)
    files.backup(str(place), tmp_path / "copy.db")
    ledger.close()
    spoil(tmp_path / "copy.db")
    before = place.read_bytes()
    with pytest.raises(LedgerError, match=why):
        files.restore(tmp_path / "copy.db", str(place))
    assert place.read_bytes() == before


def test_postgresql_is_referred_to_its_own_programs(postgres_url, tmp_path):
    with pytest.raises(BursarError, match="pg_dump"):
        files.backup(postgres_url, tmp_path / "copy.db")
    with pytest.raises(BursarError, match="pg_restore"):
        files.restore(tmp_path / "copy.db", postgres_url)
