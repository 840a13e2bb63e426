"""The sandbox itself: what it promises to demo, tests and people."""

from __future__ import annotations

import datetime as dt
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from bursar import sandbox as sandboxes
from bursar.sandbox import fleet, operator
from support.cluster import Sandbox, has_chart

pytestmark = pytest.mark.cluster


def pod(name: str, gpus: int = 1, **annotations: str) -> dict[str, Any]:
    notes = {
        f"sandbox.bursar.dev/{key.replace('_', '-')}": value for key, value in annotations.items()
    }
    limits = {"nvidia.com/gpu": gpus} if gpus else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": notes},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "x:1", "resources": {"limits": limits}}],
        },
    }


def seconds(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


def container(found: dict[str, Any]) -> dict[str, Any]:
    return found["status"]["containerStatuses"][0]["state"]


def in_phase(sandbox: Sandbox, namespace: str, name: str, phase: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = sandbox.get("pod", name, "-n", namespace)
        return found if found["status"]["phase"] == phase else None

    return sandbox.wait(look, 60, f"pod {name} in phase {phase}")


def create(sandbox: Sandbox, namespace: str, item: dict[str, Any]) -> None:
    sandbox.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(item))


@pytest.fixture
def own(sandbox: Sandbox) -> Sandbox:
    if not sandbox.state.owned:
        pytest.skip("an existing cluster has real nodes, not kwok's")
    return sandbox


def test_the_fleet_is_there_and_schedulable(own: Sandbox) -> None:
    items = own.get("nodes")["items"]
    capacity = {item["metadata"]["name"]: item["status"]["allocatable"] for item in items}
    for model in (*fleet.GPU_MODELS, fleet.CPU_MODEL):
        room = capacity[f"{model.name}-1"]
        assert {key: room[key] for key in model.devices} == {
            key: str(count) for key, count in model.devices.items()
        }
    assert not [item["metadata"]["name"] for item in items if item["spec"].get("taints")]


def test_the_administrators_kubeconfig_is_readable_by_its_owner_only(own: Sandbox) -> None:
    assert own.kubeconfig.stat().st_mode & 0o077 == 0


def test_a_pod_runs_exactly_as_long_as_it_says(own: Sandbox, namespace: str) -> None:
    create(own, namespace, pod("short", run_seconds="3"))
    state = container(in_phase(own, namespace, "short", "Succeeded"))["terminated"]
    assert seconds(state["finishedAt"]) - seconds(state["startedAt"]) == 3
    assert (state["exitCode"], state["reason"]) == (0, "Completed")


def test_a_changed_label_does_not_lengthen_a_pods_life(own: Sandbox, namespace: str) -> None:
    create(own, namespace, pod("labelled", run_seconds="4"))
    in_phase(own, namespace, "labelled", "Running")
    own.kubectl("label", "pod", "labelled", "-n", namespace, "a=b")
    state = container(in_phase(own, namespace, "labelled", "Succeeded"))["terminated"]
    assert seconds(state["finishedAt"]) - seconds(state["startedAt"]) == 4


def test_a_pod_that_shall_fail_fails(own: Sandbox, namespace: str) -> None:
    create(own, namespace, pod("bad", fail_after_seconds="2", run_seconds="1"))
    state = container(in_phase(own, namespace, "bad", "Failed"))["terminated"]
    assert seconds(state["finishedAt"]) - seconds(state["startedAt"]) == 2
    assert state["exitCode"] == 1


def test_a_pod_may_be_bound_long_before_it_runs(own: Sandbox, namespace: str) -> None:
    create(own, namespace, pod("slow", start_after_seconds="3"))
    found = in_phase(own, namespace, "slow", "Running")
    bound = next(c for c in found["status"]["conditions"] if c["type"] == "PodScheduled")
    started = container(found)["running"]["startedAt"]
    assert seconds(started) - seconds(bound["lastTransitionTime"]) >= 3


def test_a_pod_without_a_span_runs_on_and_reports_its_end_before_it_goes(
    own: Sandbox, namespace: str
) -> None:
    create(own, namespace, pod("endless", run_seconds="soon", stop_after_seconds="2"))
    in_phase(own, namespace, "endless", "Running")
    own.kubectl("delete", "pod", "endless", "-n", namespace, "--wait=false")
    found = in_phase_or_gone(own, namespace, "endless")
    assert found is None or container(found)["terminated"]["exitCode"] == 143
    own.wait(
        lambda: own.find("pod", "endless", "-n", namespace) is None, 30, "the deleted pod is gone"
    )


def in_phase_or_gone(own: Sandbox, namespace: str, name: str) -> dict[str, Any] | None:
    def look() -> list[dict[str, Any] | None]:
        found = own.find("pod", name, "-n", namespace)
        return [found] if found is None or found["status"]["phase"] == "Failed" else []

    return own.wait(look, 30, f"pod {name} ended or gone", every=0.05)[0]


def test_a_job_completes_and_its_suspension_ends_its_pods(own: Sandbox, namespace: str) -> None:
    template = {"metadata": {}, "spec": pod("x", gpus=0)["spec"]}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "long"},
        "spec": {"template": template},
    }
    create(own, namespace, job)
    own.wait(
        lambda: own.get("job", "long", "-n", namespace)["status"].get("ready"), 60, "its pod runs"
    )
    own.kubectl("patch", "job", "long", "-n", namespace, "-p", '{"spec":{"suspend":true}}')
    own.wait(
        lambda: not own.get("pods", "-n", namespace)["items"], 60, "a suspended job has no pods"
    )
    job["metadata"] = {"name": "done"}
    template["metadata"] = {"annotations": {"sandbox.bursar.dev/run-seconds": "1"}}
    create(own, namespace, job)
    own.wait(
        lambda: own.get("job", "done", "-n", namespace)["status"].get("succeeded"), 60, "it is done"
    )


def test_a_second_sandbox_in_the_same_directory_is_refused(own: Sandbox) -> None:
    with pytest.raises(sandboxes.SandboxRunning, match="already runs in"):
        sandboxes.up(sandboxes.UpOptions(dir=own.dir, chart=False), lambda _: None)
    assert own.kubectl("get", "--raw", "/readyz").stdout == "ok"


def test_status_shows_that_every_process_lives(own: Sandbox) -> None:
    found = sandboxes.status(own.dir)["processes"]
    assert {entry["name"]: entry["alive"] for entry in found if entry["name"] != "operator"} == {
        "etcd": True,
        "kube-apiserver": True,
        "kube-controller-manager": True,
        "kube-scheduler": True,
        "kwok": True,
    }


STAND_IN = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


@pytest.fixture
def stand_in(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox whose operator is only a server that says it is ready."""
    if not has_chart():
        pytest.skip("the chart, whose ServiceAccount the operator uses, is not there")
    monkeypatch.setattr(
        operator, "command", lambda _, __, port: [sys.executable, "-c", STAND_IN, str(port)]
    )
    return sandbox


def test_the_operator_has_the_charts_rights_and_keeps_its_address(stand_in: Sandbox) -> None:
    first = stand_in.start_operator()
    try:
        assert urllib.request.urlopen(f"{first.url}/readyz", timeout=10).status == 200
        assert stand_in.start_operator() == first, "one that lives is left alone"
        who = stand_in.kubectl(
            "--kubeconfig",
            str(stand_in.dir / "operator.kubeconfig"),
            "auth",
            "whoami",
            "-o",
            "json",
        )
        user = json.loads(who.stdout)["status"]["userInfo"]["username"]
        assert user == "system:serviceaccount:bursar-system:bursar"
        stand_in.kill_operator()
        alive = {e["name"]: e["alive"] for e in sandboxes.status(stand_in.dir)["processes"]}
        assert alive["operator"] is False
        second = stand_in.start_operator()
        assert (second.url, second.pid == first.pid) == (first.url, False)
    finally:
        stand_in.stop_operator()
    assert stand_in.state.operator is None


def test_an_operator_that_ends_at_once_is_told_with_its_log(
    stand_in: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "raise SystemExit('no ledger today')"
    monkeypatch.setattr(operator, "command", lambda *_: [sys.executable, "-c", code])
    with pytest.raises(sandboxes.SandboxError, match=r"operator\.log ends: .*no ledger today"):
        stand_in.start_operator()
    assert stand_in.state.operator is None


def test_an_existing_cluster_keeps_what_it_had(own: Sandbox, tmp_path: Path) -> None:
    if not has_chart():
        pytest.skip("the chart is not there")
    options = sandboxes.UpOptions(dir=tmp_path / "s", operator=False, kubeconfig=own.kubeconfig)
    guest = sandboxes.up(options, lambda _: None)
    assert (guest.owned, guest.server, guest.processes) == (False, own.state.server, ())
    assert sandboxes.down(tmp_path / "s")
    assert not (tmp_path / "s").exists()
    assert own.find("deployment", "bursar", "-n", "bursar-system"), (
        "the chart was not ours to remove"
    )
