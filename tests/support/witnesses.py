"""An API server that has Events, Jobs, pods, Leases and owners, and counts what it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from bursar.runtime.cluster.gateway import ApiError, resource_of

JSON = dict[str, Any]


@dataclass
class Api:
    """What is there, and what may not be seen.

    Attributes:
        lists: objects by resource.
        objects: objects by path.
        forbidden: resources.
        broken: resources whose list fails with this status, so often.
        asked: requests by resource.
    """

    lists: dict[str, list[JSON]] = field(default_factory=dict)
    objects: dict[str, JSON] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    broken: dict[str, list[int]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    async def get(self, path: str, **_: str) -> JSON:
        """One object, or the head of a list."""
        resource = resource_of(path)
        self._check(resource, path)
        if resource in self.lists and path.endswith(resource):
            return {"metadata": {"resourceVersion": "1"}, "items": self.lists[resource][:1]}
        if path not in self.objects:
            raise ApiError(404, "GET", path, "not found", "NotFound")
        return self.objects[path]

    async def find(self, path: str) -> JSON | None:
        """One object that may not be there."""
        try:
            return await self.get(path)
        except ApiError as error:
            if error.status in (403, 404):
                return None
            raise

    async def pages(self, path: str, **_: str) -> AsyncIterator[list[JSON]]:
        """A list, 500 at a time."""
        resource = resource_of(path)
        items = self.lists.get(resource, [])
        for start in range(0, max(1, len(items)), 500):
            self._check(resource, path)
            yield items[start : start + 500]

    def _check(self, resource: str, path: str) -> None:
        self.asked[resource] += 1
        if resource in self.forbidden:
            raise ApiError(403, "GET", path, f"{resource} is forbidden", "Forbidden")
        if self.broken.get(resource):
            raise ApiError(self.broken[resource].pop(0), "GET", path, "broken")


def job_of(name: str, *, uid: str | None = None, namespace: str = "vision", **status: Any) -> JSON:
    """A Job whose pods ask for four GPUs, as a list gives it: without its kind."""
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}"},
        "spec": {"template": template()},
        "status": status,
    }


def template(gpus: int = 4, grace: int = 30) -> JSON:
    """A pod template that asks for GPUs."""
    limits = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    return {
        "metadata": {"labels": {"team": "a"}},
        "spec": {
            "terminationGracePeriodSeconds": grace,
            "containers": [{"name": "main", "resources": {"limits": limits}}],
        },
    }


def replica_set(name: str, gpus: int = 4) -> JSON:
    """A ReplicaSet of pods with GPUs."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": "vision", "uid": f"uid-{name}"},
        "spec": {"template": template(gpus)},
    }


def served(*objects: Iterable[JSON]) -> Api:
    """An API server with these lists: Events, Jobs, pods."""
    names = ("events", "jobs", "pods")
    return Api(lists={name: list(items) for name, items in zip(names, objects, strict=False)})
