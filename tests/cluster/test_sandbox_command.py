"""`bursar sandbox` as people and their scripts call it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bursar import sandbox as sandboxes
from bursar.sandbox import processes

pytestmark = pytest.mark.cluster

SOURCE = Path(sandboxes.__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE)}


def argv(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bursar", "sandbox", *arguments]


def bursar(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv(*arguments), capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=600
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A directory for a sandbox, ended whatever happens."""
    place = tmp_path / "sandbox"
    try:
        yield place
    finally:
        sandboxes.down(place)


def up(folder: Path, *more: str) -> list[str]:
    return ["up", "--dir", str(folder), "--no-operator", "--no-chart", "-o", "json", *more]


def test_up_status_and_down(folder: Path) -> None:
    started = bursar(*up(folder, "--nodes", "2"))
    assert started.returncode == 0, started.stderr
    answer: dict[str, Any] = json.loads(started.stdout.splitlines()[-1])
    assert list(answer) == [
        *("dir", "kubeconfig", "kubectl", "server", "version", "operator", "prometheusUrl")
    ]
    assert (answer["dir"], answer["operator"], answer["prometheusUrl"]) == (str(folder), None, None)
    names = subprocess.run(
        [answer["kubectl"], "--kubeconfig", answer["kubeconfig"], "get", "nodes", "-o", "name"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert sorted(names) == ["node/a100-mig-1", "node/cpu-1", "node/h100-1"]

    evaluated = subprocess.run(
        ["bash", "-c", f"{bursar('env', '--dir', str(folder)).stdout} kubectl get ns -o name"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "namespace/default" in evaluated.stdout

    again = bursar(*up(folder))
    assert again.returncode == 2
    assert "already runs" in again.stderr.splitlines()[-1]

    running = sandboxes.load_state(folder).processes
    listed = bursar("status", "--dir", str(folder), "-o", "json")
    assert listed.returncode == 0
    assert all(entry["alive"] for entry in json.loads(listed.stdout)["processes"])
    processes.kill(running[-1])
    assert bursar("status", "--dir", str(folder)).returncode == 1

    assert bursar("down", "--dir", str(folder)).returncode == 0
    assert not folder.exists()
    assert not [process for process in running if processes.alive(process)]
    assert "no sandbox" in bursar("down", "--dir", str(folder)).stderr


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGTERM, 143, id="asked to end"),
        pytest.param(signal.SIGINT, 130, id="Ctrl-C"),
    ],
)
def test_an_interrupted_start_leaves_nothing_behind(
    folder: Path, number: signal.Signals, code: int
) -> None:
    with subprocess.Popen(
        argv(*up(folder)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT
    ) as starting:
        running = first_processes(folder, starting)
        starting.send_signal(number)
        assert starting.wait(timeout=60) == code
    assert not [process for process in running if processes.alive(process)]
    assert not folder.exists()


def test_what_a_killed_start_left_is_cleared_by_the_next(folder: Path) -> None:
    with subprocess.Popen(
        argv(*up(folder)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT
    ) as starting:
        left = first_processes(folder, starting)
        starting.kill()
    assert bursar(*up(folder)).returncode == 0
    assert not [process for process in left if processes.alive(process)]


def first_processes(
    folder: Path, starting: subprocess.Popen[bytes]
) -> tuple[processes.Process, ...]:
    """The processes that a start has written down, as soon as there are some."""
    deadline = time.monotonic() + 300
    while True:
        assert starting.poll() is None, "it ended before it could be interrupted"
        assert time.monotonic() < deadline, "nothing was started"
        if (folder / "state.json").exists():
            found = sandboxes.load_state(folder).processes
            if found:
                return found
        time.sleep(0.02)


@pytest.mark.slow
def test_a_prometheus_comes_with_it_on_demand_and_goes_with_it(folder: Path) -> None:
    started = bursar("up", "--dir", str(folder), "-o", "json", "--nodes", "1", "--prometheus")
    assert started.returncode == 0, started.stderr
    url = json.loads(started.stdout.splitlines()[-1])["prometheusUrl"]
    deadline = time.monotonic() + 60
    found: list[Any] = []
    while not found and time.monotonic() < deadline:
        with urllib.request.urlopen(f"{url}/api/v1/query?query=bursar_build_info") as answer:
            found = json.load(answer)["data"]["result"]
        time.sleep(0.5)
    assert found[0]["metric"]["currency"] == "USD"
    assert bursar("down", "--dir", str(folder)).returncode == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=5)


def test_a_prometheus_needs_an_operator(folder: Path) -> None:
    refused = bursar(*up(folder, "--prometheus"))
    assert refused.returncode == 1
    assert "--prometheus scrapes the operator" in refused.stderr
    assert not (folder / "state.json").exists()
