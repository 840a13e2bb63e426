"""A ledger's database as tests see it: SQLite or PostgreSQL, looked at and disturbed."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import make_url

KINDS = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Database:
    """Where a ledger is."""

    url: str

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return make_url(self.url).get_backend_name()

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute SQL that both spell alike, and commit; its rows."""
        with contextlib.closing(self._connect()) as connection:
            cursor = connection.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
            connection.commit()
        return rows

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody else holds what the writer needs; readers go on."""
        connection = self._connect()
        if self.kind == "sqlite":
            connection.execute("BEGIN IMMEDIATE")
        else:
            connection.execute("LOCK TABLE writer IN EXCLUSIVE MODE")
        try:
            yield
        finally:
            connection.rollback()
            connection.close()

    @property
    def when_locked(self) -> str:
        """What the ledger says then."""
        if self.kind == "sqlite":
            return "database is locked"
        return "canceling statement due to lock timeout"

    def _connect(self) -> Any:
        url = make_url(self.url)
        if self.kind == "sqlite":
            return sqlite3.connect(str(url.database))
        return psycopg.connect(
            host=url.host, port=url.port, user=url.username, password=url.password,
            dbname=url.database,
        )  # fmt: skip
