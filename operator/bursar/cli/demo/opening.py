"""Acts 1 to 3: labels at birth, budgets that fill, a warning at `kubectl apply`."""

from typing import Any

from bursar.api import meta
from bursar.cli.demo.cluster import documents
from bursar.cli.demo.stage import Stage, need
from bursar.cli.demo.view import BUDGET_COLUMNS, POD_COLUMNS, budget_row, pod_row
from bursar.domain.time import format_time

JSON = dict[str, Any]

_CLASSES = {"training", "inference", "interactive", "other", "unknown"}
TEAM = "vision"
"""Namespace, team and budget that the story is about."""


def birth(stage: Stage) -> None:
    """Workloads of every class are submitted before any operator has ever run."""
    screen, cluster = stage.screen, stage.cluster
    need(cluster.state.operator is None, "an operator runs already")
    screen.say("No operator has run yet: there is an API server with the chart's policies.")
    stage.kubectl("apply", "-f", "prices.yaml", "-f", "namespaces.yaml")
    stage.kubectl("apply", "-f", "workloads.yaml")
    text = (cluster.manifests / "workloads.yaml").read_text("utf-8")
    expected = sum(_pods_of(document) for document in documents(text))

    def running() -> list[JSON] | None:
        pods = cluster.pods()
        alive = all(pod["status"].get("phase") in {"Running", "Succeeded"} for pod in pods)
        return pods if len(pods) == expected and alive else None

    pods = stage.wait(f"{expected} pods to run", 60, running)
    rows = [pod_row(pod) for pod in pods]
    screen.table(POD_COLUMNS, rows)
    found = {pod["metadata"]["labels"].get(meta.LABEL_CLASS) for pod in pods}
    need(found == _CLASSES, f"expected pods of the classes {sorted(_CLASSES)}, found {found}")
    need(all(row[4] == row[0] for row in rows), "a pod does not carry its namespace's team")
    need(not cluster.operator_alive, "an operator runs already")
    screen.proven(
        f"{len(pods)} pods carry class, confidence and team from birth: the API server stamped"
        " them. What cannot be told apart is unknown, not guessed."
    )


def _pods_of(document: JSON) -> int:
    spec = document.get("spec") or {}
    return int(spec.get("parallelism") or spec.get("replicas") or 1)


def filling(stage: Stage) -> None:
    """The operator starts, budgets are made, and fill until one warns."""
    screen, cluster = stage.screen, stage.cluster
    pid = cluster.start_operator()
    screen.say(f"The operator is up (process {pid}, {cluster.url}). Now the budgets:")
    stage.kubectl("apply", "-f", "budgets.yaml")

    def warned() -> JSON | None:
        status = cluster.budget(TEAM, TEAM).get("status") or {}
        return status if status.get("warning") else None

    status = stage.wait(f"budget {TEAM} to warn at 40 %", 60, warned)
    budgets, now = cluster.budgets(), format_time(cluster.clock)
    screen.table(BUDGET_COLUMNS, [budget_row(budget, now) for budget in budgets])
    seconds = (cluster.metrics() or {}).get("bursar_gpu_seconds_total", [])
    need(bool(seconds), "the metrics endpoint tells no accelerator time")
    pods = cluster.pods()
    first = min(pod["metadata"]["creationTimestamp"] for pod in pods)
    screen.proven(
        f"Budgets fill by the second. Pods count from their binding ({first[11:]}), though the"
        " operator came later."
    )
    screen.line(f"status.warning of AIBudget {TEAM}: {status['warning']['message']}")


def warning(stage: Stage) -> None:
    """Somebody submits a Job, and kubectl prints the budget's warning."""
    said = stage.kubectl("apply", "-f", "augment.yaml")
    warned = "Warning:" in said and f"AIBudget {TEAM}" in said
    need(warned, f"kubectl printed no warning of AIBudget {TEAM}")
    need("will wait" not in said, f"AIBudget {TEAM} is shut already: this machine is slow")
    stage.screen.proven(
        "Nothing was refused; whoever submits is told, by the API server, in kubectl."
    )
