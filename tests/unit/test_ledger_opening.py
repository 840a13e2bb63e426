"""Opening, waiting and giving up: locked, unwritable, newer, foreign and reopened databases."""

import sqlite3
import threading
import time

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from bursar.errors import LedgerError
from bursar.runtime.ledger import Ledger, Reader, connect, writer
from bursar.runtime.ledger.rows import CheckpointRow
from bursar.runtime.ledger.schema import METADATA
from support.ledger import hold, pod

WAIT = 30


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def hasty(monkeypatch):
    """No patience with locks."""
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.05)


def until(condition, seconds=WAIT):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.01)


def mark(number):
    return CheckpointRow(stream="pods", resource_version=str(number), observed=number)


def test_what_was_written_is_there_after_reopening_and_the_term_has_risen(path):
    for turn in range(1, 4):
        ledger = Ledger.open(str(path), "test")
        assert ledger.term == turn
        found = ledger.reader.checkpoint("pods")
        assert (found and found.resource_version) == (str(turn - 1) if turn > 1 else None)
        ledger.submit([mark(turn)])
        ledger.close()


def test_the_migrations_make_the_schema_that_the_code_uses(path):
    Ledger.open(str(path), "test").close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


@pytest.mark.parametrize("opener", [Ledger.open, Reader.open], ids=["writer", "reader"])
def test_a_newer_schema_is_refused(path, opener):
    Ledger.open(str(path), "test").close()
    raw = sqlite3.connect(path)
    raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.commit()
    raw.close()
    with pytest.raises(LedgerError, match=r"newer version \(schema 9999\): upgrade Bursar") as told:
        opener(str(path), "test")
    assert told.value.path == str(path)


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [
        pytest.param(lambda path: None, "unable to open", id="no such folder"),
        pytest.param(lambda path: path.mkdir(parents=True), "unable to open", id="a folder"),
        pytest.param(
            lambda path: (path.parent.mkdir(), path.write_text("not a database " * 99)),
            "not a database",
            id="another file",
        ),
    ],
)
def test_what_cannot_be_opened_says_why(tmp_path, prepare, problem):
    path = tmp_path / "folder" / "ledger.db"
    prepare(path)
    with pytest.raises(LedgerError, match=problem):
        Ledger.open(f"sqlite:///{path}", "test")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "://", "nonsense://x/y"])
def test_urls_that_name_no_database_are_refused(url):
    with pytest.raises(LedgerError):
        Ledger.open(url, "test")


def test_a_locked_database_is_told_at_opening(path, hasty):
    Ledger.open(str(path), "test").close()
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="database is locked"):
        Ledger.open(str(path), "test")
    raw.close()


def test_a_database_locked_later_keeps_the_batch_and_writes_it_in_order(path, hasty):
    ledger = Ledger.open(str(path), "test")
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    first = ledger.submit([pod(), hold(known=10), mark(1)])
    until(lambda: not ledger.healthy)
    second = ledger.submit([hold(stop=20), mark(2)])
    assert ledger.last_error == "database is locked"
    assert ledger.pending == 5
    assert ledger.reader.checkpoint("pods") is None
    raw.execute("ROLLBACK")
    second.result(WAIT)
    assert first.done()
    assert (ledger.healthy, ledger.pending, ledger.last_error) == (True, 0, None)
    assert ledger.reader.checkpoint("pods").resource_version == "2"
    ledger.close()
    raw.close()


def test_a_full_disk_is_waited_out(path):
    ledger = Ledger.open(str(path), "test")
    ledger.submit([mark(1)]).result(WAIT)
    with ledger._writer._engine.connect() as connection:
        limit = connection.exec_driver_sql("PRAGMA max_page_count=1").scalar()
    many = [row for n in range(2_000) for row in (pod(f"p{n}"), hold(f"p{n}", known=10))]
    future = ledger.submit([*many, mark(2)])
    until(lambda: not ledger.healthy)
    assert "full" in ledger.last_error
    assert ledger.reader.checkpoint("pods").resource_version == "1"
    with ledger._writer._engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={limit + 100_000}")
    future.result(WAIT)
    assert len(ledger.reader.open_pods()) == 2_000
    ledger.close()


def test_beyond_the_bound_rows_are_refused_and_nothing_after_them_is_written(
    path, hasty, monkeypatch
):
    monkeypatch.setattr(writer, "MAX_PENDING", 3)
    ledger = Ledger.open(str(path), "test")
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    kept = ledger.submit([pod(), mark(1)])
    until(lambda: not ledger.healthy)
    for rows in ([pod("p2"), mark(2)], [mark(3)]):
        with pytest.raises(LedgerError, match="2 rows wait: database is locked"):
            ledger.submit(rows).result(WAIT)
    raw.execute("ROLLBACK")
    kept.result(WAIT)
    assert not ledger.healthy
    assert ledger.reader.checkpoint("pods").resource_version == "1"
    ledger.close()
    raw.close()


def test_closing_while_the_database_refuses_gives_up_and_says_so(path, hasty):
    ledger = Ledger.open(str(path), "test")
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    future = ledger.submit([mark(1)])
    ledger.close()
    with pytest.raises(LedgerError, match="database is locked"):
        future.result(WAIT)
    with pytest.raises(LedgerError, match="database is locked"):
        ledger.submit([mark(2)]).result(WAIT)
    raw.close()


def test_a_reader_does_not_disturb_the_writer(path):
    ledger = Ledger.open(str(path), "test")
    ledger.submit([mark(1)]).result(WAIT)
    reader = Reader.open(str(path), "test")
    assert reader.checkpoint("pods") == mark(1)
    ledger.submit([mark(2)]).result(WAIT)
    assert reader.checkpoint("pods") == mark(2)
    reader.close()
    ledger.close()


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [
        pytest.param(lambda path: None, "unable to open", id="absent"),
        pytest.param(lambda path: sqlite3.connect(path).close(), "holds no ledger", id="empty"),
        pytest.param(
            lambda path: Ledger.open(str(path), "other").close(),
            "nothing of cluster 'test'",
            id="of another cluster",
        ),
    ],
)
def test_a_reader_makes_no_ledger(path, prepare, problem):
    prepare(path)
    if problem == "holds no ledger":
        path.touch()
    with pytest.raises(LedgerError, match=problem):
        Reader.open(str(path), "test")


def test_many_threads_read_while_one_writes(path):
    ledger = Ledger.open(str(path), "test")
    faults = []

    def read():
        try:
            for _ in range(20):
                list(ledger.reader.intervals(0, 10**9))
                ledger.reader.totals()
        except Exception as fault:  # told to the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(50):
        ledger.submit([pod(f"p{n}"), hold(f"p{n}", stop=n + 1)])
    for thread in threads:
        thread.join()
    ledger.close()
    assert faults == []
