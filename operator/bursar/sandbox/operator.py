"""Runs the operator as a process of the host, under the rights of the chart's ServiceAccount.

So a right that the chart forgets is missed here as it would be in a cluster.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bursar.sandbox import install, kubeconfig, kubectl, processes
from bursar.sandbox import state as states
from bursar.sandbox.certificates import write_private
from bursar.sandbox.errors import SandboxError
from bursar.sandbox.processes import Process, log_tail
from bursar.sandbox.state import OperatorState, SandboxState

_READY_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 20.0
#: Our own API server grants any lifetime; others cut it to their maximum.
_TOKEN_HOURS: Final = {True: 8760, False: 24}


def start(
    state: SandboxState,
    hold: Callable[[], AbstractContextManager[None]] = nullcontext,
    *,
    server: str = "",
) -> SandboxState:
    """Start the operator and wait until it says it is ready; one that lives is left alone.

    Args:
        state: The sandbox.
        hold: Keeps signals back while the process is written down.
        server: URL by which it reaches the API server; empty: the API server's own.

    Raises:
        SandboxError: It ended or is not ready in time: names its log; it is stopped then.
    """
    if state.operator and processes.alive(state.operator.process):
        return state
    access = _write_access(state, server)
    port = _port(state)
    with hold():
        process = processes.spawn(
            "operator",
            command(state, access, port),
            state.dir / "logs" / "operator.log",
            env=_environment(),
        )
        operator = OperatorState(process=process, url=f"http://127.0.0.1:{port}")
        state = states.save(replace(state, operator=operator))
    try:
        _await_ready(process, port)
    except BaseException:
        with hold():
            processes.stop([process], 3.0)
            states.save(replace(state, operator=None))
        raise
    return state


def command(state: SandboxState, access: Path, port: int) -> list[str | Path]:
    """How the operator is started: with this kubeconfig, serving HTTP on this port."""
    argv: list[str | Path] = [sys.executable, "-m", "bursar", "run"]
    argv += ["--kubeconfig", access, "--ledger", f"sqlite:///{state.dir / 'ledger.db'}"]
    argv += ["--http-port", str(port), "--namespace", install.NAMESPACE, "--mode", "Enforce"]
    return argv


def stop(state: SandboxState) -> SandboxState:
    """End the operator as a cluster would: SIGTERM, then SIGKILL; nothing when it does not run."""
    if state.operator:
        processes.stop([state.operator.process], _STOP_SECONDS)
    return states.save(replace(state, operator=None))


def _environment() -> dict[str, str]:
    source = str(Path(__file__).parent.parent.parent)
    known = os.environ.get("PYTHONPATH")
    path = source if not known else os.pathsep.join((source, known))
    env = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    env.setdefault("BURSAR_WATCH_PODS", "Stamped")  # as the chart says where pods are stamped
    return {**env, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def _write_access(state: SandboxState, server: str) -> Path:
    """Write the operator's kubeconfig with a fresh token of the chart's ServiceAccount."""
    hours = _TOKEN_HOURS[state.owned]
    token = kubectl.run(
        state.kubectl,
        state.kubeconfig,
        *("create", "token", install.SERVICE_ACCOUNT, f"--namespace={install.NAMESPACE}"),
        f"--duration={hours}h",
    ).stdout.strip()
    token_file = state.dir / "operator.token"
    write_private(token_file, token)
    path = state.dir / "operator.kubeconfig"
    reached = {"server": server} if server else cluster_of(state)
    config = kubeconfig.document(reached, {"tokenFile": str(token_file)}, "sandbox")
    kubeconfig.write(path, config)
    return path


def cluster_of(state: SandboxState) -> dict[str, Any]:
    """The cluster entry (server and trust) of the administrator's kubeconfig."""
    text = kubectl.run(
        state.kubectl,
        state.kubeconfig,
        *("config", "view", "--raw", "--minify", "--flatten", "-o", "json"),
    ).stdout
    cluster: dict[str, Any] = json.loads(text)["clusters"][0]["cluster"]
    return cluster


def _port(state: SandboxState) -> int:
    """The port the operator had before, where it is still free: its address outlives a restart."""
    known = urlsplit(state.operator.url).port if state.operator else None
    if known:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", known))
            except OSError:
                pass
            else:
                return known
    return processes.free_ports(1)[0]


def _await_ready(process: Process, port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if not processes.alive(process):
            tail = log_tail(process.log)
            raise SandboxError(f"the operator ended; its log {process.log} ends: {tail}")
        if _ready(port):
            return
        time.sleep(0.1)
    tail = log_tail(process.log)
    raise SandboxError(
        f"the operator is not ready after {_READY_SECONDS:.0f} s; {process.log} ends: {tail}"
    )


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
