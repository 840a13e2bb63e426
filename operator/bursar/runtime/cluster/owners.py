"""Who made a pod: the walk from a pod to its top owner, by reads that are remembered.

Only metadata is needed, and a pod's owners do not change, so each owner is read once. What cannot
be read (its kind is not in our rights, or it is gone) still counts by what the reference says.

Whoever creates a pod writes its references, and the API server checks no name in them: one that no
object can have is never made part of an address, and no answer about one owner stops all the rest.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping

from bursar.domain.kinds import find_kind
from bursar.domain.workload import Owner
from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway, object_path

DEEPEST = 6
REMEMBERED = 20_000
OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
BROKEN = 500
PASSING = (0, 401, 429)
"""Answers that are about the API server or us, and not about the owner: asked again later."""
_Key = tuple[str, str, str, str, str]


class Owners:
    """Answers who is above an object.

    Args:
        gateway: reads the owners.
        failed: told of an answer because of which an owner counts by its reference alone.
    """

    def __init__(
        self, gateway: Gateway, failed: Callable[[ApiError], None] = lambda error: None
    ) -> None:
        self._gateway = gateway
        self._failed = failed
        self._seen: OrderedDict[_Key, tuple[Owner, JSON | None]] = OrderedDict()

    async def above(self, obj: JSON) -> tuple[Owner, ...]:
        """Controllers above an object, nearest first; empty for a bare pod."""
        chain: list[Owner] = []
        namespace = str((obj.get("metadata") or {}).get("namespace", ""))
        reference = controller_of(obj)
        while reference is not None and len(chain) < DEEPEST:
            owner, reference = await self._read(namespace, reference)
            chain.append(owner)
        return tuple(chain)

    def learn(self, obj: JSON) -> None:
        """Remember an owner that came by another way (the watch of Jobs)."""
        metadata = obj.get("metadata") or {}
        owner = _owner(
            str(metadata.get("namespace", "")),
            {
                "apiVersion": obj.get("apiVersion"),
                "kind": obj.get("kind"),
                "name": metadata.get("name"),
                "uid": metadata.get("uid"),
            },
            metadata,
        )
        self._remember(owner, controller_of(obj))

    async def _read(self, namespace: str, reference: JSON) -> tuple[Owner, JSON | None]:
        claimed = _owner(namespace, reference, {})
        known = self._seen.get(_key(claimed))
        if known is not None:
            return known
        try:
            found = await self._find(claimed)
        except ApiError as error:
            if error.status in PASSING:
                raise
            self._failed(error)
            if error.status >= BROKEN:
                return claimed, None  # not remembered: it may be over with the next pod
            found = None
        metadata = (found or {}).get("metadata") or {}
        if metadata.get("uid") != claimed.uid:
            return self._remember(claimed, None)
        return self._remember(_owner(namespace, reference, metadata), controller_of(found or {}))

    async def _find(self, owner: Owner) -> JSON | None:
        row = find_kind(owner.api_version, owner.kind)
        if row is None or not OBJECT_NAME.fullmatch(owner.name):
            return None
        path = object_path(owner.api_version, row.plural, owner.namespace, owner.name)
        return await self._gateway.find(path)

    def _remember(self, owner: Owner, above: JSON | None) -> tuple[Owner, JSON | None]:
        self._seen[_key(owner)] = (owner, above)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return owner, above


def _key(owner: Owner) -> _Key:
    """All that a reference says: its uid alone is what anybody could write on a pod of his own."""
    return owner.namespace, owner.api_version, owner.kind, owner.name, owner.uid


def controller_of(obj: JSON) -> JSON | None:
    """The reference to the controller of an object, None where nothing controls it."""
    references = (obj.get("metadata") or {}).get("ownerReferences")
    for reference in references if isinstance(references, list) else ():
        if isinstance(reference, dict) and reference.get("controller"):
            return reference
    return None


def _owner(namespace: str, reference: Mapping[str, object], metadata: JSON) -> Owner:
    labels = metadata.get("labels")
    return Owner(
        api_version=str(reference.get("apiVersion", "")),
        kind=str(reference.get("kind", "")),
        namespace=namespace,
        name=str(reference.get("name", "")),
        uid=str(reference.get("uid", "")),
        labels=labels if isinstance(labels, dict) else {},
    )
