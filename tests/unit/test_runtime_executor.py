"""What becomes of an action: the outcome that is counted, and whether it took effect."""

import logging
from collections.abc import Mapping
from typing import Any, cast

import pytest

from bursar.domain.action import (
    Action,
    Emit,
    LabelPod,
    ObjectRef,
    Resume,
    Suspend,
    WriteStatus,
    WriteVerdict,
)
from bursar.runtime.cluster.executor import Executor
from bursar.runtime.cluster.gateway import ApiError, Gateway
from support.runtime import T0

POD = ObjectRef(api_version="v1", kind="Pod", namespace="vision", name="p", uid="uid-p")
JOB = ObjectRef(api_version="batch/v1", kind="Job", namespace="vision", name="j", uid="uid-j")
BUDGET = ObjectRef(
    api_version="bursar.dev/v1alpha1", kind="AIBudget", namespace="vision", name="b", uid="uid-b"
)


class Recorder(Gateway):
    """Writes down what would be sent, and answers with the error it is told to."""

    def __init__(self, error: ApiError | None = None) -> None:
        self._error = error
        self.sent: list[tuple[str, str, Any]] = []

    async def _call(self, verb: str, path: str, **more: Any) -> dict[str, Any]:
        self.sent.append((verb, path, more.get("body")))
        if self._error is not None:
            raise self._error
        return {}


async def sent(action: Action) -> tuple[str, str, Mapping[str, Any]]:
    recorder = Recorder()
    assert await Executor(recorder).execute(action, T0)
    (request,) = recorder.sent
    return cast("tuple[str, str, Mapping[str, Any]]", request)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(409, "conflict"), (404, "gone"), (403, "failed"), (500, "failed"), (0, "failed")],
)
async def test_what_did_not_take_effect_says_so_and_is_counted(
    status: int, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    executor = Executor(Recorder(ApiError(status, "PATCH", "/x", "no")))
    action = LabelPod(ref=POD, labels={}, annotations={})
    with caplog.at_level(logging.INFO):
        assert not await executor.execute(action, T0)
    assert executor.outcomes == {("LabelPod", outcome): 1}
    level = logging.ERROR if outcome == "failed" else logging.INFO
    assert [record.levelno for record in caplog.records] == [level]


async def test_a_namespace_on_its_way_out_is_no_failure() -> None:
    why = "unable to create new content in namespace t because it is being terminated"
    executor = Executor(Recorder(ApiError(403, "POST", "/x", f"events is forbidden: {why}")))
    action = LabelPod(ref=POD, labels={}, annotations={})
    assert not await executor.execute(action, T0)
    assert executor.outcomes == {("LabelPod", "gone"): 1}


async def test_what_took_effect_is_counted() -> None:
    executor = Executor(Recorder())
    assert await executor.execute(LabelPod(ref=POD, labels={}, annotations={}), T0)
    assert executor.outcomes == {("LabelPod", "done"): 1}


async def test_a_label_is_for_this_very_pod_and_not_for_a_later_one_of_its_name() -> None:
    verb, path, body = await sent(LabelPod(ref=POD, labels={"a": "b"}, annotations={"c": "d"}))
    assert (verb, path) == ("PATCH", "/api/v1/namespaces/vision/pods/p")
    assert body["metadata"]["uid"] == "uid-p"
    assert (body["metadata"]["labels"], body["metadata"]["annotations"]) == ({"a": "b"}, {"c": "d"})


async def test_a_status_is_written_to_the_subresource() -> None:
    _, path, body = await sent(WriteStatus(ref=BUDGET, status={"held": 1}))
    assert path == "/apis/bursar.dev/v1alpha1/namespaces/vision/aibudgets/b/status"
    assert body["status"] == {"held": 1}


@pytest.mark.parametrize(
    ("action", "verb", "path"),
    [
        (
            WriteVerdict(namespace="vision", verdict={"budgets": [{"budget": "x"}]}),
            "PATCH",
            "/apis/bursar.dev/v1alpha1/namespaces/vision/budgetverdicts/bursar",
        ),
        (
            WriteVerdict(namespace="vision", verdict={}),
            "DELETE",
            "/apis/bursar.dev/v1alpha1/namespaces/vision/budgetverdicts/bursar",
        ),
        (
            WriteVerdict(namespace="", verdict={"budgets": [{"budget": "x"}]}),
            "PATCH",
            "/apis/bursar.dev/v1alpha1/clusterbudgetverdicts/bursar",
        ),
    ],
    ids=["a namespace's", "the last budget is gone", "the cluster's"],
)
async def test_a_verdict(action: WriteVerdict, verb: str, path: str) -> None:
    assert (await sent(action))[:2] == (verb, path)


async def test_a_verdict_that_is_gone_already_is_no_failure() -> None:
    executor = Executor(Recorder(ApiError(404, "DELETE", "/x", "no")))
    assert await executor.execute(WriteVerdict(namespace="vision", verdict={}), T0)


async def test_a_suspension_holds_only_for_the_version_it_was_decided_on() -> None:
    action = Suspend(
        ref=JOB, resource_version="7", held_by=("AIBudget a", "AIBudget b"), message=""
    )
    verb, path, body = await sent(action)
    assert (verb, path) == ("PATCH", "/apis/batch/v1/namespaces/vision/jobs/j")
    assert body["spec"] == {"suspend": True}
    assert body["metadata"] == {
        "resourceVersion": "7",
        "annotations": {"bursar.dev/held": "AIBudget a,AIBudget b"},
    }


async def test_a_release_takes_the_note_away() -> None:
    _, _, body = await sent(Resume(ref=JOB, resource_version="8", message=""))
    assert body["spec"] == {"suspend": False}
    assert body["metadata"]["annotations"] == {"bursar.dev/held": None}


async def test_a_kind_that_cannot_be_held_is_never_written() -> None:
    recorder = Recorder()
    odd = ObjectRef(api_version="x/v1", kind="Odd", namespace="vision", name="o", uid="u")
    action = Suspend(ref=odd, resource_version="1", held_by=(), message="")
    assert not await Executor(recorder).execute(action, T0)
    assert recorder.sent == []


@pytest.mark.parametrize("namespace", ["vision", ""], ids=["of a namespace", "of the cluster"])
async def test_an_event_fits_into_what_the_api_server_takes(namespace: str) -> None:
    ref = ObjectRef(api_version="v1", kind="Pod", namespace=namespace, name="p" * 253, uid="uid-p")
    action = Emit(ref=ref, event_type="Warning", reason="HeldByBudget", message="m" * 5000)
    verb, path, body = await sent(action)
    assert (verb, path) == ("POST", f"/api/v1/namespaces/{namespace or 'default'}/events")
    assert len(body["message"]) <= 1024
    assert len(body["metadata"]["name"]) <= 253
    assert body["firstTimestamp"] == body["lastTimestamp"] == "2026-11-24T08:00:00Z"
    assert body["involvedObject"]["uid"] == "uid-p"


@pytest.mark.parametrize("mark", ["-", "."])
async def test_an_event_has_a_legal_name_wherever_its_objects_name_is_cut(mark: str) -> None:
    name = "p" * 199 + mark + "p" * 53
    ref = ObjectRef(api_version="v1", kind="Pod", namespace="vision", name=name, uid="uid-p")
    _, _, body = await sent(Emit(ref=ref, event_type="Normal", reason="Released", message="m"))
    assert f"{mark}." not in body["metadata"]["name"]
