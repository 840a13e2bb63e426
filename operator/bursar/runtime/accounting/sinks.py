"""What the streams that money depends on bring, taken to the accounts, with what witnesses know.

A witness is asked only of what nobody saw: never while a watch is live.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from prometheus_client import Histogram

from bursar import meter, pipeline
from bursar.api.meta import LABEL_ACCELERATED
from bursar.domain.action import Action
from bursar.domain.fields import mapping
from bursar.domain.time import SECOND, Ms, parse_time
from bursar.domain.usage import Basis
from bursar.domain.world import PodAccount, World
from bursar.errors import BursarError
from bursar.meter import Testimony
from bursar.pipeline import Sighting
from bursar.recognize.request import requests
from bursar.runtime import clock
from bursar.runtime.accounting.accounts import NOTHING, Accounts
from bursar.runtime.accounting.nodes import Nodes
from bursar.runtime.budgeting.observed import Observed
from bursar.runtime.cluster.claims import Claims
from bursar.runtime.cluster.executor import Executor
from bursar.runtime.cluster.gateway import JSON, Gateway
from bursar.runtime.cluster.owners import Owners
from bursar.runtime.cluster.stream import Sink
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import CheckpointRow
from bursar.runtime.witness import Evidence, Lost, Machines, Witnesses

logger = logging.getLogger(__name__)

Apply = Callable[[str, JSON, Ms | None], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sinks:
    """Takes the streams of nodes and of pods.

    Attributes:
        observed: says what would be refused; None where verdicts are enforced.
        errors: objects that could not be applied, by stream.
        wake: called after each change that may change a verdict.
        lag: told how long after its change an event was applied (s).
        claims: read where a pod's devices are told by them.
        further: resource names that the installation says are accelerators, too.
    """

    ledger: Ledger
    world: World
    nodes: Nodes
    accounts: Accounts
    owners: Owners
    executor: Executor
    observed: Observed | None
    errors: Counter[str]
    wake: Callable[[], None]
    lag: Histogram | None
    witnesses: Witnesses
    machines: Machines
    claims: Claims
    further: Collection[str] = ()

    @classmethod
    def witnesses_of(
        cls, gateway: Gateway, world: World, ledger: Ledger, owners: Owners
    ) -> tuple[Witnesses, Machines]:
        """Who is asked of what nobody saw."""

        def accelerated() -> set[str]:
            return {facts.name for facts in world.nodes.values()}

        witnesses = Witnesses(gateway, owners.above, accelerated)
        return witnesses, Machines(gateway, world, ledger, witnesses.events)

    def position(self, name: str) -> tuple[str | None, Ms | None]:
        """Where a stream goes on, and until when it was watched; None, None where it begins."""
        row = self.ledger.reader.checkpoint(name)
        return (row.resource_version, row.observed) if row is not None else (None, None)

    # --- nodes -------------------------------------------------------------------------------

    def of_nodes(self) -> Sink:
        """Takes the stream of nodes."""
        guarded = self._guarded("nodes", self._apply_node)

        async def resume(objs: list[JSON]) -> None:
            for obj in objs:
                await guarded("ADDED", obj, None)

        return Sink(
            apply=guarded,
            resume=resume,
            relist=self._list_nodes,
            advance=lambda version, watched: self._advance("nodes", version, watched),
            known=self.nodes.present,
        )

    async def _apply_node(self, kind: str, obj: JSON, missed_since: Ms | None) -> None:
        now, deleted = clock.now(), kind == "DELETED"
        end = await self.machines.of_event(obj, now, deleted=deleted, missed_since=missed_since)
        self.nodes.apply(obj, now, deleted=deleted, end=end)
        self.wake()

    async def _list_nodes(self, objs: list[JSON], _: bool) -> None:
        now = clock.now()
        ends = await self.machines.of_list(objs, now, self.position("nodes")[1])
        self.nodes.relist(objs, now, ends)

    # --- pods --------------------------------------------------------------------------------

    def of_pods(self) -> Sink:
        """Takes the stream of pods that ask for accelerators."""

        async def relist(objs: list[JSON], gap: bool) -> None:
            # Killed before its first checkpoint, a ledger can know pods and no place to go on from.
            await self._list_pods(objs, gap=gap or bool(self.accounts.known()))

        return Sink(
            apply=self._guarded("pods", self._apply_pod),
            resume=lambda objs: self._list_pods(objs, gap=False),
            relist=relist,
            advance=lambda version, watched: self._advance("pods", version, watched),
            known=self.accounts.known,
        )

    async def _list_pods(self, objs: list[JSON], *, gap: bool) -> None:
        now = clock.now()
        ours = [obj for obj in objs if concerns(obj, self.further)]
        owned = [(obj, await self.owners.above(obj)) for obj in ours]
        since, evidence = None, NOTHING
        if gap:
            lost = self.accounts.lost({str(obj["metadata"]["uid"]) for obj, _ in owned})
            since = self.position("pods")[1]
            evidence = await self._evidence(lost, since, now)
        self.accounts.relist(owned, now, gap=gap, since=since, evidence=evidence)
        self.accounts.end_with_nodes(now)

    async def _evidence(self, lost: list[Lost], since: Ms | None, now: Ms) -> Evidence:
        begun = clock.monotonic()
        evidence = await self.witnesses.after_gap(
            lost, now if since is None else since, now, self.accounts.met
        )
        logger.warning(
            "gap=%ds lost=%d born_and_gone=%d untold=%d: asked witnesses for %.1f s",
            (now - (now if since is None else since)) // SECOND,
            len(lost),
            len(evidence.born),
            evidence.untold,
            clock.monotonic() - begun,
        )
        return evidence

    async def _apply_pod(self, kind: str, obj: JSON, missed_since: Ms | None) -> None:
        if not concerns(obj, self.further):
            return
        owners = await self.owners.above(obj)
        await self.claims.learn(obj)
        now, deleted = clock.now(), kind == "DELETED"
        heard: tuple[Testimony, ...] = ()
        if deleted and missed_since is not None:
            heard = await self._heard(obj, missed_since, now)
        sighting = Sighting(now=now, deleted=deleted, watched_since=missed_since, heard=heard)
        new = str(obj["metadata"]["uid"]) not in self.world.pods
        found = self.accounts.apply(obj, owners, sighting)
        self.wake()
        if missed_since is None:
            self._observe_lag(obj, now)
        if new and found is not None and not found.ended and not deleted:
            for action in (pipeline.correction(obj, found), self._would_refuse(found)):
                if action is not None:
                    await self.executor.execute(action, now)

    async def _heard(self, obj: JSON, missed_since: Ms, now: Ms) -> tuple[Testimony, ...]:
        """What witnesses say of a pod whose deletion is replayed, where its own status does not."""
        end = meter.end_of(obj, now)
        if end is None or end.basis is not Basis.OBSERVED:
            return ()
        meta = mapping(obj, "metadata")
        pod = Lost(
            uid=str(meta.get("uid", "")),
            namespace=str(meta.get("namespace", "")),
            name=str(meta.get("name", "")),
            known=missed_since,
            grace=pipeline.grace(obj),
        )
        return await self.witnesses.of_deleted(pod, now)

    def _would_refuse(self, pod: PodAccount) -> Action | None:
        return self.observed.look(pod) if self.observed is not None else None

    # --- both --------------------------------------------------------------------------------

    def _guarded(self, name: str, apply: Apply) -> Apply:
        """One object that cannot be applied must not stop the stream: it is logged and counted."""

        async def guarded(kind: str, obj: JSON, missed_since: Ms | None) -> None:
            try:
                await apply(kind, obj, missed_since)
            except BursarError:
                raise
            except Exception:  # a defect of ours, met on somebody's object: never a crash loop
                self.errors[name] += 1
                metadata = obj.get("metadata") or {}
                logger.exception(
                    "stream=%s object=%s/%s cannot be applied",
                    name,
                    metadata.get("namespace", ""),
                    metadata.get("name", ""),
                )

        return guarded

    def _advance(self, name: str, version: str, watched: Ms) -> None:
        row = CheckpointRow(stream=name, resource_version=version, observed=watched)
        self.ledger.submit([row])

    def _observe_lag(self, obj: JSON, now: Ms) -> None:
        changed = max(
            (
                parse_time(entry.get("time")) or 0
                for entry in obj["metadata"].get("managedFields") or []
            ),
            default=0,
        )
        if self.lag is not None and changed:
            self.lag.observe(max(0, now - changed - SECOND // 2) / SECOND)


def concerns(pod: JSON, further: Collection[str] = ()) -> bool:
    """Whether a pod is one of ours: stamped at birth or, where all pods come, asking by itself."""
    labels = mapping(mapping(pod, "metadata"), "labels")
    return labels.get(LABEL_ACCELERATED) == "true" or bool(requests(pod, further))
