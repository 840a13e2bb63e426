"""Installs Bursar's chart into a sandbox as a user would, but with no replica.

The operator is a process of the host here: on fake nodes, one in a pod would look as if it ran
and do nothing.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Final

from bursar.sandbox import kubectl, programs
from bursar.sandbox.errors import SandboxError
from bursar.sandbox.golang import Report
from bursar.sandbox.state import SandboxState

NAMESPACE: Final = "bursar-system"
RELEASE: Final = "bursar"
SERVICE_ACCOUNT: Final = "bursar"
_STAMP_SECONDS: Final = 30.0


def chart_path() -> Path:
    """Where the chart is: `$BURSAR_CHART`, in the installed package, or in the source tree.

    Raises:
        SandboxError: It is nowhere.
    """
    package = Path(__file__).parent.parent
    places = [package / "chart", package.parent.parent / "charts" / "bursar"]
    own = os.environ.get("BURSAR_CHART")
    if own:
        places = [Path(own)]
    for place in places:
        if (place / "Chart.yaml").is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    raise SandboxError(f"Bursar's chart is not there (looked in {looked}); set BURSAR_CHART")


def installed(state: SandboxState, report: Report) -> bool:
    """Whether the cluster already has a release of this name."""
    done = _helm(state, report, "status", RELEASE, check=False)
    return done == 0


def install(state: SandboxState, report: Report) -> None:
    """Install or upgrade the chart and wait until its resources and policies are in force.

    Raises:
        SandboxError: Helm refused; the text is what it said.
    """
    chart = chart_path()
    report("installing the chart: resources, admission policies, access rights")
    arguments = ["upgrade", "--install", RELEASE, str(chart), "--create-namespace"]
    arguments += ["--set", "replicaCount=0", "--set", "enforcement.mode=Enforce"]
    _helm(state, report, *arguments)
    names = _kubectl(state, "get", "crd", "-o", "name").splitlines()
    ours = [name for name in names if name.endswith(".bursar.dev")]
    if ours:
        _kubectl(state, "wait", "--for=condition=Established", "--timeout=60s", *ours)
        # Established is not served: at first each list is put off (429), and kubectl waits.
        plurals = ",".join(name.rpartition("/")[2] for name in ours)
        _kubectl(state, "get", plurals, "--all-namespaces", "-o", "name")
    _await_policies(state, report)


def uninstall(state: SandboxState, report: Report) -> None:
    """Remove the release again (an existing cluster outlives its sandbox)."""
    _helm(state, report, "uninstall", RELEASE, "--wait", check=False)


def _helm(state: SandboxState, report: Report, *arguments: str, check: bool = True) -> int:
    home = state.dir / "helm"
    env = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    argv = [str(programs.helm(report)), *arguments, "--namespace", NAMESPACE]
    return kubectl.execute(argv, state.kubeconfig, check=check, env=env).returncode


def _kubectl(state: SandboxState, *arguments: str) -> str:
    return kubectl.run(state.kubectl, state.kubeconfig, *arguments).stdout


def _await_policies(state: SandboxState, report: Report) -> None:
    """Wait until the API server stamps a GPU pod (tried with a dry run).

    It compiles policies a moment after they are created: an earlier pod goes unlabelled.
    """
    listed = kubectl.run(
        state.kubectl,
        state.kubeconfig,
        "get",
        "mutatingadmissionpolicies",
        "-o",
        "name",
        check=False,
    )
    if "bursar" not in listed.stdout:
        return
    pod = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "bursar-probe", "namespace": "default"},
            "spec": {
                "containers": [
                    {"name": "c", "image": "probe", "resources": {"limits": {"nvidia.com/gpu": 1}}}
                ]
            },
        }
    )
    deadline = time.monotonic() + _STAMP_SECONDS
    while time.monotonic() < deadline:
        done = kubectl.run(
            state.kubectl,
            state.kubeconfig,
            *("create", "--dry-run=server", "-f", "-", "-o", "jsonpath={.metadata.labels}"),
            stdin=pod,
            check=False,
        )
        if "bursar.dev/" in done.stdout:
            return
        time.sleep(0.2)
    report(f"warning: after {_STAMP_SECONDS:.0f} s the admission policies do not label GPU pods")
