"""Act 6: the operator is killed, and the API server still labels, and still says no on time."""

import time
from typing import Any

import yaml

from bursar.api import meta
from bursar.cli.demo.opening import TEAM
from bursar.cli.demo.shutting import closes_at
from bursar.cli.demo.stage import Stage, need
from bursar.domain.time import SECOND, Ms, format_time, parse_time

JSON = dict[str, Any]

_PODS = f"/api/v1/namespaces/{TEAM}/pods"
_LATE_SECONDS = 10
_LABELS = (meta.LABEL_CLASS, meta.LABEL_CONFIDENCE, meta.LABEL_TEAM)


def dying(stage: Stage) -> None:
    """SIGKILL, then a pod each second until the API server refuses one."""
    screen, cluster = stage.screen, stage.cluster

    moment = stage.wait("the verdict with the Job that started", 30, lambda: _projected(stage))
    need(moment > cluster.now(), f"AIBudget {TEAM} is shut already: this machine is slow")
    pid = cluster.kill_operator()
    screen.quote(f"kill -9 {pid}", "")
    need(not cluster.operator_alive, "the operator survived SIGKILL")
    screen.say(
        f"The operator is dead. Its BudgetVerdict in namespace {TEAM} says closesAt"
        f" {format_time(moment)}. Now a pod each second:"
    )
    refused = _knock(stage, moment)
    need(bool(stage.accepted), "no pod was accepted before the projected second")
    need(refused >= moment, f"a pod was refused at {format_time(refused)}, too early")
    need(not cluster.operator_alive, "the operator is alive")
    last = _born(stage, stage.accepted[-1])
    need(last < moment, f"a pod was accepted at {format_time(last)}, too late")
    screen.proven(
        f"last accepted {format_time(last)[11:]} < closesAt {format_time(moment)[11:]} <= first"
        f" refused {format_time(refused)[11:]}, by the API server's clock, with nobody else awake."
    )
    screen.proven(f"{len(stage.accepted)} pods were labelled at birth with the operator dead.")


def _projected(stage: Stage) -> Ms | None:
    """When the budget shuts with all that runs now; None while that is not written yet."""
    cluster = stage.cluster
    budget = cluster.budget(TEAM, TEAM)
    running = sum(
        _devices(pod)
        for pod in cluster.pods()
        if pod["metadata"]["namespace"] == TEAM and pod["status"].get("phase") == "Running"
    )
    if float(budget["status"]["burnRate"]["devices"]) != running:
        return None
    entries = cluster.verdict(TEAM)["verdict"]["budgets"]
    windows = [
        window
        for entry in entries
        if entry["budget"] == f"AIBudget {TEAM}"
        for window in entry["windows"]
    ]
    written = min((window["closesAt"] for window in windows), default=None)
    moment = closes_at(budget)
    return moment if moment is not None and parse_time(written) == moment else None


def _knock(stage: Stage, moment: Ms) -> Ms:
    """Create a pod each second; returns the API server's time at the first refusal."""
    body = yaml.safe_load((stage.cluster.manifests / "sweep.yaml").read_text("utf-8"))
    while True:
        begun = time.monotonic()
        code, answer = stage.cluster.create(_PODS, body)
        clock = stage.cluster.clock
        if code == 403:
            stage.screen.line(f"{format_time(clock)[11:]} REFUSED  {answer['message']}", "red")
            return clock
        need(code == 201, f"the API server answers with {code}: {answer.get('message')}")
        meta_ = answer["metadata"]
        labels = meta_["labels"]
        need(all(labels.get(key) for key in _LABELS), f"pod {meta_['name']} has no labels")
        stage.accepted.append(meta_["name"])
        stage.screen.line(
            f"{meta_['creationTimestamp'][11:]} accepted {meta_['name']}  "
            + " ".join(f"{key.partition('/')[2]}={labels[key]}" for key in _LABELS)
        )
        late = clock - moment
        need(late < _LATE_SECONDS * SECOND, f"still accepting {_LATE_SECONDS} s after closesAt")
        time.sleep(max(0.0, 1.0 - (time.monotonic() - begun)))


def _born(stage: Stage, name: str) -> Ms:
    pod = stage.cluster.get(f"{_PODS}/{name}")
    return parse_time(pod["metadata"]["creationTimestamp"]) or 0


def _devices(pod: JSON) -> int:
    containers = pod["spec"]["containers"]
    return sum(int(each["resources"]["limits"].get("nvidia.com/gpu", 0)) for each in containers)
