"""What is known of claims: by whom they are held, once and for all, and where none are served."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import pytest

from bursar.domain.unknown import Unknown
from bursar.runtime.cluster.claims import Claims
from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway
from bursar.runtime.ledger import Ledger
from support import dra
from support.catalog import tables
from support.runtime import CLUSTER

GROUP = {"versions": [{"version": "v1beta1"}, {"version": "v1"}]}


class Server:
    """Answers reads, and remembers what was listed."""

    def __init__(self, group: JSON | None = GROUP, status: int = 200) -> None:
        self.group = group
        self.status = status
        self.claims: list[JSON] = []
        self.listed: list[tuple[str, dict[str, str]]] = []

    async def find(self, path: str) -> JSON | None:
        return self.group

    async def get(self, path: str, **params: str) -> JSON:
        if self.status >= 400:
            raise ApiError(self.status, "GET", path, "no")
        return {}

    async def collection(self, path: str, **params: str) -> tuple[list[JSON], str]:
        self.listed.append((path, params))
        name = params["fieldSelector"].removeprefix("metadata.name=")
        return [claim for claim in self.claims if claim["metadata"]["name"] == name], "9"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(f"sqlite:///{tmp_path}/ledger.db", CLUSTER)
    yield opened
    opened.close()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def claims(server: Server, ledger: Ledger) -> Claims:
    made = Claims(cast("Gateway", server), ledger, tables())
    await made.find()
    await made.streams["resourceslices"]._sink.relist([dra.slice_of("node")], False)
    return made


def claim(
    name: str = "c", device: str = "gpu-0", *, uid: str = "uid-c", pods: tuple[str, ...] = ()
) -> JSON:
    result = {"request": "gpus", "driver": dra.DRIVER, "pool": "node", "device": device}
    return {
        "metadata": {"name": name, "namespace": "team", "uid": uid, "resourceVersion": "7"},
        "status": {
            "allocation": {"devices": {"results": [result]}},
            "reservedFor": [{"resource": "pods", "name": pod, "uid": pod} for pod in pods],
        },
    }


async def follow(claims: Claims, kind: str, obj: JSON) -> None:
    await claims.streams["resourceclaims"]._sink.apply(kind, obj, None)


def bound(uid: str = "p", name: str = "c", version: str = "8") -> JSON:
    metadata = {"name": uid, "namespace": "team", "uid": uid, "resourceVersion": version}
    entry = {"name": "gpu", "resourceClaimName": name}
    return {"metadata": metadata, "spec": {"nodeName": "node", "resourceClaims": [entry]}}


def held(claims: Claims, pod: str = "p", name: str = "c") -> Any:
    found = claims.facts("team", pod, name)
    return None if found is None else (found.uid, found.devices["gpus"])


async def test_the_newest_version_that_is_served_is_followed(claims: Claims) -> None:
    assert list(claims.streams) == ["resourceslices", "resourceclaims"]
    paths = {stream._path for stream in claims.streams.values()}
    assert paths == {f"/apis/resource.k8s.io/v1/{plural}" for plural in claims.streams}


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(Server(group=None), id="not served"),
        pytest.param(Server(group={"versions": [{"version": "v9"}]}), id="served as nothing known"),
        pytest.param(Server(status=403), id="may not be listed"),
    ],
)
async def test_where_claims_are_not_to_be_had_none_is_known(server: Server, ledger: Ledger) -> None:
    made = Claims(cast("Gateway", server), ledger, tables())
    await made.find()
    assert made.streams == {}
    await made.learn(bound())
    assert server.listed == []
    assert held(made) is None


async def test_another_error_is_not_taken_for_an_answer(ledger: Ledger) -> None:
    made = Claims(cast("Gateway", Server(status=500)), ledger, tables())
    with pytest.raises(ApiError):
        await made.find()


async def test_a_pod_has_what_its_claim_allocated_whatever_becomes_of_it(claims: Claims) -> None:
    await follow(claims, "ADDED", claim(pods=("p",)))
    await follow(claims, "MODIFIED", {**claim(), "status": {}})
    await follow(claims, "DELETED", {**claim(), "status": {}})
    assert held(claims) == ("uid-c", 1)


async def test_a_name_that_is_used_again_is_another_claim(claims: Claims) -> None:
    await follow(claims, "ADDED", claim(uid="first", pods=("p",)))
    await follow(claims, "DELETED", claim(uid="first"))
    again = claim(uid="second", device="gpu-3-mig-1g-10gb-4", pods=("q",))
    await follow(claims, "ADDED", again)
    assert held(claims, "p") == ("first", 1)
    assert held(claims, "q") == ("second", (Fraction(1, 7) + Fraction(1, 8)) / 2)


async def test_a_bound_pods_claim_is_read_where_the_stream_has_not_brought_it(
    claims: Claims, server: Server
) -> None:
    server.claims.append(claim(pods=("p",)))
    await claims.learn(bound())
    assert held(claims) == ("uid-c", 1)
    assert server.listed == [
        (
            "/apis/resource.k8s.io/v1/namespaces/team/resourceclaims",
            {"fieldSelector": "metadata.name=c"},
        )
    ]
    await claims.learn(bound())
    assert len(server.listed) == 1


async def test_a_claim_that_is_gone_is_asked_for_once_and_not_waited_for_in_vain(
    claims: Claims, server: Server
) -> None:
    claims.streams["resourceclaims"].position = "9"  # past the pod's own version: all has come
    for _ in range(3):
        await claims.learn(bound())
    assert len(server.listed) == 1
    assert held(claims) is None


async def test_who_asked_in_vain_is_told_later(claims: Claims) -> None:
    told: list[frozenset[str]] = []
    claims.on_told = told.append
    assert held(claims) is None
    await follow(claims, "ADDED", claim(pods=("p",)))
    assert told == [frozenset()]
    assert held(claims) == ("uid-c", 1)
    claims.forget("p")
    await follow(claims, "ADDED", claim("other"))
    assert len(told) == 1


async def test_slices_tell_of_nodes_and_stay_known_for_claims(claims: Claims) -> None:
    told: list[frozenset[str]] = []
    claims.on_told = told.append
    sink = claims.streams["resourceslices"]._sink
    assert len(list(claims.published("node"))) == 5
    await sink.apply("ADDED", dra.slice_of("other"), None)
    assert told == [frozenset({"other"})]
    await sink.apply("DELETED", dra.slice_of("node"), None)
    assert list(claims.published("node")) == []
    await follow(claims, "ADDED", claim(pods=("p",)))
    assert held(claims) == ("uid-c", 1)


async def test_a_device_that_no_slice_describes_is_unknown(claims: Claims) -> None:
    await follow(claims, "ADDED", claim(device="gpu-9", pods=("p",)))
    assert isinstance(held(claims)[1], Unknown)
