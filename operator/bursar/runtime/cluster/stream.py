"""A watch that loses nothing while the operator is away: the money path's own list and watch.

kopf always lists first, so what ended between two runs would be gone. Here a stream goes on from
its checkpoint, the resourceVersion that has been fully applied, event by event and in order. Only
where the API server no longer remembers that version ("410 Gone") is the list taken instead.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

import aiohttp

from bursar.domain.time import Ms
from bursar.runtime import clock
from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway

logger = logging.getLogger(__name__)

GONE = 410
DELIVERY: Ms = 1_000
"""How long an event may be on its way before it is here."""
BLINK: Ms = 2_000 + DELIVERY
"""A watch that was gone for less than this has missed nothing that matters."""
PROMPT: Ms = 5
"""An event that had to be waited for as long as this did not lie waiting itself."""
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """Who takes what a stream brings.

    Attributes:
        apply: one event: its type, the object, and, where it happened while nobody watched, since
            when nobody did (ms; None: it is live).
        resume: the objects that are as they were at the checkpoint: no event will bring them.
        relist: all objects there are now, where the past could not be replayed; `True` where there
            was a checkpoint, so that a gap lies between.
        advance: everything up to this resourceVersion has been applied; and until when (ms)
            somebody watched, which a replay does not move before it has caught up.
        known: uids that were there at the checkpoint, to tell when a replay has caught up.
    """

    apply: Callable[[str, JSON, Ms | None], Awaitable[None]]
    resume: Callable[[list[JSON]], Awaitable[None]]
    relist: Callable[[list[JSON], bool], Awaitable[None]]
    advance: Callable[[str, Ms], None]
    known: Callable[[], Collection[str]]


class Stream:
    """One collection, followed from a checkpoint on, for ever.

    Attributes:
        synced: set once everything that happened up to the start has been applied.
        position: the last resourceVersion applied.
        trouble: why it cannot go on at the moment; empty while it can.
        watched: until when everything that happened has been applied (ms), and what happened
            later may not have; None: not known.
    """

    def __init__(self, gateway: Gateway, path: str, selector: str, sink: Sink) -> None:
        self._gateway = gateway
        self._path = path
        self._params = {"labelSelector": selector} if selector else {}
        self._sink = sink
        self.synced = asyncio.Event()
        self.position = ""
        self.trouble = ""
        self.watched: Ms | None = None
        self._asked: Ms = 0
        self._opened: Ms = 0

    async def run(self, checkpoint: str | None, watched: Ms | None = None) -> None:
        """Follow the collection; returns only by being cancelled.

        Args:
            checkpoint: resourceVersion to go on from; None: begin with a list.
            watched: until when it was watched before (ms).
        """
        failures = 0
        self.watched = watched
        resume = checkpoint
        gap = False
        while True:
            try:
                if gap:
                    await self._start_over(gap=True)
                    resume, gap = self.position, False
                await self._follow(resume)
                failures, self.trouble = 0, ""
            except ApiError as error:
                if error.status == GONE and resume and not gap:
                    gap = True
                else:
                    failures = await self._wait(failures, error)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                failures = await self._wait(failures, error)
            resume = self.position or resume

    async def _follow(self, resume: str | None) -> None:
        if not resume:
            await self._start_over(gap=False)
            resume = self.position
        replay = await self._backlog(resume) if not self.synced.is_set() else None
        missed = await self._missed(resume)
        # What comes at once may be from before: it does not show that the watch is up to date.
        idle, prompt = clock.now() + DELIVERY, self.watched
        events = self._gateway.watch(self._path, resume, opened=self._open, **self._params)
        first = True
        async for kind, obj in events:
            if first:
                first, missed = False, await self._missed_till_opened(missed, resume)
            # Of events that lay waiting nobody knows how long ago they happened: what came after
            # them has not been seen, though it is later.
            if clock.now() - idle >= PROMPT or prompt is None:
                prompt = max(prompt or 0, clock.now() - DELIVERY)
            version = str((obj.get("metadata") or {}).get("resourceVersion", ""))
            if missed is not None and version and int(version) > missed.target:
                prompt, missed = missed.asked, None
            if kind != "BOOKMARK":
                await self._sink.apply(kind, obj, missed.since if missed else None)
            if missed is not None and version and int(version) >= missed.target:
                prompt, missed = missed.asked, None
            self.position = version
            self.watched = missed.since if missed else prompt
            self._sink.advance(version, self.watched)
            idle = clock.now()
            if replay is not None and replay.done(kind, obj, version):
                replay = None
                self.synced.set()
        # The server ended it in its time: until now it was there, however quiet.
        self.watched = clock.now() - DELIVERY

    def _open(self) -> None:
        self._opened = clock.now()

    async def _missed_till_opened(self, missed: "_Missed | None", resume: str) -> "_Missed | None":
        """The same where the watch was long in opening: an API server first reads its store.

        Asked with the first event: one that does not come at once has only just happened.
        """
        if self._opened - self._asked < DELIVERY or clock.now() - self._opened >= DELIVERY:
            return missed
        return await self._missed(resume)

    async def _missed(self, resume: str) -> "_Missed | None":
        """What has happened since the watch was there last; None where it was there just now."""
        if self.watched is None:
            return None
        self._asked = asked = clock.now()
        page = await self._gateway.get(self._path, limit="1", **self._params)
        newest = str((page.get("metadata") or {}).get("resourceVersion") or "0")
        self._not_restored(resume, newest)
        if clock.now() - self.watched < BLINK:
            return None
        return _Missed(since=self.watched, target=int(newest), asked=asked)

    def _not_restored(self, resume: str, newest: str) -> None:
        """A version newer than the newest is of another past: the cluster's store was put back.

        Raises:
            ApiError: as where the version is too old. A watch from there would be silent until the
                versions have caught up, and what happens meanwhile lost.
        """
        if int(newest) < int(resume):
            said = f"version {resume} is newer than the newest ({newest}): the store was restored"
            raise ApiError(GONE, "WATCH", self._path, said)

    async def _backlog(self, resume: str) -> "_Backlog | None":
        """What a replay from `resume` still has to bring; None (and synced) where nothing."""
        items, target = await self._gateway.collection(self._path, **self._params)
        self._not_restored(resume, target)
        backlog = _Backlog(items, target, resume, self._sink.known())
        await self._sink.resume(backlog.unchanged)
        if backlog.empty:
            self.synced.set()
            return None
        return backlog

    async def _start_over(self, *, gap: bool) -> None:
        asked = clock.now()
        items, version = await self._gateway.collection(self._path, **self._params)
        await self._sink.relist(items, gap)
        self.position = version
        self.watched = asked
        self._sink.advance(version, self.watched)
        self.synced.set()

    async def _wait(self, failures: int, error: Exception) -> int:
        delay = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
        self.trouble = str(error)
        logger.warning("watch of %s: %s; again in %.1f s", self._path, error, delay)
        await asyncio.sleep(delay)
        return failures + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Missed:
    """Events up to the version `target` happened after `since` (ms), while nobody watched.

    Attributes:
        asked: when `target` was the newest version that there was.
    """

    since: Ms
    target: int
    asked: Ms


class _Backlog:
    """The changes since a checkpoint that are known to be still on their way.

    Attributes:
        unchanged: the objects that have not changed since.
    """

    def __init__(self, items: list[JSON], target: str, resume: str, known: Collection[str]) -> None:
        versions = {
            str(item["metadata"]["uid"]): int(item["metadata"]["resourceVersion"]) for item in items
        }
        self._target = int(target)
        self._changed = {uid: v for uid, v in versions.items() if v > int(resume)}
        self.unchanged = [
            item for item in items if str(item["metadata"]["uid"]) not in self._changed
        ]
        self._gone = set(known) - versions.keys()

    @property
    def empty(self) -> bool:
        return not self._changed and not self._gone

    def done(self, kind: str, obj: JSON, version: str) -> bool:
        """Count one event in; True when nothing is missing any more."""
        if version and int(version) >= self._target:
            return True
        uid = str((obj.get("metadata") or {}).get("uid", ""))
        if kind == "DELETED":
            self._gone.discard(uid)
            self._changed.pop(uid, None)
        elif int(version or 0) >= self._changed.get(uid, 0):
            self._changed.pop(uid, None)
        return self.empty
