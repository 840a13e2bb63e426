"""Acts 4 and 5: a budget shuts at its projected second, a Job waits, and starts when it opens."""

import json
from fractions import Fraction
from typing import Any

from bursar.cli.demo.opening import TEAM
from bursar.cli.demo.stage import Stage, need
from bursar.domain.time import HOUR, SECOND, Ms, format_time, parse_time

JSON = dict[str, Any]

JOB = "detector-finetune"
_MORE_SECONDS = 25
"""How long the raised limit shall last with the Job that waited running."""
_GPUS = 2
"""Devices of that Job."""


def closes_at(budget: JSON) -> Ms | None:
    """When a budget shuts, as its status says; None where it stays open."""
    windows = (budget.get("status") or {}).get("admission") or []
    return min((parse_time(window["closesAt"]) or 0 for window in windows), default=None)


def shutting(stage: Stage) -> None:
    """The budget shuts by itself, and a Job submitted then waits."""
    screen, cluster = stage.screen, stage.cluster

    def shut() -> Ms | None:
        moment = closes_at(cluster.budget(TEAM, TEAM))
        return moment if moment is not None and cluster.clock >= moment else None

    closed = stage.wait(f"the second at which budget {TEAM} shuts", 90, shut)
    screen.say(
        f"status.admission of AIBudget {TEAM}: closesAt {format_time(closed)}; the API server's"
        f" clock says {format_time(cluster.now())}. Somebody submits a Job:"
    )
    said = stage.kubectl("apply", "-f", "finetune.yaml")
    need("will wait" in said, "kubectl did not say that the Job's pods will wait")

    def held() -> JSON | None:
        job = cluster.job(TEAM, JOB)
        return job if job["spec"].get("suspend") and not _active(job) else None

    stage.wait(f"Job {JOB} to be held", 30, held)

    def told() -> str | None:
        events = cluster.kubectl("describe", "job", JOB, "-n", TEAM).stdout
        events = events[events.find("Events:") :]
        return events if "HeldByBudget" in events else None

    events = stage.wait("the Event that says so", 30, told)
    screen.quote(f"kubectl describe job {JOB} -n {TEAM}", _reasons(events))
    told_why = cluster.bursar("explain", f"job/{JOB}", "-n", TEAM)
    screen.quote(f"bursar explain job/{JOB} -n {TEAM}", told_why)
    need("its pods wait" in told_why, "explain does not say that its pods wait")
    screen.proven("No pod was made; the Job waits, suspended, and says why and until when.")


def _active(job: JSON) -> int:
    return int((job.get("status") or {}).get("active") or 0)


def _reasons(events: str) -> str:
    """The Events without the table's padding."""
    return "\n".join(" ".join(line.split()) for line in events.splitlines() if "----" not in line)


def raising(stage: Stage) -> None:
    """The limit is raised, and the Job that waited starts."""
    screen, cluster = stage.screen, stage.cluster
    standing = next(
        each for each in cluster.read("budgets")["budgets"] if each["namespace"] == TEAM
    )
    devices = Fraction(cluster.budget(TEAM, TEAM)["status"]["burnRate"]["devices"])
    burn = Fraction(standing["costPerHour"]) * (devices + _GPUS) / devices
    more = burn * Fraction(_MORE_SECONDS * SECOND, HOUR)
    limit = (Fraction(standing["spent"]) + more).__ceil__()
    patch = json.dumps({"spec": {"limits": {"cost": str(limit)}}})
    before = cluster.now()
    stage.kubectl("patch", "aibudget", TEAM, "-n", TEAM, "--type=merge", "-p", patch)

    def started() -> JSON | None:
        selector = f"labelSelector=job-name%3D{JOB}"
        pods = cluster.get(f"/api/v1/namespaces/{TEAM}/pods?{selector}")["items"]
        return next((pod for pod in pods if pod["status"].get("phase") == "Running"), None)

    pod = stage.wait(f"the pod of Job {JOB}", 30, started)
    born = parse_time(pod["metadata"]["creationTimestamp"]) or 0
    screen.proven(
        f"Raised to {limit} USD at {format_time(before)[11:]}; pod {pod['metadata']['name']} was"
        f" created at {format_time(born)[11:]} and runs."
    )
