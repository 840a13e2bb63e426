"""When the operator gives up, and what it does where it lacks a right."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from bursar.domain.action import Mode
from bursar.domain.time import SECOND
from bursar.errors import Deposed
from bursar.runtime.budgeting.jobs import FORBIDDEN_PAUSE
from bursar.runtime.cluster import rights
from bursar.runtime.cluster.gateway import ApiError, Gateway
from bursar.runtime.cluster.stream import Stream
from bursar.runtime.ledger import Ledger
from bursar.runtime.metrics.views import Views
from support.runtime import CLUSTER, T0, Operator, job


async def test_an_operator_whose_ledger_was_taken_over_ends(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    op = Operator.start(path)
    controller = op.controller()
    controller.ledger = Ledger.open(str(path), CLUSTER)
    successor = Ledger.open(str(path), CLUSTER)
    try:
        loop = asyncio.create_task(controller.assess_for_ever())
        with pytest.raises(Deposed):
            await asyncio.wrap_future(controller.ledger.submit([]))
        with pytest.raises(Deposed):
            await asyncio.wait_for(loop, 30)
    finally:
        controller.ledger.close()
        successor.close()


class Api:
    """An API server that forbids some collections, as long as it is told to."""

    def __init__(self, *forbidden: str) -> None:
        self.forbidden = set(forbidden)
        self.asked = asyncio.Event()

    async def collection(self, path: str) -> tuple[list[Any], str]:
        plural = path.rsplit("/", 1)[-1]
        if plural in self.forbidden:
            self.asked.set()
            said = f'{plural}.bursar.dev is forbidden: cannot list resource "{plural}"'
            raise ApiError(403, "GET", path, said, "Forbidden")
        return [], "1"

    async def find(self, path: str) -> None:
        return None


async def test_without_a_right_it_waits_and_says_which_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rights, "RETRY_SECONDS", 0.01)
    op = Operator.start(tmp_path / "ledger.db")
    controller, api = op.controller(), Api("budgetverdicts")
    controller.gateway = cast("Gateway", api)
    loading = asyncio.create_task(controller.load())
    await asyncio.wait_for(api.asked.wait(), 10)
    said = Views(controller, "USD", "2026-07-20").readiness()["rights"]
    assert "may not list budgetverdicts" in said
    assert "helm upgrade" in said
    assert not loading.done()
    (line,) = {record.getMessage() for record in caplog.records}
    assert line.startswith("rights=missing may not list budgetverdicts")
    api.forbidden.clear()
    await asyncio.wait_for(loading, 10)
    assert controller.missing == {}
    op.close()


async def test_a_watch_that_cannot_begin_says_why_it_is_not_ready(tmp_path: Path) -> None:
    op = Operator.start(tmp_path / "ledger.db")
    controller = op.controller()
    stream = Stream(controller.gateway, "/api/v1/pods", "", controller.pod_sink())
    controller.streams = {"pods": stream}
    shown = Views(controller, "USD", "2026-07-20")
    assert shown.readiness()["pods"] == "the watch has not caught up yet"
    stream.trouble = "GET /api/v1/pods: 403: pods is forbidden"
    assert shown.readiness()["pods"].endswith("yet: GET /api/v1/pods: 403: pods is forbidden")
    op.close()


async def test_a_job_that_may_not_be_released_is_told_of_once_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    op = Operator.start(tmp_path / "ledger.db", mode=Mode.OBSERVE)
    controller = op.controller()
    op.jobs.apply(job(suspend=True, held="AIBudget gpu"), (), gone=False)
    made: list[dict[str, Any]] = []

    async def forbid(path: str, _: object) -> None:
        raise ApiError(403, "PATCH", path, "jobs.batch is forbidden", "Forbidden")

    async def create(_: str, body: dict[str, Any]) -> None:
        made.append(body)

    monkeypatch.setattr(controller.gateway, "merge", forbid)
    monkeypatch.setattr(controller.gateway, "create", create)
    for now in (T0, T0 + SECOND):
        await controller.assess(now)
    assert controller.executor.outcomes["Resume", "failed"] == 1
    (event,) = made
    assert (event["reason"], event["type"]) == ("NoRightToChange", "Warning")
    assert "bursar release-all" in event["message"]
    assert "bursar release-all" in caplog.text
    await controller.assess(T0 + FORBIDDEN_PAUSE + SECOND)
    assert controller.executor.outcomes["Resume", "failed"] == 2
    assert len(made) == 1
    op.close()
