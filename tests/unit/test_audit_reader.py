"""`bursar audit`: what an API server refuses, forgets or breaks is noted, and the rest is read."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from bursar.cli.audit.reader import AT_ONCE, RELISTS, Reader
from bursar.cli.audit.where import NotReadable, Where
from bursar.runtime.cluster.gateway import JSON, ApiError, Credentials, Gateway
from bursar.runtime.cluster.owners import Owners

POD = {
    "metadata": {
        "namespace": "vision",
        "ownerReferences": [
            {"controller": True, "kind": "Job", "apiVersion": "batch/v1", "name": "j", "uid": "u"}
        ],
    }
}


class Answers:
    """A session whose answers fail with these statuses, one after another, and then are whole."""

    def __init__(self, *script: int) -> None:
        self.script = list(script)
        self.requests: Counter[tuple[str, str, int]] = Counter()

    async def pages(self, path: str, **_: str) -> AsyncIterator[list[JSON]]:
        yield [{"n": 1}]
        self._fail(path)
        yield [{"n": 2}]

    async def find(self, path: str) -> JSON | None:
        self._fail(path)
        return None

    def _fail(self, path: str) -> None:
        if self.script:
            raise ApiError(self.script.pop(0), "GET", path, "so it is")


def reader(*script: int) -> tuple[Reader, list[tuple[str, int, int | None]]]:
    told: list[tuple[str, int, int | None]] = []
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    where = Where(
        credentials=Credentials(server="https://c.example", ssl_context=tls),
        context="here",
        namespace="default",
    )
    gateway = cast("Gateway", Answers(*script))
    return Reader(gateway, where, lambda *what: told.append(what)), told


async def test_a_list_that_the_server_forgot_is_read_anew_and_each_object_once() -> None:
    found, _ = reader(410)
    assert await found.listing("nodes", "/api/v1/nodes", "x") == [{"n": 1}, {"n": 2}]
    assert found.gaps == []


@pytest.mark.parametrize(
    ("script", "gap"),
    [
        ([403], ("nodes", "forbidden", "so be it")),
        ([500], ("nodes", "error 500", "so be it")),
        ([410] * RELISTS, ("nodes", "error 410", "so be it")),
    ],
    ids=["it may not be read", "the server fails", "it never comes to its end"],
)
async def test_a_list_that_cannot_be_read_is_a_gap(
    script: list[int], gap: tuple[str, str, str]
) -> None:
    found, _ = reader(*script)
    assert await found.listing("nodes", "/api/v1/nodes", "so be it") is None
    assert [(each.what, each.why, each.so) for each in found.gaps] == [gap]


async def test_a_list_that_is_not_served_is_empty_and_no_gap() -> None:
    found, _ = reader(404)
    assert await found.listing("nodes", "/api/v1/nodes", "x") == []
    assert found.gaps == []


@pytest.mark.parametrize(
    ("status", "said"),
    [(0, "can't be reached"), (401, "does not know who you are")],
    ids=["nobody answers any more", "the user is not known any more"],
)
async def test_what_concerns_all_requests_ends_the_audit(status: int, said: str) -> None:
    found, _ = reader(status)
    with pytest.raises(NotReadable, match=said):
        await found.listing("nodes", "/api/v1/nodes", "x")


async def test_an_owner_that_fails_is_known_by_its_reference_and_said_once() -> None:
    found, _ = reader(500, 503)
    owners = Owners(found.gateway, found.owner_failed)
    for _ in range(2):
        (owner,) = await found.above(owners, POD)
        assert (owner.kind, owner.namespace, owner.name, owner.uid) == ("Job", "vision", "j", "u")
    assert [(each.what, each.why) for each in found.gaps] == [
        ("some owners", "error 500"),
        ("some owners", "error 503"),
    ]


async def test_many_calls_are_answered_in_order_some_at_a_time() -> None:
    found, told = reader()
    under_way = most = 0

    async def call(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return number

    calls: list[Any] = [lambda n=n: call(n) for n in range(100)]
    assert list(await found.all("owners", calls)) == list(range(100))
    assert most == AT_ONCE
    assert told[-1] == ("reading owners", 100, 100)


async def test_the_first_of_many_that_fails_ends_the_others() -> None:
    found, _ = reader()
    begun = 0

    async def call(number: int) -> None:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0)
        raise ApiError(500, "GET", f"/{number}", "")

    with pytest.raises(ApiError):
        await found.all("owners", [lambda n=n: call(n) for n in range(100)])
    assert begun < 100
