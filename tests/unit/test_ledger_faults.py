"""Real faults under a running ledger: it says so once, keeps what comes, and loses nothing."""

import contextlib
import logging
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bursar.domain.time import HOUR, SECOND
from bursar.errors import LedgerError
from bursar.runtime.ledger import Ledger, connect, writer
from bursar.runtime.ledger.rows import CheckpointRow
from support.ledger import hold, pod
from support.postgres import OWNER, PASSWORD
from support.waiting import until

WAIT = 60
HOURLY = 27_520_000_000
"""Four of the eight devices of a p5.48xlarge, nano-units an hour."""
LOG = "bursar.runtime.ledger.writer"


@pytest.fixture(autouse=True)
def hasty(monkeypatch, caplog):
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(writer, "LONGEST_PAUSE", 0.05)
    caplog.set_level(logging.INFO, logger=LOG)


def mark(number):
    return CheckpointRow(stream="pods", resource_version=str(number), observed=number)


def begun(count):
    return [row for n in range(count) for row in (pod(f"p{n}"), hold(f"p{n}", known=SECOND))]


def life(number):
    """When the pod with this number ended (ms); it began at 0."""
    return (number * 7 + 1) * SECOND


def ended(frm, to):
    """One batch a pod, as the operator submits them."""
    for n in range(frm, to):
        yield [pod(f"p{n}"), hold(f"p{n}", stop=life(n)), mark(n)]


def equals_the_closed_form(ledger, count):
    """Each pod once, at what plain arithmetic says; and the totals, which move by differences."""
    rows = list(ledger.reader.intervals(0, 10**13))
    costs = {row.pod_uid: row.cost.total for row in rows}
    assert len(rows) == len(costs) == count
    assert costs == {f"p{n}": HOURLY * life(n) // HOUR for n in range(count)}
    (total,) = ledger.reader.totals().values()
    assert total.cost.total == sum(costs.values())


@contextlib.contextmanager
def full_disk(database, _):
    """The kernel refuses to let any file of this process grow beyond what these have."""
    folder = Path(make_url(database.url).database).parent
    largest = max(file.stat().st_size for file in folder.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield "disk"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def another_process(database, _):
    """Somebody holds the file: a backup, a curious colleague with a shell."""
    code = (
        "import sqlite3, sys; held = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "held.execute('BEGIN EXCLUSIVE'); print('held', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, make_url(database.url).database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline() == b"held\n"
    yield "database is locked"
    holder.communicate(b"\n", timeout=WAIT)


@contextlib.contextmanager
def moved_away(database, _):
    path = Path(make_url(database.url).database)
    away = path.with_suffix(".away")
    path.rename(away)
    yield "the file was removed"
    away.rename(path)


@contextlib.contextmanager
def immutable(database, _):
    """Not even root writes to it any more."""
    path = Path(make_url(database.url).database)
    files = [path, path.with_name(path.name + "-wal")]
    chattr = shutil.which("chattr")
    made = chattr and subprocess.run([chattr, "+i", *files], check=False, capture_output=True)
    if not made or made.returncode:
        pytest.skip("files cannot be made immutable here")
    try:
        yield ""
    finally:
        subprocess.run([chattr, "-i", *files], check=True)


@contextlib.contextmanager
def stopped(_, postgres):
    postgres.stop()
    try:
        yield "connect"
    finally:
        postgres.start()


@contextlib.contextmanager
def killed(_, postgres):
    postgres.kill()
    try:
        yield "connect"
    finally:
        postgres.start()


def throw_out(admin, name):
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
    )


@contextlib.contextmanager
def read_only(database, postgres):
    """As a stand-by is, until it is promoted."""
    name = make_url(database.url).database
    with postgres.connect() as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        throw_out(admin, name)
        yield "read-only transaction"
        admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        throw_out(admin, name)


@contextlib.contextmanager
def other_password(database, postgres):
    """Somebody rotates it, and tells the operator last."""
    with postgres.connect() as admin:
        admin.execute(f"ALTER ROLE {OWNER} PASSWORD 'another'")
        throw_out(admin, make_url(database.url).database)
        yield "password authentication failed"
        admin.execute(f"ALTER ROLE {OWNER} PASSWORD '{PASSWORD}'")


@contextlib.contextmanager
def locked_table(database, _):
    with database.locked():
        yield "lock timeout"


FAULTS = [
    pytest.param("sqlite", full_disk, id="sqlite, the disk is full"),
    pytest.param("sqlite", another_process, id="sqlite, another process holds the file"),
    pytest.param("sqlite", moved_away, id="sqlite, the file was moved away"),
    pytest.param("sqlite", immutable, id="sqlite, the file became read-only"),
    pytest.param("postgresql", stopped, id="postgresql, shut down"),
    pytest.param("postgresql", killed, id="postgresql, killed"),
    pytest.param("postgresql", read_only, id="postgresql, a stand-by"),
    pytest.param("postgresql", other_password, id="postgresql, its password was changed"),
    pytest.param("postgresql", locked_table, id="postgresql, somebody locks its tables"),
]


@pytest.mark.parametrize(("database", "fault"), FAULTS, indirect=["database"])
def test_what_comes_during_a_fault_is_kept_and_written_after_it(
    database, fault, request, caplog, monkeypatch
):
    server = request.getfixturevalue("postgres") if database.kind == "postgresql" else None
    tries = []
    refuse = writer.Writer._refuse
    monkeypatch.setattr(
        writer.Writer, "_refuse", lambda self, said: (tries.append(said), refuse(self, said))
    )
    ledger = Ledger.open(database.url, "test")
    ledger.submit([*begun(20), mark(0)]).result(WAIT)
    with fault(database, server) as said:
        waiting = [ledger.submit(rows) for rows in ended(0, 400)]
        until(lambda: not ledger.healthy and said in ledger.last_error, f"it says {said!r}")
        tried = len(tries)
        until(lambda: len(tries) > tried + 2, "it tries again")
        assert ledger.pending == 1200
        assert ledger.fault is None
    waiting[-1].result(WAIT)
    assert all(future.done() for future in waiting)
    assert (ledger.healthy, ledger.pending, ledger.last_error) == (True, 0, None)
    equals_the_closed_form(ledger, 400)
    assert ledger.reader.checkpoint("pods").resource_version == "399"
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    told = [record.getMessage() for record in warned]
    assert len(told) <= min(4, len(tries)), "once a change, not once a try"
    assert "takes writes again" in caplog.records[-1].getMessage()
    assert PASSWORD not in caplog.text
    ledger.close()


def test_a_file_that_was_replaced_is_not_written_to_any_more(tmp_path):
    path = tmp_path / "ledger.db"
    ledger = Ledger.open(str(path), "test")
    ledger.submit([*begun(2), mark(0)]).result(WAIT)
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
    ):
        source.backup(copy)
    (tmp_path / "copy.db").rename(path)
    with pytest.raises(LedgerError, match="another file lies in its place"):
        ledger.submit([mark(1)]).result(WAIT)
    assert ledger.fault is not None
    ledger.close()


def test_beyond_the_bound_it_stops_and_a_replay_from_the_checkpoint_makes_it_whole(
    database, monkeypatch
):
    ledger = Ledger.open(database.url, "test")
    ledger.submit([*begun(20), mark(0)]).result(WAIT)
    for rows in ended(0, 10):
        ledger.submit(rows).result(WAIT)
    monkeypatch.setattr(writer, "MAX_PENDING", 60)
    with database.locked():
        futures = [ledger.submit(rows) for rows in ended(10, 100)]
        until(lambda: ledger.fault is not None, "it gives up")
        assert "60 rows wait" in str(ledger.fault)
    ledger.close()
    with pytest.raises(LedgerError, match="60 rows wait"):
        futures[-1].result(WAIT)
    monkeypatch.undo()
    anew = Ledger.open(database.url, "test")
    last = int(anew.reader.checkpoint("pods").resource_version)
    assert 9 <= last < 100
    for rows in ended(last, 100):  # the API server brings again what came after it, and it, too
        anew.submit(rows)
    anew.close()
    anew = Ledger.open(database.url, "test")
    equals_the_closed_form(anew, 100)
    anew.close()


class Relay:
    """Between a client and PostgreSQL: cuts the line at a COMMIT, before it arrives or after it.

    Attributes:
        cuts: how many were cut.
    """

    def __init__(self, port, *, arrives):
        self._target = port
        self._arrives = arrives
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.armed = False
        self.cuts = 0
        self._answered = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                stop = threading.Event()
                threading.Thread(target=self._up, args=(client, server, stop), daemon=True).start()
                threading.Thread(
                    target=self._down, args=(client, server, stop), daemon=True
                ).start()

    def _up(self, client, server, stop):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.armed and b"COMMIT" in data:
                    self.armed = False
                    self.cuts += 1
                    if self._arrives:
                        self._answered.clear()
                        stop.set()  # the answer is swallowed
                        server.sendall(data)
                        assert self._answered.wait(WAIT)
                    break
                server.sendall(data)
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _down(self, client, server, stop):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if stop.is_set():
                    self._answered.set()
                else:
                    client.sendall(data)


@pytest.mark.parametrize(
    "arrives",
    [
        pytest.param(True, id="the commit was made and its answer lost"),
        pytest.param(False, id="the commit was lost"),
    ],
)
def test_a_line_cut_at_the_commit_neither_loses_nor_doubles(postgres, postgres_url, arrives):
    relay = Relay(postgres.port, arrives=arrives)
    url = make_url(postgres_url).set(port=relay.port).render_as_string(hide_password=False)
    ledger = Ledger.open(f"{url}?sslmode=disable&gssencmode=disable", "test")
    ledger.submit([*begun(5), mark(0)]).result(WAIT)
    for turn, (frm, to) in enumerate([(0, 10), (10, 20), (20, 30)], start=1):
        relay.armed = True
        rows = [row for batch in ended(frm, to) for row in batch]
        ledger.submit(rows).result(WAIT)
        assert relay.cuts == turn
    equals_the_closed_form(ledger, 30)
    ledger.close()
    relay.close()
