"""Asks when a node's machine was gone: its Lease, Events, and what the ledger last knew of it.

It only fetches; `meter.machines` decides. A Lease goes with its node, so it is read at once.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence

from bursar.domain.fields import mapping, text
from bursar.domain.time import Ms, parse_time
from bursar.domain.usage import End
from bursar.domain.workload import NodeFacts
from bursar.domain.world import World
from bursar.meter import events, machines
from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway, object_path
from bursar.runtime.cluster.owners import OBJECT_NAME
from bursar.runtime.ledger import Ledger
from bursar.runtime.witness.events import Events

logger = logging.getLogger(__name__)

NAMESPACE = "kube-node-lease"
FORBIDDEN, MISSING = 403, 404
_PROBE = "bursar-probe"


class Machines:
    """Who can tell when a node ended."""

    def __init__(self, gateway: Gateway, world: World, ledger: Ledger, heard: Events) -> None:
        self._gateway = gateway
        self._world = world
        self._ledger = ledger
        self._events = heard
        self._told = False

    async def probe(self) -> None:
        """Look whether Leases may be read: it would be too late when a node is gone."""
        await self._renewal(_PROBE, "")

    async def of_event(
        self, obj: JSON, now: Ms, *, deleted: bool, missed_since: Ms | None = None
    ) -> End | None:
        """When a node ended of which a state was seen; None where it goes on, or was seen to go.

        Args:
            obj: its state.
            now: milliseconds since the epoch.
            deleted: whether it is gone from the API.
            missed_since: where its deletion is replayed, until when somebody watched (ms).
        """
        facts = self._world.nodes.get(text(mapping(obj, "metadata"), "uid"))
        if facts is None or facts.until is not None:
            return None
        off = machines.is_off(obj) or (deleted and machines.is_silent(obj))
        if off:
            renewal = await self._renewal(facts.name, facts.uid)
            sign = machines.last_sign(obj, renewal)
            if sign is not None:
                return machines.silenced(sign, facts.created, now)
        if not deleted or missed_since is None:
            return None
        known = max(self._ledger.reader.node_heartbeats().get(facts.uid, 0), missed_since)
        return await self._vanished(facts, known, now, {})

    async def of_list(self, objs: Sequence[JSON], now: Ms, since: Ms | None) -> dict[str, End]:
        """When nodes ended that a list shows to be off, or does not show any more.

        Args:
            objs: all nodes there are.
            now: milliseconds since the epoch.
            since: until when somebody watched (ms); None: nobody did.
        """
        there = {text(mapping(obj, "metadata"), "uid"): obj for obj in objs}
        ends: dict[str, End] = {}
        for uid, obj in there.items():
            end = await self.of_event(obj, now, deleted=False) if machines.is_off(obj) else None
            if end is not None:
                ends[uid] = end
        gone = [
            facts
            for uid, facts in self._world.nodes.items()
            if facts.until is None and uid not in there
        ]
        if gone:
            self._ledger.submit([]).result(20.0)
            known = self._ledger.reader.node_heartbeats()
            made = _made(objs)
            for facts in gone:
                low = max(known.get(facts.uid, 0), since or 0)
                ends[facts.uid] = await self._vanished(facts, low, now, made)
        return ends

    async def _vanished(self, facts: NodeFacts, known: Ms, now: Ms, made: Mapping[str, Ms]) -> End:
        heard = await self._events.hear(now, fresh=False)
        names = (facts.uid, facts.name, "")
        told = [said for said in heard.of_node(facts.name) if said.uid in names]
        namesake = made.get(facts.name)
        if namesake is not None and namesake < facts.created:
            namesake = None
        return machines.vanished(facts.created, known, now, events.of_removal(told), namesake)

    async def _renewal(self, name: str, uid: str) -> Ms | None:
        """When the Lease of this very node was renewed last."""
        if not OBJECT_NAME.fullmatch(name):
            return None
        path = object_path("coordination.k8s.io/v1", "leases", NAMESPACE, name)
        try:
            lease = await self._gateway.get(path)
        except ApiError as error:
            if error.status != MISSING and not (error.status == FORBIDDEN and self._told):
                self._told = self._told or error.status == FORBIDDEN
                logger.warning(
                    "witness=leases cannot be read: %s; a node's end is estimated without it", error
                )
            return None
        return parse_time(mapping(lease, "spec").get("renewTime")) if _is_of(lease, uid) else None


def _is_of(lease: JSON, uid: str) -> bool:
    references = mapping(lease, "metadata").get("ownerReferences")
    owners = {text(each, "uid") for each in (references if isinstance(references, list) else ())}
    return not owners or uid in owners


def _made(objs: Iterable[JSON]) -> dict[str, Ms]:
    made = {}
    for obj in objs:
        meta = mapping(obj, "metadata")
        made[text(meta, "name")] = parse_time(meta.get("creationTimestamp")) or 0
    return made
