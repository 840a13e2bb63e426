"""Programs are taken from PATH only when all of a set fit, then from the cache."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bursar.sandbox import golang, programs
from bursar.sandbox.programs import Module, Program

FITTING = {
    "etcd": "etcd Version: 3.6.8",
    "kube-apiserver": "Kubernetes v1.36.3",
    "kube-controller-manager": "Kubernetes v1.36.1",
    "kube-scheduler": "Kubernetes v1.36.3",
    "kubectl": "Client Version: v1.36.0",
    "kwok": "kwok version v0.8.0 go1.26.8 (linux/amd64)",
}


def install(folder: Path, texts: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\necho '{text}'\n")
        path.chmod(0o755)
    return folder


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("BURSAR_CACHE", str(tmp_path / "cache"))
    return tmp_path


def path_with(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    # The scripts need a shell and echo, which is built into it.
    monkeypatch.setenv("PATH", str(folder))


def test_a_whole_set_that_fits_is_taken_from_the_path(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install(empty_machine / "bin", FITTING)
    path_with(monkeypatch, folder)
    assert programs.installed(programs.CONTROL_PLANE) == {name: folder / name for name in FITTING}


def test_kubebuilders_assets_come_before_the_path(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = install(empty_machine / "bin", {**FITTING, "etcd": "etcd Version: 3.4.1"})
    assets = install(empty_machine / "assets", {"etcd": FITTING["etcd"]})
    path_with(monkeypatch, old)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    found = programs.installed(programs.CONTROL_PLANE)
    assert found is not None
    assert found["etcd"] == assets / "etcd"
    assert found["kwok"] == old / "kwok"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"kubectl": "Client Version: v1.32.4"}, id="one is too old"),
        pytest.param({"kube-apiserver": "Kubernetes v1.360.0"}, id="one only looks alike"),
        pytest.param({"kwok": ""}, id="one does not say its version"),
    ],
)
def test_a_set_in_which_one_does_not_fit_is_not_taken(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    path_with(monkeypatch, install(empty_machine / "bin", FITTING | change))
    assert programs.installed(programs.CONTROL_PLANE) is None


def test_a_set_in_which_one_is_missing_is_not_taken(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install(empty_machine / "bin", FITTING)
    (folder / "kwok").unlink()
    path_with(monkeypatch, folder)
    assert programs.installed(programs.CONTROL_PLANE) is None


@pytest.mark.usefixtures("empty_machine")
def test_the_cache_is_keyed_by_the_modules_content() -> None:
    source = Path(programs.__file__).parent / "helm"
    content = (source / "go.mod").read_bytes() + (source / "go.sum").read_bytes()
    key = hashlib.sha256(content).hexdigest()[:12]
    folder = programs.cache_dir() / f"helm-{key}" / "bin"
    assert programs.cached(programs.HELM) is None
    folder.mkdir(parents=True)
    (folder / "helm").touch()
    assert programs.find(programs.HELM, lambda _: None) == {"helm": folder / "helm"}


def test_the_cache_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BURSAR_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert programs.cache_dir() == tmp_path / "bursar"
    monkeypatch.setenv("BURSAR_CACHE", str(tmp_path / "own"))
    assert programs.cache_dir() == tmp_path / "own"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("go1.26.8", (1, 26, 8), id="a release"),
        pytest.param("go1.27", (1, 27, 0), id="no patch number"),
        pytest.param("go1.27rc1", (1, 27, 0), id="a candidate"),
        pytest.param("devel", (0, 0, 0), id="no version at all"),
    ],
)
def test_go_versions(text: str, version: tuple[int, int, int]) -> None:
    assert golang.parse_version(text) == version


def test_link_flags_carry_kubernetes_own_version() -> None:
    flags = programs.link_flags("require (\n\tk8s.io/kubernetes v1.36.3 // indirect\n)")
    assert flags == (
        "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3"
        " -X k8s.io/component-base/version.gitMajor=1"
        " -X k8s.io/component-base/version.gitMinor=36"
    )
    assert programs.link_flags("require k8s.io/client-go v0.36.3") == "-s -w"


def test_link_flags_carry_the_release_of_prometheus_that_a_module_is() -> None:
    flags = programs.link_flags("require (\n\tgithub.com/prometheus/prometheus v0.315.1 // x\n)")
    assert flags == "-s -w -X github.com/prometheus/common/version.Version=3.15.1"


def test_each_modules_go_mod_names_all_its_programs() -> None:
    for module in (programs.CONTROL_PLANE, programs.HELM, programs.PROMETHEUS):
        text = (Path(programs.__file__).parent / module.name / "go.mod").read_text()
        for name, program in module.programs.items():
            wanted = program.installed or name
            # A path that ends in a major version installs under the name before it.
            assert f"/{wanted}\n" in text or f"/{wanted}/v3\n" in text


def test_a_command_that_fails_is_told_by_its_last_lines_and_its_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with pytest.raises(golang.SandboxError, match=r"sh -c failed, see .*a\.log: no such module"):
        golang.run(
            ["/bin/sh", "-c", "echo no such module >&2; exit 3"],
            cwd=tmp_path,
            env=os.environ,
            log=log,
            tick=lambda _: None,
        )
    assert log.read_text() == "no such module\n"


def test_an_interrupted_command_dies_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def interrupt(_: list[str]) -> None:
        if pid_file.exists() and pid_file.read_text().strip():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        golang.run(
            ["/bin/sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait"],
            cwd=tmp_path,
            env=os.environ,
            log=tmp_path / "a.log",
            tick=interrupt,
        )
    stat = Path(f"/proc/{int(pid_file.read_text())}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_module_whose_build_makes_nothing_is_an_error(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = Module(name="helm", programs={"absent": Program(version=("-v",), fits="x")})
    monkeypatch.setattr(programs, "_build_in", lambda *_: None)
    with pytest.raises(programs.SandboxError, match="made not all of its programs"):
        programs.build(module, lambda _: None)
    assert not list((empty_machine / "cache").glob("helm-*/work.*"))
