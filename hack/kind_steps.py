"""What `hack/kind.py` is made of: programs, commands that fail with one line, the fake fleet."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from bursar.sandbox import SandboxError, fleet, processes, programs

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "kind"
KUBECONFIG = WORK / "kubeconfig"
KWOK = WORK / "kwok.json"
CLUSTER = "bursar"
NAMESPACE = "bursar-system"


class StepFailed(Exception):  # noqa: N818 - says what happened, in one line
    """A step did not work out; the text is the line for people."""


def say(text: str) -> None:
    """One line of progress."""
    print(f"kind: {text}", file=sys.stderr, flush=True)


def need(name: str, where: str) -> str:
    """A program of PATH that cannot be built here."""
    found = shutil.which(name)
    if not found:
        raise StepFailed(f"{name} is not on PATH: {where}")
    return found


def built(find: Callable[[Callable[[str], None]], Path], name: str) -> str:
    """A program of PATH, else the sandbox's own, which is built where need be."""
    found = shutil.which(name)
    if found:
        return found
    try:
        return str(find(say))
    except SandboxError as error:
        raise StepFailed(f"{name} is not on PATH and cannot be built: {error}") from error


def kind() -> str:
    """kind, with an engine that answers."""
    found = need("kind", "it is a single file, see the project's quick start")
    docker = need("docker", "kind runs its nodes in Docker's containers")
    if subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        at = os.environ.get("DOCKER_HOST", "the default socket")
        raise StepFailed(f"no Docker engine answers at {at}: start one, or set DOCKER_HOST")
    return found


def helm() -> str:
    """helm, of PATH or our own."""
    return built(programs.helm, "helm")


def kubectl_program() -> str:
    """kubectl, of PATH or our own."""
    return built(programs.kubectl, "kubectl")


def kwok() -> str:
    """kwok, of PATH or our own."""
    return built(lambda report: programs.control_plane(report)["kwok"], "kwok")


def run(what: str, *argv: str, text: str | None = None, cwd: Path = ROOT) -> str:
    """Run a command with the cluster's kubeconfig; returns what it printed.

    Raises:
        StepFailed: it failed; names the file with all that it said.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            argv,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            env={**os.environ, "KUBECONFIG": str(KUBECONFIG)},
        )
    except OSError as error:
        raise StepFailed(f"{what}: {argv[0]}: {error.strerror}") from error
    if done.returncode:
        log = WORK / f"{what.replace(' ', '-')}.log"
        log.write_text(f"$ {' '.join(argv)}\n{done.stdout}{done.stderr}", "utf-8")
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        last = (lines or ["it said nothing"])[-1][:300]
        raise StepFailed(f"{what} failed: {last} (all of it: {log})")
    return done.stdout


def kubectl(what: str, *arguments: str, text: str | None = None) -> str:
    """Run kubectl against the cluster; see `run`."""
    return run(what, kubectl_program(), *arguments, text=text)


def get(*arguments: str) -> Any:
    """`kubectl get … -o json`, decoded."""
    return json.loads(kubectl(f"reading {arguments[0]}", "get", *arguments, "-o", "json"))


def until(condition: Callable[[], Any], what: str, seconds: float) -> None:
    """Wait for a condition.

    Raises:
        StepFailed: it did not come true in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StepFailed(f"{what}: not so after {seconds:.0f} s")
        time.sleep(0.5)


def ready_nodes() -> set[str]:
    """Names of the nodes that are ready."""
    return {
        node["metadata"]["name"]
        for node in get("nodes")["items"]
        for each in node["status"].get("conditions", [])
        if each["type"] == "Ready" and each["status"] == "True"
    }


@contextmanager
def fake_fleet() -> Iterator[None]:
    """The sandbox's fleet of fake GPU nodes beside the real ones, as long as this lasts."""
    config = WORK / "kwok.yaml"
    config.write_text(_kwok_config(), "utf-8")
    nodes = fleet.nodes()
    names = [str(node["metadata"]["name"]) for node in nodes]
    end_kwok()
    argv = [kwok(), f"--kubeconfig={KUBECONFIG}", f"--config={config}", "--v=WARN"]
    argv += ["--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake"]
    process = processes.spawn("kwok", argv, WORK / "kwok.log")
    KWOK.write_text(json.dumps({"pid": process.pid, "born": process.born}), "utf-8")
    try:
        say(f"adding {len(nodes)} fake nodes, lived by kwok on this machine")
        text = "\n---\n".join(json.dumps(node) for node in nodes)
        kubectl("adding fake nodes", "apply", "-f", "-", text=text)

        def ready() -> bool:
            if not processes.alive(process):
                raise StepFailed(f"kwok has ended: {processes.log_tail(process.log)}")
            return set(names) <= ready_nodes()

        until(ready, "the fake nodes are ready", 120)
        yield
    finally:
        try:
            say("taking the fake nodes away")
            _await_test_namespaces()
            kubectl("removing fake nodes", "delete", "node", "--ignore-not-found", *names)
        finally:
            end_kwok()


def end_kwok() -> None:
    """End the kwok of this run, or of one that was killed: two would play the same pods."""
    if KWOK.exists():
        known = json.loads(KWOK.read_text("utf-8"))
        process = processes.Process(name="kwok", log=WORK / "kwok.log", **known)
        processes.stop([process], 10)
        KWOK.unlink()


def _kwok_config() -> str:
    """The sandbox's Stages; but this cluster's controllers take a node without a lease for dead."""
    text = resources.files("bursar.sandbox").joinpath("kwok.yaml").read_text("utf-8")
    first, *stages = yaml.safe_load_all(text)
    first["options"] |= {"nodeLeaseDurationSeconds": 40, "nodeLeaseParallelism": 4}
    return str(yaml.safe_dump_all([first, *stages], sort_keys=False))


def _await_test_namespaces() -> None:
    """Let kwok end the pods of namespaces that are being deleted: nobody else would."""

    def gone() -> bool:
        spaces = get("namespaces")["items"]
        return not [each for each in spaces if each["metadata"].get("deletionTimestamp")]

    until(gone, "the tests' namespaces are gone", 120)
