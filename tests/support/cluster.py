"""A real API server for tests: one sandbox a session, or the cluster that `KUBECONFIG_E2E` names.

The operator is a process of this machine; with `BURSAR_E2E_OPERATOR=deployment` it is the one that
is installed in that cluster.

Tests take the fixture `sandbox` (the cluster, with the chart's resources and policies, no
operator), where they need one `operator`, and where they need a quiet place `namespace`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bursar import sandbox as sandboxes
from bursar.sandbox import install, kubectl, processes
from support import deployed

T = TypeVar("T")


@dataclass(slots=True)
class Sandbox:
    """A running cluster and how to reach it."""

    dir: Path
    deployed: deployed.Deployed | None = None

    @property
    def state(self) -> sandboxes.SandboxState:
        return sandboxes.load_state(self.dir)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state.kubeconfig

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - as subprocess calls it
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator; a failure raises `SandboxError` with what it said."""
        state = self.state
        return kubectl.run(state.kubectl, state.kubeconfig, *args, stdin=input, check=check)

    def get(self, *args: str) -> dict[str, Any]:
        """`kubectl get … -o json`, decoded."""
        return json.loads(self.kubectl("get", *args, "-o", "json").stdout)

    def find(self, *args: str) -> dict[str, Any] | None:
        """One object, or None where it does not exist."""
        text = self.kubectl("get", *args, "-o", "json", "--ignore-not-found").stdout
        return json.loads(text) if text.strip() else None

    def apply(self, *objects: dict[str, Any] | str) -> subprocess.CompletedProcess[str]:
        """`kubectl apply` objects, given as dictionaries or as YAML."""
        text = "\n---\n".join(one if isinstance(one, str) else json.dumps(one) for one in objects)
        return self.kubectl("apply", "-f", "-", input=text)

    def create(self, *objects: dict[str, Any] | str, check: bool = True) -> Any:
        """`kubectl create` objects; with `check=False` look at the answer's `returncode`."""
        text = "\n---\n".join(one if isinstance(one, str) else json.dumps(one) for one in objects)
        return self.kubectl("create", "-f", "-", input=text, check=check)

    def wait(
        self,
        condition: Callable[[], T | bool | None],
        timeout: float = 60.0,
        what: str = "the condition",
        every: float = 0.2,
    ) -> T:
        """Wait until `condition()` is truthy and return what it gave; fails naming `what`."""
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value  # type: ignore[return-value]
            if time.monotonic() > deadline:
                pytest.fail(f"{what}: not so after {timeout:.0f} s (last: {value!r})")
            time.sleep(every)

    @property
    def url(self) -> str:
        """Where the operator answers, or last answered."""
        if self.deployed:
            return self.deployed.url
        operator = self.state.operator
        assert operator is not None, "no operator was started"
        return operator.url

    @property
    def direct(self) -> str:
        """The same without the API server between: what takes requests with a token."""
        return self.deployed.direct if self.deployed else self.url

    def on_this_machine(self, why: str) -> None:
        """Skip the test where the operator is not a process of this machine."""
        if self.deployed:
            pytest.skip(f"not with the operator as a Deployment: {why}")

    def start_operator(self) -> sandboxes.OperatorState | None:
        """Start the operator (under the chart's ServiceAccount) and wait until it is ready."""
        if self.deployed:
            self.deployed.start()
            return None
        operator = sandboxes.operator_start(self.dir).operator
        assert operator is not None
        return operator

    def stop_operator(self) -> None:
        """Stop the operator as a cluster would."""
        if self.deployed:
            self.deployed.stop()
            return
        sandboxes.operator_stop(self.dir)

    def kill_operator(self) -> None:
        """Kill the operator with -9; its ledger and address stay for the next start."""
        if self.deployed:
            self.deployed.kill()
            return
        operator = self.state.operator
        assert operator is not None, "no operator was started"
        processes.kill(operator.process)

    @property
    def operator_log(self) -> str:
        """All that operators wrote so far."""
        log = self.dir / "logs" / "operator.log"
        return log.read_text("utf-8", "replace") if log.exists() else ""


def _report(line: str) -> None:
    # Past pytest's capture: a first build takes minutes, and silence looks like a hang.
    print(f"sandbox: {line}", file=sys.__stderr__, flush=True)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One cluster for the whole session, without an operator; ended whatever happens."""
    folder = tmp_path_factory.mktemp("sandbox")
    existing = os.environ.get("KUBECONFIG_E2E")
    options = sandboxes.UpOptions(
        dir=folder,
        operator=False,
        chart=has_chart() and not deployed.wanted(),
        kubeconfig=Path(existing) if existing else None,
        json_storage=True,  # for those who look into etcd itself
    )
    state = sandboxes.up(options, _report)
    try:
        if deployed.wanted():
            yield from _with_deployment(state)
        else:
            yield Sandbox(folder)
    finally:
        sandboxes.down(folder)


def _with_deployment(state: sandboxes.SandboxState) -> Iterator[Sandbox]:
    assert not state.owned, "BURSAR_E2E_OPERATOR=deployment needs a cluster: KUBECONFIG_E2E"
    operator = deployed.Deployed(
        state.kubectl, state.kubeconfig, state.dir / "logs" / "operator.log"
    )
    operator.open()
    try:
        yield Sandbox(state.dir, operator)
    finally:
        operator.close()


@pytest.fixture
def operator(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox with a running operator; a forbidden request in its log fails the test."""
    before = len(sandbox.operator_log)
    sandbox.start_operator()
    try:
        yield sandbox
    finally:
        sandbox.stop_operator()
    written = sandbox.operator_log[before:]
    assert "is forbidden" not in written, "the chart's rights do not suffice: " + written[-2000:]


@pytest.fixture
def namespace(sandbox: Sandbox) -> Iterator[str]:
    """A namespace of the test's own, deleted afterwards."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    sandbox.kubectl("create", "namespace", name)
    sandbox.wait(
        lambda: sandbox.find("serviceaccount", "default", "-n", name),
        what=f"the default service account of {name}",
    )
    try:
        yield name
    finally:
        sandbox.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def has_chart() -> bool:
    """Whether the chart is there to be installed."""
    try:
        install.chart_path()
    except sandboxes.SandboxError:
        return False
    return True
