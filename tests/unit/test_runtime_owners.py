"""Who is above a pod: owners are read once, and nobody's reference changes another's answer."""

from typing import Any, cast

import pytest

from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway
from bursar.runtime.cluster.owners import Owners

JOB_PATH = "/apis/batch/v1/namespaces/vision/jobs/train"


class Objects:
    """Answers reads from a table, and counts them."""

    def __init__(self, **objects: JSON | ApiError) -> None:
        self.reads: list[str] = []
        self._objects = objects

    def answer(self, **objects: JSON | ApiError) -> None:
        """From now on other answers."""
        self._objects = objects

    async def find(self, path: str) -> JSON | None:
        self.reads.append(path)
        found = self._objects["train"] if path == JOB_PATH else None
        if isinstance(found, ApiError):
            raise found
        return found


def job(uid: str = "uid-job") -> JSON:
    return {"metadata": {"name": "train", "namespace": "vision", "uid": uid,
                         "labels": {"team": "vision"}}}  # fmt: skip


def pod(namespace: str = "vision", **reference: Any) -> JSON:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "train", "uid": "uid-job",
             "controller": True} | reference  # fmt: skip
    return {"metadata": {"name": "p", "namespace": namespace, "ownerReferences": [owner]}}


async def labels(owners: Owners, obj: JSON) -> dict[str, str]:
    (owner,) = await owners.above(obj)
    return dict(owner.labels)


async def test_an_owner_is_read_once() -> None:
    objects = Objects(train=job())
    owners = Owners(cast("Gateway", objects))
    assert await labels(owners, pod()) == {"team": "vision"}
    assert await labels(owners, pod()) == {"team": "vision"}
    assert objects.reads == [JOB_PATH]


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(pod("stranger"), id="another namespace"),
        pytest.param(pod(name="other"), id="another name"),
        pytest.param(pod(kind="CronJob"), id="another kind"),
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["asked first", "asked second"])
async def test_a_forged_reference_neither_borrows_nor_blanks_an_owner(
    forged: JSON, first: bool
) -> None:
    owners = Owners(cast("Gateway", Objects(train=job())))
    if not first:
        await owners.above(pod())
    assert await labels(owners, forged) == {}
    assert await labels(owners, pod()) == {"team": "vision"}


async def test_an_owner_of_another_life_is_not_taken_for_this_one() -> None:
    owners = Owners(cast("Gateway", Objects(train=job("uid-later"))))
    assert await labels(owners, pod()) == {}


async def test_an_owner_that_came_by_the_watch_is_not_read() -> None:
    objects = Objects()
    owners = Owners(cast("Gateway", objects))
    owners.learn({"apiVersion": "batch/v1", "kind": "Job", **job()})
    assert await labels(owners, pod()) == {"team": "vision"}
    assert not objects.reads


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../../../../../batch/v1/namespaces/vision/jobs/train", id="a way out"),
        pytest.param("../jobs?watch=true", id="a watch that never ends"),
        pytest.param("..", id="the namespace"),
        pytest.param("train/status", id="a subresource"),
        pytest.param("train#", id="a fragment"),
        pytest.param("%2e%2e", id="an escape"),
        pytest.param("", id="nothing"),
        pytest.param("a" * 9000, id="longer than an address may be"),
    ],
)
async def test_a_name_that_no_object_can_have_is_never_part_of_an_address(name: str) -> None:
    objects = Objects(train=job())
    assert await labels(Owners(cast("Gateway", objects)), pod(name=name)) == {}
    assert objects.reads == []


@pytest.mark.parametrize("status", [400, 414, 500, 503])
async def test_an_owner_that_cannot_be_read_does_not_stop_the_watch_of_pods(status: int) -> None:
    broken = Objects(train=ApiError(status, "GET", JOB_PATH, "no"))
    assert await labels(Owners(cast("Gateway", broken)), pod()) == {}


@pytest.mark.parametrize("status", [0, 401, 429])
async def test_an_api_server_that_is_away_is_asked_again(status: int) -> None:
    away = Objects(train=ApiError(status, "GET", JOB_PATH, "no"))
    with pytest.raises(ApiError):
        await labels(Owners(cast("Gateway", away)), pod())


async def test_an_owner_that_was_broken_for_a_moment_is_asked_again_for_the_next_pod() -> None:
    objects = Objects(train=ApiError(503, "GET", JOB_PATH, "no"))
    owners = Owners(cast("Gateway", objects))
    assert await labels(owners, pod()) == {}
    objects.answer(train=job())
    assert await labels(owners, pod()) == {"team": "vision"}
