"""The few statements that SQLite and PostgreSQL spell alike and SQLAlchemy keeps apart."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from bursar.runtime.ledger.types import plain

T = TypeVar("T")

CHUNK = 500
"""Values of one `IN (…)`: SQLite's oldest limit of parameters is 999."""


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Cut into lists of at most `size`."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; those whose key is there already stay as they are."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), list(rows))


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or write all their columns over the row with their primary key."""
    if not rows:
        return
    statement = _insert(connection, table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows)
    )


class Raw:
    """Rows of integers, read and written in the driver's own words.

    Sums move with every pod: SQLAlchemy's parameters would take as long as all else together.
    """

    def __init__(
        self, connection: Connection, table: Table, keys: Sequence[str], figures: Sequence[str]
    ) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"
        self._mark = "?" if self._sqlite else "%s"
        self._table = table.name
        self._keys = keys
        self._figures = figures

    def rows(self, first: int, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[int]]:
        """Figures by the second and third key, of those that are there.

        Args:
            first: the first key of all of them.
            keys: second and third.
        """
        one, two, three = self._keys
        mark = self._mark
        pairs = ",".join([f"({mark},{mark})"] * len(keys))
        found = self._connection.exec_driver_sql(
            f"SELECT {two}, {three}, {', '.join(self._figures)} FROM {self._table}"  # noqa: S608
            f" WHERE {one} = {mark} AND ({two}, {three}) IN (VALUES {pairs})",
            (first, *(value for pair in keys for value in pair)),
        )
        return {(row[0], row[1]): [int(figure) for figure in row[2:]] for row in found}

    def put(self, rows: Sequence[tuple[int, ...]]) -> None:
        """Insert rows, keys first, or write over those with the same keys."""
        if not rows:
            return
        columns = [*self._keys, *self._figures]
        changed = ", ".join(f"{name} = excluded.{name}" for name in self._figures)
        self._connection.exec_driver_sql(
            f"INSERT INTO {self._table} ({', '.join(columns)})"  # noqa: S608
            f" VALUES ({', '.join([self._mark] * len(columns))})"
            f" ON CONFLICT ({', '.join(self._keys)}) DO UPDATE SET {changed}",
            [tuple(map(plain, row)) for row in rows] if self._sqlite else list(rows),
        )

    def remove(self, keys: Sequence[tuple[int, ...]]) -> None:
        """Delete rows."""
        if keys:
            mine = " AND ".join(f"{name} = {self._mark}" for name in self._keys)
            self._connection.exec_driver_sql(
                f"DELETE FROM {self._table} WHERE {mine}",  # noqa: S608
                list(keys),
            )


def _insert(connection: Connection, table: Table) -> "sqlite.Insert | postgresql.Insert":
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
