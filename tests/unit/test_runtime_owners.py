"""Who is above a pod: owners are read once, and nobody's reference changes another's answer."""

from typing import Any, cast

import pytest

from bursar.runtime.gateway import JSON, Gateway
from bursar.runtime.owners import Owners

JOB_PATH = "/apis/batch/v1/namespaces/vision/jobs/train"


class Objects:
    """Answers reads from a table, and counts them."""

    def __init__(self, **objects: JSON) -> None:
        self.reads: list[str] = []
        self._objects = objects

    async def find(self, path: str) -> JSON | None:
        self.reads.append(path)
        return self._objects["train"] if path == JOB_PATH else None


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
