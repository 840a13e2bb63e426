"""Pods, verdicts and tries for the tests of the admission policies.

A try is a dry run on the API server: all of admission happens, nothing is kept.
"""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from support.cluster import Sandbox

Object = dict[str, Any]

GPU = {"nvidia.com/gpu": 1}
CONTROLLER = "system:serviceaccount:kube-system:job-controller"


def container(name: str = "main", *, limits: Mapping[str, Any] = GPU, **more: Any) -> Object:
    """A container that asks for one GPU unless told otherwise."""
    return {"name": name, "image": "example/app", "resources": {"limits": dict(limits)}, **more}


def pod(
    *containers: Object,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    name: str = "",
    **spec: Any,
) -> Object:
    """A pod, of one GPU container where none are given."""
    metadata: Object = {"name": name or f"p-{uuid.uuid4().hex[:8]}"}
    if labels is not None:
        metadata["labels"] = dict(labels)
    if annotations is not None:
        metadata["annotations"] = dict(annotations)
    spec = {"containers": list(containers) or [container()], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def cpu_pod(**more: Any) -> Object:
    """A pod without accelerators."""
    return pod(container(limits={"cpu": "1"}), **more)


def job(template: Object, **metadata: Any) -> Object:
    """A Job of a pod's template."""
    spec = {**template["spec"], "restartPolicy": "Never"}
    labels = template["metadata"].get("labels", {})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"j-{uuid.uuid4().hex[:8]}", **metadata},
        "spec": {"template": {"metadata": {"labels": labels}, "spec": spec}},
    }


def workload(kind: str, template: Object) -> Object:
    """An object of any built-in kind with a pod template, around a pod."""
    labels = {"app": "t", **template["metadata"].get("labels", {})}
    inner = {"metadata": {"labels": labels}, "spec": template["spec"]}
    if kind in ("Job", "CronJob"):
        inner["spec"] = {**inner["spec"], "restartPolicy": "Never"}
    selector: Object = {"matchLabels": {"app": "t"}}
    spec: dict[str, Object] = {
        "Deployment": {"selector": selector, "template": inner},
        "ReplicaSet": {"selector": selector, "template": inner},
        "DaemonSet": {"selector": selector, "template": inner},
        "StatefulSet": {"selector": selector, "serviceName": "t", "template": inner},
        "ReplicationController": {"selector": {"app": "t"}, "template": inner},
        "Job": {"template": inner},
        "CronJob": {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": inner}}},
    }
    group = {"Job": "batch/v1", "CronJob": "batch/v1", "ReplicationController": "v1"}
    return {
        "apiVersion": group.get(kind, "apps/v1"),
        "kind": kind,
        "metadata": {"name": f"w-{uuid.uuid4().hex[:8]}"},
        "spec": spec[kind],
    }


KINDS = (
    "Deployment",
    "ReplicaSet",
    "DaemonSet",
    "StatefulSet",
    "ReplicationController",
    "Job",
    "CronJob",
)


def moment(seconds: float) -> str:
    """That many seconds from now, as the operator writes times."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def window(
    workload_class: str | None = "*",
    *,
    closes: float = -60,
    reopens: float | None = 86_400,
    message: str | None = None,
) -> Object:
    """A window in a verdict; by default the pods of now are in it."""
    parts: Object = {"closesAt": moment(closes)}
    if workload_class is not None:
        parts["class"] = workload_class
    if reopens is not None:
        parts["reopensAt"] = moment(reopens)
    if message is not None:
        parts["message"] = message
    return parts


def entry(name: str, *windows: Object, **more: Any) -> Object:
    """A budget's entry in a verdict."""
    return {"budget": name, "windows": list(windows), **more}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API server said to a try."""

    done: subprocess.CompletedProcess[str]

    @property
    def allowed(self) -> bool:
        return self.done.returncode == 0

    @property
    def said(self) -> str:
        """Error or warnings."""
        return self.done.stderr

    @property
    def object(self) -> Object:
        """The object as it would be kept."""
        assert self.allowed, self.said
        return dict(json.loads(self.done.stdout))

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.object["metadata"].get("labels", {}))


def stamps(labels: Mapping[str, str]) -> dict[str, str]:
    """Bursar's labels among these, without the prefix."""
    prefix = "bursar.dev/"
    return {key.removeprefix(prefix): v for key, v in labels.items() if key.startswith(prefix)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A namespace on the API server to try things in."""

    sandbox: Sandbox
    namespace: str

    def attempt(
        self, obj: Object, *, user: str | None = None, verb: str = "create", keep: bool = False
    ) -> Answer:
        """Create (or replace) an object, as a dry run unless it is to be kept."""
        arguments = [verb, "-n", self.namespace, "-f", "-", "-o", "json"]
        arguments += [] if keep else ["--dry-run=server"]
        arguments += impersonation(user)
        text = json.dumps(obj)

        def answered() -> Answer | None:
            answer = Answer(done=self.sandbox.kubectl(*arguments, input=text, check=False))
            # A controller wrote between kubectl's reading and writing: then once more.
            return None if "the object has been modified" in answer.said else answer

        return self.sandbox.wait(answered, what="an answer without a conflict")

    def kubectl(self, *arguments: str, user: str | None = None) -> Answer:
        """Any kubectl command in the namespace, JSON out."""
        everything = [*arguments, "-n", self.namespace, *impersonation(user)]
        return Answer(done=self.sandbox.kubectl(*everything, check=False))

    def rule(self, *budgets: Object, cluster: bool = False) -> None:
        """Write the verdict, and wait until the API server goes by it."""
        canary = f"canary-{uuid.uuid4().hex[:8]}"
        here = {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}
        sentinel = entry(canary, window(), selector={"matchLabels": {"canary": canary}})
        if cluster:
            sentinel["namespaceSelector"] = here
            budgets = tuple({"namespaceSelector": here, **each} for each in budgets)
        self.write([sentinel, *budgets], cluster=cluster)
        bird = pod(labels={"canary": canary})
        self.sandbox.wait(
            lambda: canary in self.attempt(bird).said, what="the verdict in force", timeout=60
        )

    def write(self, budgets: Iterable[Object] | None, *, cluster: bool = False) -> None:
        """Write the verdict as it stands here; None: one without content."""
        kind = "ClusterBudgetVerdict" if cluster else "BudgetVerdict"
        metadata = {"name": "bursar"} | ({} if cluster else {"namespace": self.namespace})
        verdict: Object = {
            "apiVersion": "bursar.dev/v1alpha1",
            "kind": kind,
            "metadata": metadata,
        }
        if budgets is not None:
            verdict["verdict"] = {"budgets": list(budgets)}
        # Replaced as a whole: a merge would leave what an earlier verdict said.
        found = self.sandbox.find(kind, "bursar", *([] if cluster else ["-n", self.namespace]))
        text = json.dumps(verdict)
        self.sandbox.kubectl("replace" if found else "create", "-f", "-", input=text)

    def grant(self, user: str, *verbs_on: tuple[str, str, str]) -> None:
        """Give a user rights here, each as verb, API group and resource."""
        name = f"r-{uuid.uuid4().hex[:8]}"
        rules = [
            {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
            for verb, group, resource in verbs_on
        ]
        rbac = "rbac.authorization.k8s.io/v1"
        metadata = {"name": name, "namespace": self.namespace}
        role = {"apiVersion": rbac, "kind": "Role", "metadata": metadata, "rules": rules}
        self.sandbox.create(role, self._binding("Role", name, user))

    def bind(self, user: str, cluster_role: str) -> None:
        """Bind a user to a ClusterRole here."""
        self.sandbox.create(self._binding("ClusterRole", cluster_role, user))

    def _binding(self, kind: str, role: str, user: str) -> Object:
        group = "rbac.authorization.k8s.io"
        return {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"b-{uuid.uuid4().hex[:8]}", "namespace": self.namespace},
            "roleRef": {"apiGroup": group, "kind": kind, "name": role},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }

    def close(self) -> None:
        """Take the cluster's verdict back; the namespace takes its own along."""
        with suppress(Exception):
            self.sandbox.kubectl("delete", "clusterbudgetverdict", "bursar", "--ignore-not-found")


def impersonation(user: str | None) -> list[str]:
    """kubectl's arguments to act as somebody."""
    if user is None:
        return []
    groups = ["--as-group=system:authenticated"]
    if user.startswith("system:serviceaccount:"):
        groups += ["--as-group=system:serviceaccounts"]
    return [f"--as={user}", *groups]
