"""The whole product as its users meet it: kubectl, the read API, the metrics, the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client.parser import text_string_to_metric_families

import bursar
from support.cluster import Sandbox
from support.policies import Object, container, pod

T = TypeVar("T")

SOURCE = Path(bursar.__file__).parents[1]
NODES = {
    "h100": {"node.kubernetes.io/instance-type": "p5.48xlarge"},
    "a100-mig": {"node.kubernetes.io/instance-type": "p4d.24xlarge"},
    "l4-shared": {"node.kubernetes.io/instance-type": "g6.12xlarge"},
    "t4-spot": {"node.kubernetes.io/instance-type": "g4dn.12xlarge"},
    "mi300x": {"node.kubernetes.io/instance-type": "Standard_ND96isr_MI300X_v5"},
    "dgx-h100": {"nvidia.com/gpu.machine": "DGXH100"},
}
"""How pods choose a node of the sandbox's fleet."""


@dataclass(slots=True)
class Product:
    """A sandbox whose operator runs, unless a test has killed it."""

    sandbox: Sandbox

    @property
    def url(self) -> str:
        """Where the operator answers, or last answered."""
        return self.sandbox.url

    def start(self) -> None:
        """Start the operator where it does not run, and wait until it is ready."""
        self.sandbox.start_operator()

    def kill(self) -> None:
        """Kill the operator with -9."""
        self.sandbox.kill_operator()

    def ask(self, path: str, **query: str) -> tuple[int, Any]:
        """GET from the read API: the status and the decoded answer."""
        url = f"{self.url}/api/v1/{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def report(self, **query: str) -> dict[str, Any]:
        """The report; `since` stands for `from`."""
        if "since" in query:
            query["from"] = query.pop("since")
        status, answer = self.ask("report", **query)
        assert status == 200, answer
        return dict(answer)

    def standing(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Where a budget stands now, in exact figures; None where it is not known."""
        _, answer = self.ask("budgets")
        for each in answer["budgets"]:
            if (each["namespace"], each["name"]) == (namespace, name):
                return dict(each)
        return None

    def explain(self, kind: str, namespace: str, name: str) -> dict[str, dict[str, Any]]:
        """The steps of an object's path by name."""
        status, answer = self.ask(f"explain/{kind}/{namespace}/{name}")
        assert status == 200, answer
        return {step["step"]: step for step in answer["steps"]}

    def metrics(self) -> str:
        """The exposition that Prometheus scrapes."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as response:
            return str(response.read().decode())

    def samples(self, name: str, **labels: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Samples of one name, by their labels, those that have the given labels."""
        return {
            tuple(sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.metrics())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        }

    def cli(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `bursar` with the administrator's kubeconfig, as people do."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("BURSAR_SERVER")}
        chosen = {"KUBECONFIG": str(self.sandbox.kubeconfig)} if env is None else dict(env)
        return subprocess.run(
            [sys.executable, "-m", "bursar", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            env={**inherited, "PYTHONPATH": str(SOURCE), **chosen},
        )


def gpu_pod(
    model: str,
    limits: Mapping[str, Any],
    seconds: int | None = None,
    *,
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    **spec: Any,
) -> Object:
    """A pod on a node of the fleet, that runs so many seconds (None: until it is deleted)."""
    notes = dict(annotations or {})
    if seconds is not None:
        notes["sandbox.bursar.dev/run-seconds"] = str(seconds)
    return pod(
        container(limits=limits),
        annotations=notes,
        labels=dict(labels or {}),
        nodeSelector=NODES[model],
        restartPolicy="Never",
        **spec,
    )


def budget(name: str, namespace: str | None, **spec: Any) -> Object:
    """An AIBudget, a ClusterAIBudget where no namespace is given; daily unless told otherwise."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": "bursar.dev/v1alpha1",
        "kind": "AIBudget" if namespace else "ClusterAIBudget",
        "metadata": metadata,
        "spec": {"period": "Daily", **spec},
    }


def condition(obj: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """One condition of an object's status; None where it is absent."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == name), None)


def settle(read: Callable[[], T], want: T, timeout: float = 20.0) -> None:
    """Wait until what is read is what is wanted; fails with the difference."""
    deadline = time.monotonic() + timeout
    while (got := read()) != want and time.monotonic() < deadline:
        time.sleep(0.3)
    assert got == want


def until(moment_ms: int) -> Iterator[None]:
    """Wait for a moment of the clock that the API server reads, too."""
    while time.time() * 1000 < moment_ms:
        time.sleep(min(0.2, max(0.01, moment_ms / 1000 - time.time())))
        yield
