"""Starts, recognizes and ends the sandbox's processes.

A process is known by its number *and* its moment of birth, so that a number which the system gave
to somebody else is never signalled. Every process has a session of its own: it outlives the
command that started it, and Ctrl-C in a terminal does not reach it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of a sandbox.

    Attributes:
        name: The program, as people know it (`etcd`, `kube-apiserver`, …).
        pid: Its number.
        born: Opaque identity of its start; equal only for the same process.
        log: File that takes its standard output and error.
        argv: How it was started; empty where that was not kept.
    """

    name: str
    pid: int
    born: str
    log: Path
    argv: tuple[str, ...] = ()


def spawn(
    name: str, argv: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None
) -> Process:
    """Start a program in a session of its own, its output appended to `log`.

    Args:
        name: What to call it.
        argv: The program's path and its arguments.
        log: File for its output.
        env: Its environment; ours where not given.

    Raises:
        OSError: The program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [os.fspath(word) for word in argv]
    pid = os.posix_spawn(
        words[0],
        words,
        dict(os.environ if env is None else env),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.fspath(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
    )
    return Process(name=name, pid=pid, born=_born(pid) or "", log=log, argv=tuple(words))


def alive(process: Process) -> bool:
    """Whether this very process still runs (a zombie does not)."""
    # A child of ours stays a zombie until somebody waits for it.
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    born = _born(process.pid)
    return born is not None and born == process.born


def stop(processes: Iterable[Process], grace: float) -> None:
    """End processes: SIGTERM, then SIGKILL for those that still live after `grace` seconds."""
    rest = [process for process in processes if alive(process)]
    _signal(rest, signal.SIGTERM)
    rest = _await_end(rest, grace)
    _signal(rest, signal.SIGKILL)
    _await_end(rest, 10.0)


def kill(process: Process) -> None:
    """End one process at once (SIGKILL), as a crash would."""
    if alive(process):
        _signal([process], signal.SIGKILL)
        _await_end([process], 10.0)


def _signal(processes: Iterable[Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _await_end(processes: list[Process], seconds: float) -> list[Process]:
    deadline = time.monotonic() + seconds
    rest = [process for process in processes if alive(process)]
    while rest and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        rest = [process for process in rest if alive(process)]
    return rest


def _born(pid: int) -> str | None:
    """The identity of the process that has this number now; None when there is none."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # The program's name (in parentheses) may hold anything: fields start behind it.
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        if fields[0] in {"Z", "X"}:
            return None
        # Field 22 of proc(5): clock ticks from boot to start. Another boot starts over.
        return f"{fields[19]}@{_boot()}"
    done = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = done.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on now, all different."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def log_tail(log: Path, lines: int = 3, width: int = 300) -> str:
    """The last lines of a log in one line, for an error message; never raises."""
    try:
        text = log.read_bytes()[-20_000:].decode(errors="replace")
    except OSError:
        return "(no log)"
    last = [line.strip()[:width] for line in text.splitlines() if line.strip()][-lines:]
    return " | ".join(last) or "(empty log)"
