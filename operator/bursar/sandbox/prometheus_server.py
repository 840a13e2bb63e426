"""Runs a real Prometheus beside the operator, which it scrapes every five seconds."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bursar.sandbox import processes, programs
from bursar.sandbox import state as states
from bursar.sandbox.errors import SandboxError
from bursar.sandbox.golang import Report
from bursar.sandbox.processes import Process, log_tail
from bursar.sandbox.state import SandboxState

NAME: Final = "prometheus"
_READY_SECONDS: Final = 60.0
_CONFIG: Final = """\
global:
  scrape_interval: 5s
scrape_configs:
  - job_name: bursar
    honor_labels: true
    static_configs:
      - targets: ["{target}"]
"""


def start(
    state: SandboxState, hold: Callable[[], AbstractContextManager[None]], report: Report
) -> SandboxState:
    """Start it and wait until it answers.

    Args:
        state: A sandbox whose operator runs: its address is what is scraped.
        hold: Keeps signals back while the process is written down.
        report: Takes lines of progress.

    Raises:
        SandboxError: There is no operator, no program, or it ended: names its log.
    """
    if state.operator is None:
        raise SandboxError("no operator runs that Prometheus could scrape")
    program = programs.prometheus(report)["prometheus"]
    report("starting prometheus")
    home = state.dir / NAME
    home.mkdir(exist_ok=True)
    config = home / "prometheus.yml"
    config.write_text(_CONFIG.format(target=urlsplit(state.operator.url).netloc), "utf-8")
    (port,) = processes.free_ports(1)
    argv: list[str | Path] = [program, f"--config.file={config}"]
    argv += [f"--storage.tsdb.path={home / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"]
    with hold():
        process = processes.spawn(NAME, argv, state.dir / "logs" / f"{NAME}.log")
        state = states.with_process(state, process)
        state = states.save(replace(state, prometheus_url=f"http://127.0.0.1:{port}"))
    _await_ready(process, port)
    return state


def _await_ready(process: Process, port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if not processes.alive(process):
            said = log_tail(process.log)
            raise SandboxError(f"prometheus ended; its log {process.log} ends: {said}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise SandboxError(f"prometheus does not answer; its log is {process.log}")
