"""A real Prometheus for tests: scrapes one target, and is asked what it has."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bursar.sandbox import SandboxError, processes, programs

Labels = tuple[tuple[str, str], ...]
PATIENCE = 60.0
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: bursar
    metrics_path: {path}/metrics
    static_configs: [{{targets: ["{target}"]}}]
"""


def found() -> dict[str, Path]:
    """The programs; where they are neither there nor can be built, the test skips."""
    try:
        return programs.prometheus(lambda line: None)
    except SandboxError as error:
        pytest.skip(f"prometheus is neither there nor can it be built: {error}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """One that runs."""

    url: str
    version: tuple[int, ...]

    def get(self, path: str, **query: str) -> Any:
        """What its API answers."""
        with urllib.request.urlopen(
            f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10
        ) as answer:
            return json.load(answer)["data"]

    def samples(self, selector: str, minutes: int = 10) -> dict[Labels, list[tuple[float, float]]]:
        """All samples of the last minutes, (time, value) of each series, without their target."""
        result = self.get("query", query=f"{selector}[{minutes}m]")["result"]
        return {
            _labels(each["metric"]): [(float(at), float(value)) for at, value in each["values"]]
            for each in result
        }

    def values(self, query: str) -> dict[Labels, float]:
        """An expression's values now."""
        result = self.get("query", query=query)["result"]
        return {_labels(each["metric"]): float(each["value"][1]) for each in result}

    def scrapes(self) -> int:
        """Scrapes that were answered."""
        found = self.values("sum_over_time(up[10m])")
        return round(sum(found.values()))

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something that it comes to know."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not after {PATIENCE:.0f} s"
            time.sleep(0.3)


def _labels(metric: dict[str, str]) -> Labels:
    return tuple(
        sorted((k, v) for k, v in metric.items() if k not in ("__name__", "instance", "job"))
    )


@contextmanager
def running(folder: Path, target: str, features: Sequence[str] = ()) -> Iterator[Prometheus]:
    """Start one that scrapes a URL's host every second; ended whatever happens.

    Args:
        folder: for its data.
        target: URL of what it scrapes.
        features: flags of features to turn on, those that it knows.
    """
    program = found()["prometheus"]
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    words = (said.stdout + said.stderr).split()
    version = tuple(int(part) for part in words[words.index("version") + 1].split(".")[:2])
    config = folder / "prometheus.yml"
    at = urlsplit(target)
    config.write_text(CONFIG.format(target=at.netloc, path=at.path.rstrip("/")), "utf-8")
    (port,) = processes.free_ports(1)
    argv: list[str | Path] = [program, f"--config.file={config}"]
    argv += [f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"]
    argv += [f"--enable-feature={','.join(features)}"] if features else []
    process = processes.spawn("prometheus", argv, folder / "prometheus.log")
    made = Prometheus(url=f"http://127.0.0.1:{port}", version=version)
    try:
        _await(made, process, folder / "prometheus.log")
        yield made
    finally:
        processes.stop([process], 10.0)


def _await(made: Prometheus, process: processes.Process, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert processes.alive(process), f"prometheus ended: {processes.log_tail(log)}"
        try:
            if made.scrapes() >= 2:
                return
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.2)
    raise AssertionError(f"prometheus scraped nothing: {processes.log_tail(log)}")
