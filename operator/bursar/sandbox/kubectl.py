"""Runs a sandbox's kubectl (or helm) with its kubeconfig, which works with every cluster."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bursar.sandbox.errors import SandboxError

_SECONDS = 300.0


def run(
    program: Path,
    kubeconfig: Path,
    *arguments: str,
    stdin: str | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run one command.

    Args:
        program: kubectl.
        kubeconfig: Which cluster, as whom.
        arguments: Its arguments.
        stdin: Text for its standard input.
        check: Whether a failure raises.

    Raises:
        SandboxError: It failed (only with `check`); the text is what it said.
    """
    return execute([str(program), *arguments], kubeconfig, stdin=stdin, check=check)


def execute(
    argv: Sequence[str],
    kubeconfig: Path,
    *,
    stdin: str | None = None,
    check: bool = True,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run any client of the API server with `KUBECONFIG` set; see `run`."""
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            cwd=cwd,
            env={**os.environ, **(env or {}), "KUBECONFIG": str(kubeconfig)},
        )
    except subprocess.TimeoutExpired as error:
        raise SandboxError(f"{_command(argv)} did not end in {_SECONDS:.0f} s") from error
    if check and done.returncode:
        reason = " ".join((done.stderr or done.stdout).split())[:1000]
        raise SandboxError(f"{_command(argv)} failed: {reason}")
    return done


def _command(argv: Sequence[str]) -> str:
    return " ".join([Path(argv[0]).name, *argv[1:3]])
