"""Of several replicas one leads, by a Lease on a real API server, and another follows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bursar.runtime.cluster import election
from bursar.runtime.cluster.election import Election, Lost
from bursar.runtime.cluster.gateway import Gateway, object_path
from support.cluster import Sandbox
from support.replicas import as_operator, elector

pytestmark = pytest.mark.cluster
LEASES = "coordination.k8s.io/v1"


@pytest.fixture
async def gateway(sandbox: Sandbox) -> AsyncIterator[Gateway]:
    made = await Gateway.connect(sandbox.kubeconfig)
    yield made
    await made.close()


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases that end soon."""
    monkeypatch.setattr(election, "LEASE_SECONDS", 4)
    monkeypatch.setattr(election, "RENEW_SECONDS", 3)
    monkeypatch.setattr(election, "RETRY_SECONDS", 1)


async def holder(gateway: Gateway, namespace: str) -> str:
    lease = await gateway.get(object_path(LEASES, "leases", namespace, "bursar"))
    return str(lease["spec"]["holderIdentity"])


async def wins(candidate: Election, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await candidate.win()
    except TimeoutError:
        return False
    return True


@pytest.mark.usefixtures("brief")
async def test_one_leads_and_the_other_waits_until_it_resigns(
    gateway: Gateway, namespace: str
) -> None:
    first, second = (Election(gateway, namespace, "bursar", "") for _ in range(2))
    assert await wins(first, 30)
    leading = asyncio.create_task(first.lead())
    assert not await wins(second, 6)  # longer than a Lease lasts: it is renewed
    assert not leading.done()
    assert await holder(gateway, namespace) == first.lock.identity
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
    await first.resign()
    assert await holder(gateway, namespace) == ""
    assert await wins(second, 30)
    assert await holder(gateway, namespace) == second.lock.identity


@pytest.mark.usefixtures("brief")
async def test_who_dies_is_followed_and_learns_that_it_was_deposed(
    gateway: Gateway, namespace: str
) -> None:
    first, second = (Election(gateway, namespace, "bursar", "") for _ in range(2))
    assert await wins(first, 30)  # and never renews it
    assert await wins(second, 30)
    ruling = asyncio.create_task(second.lead())
    with pytest.raises(Lost, match=second.lock.identity):
        async with asyncio.timeout(30):
            await first.lead()
    assert await holder(gateway, namespace) == second.lock.identity
    lease = await gateway.get(object_path(LEASES, "leases", namespace, "bursar"))
    assert lease["spec"]["leaseTransitions"] == 2
    assert not ruling.done()
    ruling.cancel()
    await asyncio.gather(ruling, return_exceptions=True)


@pytest.mark.usefixtures("brief")
async def test_who_cannot_renew_in_time_stops_leading(
    gateway: Gateway, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = Election(gateway, namespace, "bursar", "")
    assert await wins(only, 30)

    async def hangs(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(gateway, "get", hangs)  # an API server that takes and never answers
    with pytest.raises(Lost, match="could not be renewed"):
        async with asyncio.timeout(30):
            await only.lead()


async def test_the_pod_that_leads_is_marked_and_no_other(
    sandbox: Sandbox, namespace: str, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        sandbox.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"containers": [{"name": "main", "image": "bursar"}]},
            }
        )
    sandbox.apply(*elector(namespace))
    gateway = await Gateway.connect(as_operator(sandbox, tmp_path / "kubeconfig"))
    marked = ("pods", "-n", namespace, "-l", f"{election.LEADER}=true", "-o", "name")
    first = Election(gateway, namespace, "bursar", "one")
    second = Election(gateway, namespace, "bursar", "two")
    try:
        assert await wins(first, 30)
        assert sandbox.kubectl("get", *marked).stdout.split() == ["pod/one"]
        await first.resign()
        assert await wins(second, 30)
        assert sandbox.kubectl("get", *marked).stdout.split() == ["pod/two"]
    finally:
        await gateway.close()
