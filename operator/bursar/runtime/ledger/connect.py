"""Engines for the ledger's database: one for the writer, one for readers.

SQLite runs in WAL mode, so that readers never wait for the writer, and each commit is synced: what
was acknowledged survives a power cut. Transactions are begun by hand, because the driver's own
habit of beginning them late would let a writer look at what another is about to change.
"""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from bursar.errors import LedgerError

BUSY_SECONDS = 5
"""How long one statement waits for another process's lock before it fails (and is tried again)."""
IDLE_SECONDS = 60
"""How long PostgreSQL lets a writer pause within a transaction before it throws it out."""
_PATIENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""How PostgreSQL's client notices a server that is gone without a word; the URL may say otherwise.

Seconds, the last in milliseconds."""
_READ_ONLY = "25006"
"""SQLSTATE of a server that takes no writes now: a stand-by that has not been promoted yet."""
_OPENING = 7_236_825_377
"""The key of PostgreSQL's lock that lets one process at a time open (and migrate) a ledger."""


def parse(url: str) -> URL:
    """Read a SQLAlchemy URL, or the plain path of a SQLite file.

    Raises:
        LedgerError: it is neither, its driver is not installed, or it is a database in memory,
            which nobody else could read.
    """
    if "://" not in url:
        url = f"sqlite:///{url}"
    try:
        parsed = make_url(url)
        dialect = parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise LedgerError(_guarded(url), "is no database URL that is known here") from error
    if dialect.name not in ("sqlite", "postgresql"):
        raise LedgerError(place(parsed), "must be SQLite or PostgreSQL")
    try:
        dialect.import_dbapi()
    except ImportError as error:
        said = f"needs {error.name}, which is not installed: pip install 'bursar[postgres]'"
        raise LedgerError(place(parsed), said) from error
    if _is_sqlite(parsed) and parsed.database in (None, "", ":memory:"):
        raise LedgerError(url, "must be a file: what is in memory is lost with the process")
    return parsed


def place(url: URL) -> str:
    """The database as messages name it, without a password."""
    return str(url.database) if _is_sqlite(url) else url.render_as_string(hide_password=True)


def problem(error: SQLAlchemyError) -> str:
    """What the database said, in one line, without the statement and its parameters."""
    if not isinstance(error, DBAPIError):
        return " ".join(str(error).split())
    # PostgreSQL's context and details name rows, which differ from one try to the next.
    told = getattr(getattr(error.orig, "diag", None), "message_primary", None)
    return " ".join(str(told or error.orig).split())


def may_pass(error: SQLAlchemyError) -> bool:
    """Tell whether a refusal may pass by itself: locked, full, unreachable, on stand-by."""
    if isinstance(error, OperationalError | InterfaceError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state == _READ_ONLY


class Place:
    """The file in which a SQLite database is, as it was when it was opened.

    A file that was removed takes every write without a word, and nobody will ever see it again.
    """

    def __init__(self, url: URL) -> None:
        self._path = str(url.database) if _is_sqlite(url) else None
        self._file = self._look()

    def missing(self) -> str | None:
        """What keeps the writer from its file for now; None where nothing does.

        Raises:
            LedgerError: another file lies in its place: it must be opened anew.
        """
        found = self._look()
        if found == self._file:
            return None
        if found is None:
            return "the file was removed: put it back, or start the operator anew without it"
        raise LedgerError(str(self._path), "another file lies in its place by now")

    def _look(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = Path(self._path).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def writer_engine(url: URL) -> Engine:
    """The engine of the one writer: its transactions hold the write lock from their beginning."""
    if not _is_sqlite(url):
        engine = create_engine(
            url, pool_size=1, max_overflow=1, pool_pre_ping=True, connect_args=_patience(url)
        )
        _limit(engine)
        return engine
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    _tune(engine, "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", begin="BEGIN IMMEDIATE")
    return engine


def reader_engine(url: URL) -> Engine:
    """An engine whose connections, usable from any thread, cannot write or make a file."""
    if not _is_sqlite(url):
        return create_engine(
            url,
            pool_pre_ping=True,
            connect_args=_patience(url),
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        )
    target = f"file:{quote(str(Path(str(url.database)).absolute()))}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(target, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)

    engine = create_engine(url, creator=connect)
    _tune(engine, "PRAGMA query_only=ON", begin="BEGIN")
    return engine


def alone(connection: Connection) -> None:
    """Wait until nobody else opens a ledger in this database; it holds for the transaction.

    SQLite's transactions of a writer exclude each other from their beginning.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _OPENING})


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _guarded(url: str) -> str:
    """What may be said of text that is no URL: it may hold a password all the same."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://…" if "@" in rest else url


def _patience(url: URL) -> dict[str, str]:
    if url.get_driver_name() not in ("psycopg", "psycopg2"):
        return {}
    # A database that was made under the C locale has no encoding, and would answer in bytes.
    patience = {"client_encoding": "utf8", **_PATIENCE}
    return {name: value for name, value in patience.items() if name not in url.query}


def _limit(engine: Engine) -> None:
    """Bound how long a transaction waits, and how long it lets others wait."""

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = {int(BUSY_SECONDS * 1000)};"
            f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_SECONDS * 1000}"
        )


def _tune(engine: Engine, *pragmas: str, begin: str) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # no transactions but those that are begun below
        for pragma in (*pragmas, "PRAGMA foreign_keys=ON"):
            connection.execute(pragma).close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        connection.exec_driver_sql(begin)
