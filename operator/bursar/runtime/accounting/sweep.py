"""Finds pods that ask for accelerators and were never stamped, and labels them.

What ran before the installation, and what slipped in while the policies were away, is on no watch:
the watches select by label. A list in chunks at the start, and again now and then, catches it.
"""

import logging
from collections.abc import Collection

from bursar import pipeline
from bursar.api.meta import LABEL_ACCELERATED
from bursar.domain.time import Ms
from bursar.pipeline import Sighting
from bursar.recognize.request import requests
from bursar.runtime.accounting.accounts import Accounts
from bursar.runtime.cluster.executor import Executor
from bursar.runtime.cluster.gateway import JSON, Gateway, object_path
from bursar.runtime.cluster.owners import Owners

logger = logging.getLogger(__name__)

UNSTAMPED = f"{LABEL_ACCELERATED}!=true"
OVER = ("Succeeded", "Failed")


class Sweep:
    """The list of what the watches cannot see.

    Attributes:
        found: unstamped pods met after the first sweep: none are expected.
    """

    def __init__(
        self,
        gateway: Gateway,
        owners: Owners,
        accounts: Accounts,
        executor: Executor,
        further: Collection[str] = (),
    ) -> None:
        self._gateway = gateway
        self._owners = owners
        self._accounts = accounts
        self._executor = executor
        self._further = further
        self._first = True
        self.found = 0

    async def run(self, now: Ms) -> None:
        """Label every such pod that is not over; the watch then brings it like any other."""
        labelled = 0
        path = object_path("v1", "pods")
        async for page in self._gateway.pages(path, labelSelector=UNSTAMPED):
            for pod in page:
                over = (pod.get("status") or {}).get("phase") in OVER
                if not over and requests(pod, self._further):
                    labelled += await self._label(pod, now)
        if labelled:
            logger.warning("unstamped=%d pods that no policy had stamped", labelled)
        if not self._first:
            self.found += labelled
        self._first = False

    async def _label(self, pod: JSON, now: Ms) -> bool:
        owners = await self._owners.above(pod)
        judged = self._accounts.look(pod, owners, Sighting(now=now))
        label = pipeline.correction(pod, judged)
        return label is not None and await self._executor.execute(label, now)
