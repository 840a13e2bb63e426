"""The chart, helm to try it with, and a cluster on which it is not installed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from bursar import sandbox as sandboxes
from bursar.sandbox import SandboxError, install, programs
from support.cluster import Sandbox
from support.examples import ROOT

CHART = ROOT / "charts" / "bursar"

Helm = Callable[..., subprocess.CompletedProcess[str]]


def documents(rendered: str) -> list[dict[str, Any]]:
    """The objects of a rendering, those of hooks too."""
    return [each for each in yaml.load_all(rendered, yaml.CSafeLoader) if each]


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    try:
        program = programs.helm(lambda line: None)
    except SandboxError as error:
        pytest.skip(f"helm is neither there nor can it be built: {error}")
    home = tmp_path_factory.mktemp("helm")
    own = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}

    def run(
        *arguments: str,
        values: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        given = () if values is None else ("--values", "-")
        return subprocess.run(
            [program, *arguments, *given],
            input=values,
            capture_output=True,
            text=True,
            check=False,
            env={**own, "HOME": str(home), **(env or {})},
        )

    return run


POLICIES = ",".join(
    f"{how}admissionpolic{what}"
    for how in ("validating", "mutating")
    for what in ("ies", "ybindings")
)
"""As kubectl lists all kinds of admission policies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The chart's release on a cluster of its own, in whatever state a test brings it."""

    sandbox: Sandbox
    helm: Helm

    def run(
        self, verb: str, *arguments: str, values: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One command of helm about this release."""
        return self.helm(*self.argv(verb, *arguments), values=values)

    def argv(self, verb: str, *arguments: str) -> tuple[str, ...]:
        """The arguments of such a command."""
        where = ("--kubeconfig", str(self.sandbox.kubeconfig), "--namespace", install.NAMESPACE)
        return (verb, install.RELEASE, *arguments, *where)

    def do(self, verb: str, *arguments: str, values: str | None = None) -> str:
        """The same, which must succeed; what it printed."""
        done = self.run(verb, *arguments, values=values)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def install(self, values: str = "{}", *, mode: str = "Observe", replicas: int = 0) -> str:
        """Install, or upgrade, from the chart of this tree."""
        chosen = ("--set", f"enforcement.mode={mode},replicaCount={replicas}")
        more = ("--install", "--create-namespace", *chosen)
        return self.do("upgrade", str(CHART), *more, values=values)

    def state(self) -> str:
        """What helm says that the release is; empty where there is none."""
        done = self.run("status", "--output", "json")
        return str(yaml.safe_load(done.stdout)["info"]["status"]) if done.returncode == 0 else ""

    def policies(self) -> list[str]:
        """All admission policies and bindings of the cluster."""
        return self.sandbox.kubectl("get", POLICIES, "-o", "name").stdout.split()


@pytest.fixture(scope="session")
def spare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A cluster of our own without the chart, for tests that install and remove it."""
    if os.environ.get("KUBECONFIG_E2E"):
        pytest.skip("the chart is installed and removed only on a cluster of our own")
    folder = tmp_path_factory.mktemp("spare")
    sandboxes.up(sandboxes.UpOptions(dir=folder, operator=False, chart=False), lambda line: None)
    try:
        yield Sandbox(folder)
    finally:
        sandboxes.down(folder)


@pytest.fixture
def release(spare: Sandbox, helm: Helm) -> Iterator[Release]:
    """No release yet; whatever a test leaves is removed, but for the definitions."""
    made = Release(sandbox=spare, helm=helm)
    try:
        yield made
    finally:
        if spare.state.operator:
            spare.stop_operator()
        if made.state():
            made.run("uninstall")
        claim = ("persistentvolumeclaim", "bursar-ledger", "-n", install.NAMESPACE)
        spare.kubectl("delete", *claim, "--ignore-not-found", "--wait=false")
