"""Reads what an audit needs from the API server, with whatever rights the user has.

What the user may not read is a gap, never an error, unless no pod at all may be read. Objects
that do not ask for accelerators are dropped page by page, so that a large cluster of other things
costs time and not memory.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bursar.api import meta
from bursar.api.pricebook import PriceBook
from bursar.cli.audit.reader import NO_OWNERS, Reader, Report
from bursar.cli.audit.snapshot import Place, SeenPod, Snapshot
from bursar.cli.audit.where import Where, find
from bursar.domain.fields import mapping, text, texts
from bursar.errors import BursarError
from bursar.recognize.request import requests
from bursar.runtime import clock
from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway, object_path
from bursar.runtime.cluster.owners import Owners, controller_of
from bursar.runtime.configuring.configuration import Configuration

MOST_NAMESPACES = 500
"""Namespaces that are tried one by one where all at once is forbidden."""

RUNNING = "status.phase!=Succeeded,status.phase!=Failed"
FIRST_ANSWER_SECONDS = 15.0

_NO_NODES = "which devices pods hold, what they cost and what idles is not known"
_NO_LABELS = "labels of namespaces do not count: who pays may look unknown and be known"
_NO_BUDGETS = "which namespaces have one is not known"
_OURS: Mapping[str, str] = {
    "pricebooks": "list prices stand in for the prices that this cluster has",
    "classificationpolicies": "this cluster's own labels of classes do not count",
}


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
        place = await _place(gateway, where)
        reader = Reader(gateway, where, report)
        return await _Gathering(reader, where, wanted).snapshot(place)
    except ApiError as error:
        raise where.refused(error) from error
    finally:
        await gateway.close()


async def _place(gateway: Gateway, where: Where) -> Place:
    """Whether somebody answers, and who."""
    try:
        async with asyncio.timeout(FIRST_ANSWER_SECONDS):
            answer = await gateway.get("/version")
    except TimeoutError as error:
        raise where.unreachable("it did not answer") from error
    except ApiError as error:
        if error.status in (0, 401):
            raise
        answer = {}  # it is there; whether it says its version is not our business
    return Place(
        context=where.context, server=where.credentials.server, version=text(answer, "gitVersion")
    )


class _Gathering:
    def __init__(self, reader: Reader, where: Where, wanted: Wanted) -> None:
        self._reader = reader
        self._where = where
        self._wanted = wanted
        self._read = 0

    async def snapshot(self, place: Place) -> Snapshot:
        now = clock.now()
        namespaces, found = await self._pods()
        nodes = await self._reader.listing("nodes", "/api/v1/nodes", _NO_NODES)
        labels = await self._labels(namespaces, found)
        pods = await self._owned(found)
        configured = await self._configured(namespaces, place)
        return replace(
            configured,
            now=now,
            namespaces=namespaces,
            nodes=None if nodes is None else tuple(nodes),
            pods=tuple(pods),
            pods_read=self._read,
            labels=labels,
            gaps=tuple(self._reader.gaps),
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
                raise
        return await self._pods_of(await self._try_namespaces(), named=False)

    async def _try_namespaces(self) -> tuple[str, ...]:
        """Where pods may be found by somebody who may not list them all."""
        try:
            listed = await self._reader.pages("/api/v1/namespaces", lambda page: page)
        except ApiError as error:
            self._reader.why(error)
            return (self._where.namespace,)
        names = tuple(sorted(text(mapping(each, "metadata"), "name") for each in listed))
        if len(names) > MOST_NAMESPACES:
            self._reader.gap(
                f"namespaces after {names[MOST_NAMESPACES - 1]}",
                f"pods can't be listed at once, and {len(names)} are too many to try",
                "name others with -n",
            )
        return names[:MOST_NAMESPACES]

    async def _pods_of(
        self, names: Sequence[str], *, named: bool
    ) -> tuple[tuple[str, ...], list[JSON]]:
        calls = [partial(self._accelerated_or_error, name) for name in names]
        answers = dict(zip(names, await self._reader.all("namespaces", calls), strict=True))
        refused = {name: each for name, each in answers.items() if isinstance(each, ApiError)}
        readable = tuple(name for name in names if name not in refused)
        if not readable:
            raise self._where.nothing_readable(next(iter(refused.values())), names)
        if not named:
            shown = ", ".join(readable[:5]) + (" …" if len(readable) > 5 else "")
            so = f"only those of {shown} are counted, and what idles is not known"
            self._reader.gap("pods of all namespaces", "forbidden", so)
        elif refused:
            what = f"pods in {', '.join(refused)}"
            self._reader.gap(what, "forbidden", "they are not counted")
        return readable, [pod for name in readable for pod in answers[name]]

    async def _accelerated_or_error(self, namespace: str) -> list[JSON] | ApiError:
        try:
            return await self._accelerated(object_path("v1", "pods", namespace))
        except ApiError as error:
            if error.status == 403:
                return error
            raise

    async def _accelerated(self, path: str) -> list[JSON]:
        return await self._reader.pages(path, self._keep, fieldSelector=RUNNING)

    def _keep(self, page: list[JSON]) -> list[JSON]:
        self._read += len(page)
        self._reader.say("pods", self._read)
        return [_lean(pod) for pod in page if requests(pod)]

    # --- what stands around them -------------------------------------------------------------

    async def _labels(
        self, namespaces: tuple[str, ...] | None, pods: Iterable[JSON]
    ) -> dict[str, dict[str, str]]:
        if namespaces is None:
            listed = await self._reader.listing("namespaces", "/api/v1/namespaces", _NO_LABELS)
        else:
            used = sorted({text(mapping(pod, "metadata"), "namespace") for pod in pods})
            calls = [partial(self._reader.find, f"/api/v1/namespaces/{name}") for name in used]
            answers = await self._reader.all("namespaces", calls)
            listed = [each for each in answers if each is not None]
            if len(listed) < len(used):
                self._reader.gap("namespaces", "forbidden", _NO_LABELS)
        metadata = [mapping(each, "metadata") for each in listed or ()]
        return {text(each, "name"): texts(each, "labels") for each in metadata}

    async def _owned(self, pods: Sequence[JSON]) -> list[SeenPod]:
        """Each pod with its owners; those of one controller are looked up once."""
        before = set(self._reader.forbidden())
        owners = Owners(self._reader.gateway, self._reader.owner_failed)
        first: dict[tuple[str, str], JSON] = {}
        for pod in pods:
            if controller_of(pod) is not None:
                first.setdefault(_controller(pod), pod)
        calls = [partial(self._reader.above, owners, pod) for pod in first.values()]
        chains = dict(zip(first, await self._reader.all("owners", calls), strict=True))
        # One that is gone is no gap; one of a kind that may not be read is.
        closed = [what for what in self._reader.forbidden() if what not in before]
        if closed:
            self._reader.gap(", ".join(closed[:8]), "forbidden", NO_OWNERS)
        return [SeenPod(obj=pod, owners=chains.get(_controller(pod), ())) for pod in pods]

    # --- Bursar's own, where it is installed -------------------------------------------------

    async def _configured(self, namespaces: tuple[str, ...] | None, place: Place) -> Snapshot:
        """What price books and policies come to, those of the command line included."""
        configuration = Configuration()
        for number, book in enumerate(self._wanted.books):
            metadata = {**mapping(book, "metadata"), "uid": f"file/{number}"}
            configuration.apply("pricebooks", {**book, "metadata": metadata}, gone=False)
        installed = await self._reader.find(f"/apis/{meta.API_VERSION}") is not None
        for plural, so in _OURS.items() if installed else ():
            path = object_path(meta.API_VERSION, plural)
            for obj in await self._reader.listing(plural, path, so) or ():
                configuration.apply(plural, obj, gone=False)
        return Snapshot(
            now=0,
            place=place,
            installed=installed,
            budgets=await self._budgets(namespaces) if installed else {},
            books=configuration.books(),
            mappings=configuration.mappings(),
            weights=configuration.weights(),
        )

    async def _budgets(self, namespaces: tuple[str, ...] | None) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        paths = [object_path(meta.API_VERSION, "clusteraibudgets")]
        paths += [object_path(meta.API_VERSION, "aibudgets", each) for each in namespaces or ("",)]
        for path in paths:
            for obj in await self._reader.listing("budgets", path, _NO_BUDGETS) or ():
                metadata = mapping(obj, "metadata")
                namespace = text(metadata, "namespace")
                found[namespace] = (*found.get(namespace, ()), text(metadata, "name"))
        return found


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
