"""Asks all witnesses of what nobody saw: Events first, then Jobs, in few requests for any number.

It only fetches. What a testimony is worth is `meter.witness`' to decide, and what becomes of an
account is the accounts'.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from bursar.api.meta import LABEL_ACCELERATED
from bursar.domain.fields import mapping
from bursar.domain.time import SECOND, Ms
from bursar.domain.workload import Owner
from bursar.meter import events
from bursar.meter.events import Said
from bursar.meter.witness import Testimony
from bursar.recognize.request import requests
from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway, object_path
from bursar.runtime.witness import jobs as jobs_
from bursar.runtime.witness.births import Births, in_gap
from bursar.runtime.witness.events import Events, Heard
from bursar.runtime.witness.evidence import Born, Evidence, Lost
from bursar.runtime.witness.jobs import Jobs

logger = logging.getLogger(__name__)

PODS = object_path("v1", "pods")
UNSTAMPED = f"{LABEL_ACCELERATED}!=true"
"""Pods on no list of accelerated ones: they may be there all the same."""
Above = Callable[[JSON], Awaitable[tuple[Owner, ...]]]


class Witnesses:
    """Who can tell of a time in which nobody watched.

    Args:
        gateway: asks the API server.
        above: the controllers above an object.
        accelerated: names of the nodes that have accelerators, or had.

    Attributes:
        untold: pods seen in Events of which nothing told what they held, so far.
    """

    def __init__(
        self, gateway: Gateway, above: Above, accelerated: Callable[[], Collection[str]]
    ) -> None:
        self._gateway = gateway
        self._above = above
        self._accelerated = accelerated
        self.events = Events(gateway)
        self.untold = 0

    async def after_gap(
        self, lost: Sequence[Lost], since: Ms, now: Ms, known: Callable[[Collection[str]], set[str]]
    ) -> Evidence:
        """Ask of everything that may have happened in a gap.

        Args:
            lost: pods that were open and are gone.
            since: until when somebody watched (ms).
            now: milliseconds since the epoch.
            known: of some uids, those of pods that are known, ended ones included.
        """
        heard = await self.events.hear(now)
        jobs = await jobs_.read(self._gateway)
        told = {pod.uid: _testimonies(pod, heard, jobs) for pod in lost}
        born, untold = await self._born(heard, jobs, (since, now), known)
        self.untold += untold
        if untold:
            logger.warning(
                "untold=%d pods came and went unseen, and nothing tells what they held", untold
            )
        return Evidence(heard=told, born=tuple(born), untold=untold)

    async def of_deleted(self, pod: Lost, now: Ms) -> tuple[Testimony, ...]:
        """Ask of one pod whose deletion is replayed."""
        heard = await self.events.hear(now, fresh=False)
        return _testimonies(pod, heard, Jobs())

    async def _born(
        self,
        heard: Heard,
        jobs: Jobs,
        gap: tuple[Ms, Ms],
        known: Callable[[Collection[str]], set[str]],
    ) -> tuple[list[Born], int]:
        strangers = await self._strangers(heard, gap, known)
        births = Births(self._gateway, heard, jobs)
        await births.read_owners(strangers)
        found: list[Born] = []
        untold = 0
        for said in sorted(strangers, key=lambda each: (each.first, each.uid)):
            node = events.assigned(said) or ""
            built = births.rebuild(said, node)
            if built is None:
                untold += 1
                continue
            obj, doubt = built
            if requests(obj):
                found.append(await self._told(said, obj, doubt, (heard, jobs)))
        return found, untold

    async def _strangers(
        self, heard: Heard, gap: tuple[Ms, Ms], known: Callable[[Collection[str]], set[str]]
    ) -> list[Said]:
        """Pods that were given an accelerated node in a gap, are not known, and are gone."""
        nodes = self._accelerated()
        seen = {
            said.uid: said
            for said in heard.scheduled()
            if in_gap(said, *gap) and events.assigned(said) in nodes
        }
        rest = seen.keys() - known(seen.keys())
        if rest:
            try:
                async for page in self._gateway.pages(PODS, labelSelector=UNSTAMPED):
                    rest -= {str(mapping(pod, "metadata").get("uid")) for pod in page}
            except ApiError as error:  # who may still be there is not told as gone
                logger.warning("witness=pods cannot be listed: %s", error)
                return []
        return [seen[uid] for uid in rest]

    async def _told(self, said: Said, obj: JSON, doubt: str, asked: tuple[Heard, Jobs]) -> Born:
        grace = mapping(obj, "spec").get("terminationGracePeriodSeconds")
        owner = obj["metadata"]["ownerReferences"][0]["uid"]
        pod = Lost(
            uid=said.uid,
            namespace=said.namespace,
            name=said.name,
            owner=owner,
            known=said.first,
            grace=grace * SECOND if isinstance(grace, int) else None,
        )
        return Born(
            obj=obj, owners=await self._above(obj), doubt=doubt, heard=_testimonies(pod, *asked)
        )


def _testimonies(pod: Lost, heard: Heard, jobs: Jobs) -> tuple[Testimony, ...]:
    maker = heard.made.get((pod.namespace, pod.name))
    owners = dict.fromkeys(uid for uid in (maker.uid if maker else "", pod.owner) if uid)
    completed = [heard.completed[uid] for uid in owners if uid in heard.completed]
    return (
        *events.of_pod(heard.of_pod(pod.uid), pod.grace),
        *events.of_controller(heard.deletions(pod.namespace, pod.name), pod.known, pod.grace),
        *(each for uid in owners for each in jobs.ends(uid, pod.grace)),
        *(events.of_completion(said) for said in completed),
    )
