"""The ledger: what was spent, durable and exact, in SQLite or PostgreSQL.

One writer a cluster (`Ledger`), fenced by a term that each opening raises; any number of readers
(`Reader`). Money, shares and device time stay integers and fractions from end to end.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import Future

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import SQLAlchemyError

from bursar.errors import LedgerError
from bursar.runtime.ledger import backfill, connect, migrate, schema
from bursar.runtime.ledger.reader import Reader
from bursar.runtime.ledger.rows import FillRow, Row
from bursar.runtime.ledger.sql import insert_missing
from bursar.runtime.ledger.writer import Identity, Writer

logger = logging.getLogger(__name__)

__all__ = ["Ledger", "Reader"]


class Ledger:
    """One cluster's ledger, opened for writing.

    Attributes:
        reader: reads it; usable from any thread.
        term: this writer's.
    """

    def __init__(self, reader: Reader, writer: Writer, identity: Identity) -> None:
        self.reader = reader
        self.term = identity.term
        self._writer = writer

    @classmethod
    def open(cls, url: str, cluster: str) -> "Ledger":
        """Open a ledger, create or migrate its schema, and depose whoever wrote to it before.

        Where a version without sums by hour and day has written it, this waits until its pods are
        summed: some 7,000 a second, going on where it stopped if it is killed.

        Args:
            url: SQLAlchemy URL, or the path of a SQLite file, whose folder must exist.
            cluster: name of the cluster; several share a database.

        Raises:
            LedgerError: the database is locked, can't be written, or is of a newer version.
        """
        parsed = connect.parse(url)
        path = connect.place(parsed)
        engine = connect.writer_engine(parsed)
        try:
            with engine.begin() as connection:
                connect.alone(connection)
                migrate.upgrade(connection, path)
                identity = _take_over(connection, path, cluster)
                unfilled = backfill.unfilled(connection, identity.cluster_id)
        except SQLAlchemyError as error:
            engine.dispose()
            raise LedgerError(path, connect.problem(error)) from error
        except LedgerError:
            engine.dispose()
            raise
        reader = Reader(connect.reader_engine(parsed), path, identity.cluster_id)
        ledger = cls(reader, Writer(engine, identity, connect.Place(parsed)), identity)
        if unfilled:
            ledger._fill(path, unfilled)
        return ledger

    def _fill(self, path: str, unfilled: int) -> None:
        """Sum what an earlier version wrote, some at a time, and say how far that is."""
        left = unfilled
        while left:
            logger.info("ledger=%s summing earlier pods: %d of %d to go", path, left, unfilled)
            try:
                self.submit([FillRow()]).result()
            except LedgerError:
                self.close()
                raise
            left = self.reader.unfilled()
        logger.info("ledger=%s has summed %d earlier pods", path, unfilled)

    def submit(self, batch: Sequence[Row]) -> "Future[None]":
        """Queue rows for the writer's thread; never blocks.

        Returns:
            A future that ends when the rows, and all that were submitted before, are committed. It
            ends with `Deposed` when another writer took over, and with `LedgerError` when rows had
            to be given up; nothing submitted later is written then: open anew and replay.
        """
        return self._writer.submit(batch)

    @property
    def pending(self) -> int:
        """Rows that are not committed yet."""
        return self._writer.pending

    @property
    def healthy(self) -> bool:
        """False while the database refuses what is written."""
        return self._writer.healthy

    @property
    def fault(self) -> LedgerError | None:
        """Why nothing is written any more: open it anew, and replay; None while all is well."""
        return self._writer.fault

    @property
    def last_error(self) -> str | None:
        """Why it is not healthy."""
        return self._writer.last_error

    def close(self) -> None:
        """Write what waits and let go of the database."""
        self.reader.close()
        self._writer.close()


def _take_over(connection: Connection, path: str, cluster: str) -> Identity:
    """Raise the term of a cluster's writer."""
    insert_missing(connection, schema.CLUSTER, [{"name": cluster}])
    query = select(schema.CLUSTER.c.id).where(schema.CLUSTER.c.name == cluster)
    cluster_id = connection.execute(query).scalar_one()
    table = schema.WRITER
    insert_missing(connection, table, [{"cluster_id": cluster_id, "term": 0}])
    mine = table.c.cluster_id == cluster_id
    connection.execute(update(table).where(mine).values(term=table.c.term + 1))
    term = connection.execute(select(table.c.term).where(mine)).scalar_one()
    return Identity(path=path, cluster_id=cluster_id, term=term)
