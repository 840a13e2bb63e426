"""Restarts the API server of a sandbox, as a cluster does when its control plane is upgraded."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from bursar.sandbox import processes
from bursar.sandbox import state as states
from support.cluster import Sandbox


def restart(sandbox: Sandbox, *flags: str) -> None:
    """Kill the API server and start it as it was, with further flags where some are given."""
    state = sandbox.state
    (old,) = (each for each in state.processes if each.name == "kube-apiserver")
    argv = Path(f"/proc/{old.pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    argv += [flag for flag in flags if flag not in argv]
    port = urlsplit(state.server).port or 0
    processes.kill(old)
    # Its threads may hold the port for a moment longer than it lives.
    sandbox.wait(lambda: _is_free(port), what="the API server's end")
    new = processes.spawn(old.name, argv, old.log)
    others = tuple(new if each is old else each for each in state.processes)
    states.save(replace(state, processes=others))
    sandbox.wait(
        lambda: sandbox.kubectl("get", "--raw", "/readyz", check=False).stdout == "ok",
        what="the API server's return",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
