"""Engines for the ledger's database: one for the writer, one for readers.

SQLite runs in WAL mode, so that readers never wait for the writer, and each commit is synced: what
was acknowledged survives a power cut. Transactions are begun by hand, because the driver's own
habit of beginning them late would let a writer look at what another is about to change.
"""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from bursar.errors import LedgerError

BUSY_SECONDS = 5
"""How long one statement waits for another process's lock before it fails (and is tried again)."""


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
    except (ArgumentError, NoSuchModuleError) as error:
        raise LedgerError(url, "is no database URL that is known here") from error
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
    """What the database said, without the statement and its parameters."""
    return str(error.orig) if isinstance(error, DBAPIError) else str(error)


def writer_engine(url: URL) -> Engine:
    """The engine of the one writer: its transactions hold the write lock from their beginning."""
    if not _is_sqlite(url):
        return create_engine(url, pool_size=1, max_overflow=1, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    _tune(engine, "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", begin="BEGIN IMMEDIATE")
    return engine


def reader_engine(url: URL) -> Engine:
    """An engine whose connections, usable from any thread, cannot write or make a file."""
    if not _is_sqlite(url):
        return create_engine(
            url, pool_pre_ping=True, connect_args={"options": "-c default_transaction_read_only=on"}
        )
    target = f"file:{quote(str(Path(str(url.database)).absolute()))}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(target, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)

    engine = create_engine(url, creator=connect)
    _tune(engine, "PRAGMA query_only=ON", begin="BEGIN")
    return engine


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _tune(engine: Engine, *pragmas: str, begin: str) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # no transactions but those that are begun below
        for pragma in (*pragmas, "PRAGMA foreign_keys=ON"):
            connection.execute(pragma).close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        connection.exec_driver_sql(begin)
