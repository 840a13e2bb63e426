"""Pods that came and went while nobody watched, put together from what is left of them.

The scheduler's Event names the pod, its uid and its node; the controller's Event names the object
that made it; and the template of that object, where it is still there, tells what the pod asked
for. A Job's and a ReplicaSet's template never change, so there it is sure. Of other owners, and
where only a name suggests the owner, the pod is told with devices that nobody knows.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bursar.domain.fields import mapping, text, texts
from bursar.domain.kinds import find_kind
from bursar.domain.time import Ms, floor_second, format_time
from bursar.meter import events
from bursar.meter.events import Said
from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway, object_path
from bursar.runtime.cluster.owners import OBJECT_NAME
from bursar.runtime.witness.events import Heard
from bursar.runtime.witness.jobs import Jobs

MOST_OWNERS = 2_000
"""Owners that are read after one gap; pods of others are seen and not told."""
AT_ONCE = 16
FIXED = ("Job", "ReplicaSet", "ReplicationController")
"""Kinds whose template cannot have changed since, but by hand."""
GUESSED = "seen only in Events, and only its name suggests its owner"
CHANGED = "seen only in Events, and its owner's template may have changed since"
_MADE_BY_JOB = re.compile(r"(.+?)(?:-[0-9]{1,10})?-[a-z0-9]{5}")

Template = Mapping[str, Any]


class Births:
    """Finds what pods of which only Events are left asked for."""

    def __init__(self, gateway: Gateway, heard: Heard, jobs: Jobs) -> None:
        self._gateway = gateway
        self._heard = heard
        self._jobs = jobs
        self._owners: dict[str, JSON | None] = {}
        self._by_name = {
            (text(meta, "namespace"), text(meta, "name")): job
            for job in jobs.by_uid.values()
            for meta in [mapping(job, "metadata")]
        }

    async def read_owners(self, pods: Iterable[Said]) -> None:
        """Read the owners of all these pods that are not known yet, several at once."""
        wanted: dict[str, Said] = {}
        for pod in pods:
            maker = self._heard.made.get((pod.namespace, pod.name))
            if maker is not None and maker.uid not in self._jobs.by_uid:
                wanted[maker.uid] = maker
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(maker: Said) -> None:
            async with gate:
                self._owners[maker.uid] = await self._read(maker)

        await asyncio.gather(*(one(maker) for maker in list(wanted.values())[:MOST_OWNERS]))

    def rebuild(self, pod: Said, node: str) -> tuple[JSON, str] | None:
        """A pod as the API would have given it, and why its request is not sure.

        Args:
            pod: the scheduler's Event about it.
            node: that it was given.

        Returns:
            None where nothing tells what it asked for.
        """
        maker = self._heard.made.get((pod.namespace, pod.name))
        if maker is not None:
            owner = self._jobs.by_uid.get(maker.uid) or self._owners.get(maker.uid)
            doubt = "" if maker.kind in FIXED else CHANGED
        else:
            owner, doubt = self._namesake(pod), GUESSED
        if owner is None:
            return None
        template = _template(owner)
        return (_pod(pod, node, owner, template), doubt) if template is not None else None

    def _namesake(self, pod: Said) -> JSON | None:
        found = _MADE_BY_JOB.fullmatch(pod.name)
        return self._by_name.get((pod.namespace, found.group(1))) if found else None

    async def _read(self, maker: Said) -> JSON | None:
        row = find_kind(maker.api_version, maker.kind)
        if row is None or not OBJECT_NAME.fullmatch(maker.name):
            return None
        path = object_path(maker.api_version, row.plural, maker.namespace, maker.name)
        try:
            found = await self._gateway.find(path)
        except ApiError:
            return None
        if found is None or text(mapping(found, "metadata"), "uid") != maker.uid:
            return None
        found.setdefault("kind", maker.kind)
        found.setdefault("apiVersion", maker.api_version)
        return found


def _template(owner: JSON) -> Template | None:
    row = find_kind(text(owner, "apiVersion"), text(owner, "kind"))
    if row is None or "*" in row.template or row.more_templates:
        return None  # which of several templates it was, nothing tells
    found: object = owner
    for step in row.template:
        found = mapping(found, step)
    return found if isinstance(found, Mapping) and mapping(found, "spec") else None


def _pod(said: Said, node: str, owner: JSON, template: Template) -> JSON:
    about, born = mapping(owner, "metadata"), format_time(floor_second(said.first))
    meta = mapping(template, "metadata")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": said.name,
            "namespace": said.namespace,
            "uid": said.uid,
            "creationTimestamp": born,
            "labels": texts(meta, "labels"),
            "annotations": texts(meta, "annotations"),
            "ownerReferences": [
                {
                    "apiVersion": text(owner, "apiVersion"),
                    "kind": text(owner, "kind"),
                    "name": text(about, "name"),
                    "uid": text(about, "uid"),
                    "controller": True,
                }
            ],
        },
        "spec": {**mapping(template, "spec"), "nodeName": node},
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": born},
            ],
        },
    }


def in_gap(said: Said, since: Ms, now: Ms) -> bool:
    """Whether a pod was given its node while nobody watched."""
    return floor_second(since) <= said.first <= now and events.assigned(said) is not None
