"""Reads Kubernetes Events, all of them, page by page, and keeps what tells of pods and nodes.

They are kept for an hour by default, and there may be a hundred thousand: one pass, nothing held
but what may be asked. Without the right to list them nothing is known, which is said once.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bursar.domain.time import Ms
from bursar.meter import events
from bursar.meter.events import Said
from bursar.runtime import clock
from bursar.runtime.cluster.gateway import ApiError, Gateway, object_path

logger = logging.getLogger(__name__)

EVENTS = object_path("v1", "events")
MOST_PAGES = 600
"""Pages of 500 that are read: 300,000 Events."""
FRESH_SECONDS = 20.0
"""For how long what was read answers single questions."""
TRIES = 3
GONE, FORBIDDEN = 410, 403
_Name = tuple[str, str]
_NOTHING: Sequence[Said] = ()


@dataclass(slots=True)
class Heard:
    """What Events told, ready to be asked.

    Attributes:
        pods: by uid.
        made: what controllers said that they created, by namespace and pod.
        deleted: likewise what they deleted.
        nodes: about nodes, by name.
        completed: what Jobs said of their own end, by uid: they may be gone, too.
    """

    pods: defaultdict[str, list[Said]] = field(default_factory=lambda: defaultdict(list))
    made: dict[_Name, Said] = field(default_factory=dict)
    deleted: defaultdict[_Name, list[Said]] = field(default_factory=lambda: defaultdict(list))
    nodes: defaultdict[str, list[Said]] = field(default_factory=lambda: defaultdict(list))
    completed: dict[str, Said] = field(default_factory=dict)

    def take(self, said: Said) -> None:
        """Keep an Event where it may be asked for."""
        if said.kind == "Pod":
            if said.uid:
                self.pods[said.uid].append(said)
        elif said.kind == "Node":
            self.nodes[said.name].append(said)
        elif (name := events.made(said)) is not None:
            self.made[said.namespace, name] = said
        elif (name := events.deleted(said)) is not None:
            self.deleted[said.namespace, name].append(said)
        elif said.kind == "Job" and said.reason == events.COMPLETED:
            self.completed[said.uid] = said

    def of_pod(self, uid: str) -> Sequence[Said]:
        """About one pod."""
        return self.pods.get(uid, _NOTHING)

    def deletions(self, namespace: str, name: str) -> Sequence[Said]:
        """About pods of this name that controllers deleted."""
        return self.deleted.get((namespace, name), _NOTHING)

    def of_node(self, name: str) -> Sequence[Said]:
        """About nodes of this name."""
        return self.nodes.get(name, _NOTHING)

    def scheduled(self) -> Iterable[Said]:
        """Of each pod, that the scheduler found it a node."""
        for said in self.pods.values():
            first = next((each for each in said if events.assigned(each)), None)
            if first is not None:
                yield first


class Events:
    """The Events of the cluster, read when they are needed."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._told = False
        self._heard = Heard()
        self._read: float | None = None

    async def probe(self) -> None:
        """Look whether they may be listed: it would be too late in a gap."""
        try:
            await self._gateway.get(EVENTS, limit="1")
        except ApiError as error:
            self._say(error)

    async def hear(self, now: Ms, *, fresh: bool = True) -> Heard:
        """All Events there are.

        Args:
            now: milliseconds since the epoch; what claims to be later is not believed.
            fresh: whether they must be read again, though they were read a moment ago.
        """
        recent = self._read is not None and clock.monotonic() - self._read < FRESH_SECONDS
        if fresh or not recent:
            self._heard = await self._patiently(now)
            self._read = clock.monotonic()
        return self._heard

    async def _patiently(self, now: Ms) -> Heard:
        for attempt in range(1, TRIES + 1):
            heard = Heard()
            try:
                await self._scan(heard, now)
            except ApiError as error:
                if error.status == FORBIDDEN or attempt == TRIES:
                    self._say(error)
                    return heard
                await asyncio.sleep(attempt)
            else:
                return heard
        raise AssertionError  # the last attempt returns

    async def _scan(self, heard: Heard, now: Ms) -> None:
        pages = 0
        try:
            async for page in self._gateway.pages(EVENTS):
                for item in page:
                    said = events.read(item, now)
                    if said is not None:
                        heard.take(said)
                pages += 1
                if pages >= MOST_PAGES:
                    logger.warning("events=%d pages read, the rest is left unread", pages)
                    return
        except ApiError as error:
            if error.status != GONE or not pages:
                raise
            logger.warning("events=expired after %d pages, the rest is left unread", pages)

    def _say(self, error: ApiError) -> None:
        if not self._told or error.status != FORBIDDEN:
            logger.warning(
                "witness=events cannot be read: %s; what ends unseen is estimated without them",
                error,
            )
        self._told = self._told or error.status == FORBIDDEN
