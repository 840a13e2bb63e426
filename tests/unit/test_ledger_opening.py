"""Opening, waiting and giving up: locked, unwritable, newer, foreign and reopened databases."""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from bursar.errors import LedgerError
from bursar.runtime.ledger import Ledger, Reader, connect, writer
from bursar.runtime.ledger.rows import CheckpointRow
from bursar.runtime.ledger.schema import METADATA
from support.databases import Database
from support.ledger import hold, pod

WAIT = 30


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def url(database):
    return database.url


@pytest.fixture
def unmade(postgres, tmp_path, request):
    """Databases in which nobody has made a table."""
    if request.param == "sqlite":
        yield Database(f"sqlite:///{tmp_path}/ledger.db")
    else:
        name = postgres.create()
        yield Database(postgres.url(name))
        postgres.drop(name)


both_unmade = pytest.mark.parametrize("unmade", ["sqlite", "postgresql"], indirect=True)


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


def test_what_was_written_is_there_after_reopening_and_the_term_has_risen(url):
    for turn in range(1, 4):
        ledger = Ledger.open(url, "test")
        assert ledger.term == turn
        found = ledger.reader.checkpoint("pods")
        assert (found and found.resource_version) == (str(turn - 1) if turn > 1 else None)
        ledger.submit([mark(turn)])
        ledger.close()


@both_unmade
def test_the_migrations_make_the_schema_that_the_code_uses(unmade):
    Ledger.open(unmade.url, "test").close()
    engine = create_engine(unmade.url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


@pytest.mark.parametrize("unmade", ["postgresql"], indirect=True)
def test_of_many_that_open_a_new_database_at_once_each_gets_its_term(unmade):
    def opened(number):
        ledger = Ledger.open(unmade.url, f"cluster-{number % 2}")
        term = ledger.term
        ledger.close()
        return term

    with ThreadPoolExecutor(4) as pool:
        terms = sorted(pool.map(opened, range(4)))
    assert terms == [1, 1, 2, 2]


@pytest.mark.parametrize("opener", [Ledger.open, Reader.open], ids=["writer", "reader"])
def test_a_newer_schema_is_refused(database, opener):
    Ledger.open(database.url, "test").close()
    database.run("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match=r"newer version \(schema 9999\): upgrade Bursar") as told:
        opener(database.url, "test")
    assert told.value.path == connect.place(connect.parse(database.url))


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


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("mysql+nonsense://me:s3cret@h/d", id="an unknown driver"),
        pytest.param("postgresql://me:s3cret@h:port/d", id="a port that is none"),
        pytest.param("postgresql+psycopg://me:s3cret@127.0.0.1:1/d", id="nobody listens"),
    ],
)
def test_a_password_is_never_told(url):
    with pytest.raises(LedgerError) as told:
        Ledger.open(url, "test")
    assert "s3cret" not in str(told.value)
    assert "s3cret" not in repr(told.value.__cause__)


def test_a_database_without_an_encoding_takes_any_name(postgres):
    name = postgres.create("template0", "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    ledger = Ledger.open(postgres.url(name), "Zürich")
    try:
        ledger.submit([pod(name="größe"), hold()]).result(WAIT)
        (found,) = ledger.reader.open_pods()
        assert found.name == "größe"
    finally:
        ledger.close()
        postgres.drop(name)


def test_a_wrong_password_is_told_and_not_named(postgres_url):
    wrong = postgres_url.replace("postgresql+psycopg://bursar:", "postgresql://bursar:s3cret")
    with pytest.raises(
        LedgerError, match=r"bursar:\*\*\*@.*password authentication failed"
    ) as told:
        Ledger.open(wrong, "test")
    assert "s3cret" not in str(told.value)


def test_a_locked_database_is_told_at_opening(database, hasty):
    Ledger.open(database.url, "test").close()
    with database.locked(), pytest.raises(LedgerError, match=database.when_locked):
        Ledger.open(database.url, "test")


def test_a_database_locked_later_keeps_the_batch_and_writes_it_in_order(database, hasty):
    ledger = Ledger.open(database.url, "test")
    with database.locked():
        first = ledger.submit([pod(), hold(known=10), mark(1)])
        until(lambda: not ledger.healthy)
        second = ledger.submit([hold(stop=20), mark(2)])
        assert database.when_locked in ledger.last_error
        assert ledger.pending == 5
        assert ledger.reader.checkpoint("pods") is None
    second.result(WAIT)
    assert first.done()
    assert (ledger.healthy, ledger.pending, ledger.last_error) == (True, 0, None)
    assert ledger.reader.checkpoint("pods").resource_version == "2"
    ledger.close()


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
    database, hasty, monkeypatch
):
    monkeypatch.setattr(writer, "MAX_PENDING", 3)
    ledger = Ledger.open(database.url, "test")
    with database.locked():
        kept = ledger.submit([pod(), mark(1)])
        until(lambda: not ledger.healthy)
        for rows in ([pod("p2"), mark(2)], [mark(3)]):
            with pytest.raises(LedgerError, match=f"2 rows wait: {database.when_locked}"):
                ledger.submit(rows).result(WAIT)
    kept.result(WAIT)
    assert not ledger.healthy
    assert ledger.reader.checkpoint("pods").resource_version == "1"
    ledger.close()


def test_closing_while_the_database_refuses_gives_up_and_says_so(database, hasty):
    ledger = Ledger.open(database.url, "test")
    with database.locked():
        future = ledger.submit([mark(1)])
        ledger.close()
        with pytest.raises(LedgerError, match=database.when_locked):
            future.result(WAIT)
        with pytest.raises(LedgerError, match=database.when_locked):
            ledger.submit([mark(2)]).result(WAIT)


def test_a_reader_does_not_disturb_the_writer(url):
    ledger = Ledger.open(url, "test")
    ledger.submit([mark(1)]).result(WAIT)
    reader = Reader.open(url, "test")
    assert reader.checkpoint("pods") == mark(1)
    ledger.submit([mark(2)]).result(WAIT)
    assert reader.checkpoint("pods") == mark(2)
    reader.close()
    ledger.close()


def test_what_a_reader_reads_is_of_one_moment(ledger):
    ledger.submit([pod(), hold(stop=20)]).result(WAIT)
    begun = ledger.reader.intervals(0, 10**9)
    assert next(begun).pod_uid == "p1"
    ledger.submit([pod("p2"), hold("p2", stop=20)]).result(WAIT)
    assert list(begun) == []
    assert len(list(ledger.reader.intervals(0, 10**9))) == 2


def test_a_reader_cannot_write(ledger):
    with (
        pytest.raises(DBAPIError, match=r"read-?only"),
        ledger.reader._engine.begin() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM checkpoint")


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


def test_many_threads_read_while_one_writes(ledger):
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
    assert faults == []
