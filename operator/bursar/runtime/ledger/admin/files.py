"""Backs a SQLite ledger up while its operator runs, and restores one whose operator does not.

A backup is one plain file, of one state of the database, which was checked before it is given away.
PostgreSQL has its own programs for this, which do it better.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bursar.domain.time import Ms
from bursar.errors import BursarError, LedgerError
from bursar.runtime.ledger import connect, migrate

DUMP = "the ledger is in PostgreSQL: back it up with pg_dump, restore it with pg_restore"
KEPT = ".before-restore"
"""What the file that was replaced is called then."""
_WAIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a ledger's file holds.

    Attributes:
        clusters: their names.
        schema: its revision.
        observed: up to when pods had been followed (ms), the latest of all clusters; None: never.
        size: bytes.
    """

    clusters: tuple[str, ...]
    schema: str
    observed: Ms | None
    size: int


def backup(url: str, target: Path) -> Contents:
    """Write all of a ledger to a new file; its writer goes on meanwhile.

    Raises:
        BursarError: it is no SQLite database.
        LedgerError: it can't be read, or the file can't be written.
    """
    source = _file(url)
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as there,
            closing(sqlite3.connect(target)) as copy,
        ):
            there.backup(copy)  # in one step: of one state, and without holding the writer up
            copy.execute("PRAGMA journal_mode=DELETE").close()  # one file, with none beside it
    except sqlite3.Error as error:
        raise LedgerError(str(source), f"cannot be backed up: {error}") from error
    return inspect(target)


def inspect(path: Path) -> Contents:
    """Check a ledger's file, and say what it holds.

    Raises:
        LedgerError: it is none, is damaged, or is of a newer version.
    """
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as found:
            damage = [said for (said,) in found.execute("PRAGMA quick_check")]
            if damage != ["ok"]:
                raise LedgerError(str(path), f"is damaged: {damage[0]}")
            (schema,) = found.execute("SELECT version_num FROM alembic_version").fetchone()
            names = found.execute("SELECT name FROM cluster ORDER BY name").fetchall()
            (observed,) = found.execute("SELECT MAX(observed_ms) FROM checkpoint").fetchone()
    except sqlite3.Error as error:
        raise LedgerError(str(path), f"is no ledger: {error}") from error
    if schema not in migrate.revisions():
        said = f"was written by a newer version (schema {schema}): upgrade Bursar"
        raise LedgerError(str(path), said)
    return Contents(
        clusters=tuple(name for (name,) in names),
        schema=schema,
        observed=observed,
        size=path.stat().st_size,
    )


def restore(source: Path, url: str) -> Contents:
    """Put a backup in a ledger's place; what was there is kept beside it.

    Raises:
        BursarError: it is no place for a SQLite database.
        LedgerError: the backup is none, or somebody has the ledger open.
    """
    target = _file(url)
    found = inspect(source)
    fresh = target.with_name(target.name + ".restoring")
    terms = _terms_of_idle(target) if target.exists() else {}
    try:
        shutil.copyfile(source, fresh)
        _raise_terms(fresh, terms)
        if target.exists():
            target.replace(target.with_name(target.name + KEPT))
        for suffix in ("-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        fresh.replace(target)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        fresh.unlink(missing_ok=True)
        raise LedgerError(str(target), f"cannot be restored: {error}") from error
    return found


def _file(url: str) -> Path:
    parsed = connect.parse(url)
    if parsed.get_backend_name() != "sqlite":
        raise BursarError(DUMP)
    return Path(str(parsed.database))


def _terms_of_idle(path: Path) -> dict[str, int]:
    """Each cluster's term in a ledger that nobody has open; nothing of a file that is damaged.

    A database in WAL mode can be taken out of it only by whoever has it for himself.

    Raises:
        LedgerError: somebody has it open.
    """
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)) as there:
            there.execute("PRAGMA journal_mode=DELETE").close()
            query = "SELECT name, term FROM writer JOIN cluster ON cluster.id = writer.cluster_id"
            return dict(there.execute(query).fetchall())
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            return {}
        said = "somebody has it open: scale the operator to 0 first, and wait until it is gone"
        raise LedgerError(str(path), said) from error
    except sqlite3.DatabaseError:
        return {}


def _raise_terms(path: Path, terms: dict[str, int]) -> None:
    """Let no writer of what was there before write to what is there now."""
    with closing(sqlite3.connect(path)) as fresh:
        for name, term in terms.items():
            fresh.execute(
                "UPDATE writer SET term = MAX(term, ?)"
                " WHERE cluster_id = (SELECT id FROM cluster WHERE name = ?)",
                (term, name),
            )
        fresh.commit()
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
