"""Reports of months that are closed: final, with what was corrected since in a line of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bursar.domain.time import DAY, HOUR
from bursar.report import Report, Rules, Window, report, stretches
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.reading import Asked, Lines
from bursar.runtime.ledger.rows import CloseRow
from support.databases import Database
from support.ledger import CHEAP, dimension, hold, node, node_hold, period, pod
from support.plainreport import by_row, of_nodes

WAIT = 60
MONTH = 31 * DAY
JANUARY = Window(since=0, until=MONTH)
FEBRUARY = Window(since=MONTH, until=MONTH + 28 * DAY)
EVER = Window(since=0, until=60_000 * DAY)
"""Long enough to hold the moment at which the test books its corrections."""
NOW = MONTH + 9 * DAY + 5
CUT = Window(since=3 * HOUR + 7, until=MONTH + 2 * DAY + 11)


def written(ledger: Ledger, *rows: Any) -> None:
    ledger.submit(list(rows)).result(WAIT)


@pytest.fixture
def ledger(still_open: Ledger) -> Ledger:
    """A ledger whose January is closed while one pod goes on."""
    written(still_open, CloseRow(month="1970-01", by="me"))
    return still_open


@pytest.fixture
def still_open(tmp_path: Path) -> Iterator[Ledger]:
    """The same before it is closed."""
    path = tmp_path / "ledger.db"
    opened = Ledger.open(str(path), "test")
    Database(f"sqlite:///{path}").run(
        "INSERT INTO kept (cluster_id, intervals_since_ms, hourly_since_ms) VALUES (1, 0, 0)"
    )
    written(opened, node(), node_hold(known=NOW))
    for index, (start, stop) in enumerate(
        [(HOUR, 2 * DAY), (5 * DAY + 7, 5 * DAY + HOUR), (MONTH - HOUR, MONTH + HOUR)]
    ):
        uid = f"p{index}"
        told = dimension(team=f"t{index % 2}")
        written(opened, pod(uid), hold(uid, start=start, stop=stop, devices=1, dimension=told))
    written(opened, pod("on"), hold("on", start=20 * DAY, known=NOW, devices=2))
    yield opened
    opened.close()


def asked(ledger: Ledger, window: Window, *by: str, **more: Any) -> Report:
    with ledger.reader.snapshot() as snapshot:
        ask = Asked(stretches=stretches(window, by), now=NOW, keys=by, **more)
        lines = Lines(snapshot, ask)
        return report(lines.pods(), lines.others(), by, window, Rules(currency="USD"))


def costs(found: Report) -> dict[str, int]:
    return {"/".join(row.key): row.figures.cost for row in found.rows}


def correct(ledger: Ledger) -> None:
    """A pod that is told of late, one that was dearer, and one that ended in January after all."""
    written(ledger, pod("late"), hold("late", start=6 * DAY, stop=7 * DAY, devices=1))
    dear = dimension(team="t0")
    written(
        ledger,
        hold(
            "p0",
            start=HOUR,
            stop=2 * DAY,
            devices=1,
            rates=(period(CHEAP),),
            generation=1,
            dimension=dear,
        ),
    )
    written(ledger, hold("on", start=20 * DAY, stop=25 * DAY, devices=2))


@pytest.mark.parametrize("by", [("team",), ("pod",), ("team", "day")], ids="-".join)
@pytest.mark.parametrize(
    "window",
    [
        pytest.param(JANUARY, id="the month"),
        pytest.param(CUT, id="cut before the open pod"),
        pytest.param(Window(since=20 * DAY + 7, until=MONTH - HOUR - 5), id="cut in its life"),
        pytest.param(Window(since=22 * DAY + 5, until=22 * DAY + 9), id="within an hour of it"),
        pytest.param(Window(since=22 * DAY + 5, until=22 * DAY + 5 * HOUR), id="within a day"),
        pytest.param(Window(since=30 * DAY + 5, until=MONTH + DAY + 3), id="over the end"),
    ],
)
def test_closing_moves_nothing(still_open: Ledger, window: Window, by: tuple[str, ...]) -> None:
    def told() -> list[Any]:
        found = asked(still_open, window, *by)
        rows = [(row.key, row.figures.cost, row.figures.pods) for row in found.rows]
        return [rows, found.total.cost, found.total.pods, found.others["idle"].cost]

    before = told()
    written(still_open, CloseRow(month="1970-01", by="me"))
    assert told() == before


def test_a_closed_month_is_told_as_before_whatever_is_corrected_since(ledger: Ledger) -> None:
    before = asked(ledger, JANUARY, "team")
    correct(ledger)
    after = asked(ledger, JANUARY, "team")
    assert costs(after) == costs(before)
    assert [row.figures.pods for row in after.rows] == [row.figures.pods for row in before.rows]
    assert "corrections" not in after.others


@pytest.mark.parametrize("by", [("team",), ("pod",), ("team", "day"), ("day", "pod")], ids="-".join)
def test_corrections_are_booked_when_they_are_written_and_all_adds_up(
    ledger: Ledger, by: tuple[str, ...]
) -> None:
    correct(ledger)
    for window in (JANUARY, FEBRUARY, CUT):
        assert asked(ledger, window, *by).total.cost == asked(ledger, window, "team").total.cost
    # With what was booked since, January is what its rows add up to now.
    window = EVER if "day" not in by else FEBRUARY
    whole = asked(ledger, window, *by)
    now = by_row(ledger.reader, window, NOW, lambda _: "")
    paid = sum(row.figures.cost for row in whole.rows)
    booked = whole.others["corrections"].cost if "corrections" in whole.others else 0
    assert paid + booked == sum(each["capex"] + each["opex"] for each in now.values())
    assert whole.total.cost == sum(of_nodes(ledger.reader, window, NOW)["nodes"])


def test_pods_told_one_by_one_show_what_is_known_now_less_what_was_booked_later(
    ledger: Ledger,
) -> None:
    closed = asked(ledger, JANUARY, "team")
    correct(ledger)
    by_pod = asked(ledger, JANUARY, "pod")
    assert "pod-late" in costs(by_pod)
    difference = by_pod.others["corrections"].cost
    assert sum(costs(by_pod).values()) + difference == sum(costs(closed).values())


def test_a_pod_that_goes_on_over_the_end_of_a_closed_month_is_counted_once(ledger: Ledger) -> None:
    for window in (JANUARY, FEBRUARY, EVER, CUT):
        for by in (("team",), ("pod",)):
            found = asked(ledger, window, *by)
            rows = by_row(ledger.reader, window, NOW, lambda _: "")[""]
            assert (found.total.pods, found.total.gpu) == (
                rows["pods"],
                rows["gpu"] + found.others["idle"].gpu,
            )
            assert sum(costs(found).values()) == rows["capex"] + rows["opex"]


def test_corrections_of_some_pods_are_theirs_alone(ledger: Ledger) -> None:
    correct(ledger)
    whole = asked(ledger, EVER, "team").others["corrections"].cost
    parts = [
        asked(ledger, EVER, "team", filters=(("team", team),)).others.get("corrections")
        for team in ("t0", "t1", "unallocated")
    ]
    assert sum(part.cost for part in parts if part is not None) == whole != 0
