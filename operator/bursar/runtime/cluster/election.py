"""One of several replicas leads: whoever holds the Lease runs, the others stand by.

The Lease decides who works, not what is true: two that both think they lead cannot count anything
twice, since the ledger takes rows of the newest term only. Losing the Lease ends the process; it
comes back as one that stands by.

The rules are client-go's, by the official client; here is the lock, on the operator's own
connection, with each attempt bounded, so that a slow API server cannot keep somebody leading.
"""

import asyncio
import logging
import socket
from typing import Any, Protocol
from uuid import uuid4

from bursar.domain.time import SECOND, format_time
from bursar.errors import BursarError
from bursar.runtime import clock
from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway, object_path

logger = logging.getLogger(__name__)

LEASE_SECONDS = 15
"""How long a Lease holds without being renewed: who dies is followed after that at the latest."""
RENEW_SECONDS = 10
"""How long a leader tries to renew it before it gives up."""
RETRY_SECONDS = 2
"""Between two attempts, and how long one may take."""
LEADER = "bursar.dev/leader"
"""Label of the Pod that leads: the Service selects by it where there are several."""


class Lost(BursarError):  # noqa: N818 - named after what happened
    """The Lease could not be renewed in time: somebody else may lead now."""


class _Record(Protocol):
    holder_identity: str | None
    lease_duration: str | None
    acquire_time: str | None
    renew_time: str | None


class Lock:
    """A Lease, as the official client's election wants a lock.

    Attributes:
        holder: who holds it, as far as was seen.
    """

    def __init__(self, gateway: Gateway, namespace: str, name: str, identity: str) -> None:
        self._gateway = gateway
        self._path = object_path("coordination.k8s.io/v1", "leases", namespace)
        self._seen: JSON = {}
        self.namespace = namespace
        self.name = name
        self.identity = identity

    @property
    def holder(self) -> str:
        """Who holds it; empty: nobody."""
        return str((self._seen.get("spec") or {}).get("holderIdentity") or "")

    async def get(self, name: str, _namespace: str) -> tuple[bool, Any]:
        """Read it: (True, record), or (False, the official client's error)."""
        from kubernetes.aio.client.exceptions import ApiException
        from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord

        try:
            async with asyncio.timeout(RETRY_SECONDS):
                self._seen = await self._gateway.get(f"{self._path}/{name}")
        except (ApiError, TimeoutError) as error:
            status = error.status if isinstance(error, ApiError) else 0
            if status != 404:
                self._failed(error)
            answer = ApiException(status=status, reason=str(error) or "no answer in time")
            answer.body = f'{{"code": {status}}}'
            return False, answer
        spec = self._seen.get("spec") or {}
        duration = spec.get("leaseDurationSeconds")
        return True, LeaderElectionRecord(
            spec.get("holderIdentity") or None,
            str(duration) if duration else None,
            spec.get("acquireTime"),
            spec.get("renewTime"),
        )

    async def create(self, name: str, namespace: str, election_record: _Record) -> bool:
        """Make it, ours."""
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": namespace},
            "spec": self._spec(election_record.holder_identity),
        }
        return await self._write(self._gateway.create(self._path, body))

    async def update(self, name: str, _namespace: str, election_record: _Record) -> bool:
        """Renew it, or take it over; not where somebody else did so since it was read."""
        body = {**self._seen, "spec": self._spec(election_record.holder_identity)}
        return await self._write(self._gateway.replace(f"{self._path}/{name}", body))

    async def release(self) -> None:
        """Let it go, so that the next need not wait for its end."""
        if self.holder == self.identity:
            body = {**self._seen, "spec": self._spec("")}
            await self._write(self._gateway.replace(f"{self._path}/{self.name}", body))

    def _spec(self, holder: str | None) -> JSON:
        spec = self._seen.get("spec") or {}
        ours = spec.get("holderIdentity") == holder
        return {
            "holderIdentity": holder or "",
            "leaseDurationSeconds": LEASE_SECONDS if holder else 1,
            "acquireTime": spec.get("acquireTime") if ours else _micro_time(),
            "renewTime": _micro_time(),
            "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (not ours),
        }

    async def _write(self, write: Any) -> bool:
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                self._seen = await write
        except (ApiError, TimeoutError) as error:
            self._failed(error)
            return False
        return True

    def _failed(self, error: Exception) -> None:
        said = str(error) or "no answer in time"
        logger.warning("lease=%s/%s %s", self.namespace, self.name, said)


class Election:
    """This process as a candidate."""

    def __init__(self, gateway: Gateway, namespace: str, name: str, pod: str) -> None:
        from kubernetes.aio.leaderelection.electionconfig import Config
        from kubernetes.aio.leaderelection.leaderelection import LeaderElection

        # A container that is started anew in the same Pod is another candidate.
        identity = f"{pod or socket.gethostname()}_{uuid4()}"
        self.lock = Lock(gateway, namespace, name, identity)
        self._gateway = gateway
        self._pod = object_path("v1", "pods", namespace, pod) if pod else ""
        logging.getLogger("kubernetes.aio.leaderelection").setLevel(logging.CRITICAL)
        self._election = LeaderElection(
            Config(
                self.lock,
                lease_duration=LEASE_SECONDS,
                renew_deadline=RENEW_SECONDS,
                retry_period=RETRY_SECONDS,
                onstarted_leading=_nothing,
                onstopped_leading=_nothing,
            )
        )

    async def win(self) -> None:
        """Wait until this process leads, and mark its Pod."""
        await self._mark(None)
        await self._election.acquire()
        logger.info("leading=%s", self.lock.identity)
        await self._mark("true")

    async def lead(self) -> None:
        """Go on leading.

        Raises:
            Lost: the Lease is lost. Never returns otherwise.
        """
        await self._election.renew_loop()
        holder = self.lock.holder or "nobody"
        raise Lost(f"the lease {self.lock.name} could not be renewed ({holder} holds it now)")

    async def resign(self) -> None:
        """Let the next one begin at once."""
        await self._mark(None)
        await self.lock.release()

    async def _mark(self, value: str | None) -> None:
        """Set or take away the label by which the Service finds who leads."""
        if not self._pod:
            return
        try:
            await self._gateway.merge(self._pod, {"metadata": {"labels": {LEADER: value}}})
        except ApiError as error:
            logger.warning("leader label of %s: %s", self._pod, error)


async def _nothing() -> None:
    """No callback: whoever wins goes on by itself."""


def _micro_time() -> str:
    now = clock.now()
    return f"{format_time(now).removesuffix('Z')}.{now % SECOND:03d}000Z"
