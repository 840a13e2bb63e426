"""Processes are known by their birth, outlive their starter, and end without harm to others."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bursar.sandbox import processes
from bursar.sandbox.interrupts import Interrupts
from bursar.sandbox.processes import Process

STUBBORN = "import signal,time;signal.signal(signal.SIGTERM,signal.SIG_IGN);print('up',flush=True);"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    process = start(tmp_path, "import time; print('up', flush=True); time.sleep(60)")
    try:
        yield process
    finally:
        processes.kill(process)


def start(folder: Path, code: str) -> Process:
    process = processes.spawn("sleeper", [sys.executable, "-c", code], folder / "a.log")
    deadline = time.monotonic() + 20
    while "up" not in processes.log_tail(process.log):
        assert time.monotonic() < deadline, "the child did not start"
        time.sleep(0.02)
    return process


def test_a_started_process_lives_in_a_session_of_its_own(sleeper: Process) -> None:
    assert processes.alive(sleeper)
    assert os.getsid(sleeper.pid) == sleeper.pid


def test_sigterm_ends_a_process(sleeper: Process) -> None:
    processes.stop([sleeper], grace=20)
    assert not processes.alive(sleeper)


def test_what_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    process = start(tmp_path, f"{STUBBORN}time.sleep(60)")
    processes.stop([process], grace=0.2)
    assert not processes.alive(process)


def test_a_number_that_went_to_somebody_else_is_left_alone(sleeper: Process) -> None:
    stranger = replace(sleeper, born="another time")
    assert not processes.alive(stranger)
    processes.kill(stranger)
    processes.stop([stranger], grace=0)
    assert processes.alive(sleeper)


def test_free_ports_are_all_different() -> None:
    assert len(set(processes.free_ports(20))) == 20


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(None, "(no log)", id="no file"),
        pytest.param(b"", "(empty log)", id="nothing in it"),
        pytest.param(b"a\nb\n\nc\nd\n", "b | c | d", id="its last lines, in one line"),
        pytest.param(b"\xff" + b"x" * 999, "�" + "x" * 299, id="bytes that are no text, cut"),
    ],
)
def test_the_end_of_a_log(tmp_path: Path, content: bytes | None, expected: str) -> None:
    log = tmp_path / "a.log"
    if content is not None:
        log.write_bytes(content)
    assert processes.log_tail(log) == expected


@pytest.mark.parametrize(
    ("number", "raised"),
    [
        pytest.param(signal.SIGINT, KeyboardInterrupt, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, SystemExit, id="a request to end"),
    ],
)
def test_a_signal_is_held_back_and_then_raises(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    before = signal.getsignal(number)
    reached = []

    def start_something() -> None:
        with Interrupts() as interrupts, interrupts.hold():
            signal.raise_signal(number)
            reached.append("the end of the block")

    with pytest.raises(raised):
        start_something()
    assert reached == ["the end of the block"]
    assert signal.getsignal(number) is before


def test_a_signal_that_is_not_held_raises_at_once() -> None:
    with pytest.raises(SystemExit) as caught, Interrupts():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 143
