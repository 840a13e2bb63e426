"""The few ways in which an audit asks the API server: GETs only, and a refusal is a `Gap`.

Only an API server that can't be reached, or does not know the user, ends an audit; what the user
may not read, or what fails inside the cluster (a broken conversion of some resource), is noted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from bursar.cli.audit.snapshot import Gap
from bursar.cli.audit.where import Where
from bursar.domain.fields import mapping, text
from bursar.domain.workload import Owner
from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway
from bursar.runtime.cluster.owners import Owners, controller_of

Report = Callable[[str, int, int | None], None]
"""Told what is being done, how far it is, and of how many (None: not known)."""

Keep = Callable[[list[JSON]], list[JSON]]
"""What of a page is kept."""

AT_ONCE = 24
"""Requests under way together: quick, and far from what an API server puts off."""

RELISTS = 3
"""Tries of a list whose place the API server forgets while it is read (410)."""


class Reader:
    """Reads one cluster.

    Attributes:
        gateway: the session, for what reads by itself.
        gaps: what could not be read.
    """

    def __init__(self, gateway: Gateway, where: Where, report: Report) -> None:
        self.gateway = gateway
        self._where = where
        self._report = report
        self.gaps: list[Gap] = []

    def gap(self, what: str, why: str, so: str) -> None:
        """Note what could not be read, once."""
        found = Gap(what=what, why=why, so=so)
        if found not in self.gaps:
            self.gaps.append(found)

    def say(self, what: str, done: int = 0, of: int | None = None) -> None:
        """Tell what is being read."""
        self._report(f"reading {what}", done, of)

    async def find(self, path: str) -> JSON | None:
        """One object; None where it is not there or may not be read."""
        try:
            return await self.gateway.find(path)
        except ApiError as error:
            self.why(error)
            return None

    async def pages(self, path: str, keep: Keep, **params: str) -> list[JSON]:
        """What is kept of a list, page by page; begun anew where the server forgot where it was.

        Raises:
            ApiError: it may not be read, or does not come to an end.
        """
        for _ in range(RELISTS - 1):
            try:
                return await self._read(path, keep, params)
            except ApiError as error:
                if error.status != 410:
                    raise
        return await self._read(path, keep, params)

    async def _read(self, path: str, keep: Keep, params: dict[str, str]) -> list[JSON]:
        found: list[JSON] = []
        async for page in self.gateway.pages(path, **params):
            found += keep(page)
        return found

    async def listing(self, what: str, path: str, so: str) -> list[JSON] | None:
        """A whole list; None, with a gap, where it can't be read, and empty where there is none.

        Args:
            what: is read, in the plural.
            path: of the collection.
            so: what is not known without it.
        """
        self.say(what)
        try:
            return await self.pages(path, lambda page: page)
        except ApiError as error:
            if error.status == 404:
                return []
            self.gap(what, self.why(error), so)
            return None

    def why(self, error: ApiError) -> str:
        """Why something can't be read, in a few words.

        Raises:
            BursarError: no other thing could be read, either.
        """
        if error.status in (0, 401):
            raise self._where.refused(error) from error
        return "forbidden" if error.status == 403 else f"error {error.status}"

    async def all(self, what: str, calls: Sequence[Callable[[], Awaitable[Any]]]) -> Sequence[Any]:
        """Make many calls, a few at a time; the answers in order."""
        limit = asyncio.Semaphore(AT_ONCE)
        done = 0

        async def one(call: Callable[[], Awaitable[Any]]) -> Any:
            nonlocal done
            async with limit:
                answer = await call()
            done += 1
            self.say(what, done, len(calls))
            return answer

        tasks = [asyncio.ensure_future(one(call)) for call in calls]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def above(self, owners: Owners, pod: JSON) -> tuple[Owner, ...]:
        """Controllers above a pod, nearest first; by the pod's word alone where that fails."""
        try:
            return await owners.above(pod)
        except ApiError as error:
            self.owner_failed(error)
        reference = controller_of(pod) or {}
        namespace = text(mapping(pod, "metadata"), "namespace")
        owner = Owner(
            api_version=text(reference, "apiVersion"),
            kind=text(reference, "kind"),
            namespace=namespace,
            name=text(reference, "name"),
            uid=text(reference, "uid"),
        )
        return (owner,)

    def owner_failed(self, error: ApiError) -> None:
        """Note that some owners are known by what their pods say, and no more."""
        self.gap("some owners", self.why(error), NO_OWNERS)

    def forbidden(self) -> list[str]:
        """Resources of which something was refused so far."""
        return sorted({what for _, what, status in self.gateway.requests if status == 403})


NO_OWNERS = "they are known by name only, without their labels and what is above them"
