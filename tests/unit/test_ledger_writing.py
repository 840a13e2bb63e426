"""What the ledger keeps: atomic, idempotent, never worse than it knew, and fenced."""

import itertools
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import pytest

from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import Rate, Unpriced
from bursar.domain.time import HOUR, SECOND
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Basis
from bursar.errors import Deposed, LedgerError
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import CheckpointRow, RateRows, Run
from support.ledger import (
    CHEAP,
    NANO,
    P5,
    VISION,
    dimension,
    end,
    hold,
    member,
    node,
    node_hold,
    period,
    pod,
)

WAIT = 30


@pytest.fixture
def url(database):
    return database.url


def write(ledger, *rows):
    ledger.submit(rows).result(WAIT)


def kept(ledger, frm=0, to=10**13):
    return sorted(
        (entry.pod_uid, entry.segment.start, entry.known, entry.cost.total)
        for entry in ledger.reader.intervals(frm, to)
    )


def everything(ledger):
    reader = ledger.reader
    return (
        sorted(map(repr, reader.intervals(0, 10**13))),
        sorted(map(repr, reader.node_intervals(0, 10**13))),
        reader.totals(),
        reader.members(["p1", "p2"]),
        reader.nodes(),
        reader.rates(),
        reader.checkpoint("pods"),
    )


HISTORY = (
    node(),
    RateRows(node_uid="n1", periods=(period(P5),), revised=0),
    pod("p1", run=Run(uid="r", kind="Job", namespace="vision", name="train")),
    hold("p1", known=10 * SECOND),
    member("p1"),
    node_hold(known=10 * SECOND),
    CheckpointRow(stream="pods", resource_version="5", observed=10 * SECOND),
    pod("p2"),
    hold("p2", start=SECOND, known=20 * SECOND, dimension=dimension(team="a")),
    hold("p1", known=20 * SECOND),
    RateRows(
        node_uid="n1",
        periods=(period(P5, 0, 30 * SECOND), period(CHEAP, 30 * SECOND)),
        revised=30 * SECOND,
    ),
    hold(
        "p1",
        known=40 * SECOND,
        rates=(period(P5, 0, 30 * SECOND), period(CHEAP, 30 * SECOND)),
    ),
    hold("p2", start=SECOND, stop=end(25 * SECOND, Basis.OBSERVED, "observed")),
    hold("p2", start=SECOND, stop=24 * SECOND),
    member("p1", until=35 * SECOND),
    hold(
        "p1",
        stop=91 * SECOND,
        rates=(period(P5, 0, 30 * SECOND), period(CHEAP, 30 * SECOND)),
    ),
    node_hold(known=91 * SECOND),
)


def test_what_is_written_is_read_back_exactly(ledger):
    write(ledger, *HISTORY)
    # 27.52 x 30 s, then 4.00 x 61 s (0.5 + 3.5 an hour); 27.52 x 23 s
    assert kept(ledger) == [
        ("p1", 0, 30 * SECOND, 229_333_333),
        ("p1", 30 * SECOND, 91 * SECOND, 8_472_222 + 59_305_555),
        ("p2", SECOND, 24 * SECOND, 175_822_222),
    ]
    first = next(e for e in ledger.reader.intervals(0, HOUR) if e.pod_uid == "p1")
    assert (first.node_name, first.run.name, first.namespace) == ("name-of-n1", "train", "vision")
    assert ledger.reader.nodes()["n1"] == HISTORY[0].facts
    assert ledger.reader.rates()["n1"].periods == HISTORY[10].periods
    assert ledger.reader.open_pods() == ()


def test_replaying_any_prefix_twice_changes_nothing(ledger, database):
    step = 1 if database.kind == "sqlite" else 4
    for length in range(1, len(HISTORY) + 1, step):
        write(ledger, *HISTORY[:length])
        before = everything(ledger)
        for again in (1, length // 2, length):
            earlier = [row for row in HISTORY[:again] if not isinstance(row, CheckpointRow)]
            write(ledger, *earlier)
            assert everything(ledger) == before


def test_however_history_is_cut_into_batches_the_same_is_kept(url):
    kept_by = []
    for cut in (1, 3, len(HISTORY)):
        opened = Ledger.open(url, f"by-{cut}")
        rows = iter(HISTORY)
        while batch := tuple(itertools.islice(rows, cut)):
            opened.submit(batch)
        opened.close()
        reopened = Ledger.open(url, f"by-{cut}")
        kept_by.append(everything(reopened))
        reopened.close()
    assert kept_by[0] == kept_by[1] == kept_by[2]


@pytest.mark.parametrize(
    ("first", "second", "known", "basis"),
    [
        pytest.param(None, end(50), 50, Basis.EXACT, id="an end closes an open row"),
        pytest.param(end(50), None, 50, Basis.EXACT, id="an open row never opens a closed one"),
        pytest.param(
            end(60, Basis.OBSERVED, "observed"), end(50), 50, Basis.EXACT, id="exact beats observed"
        ),
        pytest.param(end(50), end(60, Basis.OBSERVED, "observed"), 50, Basis.EXACT, id="and stays"),
        pytest.param(
            end(60, Basis.ESTIMATED, "absent", low=10, high=90),
            end(70, Basis.OBSERVED, "observed"),
            70,
            Basis.OBSERVED,
            id="observed beats estimated",
        ),
        pytest.param(
            end(60, Basis.OBSERVED, "observed"),
            end(70, Basis.OBSERVED, "observed"),
            60,
            Basis.OBSERVED,
            id="who saw it first saw it best",
        ),
        pytest.param(
            end(60), end(70), 70, Basis.EXACT, id="a container that ended later ends the pod later"
        ),
        pytest.param(
            end(60, witness="DisruptionTarget"),
            end(50),
            50,
            Basis.EXACT,
            id="finishedAt beats the condition",
        ),
    ],
)
def test_the_better_known_end_is_kept(ledger, first, second, known, basis):
    for stop in (first, second):
        write(ledger, pod(), hold(stop=stop, known=100))
    (entry,) = ledger.reader.intervals(0, HOUR)
    found = entry.segment.end
    assert (entry.known, found.basis if found else Basis.OPEN) == (known, basis)


def test_a_known_end_takes_the_segments_after_it_away_and_the_totals_with_them(ledger):
    rates = (period(P5, 0, 30 * SECOND), period(CHEAP, 30 * SECOND))
    write(ledger, pod(), hold(stop=end(40 * SECOND, Basis.OBSERVED, "observed"), rates=rates))
    write(ledger, hold(stop=20 * SECOND, rates=rates))
    assert kept(ledger) == [("p1", 0, 20 * SECOND, 152_888_888)]
    (total,) = ledger.reader.totals().values()
    assert (total.cost.total, total.gpu_ms) == (152_888_888, 80 * SECOND)


def test_relabelling_a_running_pod_moves_no_cost_but_what_was_untold_is_filled_in(ledger):
    write(ledger, pod(), hold(known=10, dimension=dimension(team="a", model="")))
    write(ledger, pod(), hold(stop=20, dimension=dimension(team="b", model="llama")))
    (entry,) = ledger.reader.intervals(0, HOUR)
    assert (entry.dimension.team, entry.dimension.model) == ("a", "llama")
    assert list(ledger.reader.totals()) == [entry.dimension]


def test_a_new_generation_supersedes_all_rows_of_the_old(ledger):
    rates = (period(P5, 0, 30 * SECOND), period(CHEAP, 30 * SECOND))
    write(ledger, pod(), hold(stop=40 * SECOND, rates=rates))
    write(ledger, hold(stop=40 * SECOND, rates=(period(CHEAP),), generation=1))
    write(ledger, hold(stop=40 * SECOND, rates=rates))
    assert kept(ledger) == [("p1", 0, 40 * SECOND, 5_555_555 + 38_888_888)]
    (total,) = ledger.reader.totals().values()
    assert total.cost.total == 44_444_443


def test_two_resources_of_a_pod_are_two_rows(ledger):
    write(
        ledger,
        pod(),
        hold(stop=SECOND),
        hold(stop=SECOND, devices=Fraction(3, 14), resource="nvidia.com/mig-1g.10gb"),
    )
    assert len(kept(ledger)) == 2


def test_numbers_beyond_64_bits_and_odd_text_are_kept(ledger):
    dear = Rate(
        capex=Fraction(10**40, 3), opex=Fraction(7, 10**30), currency="IRR", origin="x" * 9_999
    )
    odd = dimension(model="a\x00b\ud800" + "c" * 999)
    write(
        ledger,
        pod(),
        hold(stop=HOUR, devices=Fraction(1, 3 * 10**30 + 1), rates=(period(dear),), dimension=odd),
    )
    (entry,) = ledger.reader.intervals(0, HOUR)
    assert entry.segment.rate == dear
    assert entry.segment.devices == Fraction(1, 3 * 10**30 + 1)
    assert entry.cost.capex == 10**40 // (3 * 8 * (3 * 10**30 + 1))
    assert entry.dimension.model.startswith("a\ufffdb?c")


def test_what_has_no_price_or_no_share_is_kept_as_such(ledger):
    why = Unpriced("no list price")
    write(ledger, pod(), hold(stop=HOUR, rates=(period(why),)))
    write(ledger, pod("p2"), hold("p2", stop=HOUR, devices=Unknown("no label")))
    found = {entry.pod_uid: entry for entry in ledger.reader.intervals(0, HOUR)}
    assert found["p1"].segment.rate == why
    assert found["p2"].segment.share is None
    (total,) = ledger.reader.totals().values()
    assert (total.cost.total, total.unpriced_gpu_ms) == (0, 4 * HOUR)


def test_older_rates_never_replace_newer_ones(ledger):
    write(ledger, RateRows(node_uid="n1", periods=(period(CHEAP),), revised=7))
    write(ledger, RateRows(node_uid="n1", periods=(period(P5),), revised=6))
    assert ledger.reader.rates()["n1"].periods == (period(CHEAP),)


def test_a_second_opening_deposes_the_first(url, ledger):
    write(ledger, pod(), hold(known=10))
    second = Ledger.open(url, "test")
    try:
        assert second.term == ledger.term + 1
        with pytest.raises(Deposed, match=r"term 2 writes now, term 1 was deposed"):
            write(ledger, hold(stop=20))
        with pytest.raises(Deposed):
            write(ledger, pod("p9"))
        assert not ledger.healthy
        write(second, hold(stop=30))
        assert kept(second) == [("p1", 0, 30, kept(second)[0][3])]
    finally:
        second.close()


def test_other_clusters_in_the_same_database_are_none_of_its_business(url, ledger):
    other = Ledger.open(url, "other")
    try:
        write(
            other,
            pod(),
            hold(stop=20),
            CheckpointRow(stream="pods", resource_version="1", observed=1),
        )
        write(ledger, pod("p2"))
        assert kept(ledger) == []
        assert ledger.reader.checkpoint("pods") is None
        assert len(kept(other)) == 1
    finally:
        other.close()


def test_a_bad_row_fails_its_batch_and_no_checkpoint_overtakes_it(ledger):
    write(ledger, CheckpointRow(stream="pods", resource_version="1", observed=1))
    bad = ledger.submit([pod(), hold(stop=20), hold("p2", known=2**70, stop=None)])
    after = ledger.submit([CheckpointRow(stream="pods", resource_version="2", observed=2)])
    for future in (bad, after):
        with pytest.raises(LedgerError, match="can't take a row"):
            future.result(WAIT)
    assert kept(ledger) == []
    assert ledger.reader.checkpoint("pods").resource_version == "1"
    assert not ledger.healthy
    assert ledger.pending == 0


CHILD = """
    import os, sys
    sys.path[:0] = sys.argv[2:]
    from sqlalchemy import event
    from support.ledger import hold, member, pod
    from bursar.runtime.ledger import Ledger
    from bursar.runtime.ledger.rows import CheckpointRow

    ledger = Ledger.open(sys.argv[1], "test")
    mark = lambda n: CheckpointRow(stream="pods", resource_version=str(n), observed=n)
    ledger.submit([pod(), hold(known=10), mark(1)]).result(30)

    @event.listens_for(ledger._writer._engine, "before_cursor_execute")
    def die(connection, cursor, statement, *rest):
        if statement.startswith("INSERT INTO checkpoint"):
            os._exit(9)

    ledger.submit([hold(stop=20), member(), pod("p2"), hold("p2", stop=20), mark(2)]).result(30)
"""


def test_killed_in_the_middle_of_a_batch_nothing_of_it_is_kept(url):
    roots = [str(Path(__file__).parents[2] / "operator"), str(Path(__file__).parents[1])]
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), url, *roots],
        check=False,
        timeout=60,
        capture_output=True,
    )
    assert child.returncode == 9, child.stderr.decode()
    ledger = Ledger.open(url, "test")
    try:
        (running,) = ledger.reader.open_pods()
        assert (running.uid, running.known) == ("p1", 10)
        assert ledger.reader.checkpoint("pods").resource_version == "1"
        assert ledger.reader.members(["p1"]) == ()
        assert ledger.term == 2
    finally:
        ledger.close()


def test_members_are_fixed_once_written(ledger):
    write(ledger, pod(), member(workload_class=WorkloadClass.TRAINING))
    write(ledger, member(workload_class=WorkloadClass.OTHER, until=50))
    write(ledger, member(), member(until=90))
    (entry,) = ledger.reader.members(["p1"])
    assert (entry.workload_class, entry.since, entry.until) == (WorkloadClass.TRAINING, 0, 50)
    assert entry.budget == VISION


def test_rows_in_other_order_are_taken_too(ledger):
    write(ledger, member(), hold(stop=HOUR))
    write(ledger, pod(), node())
    (entry,) = ledger.reader.intervals(0, HOUR)
    assert (entry.name, entry.node_name) == ("pod-p1", "name-of-n1")
    assert entry.cost.total == 27_520_000_000 == 55_040 * NANO // 2_000
