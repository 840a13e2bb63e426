"""Reads what an audit needs from the API server: GETs only, in chunks, with whatever rights.

What the user may not read is a `Gap`, never an error, unless no pod at all may be read. Objects
that do not ask for accelerators are dropped chunk by chunk, so that a large cluster of other
things costs time and not memory.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bursar.api import meta
from bursar.api.pricebook import PriceBook
from bursar.cli.audit.snapshot import Gap, Place, SeenPod, Snapshot
from bursar.cli.audit.where import Where, find
from bursar.domain.fields import mapping, text, texts
from bursar.errors import BursarError
from bursar.recognize.request import requests
from bursar.runtime import clock
from bursar.runtime.configuration import Configuration
from bursar.runtime.gateway import JSON, ApiError, Gateway, object_path
from bursar.runtime.owners import Owners, controller_of

Report = Callable[[str, int, int | None], None]
"""Told what is being read, how far it is, and of how many (None: not known)."""

AT_ONCE = 24
"""Requests under way together: quick, and far from what an API server puts off."""

MOST_NAMESPACES = 500
"""Namespaces that are tried one by one where all at once is forbidden."""

RUNNING = "status.phase!=Succeeded,status.phase!=Failed"
RELISTS = 3
FIRST_ANSWER_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to read.

    Attributes:
        namespaces: the only ones to look at; none: all.
        books: price books beside those of the cluster.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    currency: str = "USD"
    books: tuple[JSON, ...] = ()


async def gather(wanted: Wanted, report: Report) -> Snapshot:
    """Read a cluster.

    Raises:
        BursarError: it can't be reached, or no pod may be read; one line with the next step.
    """
    where = await find(wanted.kubeconfig, wanted.context)
    gateway = Gateway(where.credentials, wanted.kubeconfig)
    try:
        return await _Reading(gateway, where, wanted, report).snapshot()
    finally:
        await gateway.close()


class _Reading:
    def __init__(self, gateway: Gateway, where: Where, wanted: Wanted, report: Report) -> None:
        self._gateway = gateway
        self._where = where
        self._wanted = wanted
        self._tell = report
        self._gaps: list[Gap] = []
        self._read = 0

    def _report(self, what: str, done: int, of: int | None) -> None:
        self._tell(f"reading {what}", done, of)

    async def snapshot(self) -> Snapshot:
        place = await self._place()
        now = clock.now()
        namespaces, found = await self._pods()
        nodes = await self._list("nodes", "/api/v1/nodes", _NO_NODES)
        labels = await self._labels(namespaces, found)
        pods = await self._owned(found)
        configured = await self._configured(namespaces)
        return replace(
            configured,
            now=now,
            place=place,
            namespaces=namespaces,
            nodes=None if nodes is None else tuple(nodes),
            pods=tuple(pods),
            pods_read=self._read,
            labels=labels,
            gaps=tuple(self._gaps),
        )

    async def _place(self) -> Place:
        where = self._where
        try:
            async with asyncio.timeout(FIRST_ANSWER_SECONDS):
                answer = await self._gateway.get("/version")
        except TimeoutError as error:
            raise where.unreachable("it did not answer") from error
        except ApiError as error:
            if error.status in (0, 401):
                raise where.refused(error) from error
            answer = {}  # it is there; whether it says its version is not our business
        return Place(
            context=where.context,
            server=where.credentials.server,
            version=text(answer, "gitVersion"),
        )

    # --- pods --------------------------------------------------------------------------------

    async def _pods(self) -> tuple[tuple[str, ...] | None, list[JSON]]:
        """The namespaces that could be read (None: all), and the pods that ask for accelerators."""
        if self._wanted.namespaces:
            return await self._pods_of(self._wanted.namespaces, named=True)
        try:
            return None, await self._accelerated("/api/v1/pods")
        except ApiError as error:
            if error.status != 403:
                raise self._where.refused(error) from error
        known = await self._try_namespaces()
        return await self._pods_of(known, named=False)

    async def _try_namespaces(self) -> tuple[str, ...]:
        """Where pods may be found by somebody who may not list them all."""
        try:
            listed, _ = await self._gateway.collection("/api/v1/namespaces")
        except ApiError:
            return (self._where.namespace,)
        names = tuple(sorted(text(mapping(each, "metadata"), "name") for each in listed))
        if len(names) > MOST_NAMESPACES:
            self._gaps.append(
                Gap(
                    what=f"namespaces after {names[MOST_NAMESPACES - 1]}",
                    why=f"pods can't be listed at once, and {len(names)} are too many to try",
                    so="name others with -n",
                )
            )
        return names[:MOST_NAMESPACES]

    async def _pods_of(
        self, names: Sequence[str], *, named: bool
    ) -> tuple[tuple[str, ...], list[JSON]]:
        answers = await self._all(
            "namespaces", [partial(self._accelerated_or_error, name) for name in names]
        )
        readable: list[str] = []
        found: list[JSON] = []
        refused: ApiError | None = None
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, ApiError):
                refused = answer
            else:
                readable.append(name)
                found += answer
        if refused is not None and not readable:
            raise self._where.nothing_readable(refused, names)
        closed = [name for name in names if name not in readable]
        if not named:
            shown = ", ".join(readable[:5]) + (" …" if len(readable) > 5 else "")
            self._gaps.append(
                Gap(
                    what="pods of all namespaces",
                    why="forbidden",
                    so=f"only those of {shown} are counted, and what idles is not known",
                )
            )
        elif closed:
            self._gaps.append(
                Gap(what=f"pods in {', '.join(closed)}", why="forbidden", so="they are not counted")
            )
        return tuple(readable), found

    async def _accelerated_or_error(self, namespace: str) -> list[JSON] | ApiError:
        try:
            return await self._accelerated(object_path("v1", "pods", namespace))
        except ApiError as error:
            if error.status in (403, 404):
                return error
            raise self._where.refused(error) from error

    async def _accelerated(self, path: str) -> list[JSON]:
        found: list[JSON] = []
        async for page in self._pages(path, found, fieldSelector=RUNNING):
            self._read += len(page)
            found += [_lean(pod) for pod in page if requests(pod)]
            self._report("pods", self._read, None)
        return found

    async def _pages(
        self, path: str, found: list[JSON], **params: str
    ) -> AsyncIterator[list[JSON]]:
        """Pages of a list; begun anew where the server has forgotten where it was (410)."""
        for attempt in range(1, RELISTS + 1):
            read = self._read
            try:
                async for page in self._gateway.pages(path, **params):
                    yield page
            except ApiError as error:
                if error.status != 410 or attempt == RELISTS:
                    raise
                found.clear()
                self._read = read
            else:
                return

    # --- what stands around them -------------------------------------------------------------

    async def _labels(
        self, namespaces: tuple[str, ...] | None, pods: Iterable[JSON]
    ) -> dict[str, dict[str, str]]:
        used = sorted({text(mapping(pod, "metadata"), "namespace") for pod in pods})
        if namespaces is None:
            listed = await self._list("namespaces", "/api/v1/namespaces", _NO_LABELS)
        else:
            answers = await self._all(
                "namespaces", [partial(self._gateway.find, f"/api/v1/namespaces/{n}") for n in used]
            )
            listed = [each for each in answers if each is not None]
            if len(listed) < len(used):
                self._gaps.append(Gap(what="namespaces", why="forbidden", so=_NO_LABELS))
        metadata = [mapping(each, "metadata") for each in listed or ()]
        return {text(each, "name"): texts(each, "labels") for each in metadata}

    async def _owned(self, pods: Sequence[JSON]) -> list[SeenPod]:
        """Each pod with its owners; those of one controller are looked up once."""
        owners = Owners(self._gateway)
        first: dict[tuple[str, str], JSON] = {}
        for pod in pods:
            if controller_of(pod) is not None:
                first.setdefault(_controller(pod), pod)
        above = await self._all("owners", [partial(owners.above, pod) for pod in first.values()])
        chains = dict(zip(first, above, strict=True))
        self._unread_owners()
        return [SeenPod(obj=pod, owners=chains.get(_controller(pod), ())) for pod in pods]

    def _unread_owners(self) -> None:
        """Say which kinds of owners the user may not read (one that is gone is no such gap)."""
        known = {"nodes", "pods", "namespaces", "version", ""}
        closed = sorted(
            {
                resource
                for (_, resource, status) in self._gateway.requests
                if status == 403 and resource not in known
            }
        )
        if closed:
            self._gaps.append(
                Gap(
                    what=", ".join(closed[:8]),
                    why="forbidden",
                    so="owners are known by name only, without their labels and what is above them",
                )
            )

    async def _configured(self, namespaces: tuple[str, ...] | None) -> Snapshot:
        """Bursar's own objects, where its resources are served."""
        configuration = Configuration(self._wanted.currency)
        for number, book in enumerate(self._wanted.books):
            metadata = {**mapping(book, "metadata"), "uid": f"file/{number}"}
            configuration.apply("pricebooks", {**book, "metadata": metadata}, gone=False)
        budgets: dict[str, tuple[str, ...]] = {}
        installed = await self._gateway.find(f"/apis/{meta.API_VERSION}") is not None
        if installed:
            for plural, so in _OURS.items():
                path = object_path(meta.API_VERSION, plural)
                for obj in await self._list(plural, path, so) or ():
                    configuration.apply(plural, obj, gone=False)
            budgets = await self._budgets(namespaces)
        return Snapshot(
            now=0,
            place=Place(context="", server=""),
            installed=installed,
            budgets=budgets,
            books=configuration.books(),
            mappings=configuration.mappings(),
            weights=configuration.weights(),
        )

    async def _budgets(self, namespaces: tuple[str, ...] | None) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        paths = [object_path(meta.API_VERSION, "clusteraibudgets")]
        paths += [object_path(meta.API_VERSION, "aibudgets", each) for each in namespaces or ("",)]
        for path in paths:
            for obj in (
                await self._list("budgets", path, "which namespaces have one is not known") or ()
            ):
                metadata = mapping(obj, "metadata")
                namespace = text(metadata, "namespace")
                found[namespace] = (*found.get(namespace, ()), text(metadata, "name"))
        return found

    async def _list(self, what: str, path: str, so: str) -> list[JSON] | None:
        """A whole list; None where it may not be read."""
        self._report(what, 0, None)
        try:
            items, _ = await self._gateway.collection(path)
        except ApiError as error:
            if error.status == 404:
                return []
            if error.status != 403:
                raise self._where.refused(error) from error
            gap = Gap(what=what, why="forbidden", so=so)
            if gap not in self._gaps:
                self._gaps.append(gap)
            return None
        return items

    async def _all(self, what: str, calls: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
        """Make many calls, a few at a time; the answers in order."""
        limit = asyncio.Semaphore(AT_ONCE)
        done = 0

        async def one(call: Callable[[], Awaitable[Any]]) -> Any:
            nonlocal done
            async with limit:
                answer = await call()
            done += 1
            self._report(what, done, len(calls))
            return answer

        tasks = [asyncio.ensure_future(one(call)) for call in calls]
        try:
            return list(await asyncio.gather(*tasks))
        except ApiError as error:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise self._where.refused(error) from error


_NO_NODES = "which devices pods hold, what they cost and what idles is not known"
_NO_LABELS = "labels of namespaces do not count: who pays may look unknown and be known"
_OURS: Mapping[str, str] = {
    "pricebooks": "list prices stand in for the prices that this cluster has",
    "classificationpolicies": "this cluster's own labels of classes do not count",
}


def _controller(pod: JSON) -> tuple[str, str]:
    """The namespace with the uid: the latter is what the pod's author wrote."""
    return text(mapping(pod, "metadata"), "namespace"), text(controller_of(pod), "uid")


def _lean(pod: JSON) -> JSON:
    """A pod without what nobody here reads, which is a third of it."""
    metadata = pod.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    return pod


def price_books(objects: Iterable[Mapping[str, Any]], file: str) -> tuple[JSON, ...]:
    """The price books among the objects of a file.

    Raises:
        BursarError: there is none, or one can't be read; says which field.
    """
    books = tuple(dict(obj) for obj in objects if obj.get("kind") == PriceBook.KIND)
    if not books:
        raise BursarError(f"{file}: no PriceBook in it")
    for book in books:
        PriceBook.parse(book)
    return books
