"""A sandbox deletes what it made and nothing else, and says in one line what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bursar.sandbox import (
    OperatorState,
    SandboxError,
    SandboxState,
    UpOptions,
    crash,
    down,
    install,
    lifecycle,
    load_state,
    processes,
    programs,
    revive,
    state,
    status,
    up,
)
from bursar.sandbox.processes import Process


def quiet(_: str) -> None:
    pass


def process(name: str, folder: Path) -> Process:
    return Process(name=name, pid=2**22 + 1, born="never", log=folder / "a.log")


def example(folder: Path, **changes: object) -> SandboxState:
    values: dict[str, object] = {
        "dir": folder,
        "owned": True,
        "kubeconfig": folder / "kubeconfig",
        "kubectl": Path("/bin/kubectl"),
        "server": "https://127.0.0.1:1",
        "version": "v1.36.3",
        "processes": (process("etcd", folder), process("kwok", folder)),
    }
    return SandboxState(**{**values, **changes})  # type: ignore[arg-type]


def test_the_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    operator = OperatorState(process=process("operator", tmp_path), url="http://127.0.0.1:2")
    for one in (example(tmp_path), example(tmp_path, operator=operator, ready=True)):
        state.save(one)
        assert load_state(tmp_path) == one
    assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0


def test_the_contract_of_the_command_line(tmp_path: Path) -> None:
    operator = OperatorState(process=process("operator", tmp_path), url="http://127.0.0.1:2")
    assert example(tmp_path).contract()["operator"] is None
    assert example(tmp_path, operator=operator).contract() == {
        "dir": str(tmp_path),
        "kubeconfig": str(tmp_path / "kubeconfig"),
        "kubectl": "/bin/kubectl",
        "server": "https://127.0.0.1:1",
        "version": "v1.36.3",
        "operator": {
            "pid": 2**22 + 1,
            "url": "http://127.0.0.1:2",
            "metricsUrl": "http://127.0.0.1:2/metrics",
        },
        "prometheusUrl": None,
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{}", id="without its fields"),
        pytest.param(json.dumps({"format": 99}), id="of another format"),
        pytest.param("[]", id="not an object"),
    ],
)
def test_a_damaged_state_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(SandboxError, match="state") as caught:
        status(tmp_path)
    assert "\n" not in str(caught.value)


def test_status_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="there is no sandbox in"):
        status(tmp_path)


def test_a_directory_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "precious").touch()
    with pytest.raises(SandboxError, match="not empty and not a sandbox's"):
        up(UpOptions(dir=tmp_path, chart=False, operator=False), quiet)
    assert not down(tmp_path)
    assert (tmp_path / "logs" / "precious").exists()


def test_down_deletes_what_is_ours_and_keeps_what_is_not(tmp_path: Path) -> None:
    (tmp_path / ".bursar-sandbox").touch()
    (tmp_path / "etcd").mkdir()
    (tmp_path / "mine.yaml").touch()
    state.save(example(tmp_path))
    assert down(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.yaml"]


def test_down_of_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert not down(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_failed_start_leaves_the_logs_it_names_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sandbox"
    bad = tmp_path / "bad"
    bad.write_text("#!/bin/sh\necho cannot do it >&2; exit 1\n")
    bad.chmod(0o755)
    monkeypatch.setattr(
        lifecycle.programs,
        "control_plane",
        lambda _: dict.fromkeys(programs.CONTROL_PLANE.programs, bad),
    )
    options = UpOptions(dir=folder, chart=False, operator=False)
    with pytest.raises(SandboxError, match=r"ended while starting; its log .*logs.* cannot do it"):
        up(options, quiet)
    assert {entry.name for entry in folder.iterdir()} == {".bursar-sandbox", "logs"}
    assert down(folder)
    assert not folder.exists()


def test_without_a_chart_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BURSAR_CHART", str(tmp_path / "none"))
    with pytest.raises(SandboxError, match="chart is not there"):
        up(UpOptions(dir=tmp_path / "sandbox"), quiet)
    assert not (tmp_path / "sandbox").exists()


def test_the_chart_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Chart.yaml").touch()
    monkeypatch.setenv("BURSAR_CHART", str(tmp_path))
    assert install.chart_path() == tmp_path


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"nodes": 3}, "--nodes needs", id="nodes for a cluster that is not ours"),
        pytest.param({}, "there is no kubeconfig", id="a kubeconfig that is not there"),
    ],
)
def test_what_an_existing_cluster_cannot_do(
    tmp_path: Path, change: dict[str, int], problem: str
) -> None:
    options = UpOptions(
        dir=tmp_path / "s", chart=False, operator=False, kubeconfig=tmp_path / "no", **change
    )
    with pytest.raises(SandboxError, match=problem):
        up(options, quiet)


def test_a_program_that_crashed_is_started_again_as_it_was(tmp_path: Path) -> None:
    sleep = processes.spawn("etcd", ["/bin/sleep", "600"], tmp_path / "logs" / "etcd.log")
    other = process("kwok", tmp_path)
    state.save(example(tmp_path, processes=(sleep, other)))
    try:
        crash(tmp_path, "etcd")
        assert not processes.alive(sleep)
        again, untouched = revive(tmp_path, "etcd").processes
        assert again.argv == sleep.argv == ("/bin/sleep", "600")
        assert again.pid != sleep.pid
        assert untouched == other
        assert load_state(tmp_path).processes == (again, other)
        assert revive(tmp_path, "etcd").processes == (again, other)
    finally:
        for each in load_state(tmp_path).processes:
            processes.kill(each)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("apiserver", "runs no apiserver", id="one that it does not have"),
        pytest.param("kwok", "how kwok was started", id="one whose command was not kept"),
    ],
)
def test_a_program_that_cannot_be_started_again_is_named(
    tmp_path: Path, name: str, said: str
) -> None:
    state.save(example(tmp_path))
    with pytest.raises(SandboxError, match=said):
        revive(tmp_path, name)
