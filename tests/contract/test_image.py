"""The image's recipe, the kind cluster's description, and how their commands fail."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.examples import ROOT
from support.realpods import DEVICES, TYPE

DOCKERFILE = ROOT / "operator" / "Dockerfile"
CATALOG = ROOT / "operator" / "bursar" / "price" / "data" / "catalog.json"


def instructions() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with their arguments, continued lines joined."""
    text = re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text("utf-8")).replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def arguments(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def test_both_builders_take_the_recipe() -> None:
    assert not [rest for rest in arguments("RUN") if rest.startswith("--") or "<<" in rest]
    assert not [rest for rest in arguments("COPY") if re.search(r"--(link|chmod|parents)|<<", rest)]


def test_the_base_is_an_argument_and_both_stages_have_the_same() -> None:
    assert arguments("ARG")[0].startswith("PYTHON_IMAGE=python:3.")
    assert {rest.split()[0] for rest in arguments("FROM")} == {"${PYTHON_IMAGE}"}


def test_dependencies_are_pinned_by_hash_and_nothing_compiles() -> None:
    installs = re.findall(r"pip [^&]*install[^&]*", " ".join(arguments("RUN")))
    assert len(installs) == 3
    for install in installs:
        assert ("--require-hashes" in install and "--only-binary :all:" in install) or (
            "--no-index --no-deps" in install
        ), install


def test_it_runs_as_nobody_with_the_charts_arguments() -> None:
    assert arguments("USER") == ["65532:65532"]
    (entry,) = arguments("ENTRYPOINT")
    assert json.loads(entry)[1:] == ["-m", "bursar"]
    assert len(arguments("LABEL")) == 1
    labels = re.findall(r"org\.opencontainers\.image\.(\w+)=", arguments("LABEL")[0])
    assert {"title", "description", "licenses", "version", "revision"} <= set(labels)


def test_what_is_copied_is_sent_and_nothing_else_is() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*", "everything is left out but what is named"
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = [
        word for rest in arguments("COPY") if "--from" not in rest for word in rest.split()[:-1]
    ]
    for name in copied:
        assert any(fnmatch.fnmatch(name, each) or Path(each) in Path(name).parents for each in sent)
        assert (ROOT / name).exists()
    assert not {".git", ".venv", "tests", "build"} & sent


def test_kinds_nodes_are_of_types_that_the_catalog_prices() -> None:
    config = yaml.safe_load((ROOT / "kind-config.yaml").read_text("utf-8"))
    assert config["name"] == "bursar"
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker"]
    data = json.loads(CATALOG.read_text("utf-8"))
    priced = {(row[0], row[1]) for row in data["prices"]}
    devices = {row[1]: row[3] for row in data["instances"]}
    labels = [node["labels"] for node in config["nodes"][1:]]
    assert [each[TYPE] for each in labels] == list(DEVICES)
    for each in labels:
        assert (each[TYPE], each["topology.kubernetes.io/region"]) in priced
        count = int(each["nvidia.com/gpu.count"])
        assert count == devices[each[TYPE]] == DEVICES[each[TYPE]]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "hack" / "kind.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT / "operator"), **environment},
    )


@pytest.fixture
def no_engine(tmp_path: Path) -> str:
    """A PATH with kind and a docker whose engine does not answer."""
    for name in ("kind", "docker"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\nexit 1\n", "utf-8")
        program.chmod(0o755)
    return f"{tmp_path}:/bin"


@pytest.mark.parametrize("command", ["up", "down", "e2e"])
def test_without_kind_the_commands_say_so_in_one_line(command: str, tmp_path: Path) -> None:
    done = run(command, PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [done.stderr.strip()]
    assert done.stderr.startswith("kind: kind is not on PATH")


@pytest.mark.parametrize("command", ["up", "down"])
def test_without_an_engine_the_commands_say_where_they_looked(command: str, no_engine: str) -> None:
    done = run(command, PATH=no_engine, DOCKER_HOST="unix:///nowhere.sock")
    assert done.returncode == 1
    assert "no Docker engine answers at unix:///nowhere.sock" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_docker_no_image_is_built(tmp_path: Path) -> None:
    done = run("image", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "docker is not on PATH" in done.stderr


def test_another_command_is_refused() -> None:
    done = run("sideways")
    assert done.returncode == 1
    assert "one of image, up, e2e" in done.stderr
