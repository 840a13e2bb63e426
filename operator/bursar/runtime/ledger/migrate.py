"""Brings a database to this version's schema, and refuses one that is newer.

The steps lie beside this module, in the package, and run through Alembic in the caller's own
transaction: a crash in the middle leaves the database as it was.
"""

from pathlib import Path

from sqlalchemy import Connection

from bursar.errors import LedgerError


def upgrade(connection: Connection, path: str) -> None:
    """Create or migrate the schema.

    Raises:
        LedgerError: a newer version has written this database.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    _check(connection, path)
    command.upgrade(config, "head")


def require_current(connection: Connection, path: str) -> None:
    """Make sure that a database can be read by this version.

    Raises:
        LedgerError: it is older (its operator has not started since the upgrade) or newer.
    """
    found = _check(connection, path)
    if found is None:
        raise LedgerError(path, "holds no ledger")
    if found != _head():
        raise LedgerError(path, f"is at schema {found}: start this version's operator once")


def _check(connection: Connection, path: str) -> str | None:
    """The schema's revision, which this version must know."""
    from alembic.runtime.migration import MigrationContext

    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in revisions():
        raise LedgerError(path, f"was written by a newer version (schema {found}): upgrade Bursar")
    return found


def _scripts() -> Path:
    return Path(__file__).parent / "migrations"


def revisions() -> frozenset[str]:
    """Those that this version knows."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(_scripts()))
    return frozenset(script.revision for script in scripts.walk_revisions())


def _head() -> str:
    from alembic.script import ScriptDirectory

    return str(ScriptDirectory(str(_scripts())).get_current_head())
