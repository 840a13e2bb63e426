"""Follows ResourceClaims and ResourceSlices: what pods were given by Dynamic Resource Allocation.

The scheduler writes a claim's allocation, and for which pods it is, before it binds them. Claims
are followed from a checkpoint like pods, so that one that was made, used and deleted while the
operator was away is known when its pod is replayed; what a claim allocated to a pod stays known,
whatever becomes of the claim. Where the API is not served, or may not be read, no claim is known,
and a pod that holds one says so.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bursar.domain.fields import mapping, text
from bursar.domain.time import Ms
from bursar.domain.unknown import Unknown
from bursar.domain.workload import ClaimFacts
from bursar.recognize.claims import Allocated, Device, Key, allocated, devices, held_by
from bursar.recognize.request import requests
from bursar.recognize.tables import AcceleratorTables
from bursar.runtime import clock
from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway, object_path
from bursar.runtime.cluster.stream import Sink, Stream
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import CheckpointRow

logger = logging.getLogger(__name__)

GROUP = "resource.k8s.io"
VERSIONS = ("v1", "v1beta2", "v1beta1")
STREAM = "resourceclaims"
FORBIDDEN, NOT_FOUND = 403, 404
PATIENCE_SECONDS = 2.0
"""How long a bound pod waits for its claim, where the claim itself is gone: its events are near."""
MOST_HELD = 100_000
MOST_DEVICES = 500_000
Told = Callable[[frozenset[str]], None]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A claim's uid, and what it allocates; None before it allocates anything."""

    uid: str
    results: tuple[Allocated, ...] | None


class Claims:
    """What claims allocate and what ResourceSlices describe, in one cluster.

    Attributes:
        on_told: called where something has become known that was asked for in vain: with the names
            of the nodes whose devices have become known.
        streams: empty where the API is not served or may not be read.
    """

    def __init__(self, gateway: Gateway, ledger: Ledger, tables: AcceleratorTables) -> None:
        self._gateway = gateway
        self._ledger = ledger
        self._tables = tables
        self._version = ""
        self._by_name: dict[tuple[str, str], _Claim] = {}
        self._held: OrderedDict[tuple[str, str], _Claim] = OrderedDict()
        self._devices: OrderedDict[Key, Device] = OrderedDict()
        self._slices: dict[str, tuple[str, tuple[Key, ...]]] = {}
        self._of_node: dict[str, dict[Key, Device]] = {}
        self._in_vain: set[tuple[str, str]] = set()
        self._changed = asyncio.Event()
        self.streams: dict[str, Stream] = {}
        self.on_told: Told = lambda _: None

    async def find(self) -> None:
        """Look whether the API is served and may be read; `streams` has what is to be followed."""
        group = await self._gateway.find(f"/apis/{GROUP}")
        served = {text(each, "version") for each in (group or {}).get("versions") or []}
        version = next((each for each in VERSIONS if each in served), "")
        if not version:
            return
        paths = {
            plural: object_path(f"{GROUP}/{version}", plural)
            for plural in ("resourceslices", "resourceclaims")
        }
        try:
            for path in paths.values():
                await self._gateway.get(path, limit="1")
        except ApiError as error:
            if error.status not in (FORBIDDEN, NOT_FOUND):
                raise
            logger.warning("claims=unknown devices that claims allocate are unknown: %s", error)
            return
        self._version = version
        sinks = {"resourceslices": self._slice_sink(), "resourceclaims": self._claim_sink()}
        self.streams = {
            plural: Stream(self._gateway, path, "", sinks[plural]) for plural, path in paths.items()
        }

    # --- what is asked -----------------------------------------------------------------------

    def facts(self, namespace: str, pod_uid: str, name: str) -> ClaimFacts | None:
        """What a pod's claim allocates; None where that is not known."""
        known = self._held.get((pod_uid, name)) or self._by_name.get((namespace, name))
        if known is None or known.results is None:
            self._in_vain.add((pod_uid, name))
            return None
        held = held_by(known.results, self._devices, self._tables)
        if any(isinstance(part, Unknown) for part in held.values()):
            self._in_vain.add((pod_uid, name))
        else:
            self._in_vain.discard((pod_uid, name))
        return ClaimFacts(uid=known.uid, devices=held)

    def published(self, node: str) -> Iterable[Device]:
        """The devices that ResourceSlices describe of a node, by its name."""
        return self._of_node.get(node, {}).values()

    def forget(self, pod_uid: str) -> None:
        """A pod is over."""
        for key in [key for key in self._in_vain if key[0] == pod_uid]:
            self._in_vain.discard(key)

    async def learn(self, pod: JSON) -> None:
        """Read the claims of a pod that has been bound, where the stream has not brought them yet.

        Raises:
            ApiError: the API server cannot be asked.
        """
        spec, status = mapping(pod, "spec"), mapping(pod, "status")
        claims = spec.get("resourceClaims") or status.get("extendedResourceClaimStatus")
        if not self._version or not claims or not text(spec, "nodeName"):
            return
        metadata = mapping(pod, "metadata")
        namespace, uid = text(metadata, "namespace"), text(metadata, "uid")
        names = [
            each.claim
            for each in requests(pod)
            if each.claim
            and (uid, each.claim) not in self._in_vain
            and self.facts(namespace, uid, each.claim) is None
        ]
        for name in names:
            path = object_path(f"{GROUP}/{self._version}", "resourceclaims", namespace)
            found, _ = await self._gateway.collection(path, fieldSelector=f"metadata.name={name}")
            for obj in found:
                self._take_claim(obj)
        if any(self.facts(namespace, uid, name) is None for name in names):
            await self._await(namespace, uid, names, _version(metadata))

    async def _await(self, namespace: str, uid: str, names: list[str], version: int) -> None:
        """Wait for events of claims that are gone: older than the pod's, they are on the way."""
        stream = self.streams.get("resourceclaims")
        end = clock.monotonic() + PATIENCE_SECONDS
        while stream is not None and int(stream.position or 0) < version:
            left = end - clock.monotonic()
            if left <= 0 or all(self.facts(namespace, uid, name) for name in names):
                return
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return

    # --- what the streams bring --------------------------------------------------------------

    def _claim_sink(self) -> Sink:
        async def apply(kind: str, obj: JSON, _: Ms | None) -> None:
            self._take_claim(obj, gone=kind == "DELETED")

        async def resume(objs: list[JSON]) -> None:
            for obj in objs:
                self._take_claim(obj)

        async def relist(objs: list[JSON], _: bool) -> None:
            self._by_name.clear()
            await resume(objs)

        def advance(version: str, watched: Ms) -> None:
            row = CheckpointRow(stream=STREAM, resource_version=version, observed=watched)
            self._ledger.submit([row])

        return Sink(apply=apply, resume=resume, relist=relist, advance=advance, known=lambda: ())

    def _take_claim(self, obj: JSON, *, gone: bool = False) -> None:
        metadata = mapping(obj, "metadata")
        key = text(metadata, "namespace"), text(metadata, "name")
        claim = _Claim(text(metadata, "uid"), allocated(obj))
        if claim.results is not None:
            for pod in _consumers(obj):
                self._held[pod, key[1]] = claim
            while len(self._held) > MOST_HELD:
                self._held.popitem(last=False)
        if gone:
            self._by_name.pop(key, None)
        else:
            self._by_name[key] = claim
        asked = any(name == key[1] for _, name in self._in_vain)
        self._tell(frozenset(), asked=asked and claim.results is not None)

    def _slice_sink(self) -> Sink:
        async def apply(kind: str, obj: JSON, _: Ms | None) -> None:
            nodes = frozenset(self._take_slice(obj, gone=kind == "DELETED"))
            self._tell(nodes, asked=bool(self._in_vain))

        async def relist(objs: list[JSON], _: bool) -> None:
            self._slices.clear()
            self._of_node.clear()
            nodes = frozenset(node for obj in objs for node in self._take_slice(obj))
            self._tell(nodes, asked=bool(self._in_vain))

        async def resume(objs: list[JSON]) -> None:
            await relist(objs, False)

        return Sink(
            apply=apply, resume=resume, relist=relist, advance=lambda *_: None, known=lambda: ()
        )

    def _take_slice(self, obj: JSON, *, gone: bool = False) -> Iterator[str]:
        """Take in a slice; what was once described stays known: claims may still allocate it."""
        name = text(mapping(obj, "metadata"), "name")
        node, before = self._slices.pop(name, ("", ()))
        for key in before:
            self._of_node.get(node, {}).pop(key, None)
        if gone:
            return
        found = devices(obj)
        node = found[0].node if found else ""
        self._slices[name] = node, tuple(device.key for device in found)
        self._devices.update((device.key, device) for device in found)
        while len(self._devices) > MOST_DEVICES:
            self._devices.popitem(last=False)
        if node:
            self._of_node.setdefault(node, {}).update((device.key, device) for device in found)
            yield node

    def _tell(self, nodes: frozenset[str], *, asked: bool = False) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        if nodes or asked:
            self.on_told(nodes)


def _consumers(claim: JSON) -> Iterator[str]:
    """Uids of the pods for which a claim is reserved."""
    for entry in mapping(claim, "status").get("reservedFor") or ():
        if text(entry, "resource") == "pods" and not text(entry, "apiGroup") and text(entry, "uid"):
            yield text(entry, "uid")


def _version(metadata: Mapping[str, Any]) -> int:
    version = text(metadata, "resourceVersion")
    return int(version) if version.isdigit() else 0
