"""The one thread that writes: batches in order, several of them in one transaction.

Every transaction looks first whether this writer's term is still the newest. What the database
refuses for now (locked, disk full, server away) is kept and tried again; once a batch is given up,
none that came later is written either: a checkpoint must never overtake the rows before it. A
commit whose acknowledgement was lost is made once more: rows are merged, not added.
"""

import logging
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Condition, Thread

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from bursar.errors import Deposed, LedgerError
from bursar.runtime.ledger import schema
from bursar.runtime.ledger.apply import Batch
from bursar.runtime.ledger.connect import Place, may_pass, problem
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.rows import ALONE, Row

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
"""Seconds between two tries of a batch that the database refuses for now: doubled up to this."""
MAX_PENDING = 200_000
"""Rows that may wait: some 330 MiB. More are refused, and replay then starts anew."""
MAX_TRANSACTION = 5_000
"""Rows of one transaction, unless one batch alone has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who writes what.

    Attributes:
        path: the database, as messages name it.
        term: this writer's; each later opening of the same cluster's ledger takes a higher one.
    """

    path: str
    cluster_id: int
    term: int


@dataclass(frozen=True, slots=True)
class _Work:
    rows: tuple[Row, ...]
    done: "Future[None]"

    @property
    def alone(self) -> bool:
        """Whether nothing else may be in its transaction."""
        return any(isinstance(row, ALONE) for row in self.rows)


class _Refused(Exception):  # noqa: N818 - no error of ours
    """The database refuses what is written, for now; the message says why."""


class Writer:
    """A queue and its thread."""

    def __init__(self, engine: Engine, identity: Identity, place: Place) -> None:
        self._engine = engine
        self._identity = identity
        self._place = place
        self._names = Names(identity.cluster_id)
        self._queue: deque[_Work] = deque()
        self._changed = Condition()
        self._waiting = 0
        self._closing = False
        self._fault: LedgerError | None = None
        self._trouble: str | None = None
        self._refused_since = 0.0
        self._thread = Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Rows that are not committed yet."""
        return self._waiting

    @property
    def healthy(self) -> bool:
        """False while the database refuses what is written, and for good once rows are lost."""
        return self._trouble is None and self._fault is None

    @property
    def fault(self) -> LedgerError | None:
        """Why rows are lost for good; None while none are."""
        return self._fault

    @property
    def last_error(self) -> str | None:
        """Why it is not healthy."""
        return str(self._fault) if self._fault is not None else self._trouble

    def submit(self, batch: Sequence[Row]) -> "Future[None]":
        """Queue rows; the future ends when they are committed, or with a `LedgerError`."""
        work = _Work(tuple(batch), Future())
        work.done.set_running_or_notify_cancel()
        with self._changed:
            if self._fault is None and self._closing:
                self._fault = LedgerError(self._identity.path, "is closed")
            elif self._fault is None and self._waiting + len(work.rows) > MAX_PENDING:
                said = f"refuses writes, and {self._waiting} rows wait: {self._trouble}"
                self._fault = LedgerError(self._identity.path, said)
            fault = self._fault
            if fault is None:
                self._queue.append(work)
                self._waiting += len(work.rows)
                self._changed.notify_all()
        if fault is not None:
            work.done.set_exception(fault)
        return work.done

    def close(self) -> None:
        """Write what waits, give it one last try where the database refuses, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._engine.dispose()

    def _run(self) -> None:
        while group := self._take():
            fault = self._write([row for work in group for row in work.rows])
            self._finish(group, fault)

    def _take(self) -> list[_Work]:
        """The next batches for one transaction; none when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            group: list[_Work] = []
            size = 0
            while self._queue and (not group or _fits(self._queue[0], size)):
                group.append(self._queue.popleft())
                size += len(group[-1].rows)
                if group[-1].alone:
                    break
            return group

    def _write(self, rows: Sequence[Row]) -> LedgerError | None:
        """Commit rows, however often it has to be tried; or say why that is hopeless."""
        if self._fault is not None:
            return self._fault
        pause = FIRST_PAUSE
        while True:
            closing = self._closing
            try:
                self._commit(rows)
            except _Refused as refusal:
                self._refuse(str(refusal))
                if closing:
                    return LedgerError(self._identity.path, str(refusal))
            except LedgerError as error:
                return error
            except Exception as error:  # whoever waits for these rows must be told
                said = problem(error) if isinstance(error, SQLAlchemyError) else repr(error)
                return LedgerError(self._identity.path, f"can't take a row: {said}")
            else:
                self._take_again()
                return None
            self._names.forget()
            with self._changed:
                self._changed.wait_for(lambda: self._closing, timeout=pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _commit(self, rows: Sequence[Row]) -> None:
        identity = self._identity
        try:
            self._look()
            with self._engine.begin() as connection:
                self._fence(connection)
                Batch(connection, self._names, identity.cluster_id, identity.term).write(rows)
            self._look()
        except SQLAlchemyError as error:
            if may_pass(error):
                raise _Refused(problem(error)) from error
            raise

    def _look(self) -> None:
        """Make sure that what is committed lands where others find it."""
        missing = self._place.missing()
        if missing is not None:
            raise _Refused(missing)

    def _refuse(self, said: str) -> None:
        """Say once, and again when the reason changes, that nothing is written."""
        if self._trouble is None:
            self._refused_since = time.monotonic()
        if said != self._trouble:
            logger.warning(
                "ledger=%s refuses writes; they are kept in memory: %s", self._identity.path, said
            )
        self._trouble = said

    def _take_again(self) -> None:
        if self._trouble is not None:
            away = time.monotonic() - self._refused_since
            logger.info(
                "ledger=%s takes writes again after %.1f s; %d rows had waited",
                self._identity.path,
                away,
                self._waiting,
            )
        self._trouble = None

    def _finish(self, group: Sequence[_Work], fault: LedgerError | None) -> None:
        with self._changed:
            self._waiting -= sum(len(work.rows) for work in group)
            lost = list(group) if fault is not None else []
            if fault is not None:
                self._fault = fault
                lost += self._queue
                self._waiting -= sum(len(work.rows) for work in self._queue)
                self._queue.clear()
        if fault is None:
            for work in group:
                work.done.set_result(None)
        for work in lost:
            work.done.set_exception(fault)

    def _fence(self, connection: Connection) -> None:
        """Make sure, and as long as the transaction lasts, that nobody took over."""
        table = schema.WRITER
        query = select(table.c.term).where(table.c.cluster_id == self._identity.cluster_id)
        newest = connection.execute(query.with_for_update(read=True)).scalar_one()
        if newest != self._identity.term:
            said = f"term {newest} writes now, term {self._identity.term} was deposed"
            raise Deposed(self._identity.path, said)


def _fits(work: _Work, size: int) -> bool:
    """Whether a batch goes into a transaction that has so many rows already."""
    return not work.alone and size + len(work.rows) <= MAX_TRANSACTION
