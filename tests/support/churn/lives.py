"""The ways in which the pods of a churn run live and die, and what each holds, by hand."""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from support.churn import fleet
from support.churn.client import Client

JSON = dict[str, Any]
HOLDS = "churn.example/holds"
RUN = "sandbox.bursar.dev/run-seconds"
FAIL = "sandbox.bursar.dev/fail-after-seconds"
START = "sandbox.bursar.dev/start-after-seconds"
STOP = "sandbox.bursar.dev/stop-after-seconds"
NEVER = "600"

Action = Callable[[Client], object]
Later = Iterator[tuple[float, Action]]
"""Seconds after the one before, and what is done then."""


@dataclass(slots=True)
class Kitchen:
    """What pods are made from.

    Attributes:
        run: label of the run's nodes.
        namespaces: where its pods live.
        models: the kinds of node that there are.
        chance: decides, from the run's seed.
        scale: how much longer pods live than some seconds.
    """

    run: str
    namespaces: tuple[str, ...]
    models: tuple[str, ...]
    chance: random.Random
    scale: float = 1.0
    made: int = 0
    kinds: dict[str, int] = field(default_factory=dict)

    def next(self) -> Later:
        """One more life (a Job's or a reused name's are several)."""
        ways = sorted(WAYS)
        way = self.chance.choices(ways, [WAYS[each][0] for each in ways])[0]
        self.kinds[way] = self.kinds.get(way, 0) + 1
        return WAYS[way][1](self)

    def name(self) -> tuple[str, str]:
        """Namespace and name of one more pod."""
        self.made += 1
        return self.chance.choice(self.namespaces), f"p{self.made}"

    def asked(self) -> tuple[str, dict[str, int]]:
        """A kind of node, and how much of which resource of it."""
        model = self.chance.choice(self.models)
        if model == "a100-mig":
            small, big = self.chance.choice([(1, 0), (2, 0), (0, 1), (1, 1)])
            asked = {"nvidia.com/mig-1g.5gb": small, "nvidia.com/mig-3g.20gb": big}
            return model, {name: count for name, count in asked.items() if count}
        resource = "amd.com/gpu" if model == "mi300x" else "nvidia.com/gpu"
        most = {"l4-shared": 3, "t4-spot": 2, "l4-eighth": 1, "nobody-knows": 2}.get(model, 3)
        return model, {resource: self.chance.randint(1, most)}

    def pod(
        self, annotations: dict[str, str], asked: tuple[str, dict[str, int]] | None = None
    ) -> JSON:
        """A pod's template: annotations say how it lives, and by hand what it holds."""
        model, limits = asked or self.asked()
        holds = {name: fleet.unit(model, name) * count for name, count in limits.items()}
        notes = {HOLDS: json.dumps({name: str(each) for name, each in holds.items()})}
        return {
            "metadata": {"annotations": notes | annotations, "labels": {"app": "churn"}},
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 5,
                "nodeSelector": {fleet.LABEL: self.run, fleet.MODEL: model},
                "containers": [container("main", limits)],
            },
        }

    def seconds(self, most: int = 12) -> str:
        """How long a pod runs: mostly shortly."""
        return str(int(min(most, 1 + self.chance.expovariate(0.4)) * self.scale))

    def wait(self, most: float) -> float:
        return self.chance.uniform(0, most) * self.scale


def container(name: str, limits: dict[str, int], **more: Any) -> JSON:
    texts = {resource: str(count) for resource, count in limits.items()}
    return {"name": name, "image": "registry.example/train:1", **more} | {
        "resources": {"limits": texts}
    }


# --- what is done to pods -------------------------------------------------------------------------


def pods(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/pods" + (f"/{name}" if name else "")


def create(namespace: str, name: str, template: JSON) -> Action:
    body = {"apiVersion": "v1", "kind": "Pod", **template}
    body["metadata"] = {**template["metadata"], "name": name}
    return lambda client: client.must("POST", pods(namespace), body)


def create_again(namespace: str, name: str, template: JSON) -> Action:
    """Where the name may still be taken: tried until the one before has gone."""
    body = {"apiVersion": "v1", "kind": "Pod", **template}
    body["metadata"] = {**template["metadata"], "name": name}

    def again(client: Client) -> None:
        while client.ask("POST", pods(namespace), body)[0] == http.client.CONFLICT:
            found = client.ask("GET", pods(namespace, name))[1]
            mine = found.get("metadata", {}).get("annotations", {}).get("churn.example/turn")
            if mine == body["metadata"]["annotations"]["churn.example/turn"]:
                return  # it was made, and only the answer was lost

    return again


def delete(path: str, grace: int | None = None) -> Action:
    options: JSON = {"propagationPolicy": "Background"}
    if grace is not None:
        options["gracePeriodSeconds"] = grace
    return lambda client: client.ask("DELETE", path, options)


def evict(namespace: str, name: str) -> Action:
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
    }
    return lambda client: client.ask("POST", pods(namespace, name) + "/eviction", body)


def starve(namespace: str, name: str) -> Action:
    """As a kubelet does where memory is short: the phase is told, and no container's end."""

    def patch(client: Client) -> None:
        found = client.ask("GET", pods(namespace, name))[1]
        status = found.get("status", {})
        if status.get("phase") != "Running":
            return
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        told = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": now}
        changed = {
            "phase": "Failed",
            "reason": "Evicted",
            "conditions": [*status.get("conditions", []), told],
            "containerStatuses": [],
        }
        body = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}}
        path = pods(namespace, name) + "/status"
        client.ask("PATCH", path, body | {"status": changed}, "application/merge-patch+json")

    return patch


# --- the ways -------------------------------------------------------------------------------------


def finishes(kitchen: Kitchen) -> Later:
    namespace, name = kitchen.name()
    ends = kitchen.chance.choice([RUN, RUN, FAIL])
    yield 0, create(namespace, name, kitchen.pod({ends: kitchen.seconds()}))
    if kitchen.chance.random() < 0.8:
        yield kitchen.wait(12), delete(pods(namespace, name))


def is_deleted(kitchen: Kitchen) -> Later:
    namespace, name = kitchen.name()
    notes = {STOP: str(kitchen.chance.randint(1, 4))} if kitchen.chance.random() < 0.5 else {}
    yield 0, create(namespace, name, kitchen.pod(notes))
    yield kitchen.wait(8), delete(pods(namespace, name))


def is_forced(kitchen: Kitchen) -> Later:
    namespace, name = kitchen.name()
    yield 0, create(namespace, name, kitchen.pod({}))
    yield kitchen.wait(8), delete(pods(namespace, name), 0)


def is_evicted(kitchen: Kitchen) -> Later:
    namespace, name = kitchen.name()
    yield 0, create(namespace, name, kitchen.pod({}))
    yield 1 + kitchen.wait(6), evict(namespace, name)
    yield 20, delete(pods(namespace, name))  # where it was not bound yet, it only was refused


def is_starved(kitchen: Kitchen) -> Later:
    namespace, name = kitchen.name()
    yield 0, create(namespace, name, kitchen.pod({}))
    yield 2 + kitchen.wait(4), starve(namespace, name)
    yield 3 + kitchen.wait(4), delete(pods(namespace, name))


def cannot_pull(kitchen: Kitchen) -> Later:
    namespace, name = kitchen.name()
    yield 0, create(namespace, name, kitchen.pod({START: NEVER}))
    yield 1 + kitchen.wait(6), delete(pods(namespace, name))


def never_bound(kitchen: Kitchen) -> Later:
    namespace, name = kitchen.name()
    template = kitchen.pod({})
    template["spec"]["nodeSelector"] = {fleet.LABEL: "nowhere"}
    template["metadata"]["annotations"][HOLDS] = "{}"
    yield 0, create(namespace, name, template)
    yield kitchen.wait(5), delete(pods(namespace, name))


def prepares(kitchen: Kitchen) -> Later:
    """Init containers hold what the pod holds, and it holds the most of any moment."""
    namespace, name = kitchen.name()
    resource = {"h100": "nvidia.com/gpu", "mi300x": "amd.com/gpu"}
    model = kitchen.chance.choice([each for each in resource if each in kitchen.models])
    what = resource[model]
    init, sidecar, main = (kitchen.chance.randint(0, 2) for _ in range(3))
    template = kitchen.pod({RUN: kitchen.seconds()}, (model, {what: 1}))
    template["spec"]["containers"] = [
        container("main", {what: main} if main else {}),
        container("second", {what: 1}),
    ]
    template["spec"]["initContainers"] = [
        container("sidecar", {what: sidecar} if sidecar else {}, restartPolicy="Always"),
        container("init", {what: init} if init else {}),
    ]
    held = max(sidecar + init, sidecar + main + 1)
    template["metadata"]["annotations"][HOLDS] = json.dumps({what: str(held)})
    yield 0, create(namespace, name, template)
    yield kitchen.wait(15), delete(pods(namespace, name))


def job(kitchen: Kitchen) -> Later:
    namespace, name = kitchen.name()
    ends = kitchen.chance.choice([RUN, RUN, FAIL])
    template = kitchen.pod({ends: kitchen.seconds(5)})
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"completions": 3, "parallelism": 2, "backoffLimit": 1, "template": template},
    }
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    yield 0, lambda client: client.must("POST", path, body)
    yield kitchen.chance.choice([3, 30]) * kitchen.scale, delete(f"{path}/{name}")


def same_name(kitchen: Kitchen) -> Later:
    namespace, name = kitchen.name()
    grace = kitchen.chance.choice([None, 0])
    for turn in range(kitchen.chance.randint(2, 3)):
        template = kitchen.pod({"churn.example/turn": str(turn)})
        yield 0, create_again(namespace, name, template)
        yield 0.5 + kitchen.wait(3), delete(pods(namespace, name), grace)


WAYS: dict[str, tuple[int, Callable[[Kitchen], Later]]] = {
    "finishes": (40, finishes),
    "is deleted": (14, is_deleted),
    "is deleted by force": (10, is_forced),
    "is evicted": (5, is_evicted),
    "is starved": (4, is_starved),
    "cannot pull its image": (4, cannot_pull),
    "is never bound": (3, never_bound),
    "has init containers and a sidecar": (6, prepares),
    "is a Job's": (8, job),
    "takes a name again": (6, same_name),
}
"""How often, and how."""


def holds(pod: JSON) -> dict[str, Fraction]:
    """Devices that a pod holds of each resource, as was worked out when it was made."""
    text = pod["metadata"].get("annotations", {}).get(HOLDS, "{}")
    return {name: Fraction(each) for name, each in json.loads(text).items()}
