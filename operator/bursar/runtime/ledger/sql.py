"""The few statements that SQLite and PostgreSQL spell alike and SQLAlchemy keeps apart."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table

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
    _insert(connection, table, rows, "ON CONFLICT DO NOTHING")


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or write all their columns over the row with their primary key."""
    if not rows:
        return
    quote = connection.dialect.identifier_preparer.quote
    keys = [column.name for column in table.primary_key]
    changed = ", ".join(
        f"{quote(name)} = excluded.{quote(name)}" for name in rows[0] if name not in keys
    )
    named = ", ".join(map(quote, keys))
    _insert(connection, table, rows, f"ON CONFLICT ({named}) DO UPDATE SET {changed}")


def _insert(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], otherwise: str
) -> None:
    """Insert rows that all have the same columns.

    In the driver's own words: SQLAlchemy's way with parameters takes longer than the database.
    """
    if not rows:
        return
    dialect = connection.dialect
    quote, mark = dialect.identifier_preparer.quote, _mark(connection)
    columns = [table.c[name] for name in rows[0]]
    names = ", ".join(quote(column.name) for column in columns)
    marks = ", ".join([mark] * len(columns))
    takes = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
    how = [(name, take or _same) for name, take in zip(rows[0], takes, strict=True)]
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({names}) VALUES ({marks}) {otherwise}",  # noqa: S608
        [tuple([take(row[name]) for name, take in how]) for row in rows],
    )


def _same(value: Any) -> Any:
    return value


def _mark(connection: Connection) -> str:
    return "?" if connection.dialect.name == "sqlite" else "%s"


class Raw:
    """Rows of integers, read and written in the driver's own words.

    Sums move with every pod: SQLAlchemy's parameters would take as long as all else together.
    """

    def __init__(
        self, connection: Connection, table: Table, keys: Sequence[str], figures: Sequence[str]
    ) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"
        self._mark = _mark(connection)
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
