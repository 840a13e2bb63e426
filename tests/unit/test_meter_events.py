"""What Kubernetes Events say of pods that nobody saw end, and which are not believed."""

from typing import Any

import pytest

from bursar.domain.time import HOUR, MINUTE, SECOND, format_time
from bursar.meter import events
from bursar.meter.events import Said
from bursar.meter.witness import ENDING
from support.events import event
from support.purses import at

T0 = at("2026-11-24T08:00:00Z")
NOW = T0 + 2 * HOUR


def read(made: dict[str, Any]) -> Said:
    said = events.read(made, NOW)
    assert said is not None
    return said


def killing(at: int, message: str = "Stopping container main") -> Said:
    return read(event("Killing", at, message))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"metadata": None}, id="no metadata"),
        pytest.param({"firstTimestamp": format_time(T0)}, id="much older than the server knows it"),
        pytest.param({"firstTimestamp": format_time(NOW + HOUR)}, id="from the future"),
        pytest.param(
            {"involvedObject": {"kind": "Pod", "namespace": "other", "uid": "uid-p"}},
            id="about another namespace's pod",
        ),
        pytest.param({"firstTimestamp": 7, "metadata": {"namespace": "vision"}}, id="no time"),
    ],
)
def test_an_event_that_cannot_be_true_is_not_believed(changes: dict[str, Any]) -> None:
    assert events.read({**event("Killing", T0 + HOUR), **changes}, NOW) is None


def test_both_forms_of_events_are_read() -> None:
    old = event("BackOff", T0 + HOUR, count=7, last=T0 + HOUR + 9 * MINUTE)
    new = {
        **event("BackOff", T0 + HOUR),
        "firstTimestamp": None,
        "lastTimestamp": None,
        "count": None,
        "eventTime": "2026-11-24T09:00:00.000000Z",
        "series": {"count": 7, "lastObservedTime": "2026-11-24T09:09:00.000000Z"},
    }
    assert read(old) == read(new)
    assert (read(new).first, read(new).last) == (T0 + HOUR, T0 + HOUR + 9 * MINUTE)


@pytest.mark.parametrize(
    "odd",
    [{}, {"series": 7}, {"count": "many"}, {"involvedObject": []}, {"message": 9, "reason": {}}],
    ids=str,
)
def test_odd_events_do_no_harm(odd: dict[str, Any]) -> None:
    said = events.read({**event("Killing", T0), **odd}, NOW)
    assert said is None or said.count == 1


GRACE = 30 * SECOND


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param(
            [killing(T0)], [("event:Killing", T0, T0 + GRACE + ENDING)], id="the kubelet ends it"
        ),
        pytest.param(
            [killing(T0), killing(T0 + SECOND)],
            [("event:Killing", T0, T0 + GRACE + ENDING)],
            id="container by container: the first tells",
        ),
        pytest.param(
            [killing(T0, "Container main failed liveness probe, will be restarted")],
            [],
            id="a container that is restarted ends nothing",
        ),
        pytest.param(
            [killing(T0), read(event("Started", T0 + MINUTE))],
            [("event:Started", T0 + MINUTE, None)],
            id="nor does one after which another is started",
        ),
        pytest.param(
            [read(event("Preempted", T0))],
            [("event:Preempted", T0, T0 + GRACE + ENDING)],
            id="the scheduler preempts it",
        ),
        pytest.param(
            [read(event("TaintManagerEviction", T0))],
            [("event:TaintManagerEviction", T0, None)],
            id="one on a dead node may linger",
        ),
        pytest.param(
            [read(event("FailedMount", T0, last=T0 + MINUTE, count=3))],
            [("event:FailedMount", T0 + MINUTE, None)],
            id="any word about it shows that it was there",
        ),
    ],
)
def test_a_pods_own_events_bound_its_end(
    said: list[Said], told: list[tuple[str, int, int | None]]
) -> None:
    assert [(e.witness, e.low, e.high) for e in events.of_pod(said, GRACE)] == told


def deletion(at: int, count: int = 1, last: int | None = None) -> Said:
    made = event("SuccessfulDelete", at, "Deleted pod: p", kind="ReplicaSet", count=count)
    return read(made | {"lastTimestamp": format_time(at if last is None else last)})


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param([deletion(T0 + HOUR)], (T0 + HOUR, T0 + HOUR), id="after it was known"),
        pytest.param([deletion(T0)], None, id="a namesake's, from before"),
        pytest.param(
            [deletion(T0 + 90 * MINUTE), deletion(T0 + HOUR)],
            (T0 + HOUR, T0 + HOUR),
            id="the first of two is its own",
        ),
        pytest.param(
            [deletion(T0, 2, T0 + HOUR)], (T0 + HOUR, T0 + HOUR), id="of two in one, the second"
        ),
        pytest.param(
            [deletion(T0, 3, T0 + HOUR)],
            (T0 + MINUTE, T0 + HOUR),
            id="of three in one, one of the last two",
        ),
    ],
)
def test_a_controllers_deletion_is_told_from_that_of_a_namesake(
    said: list[Said], told: tuple[int, int] | None
) -> None:
    heard = list(events.of_controller(said, T0 + MINUTE + 300, GRACE))
    if told is None:
        assert heard == []
    else:
        (only,) = heard
        assert (only.low, only.high) == (told[0], told[1] + GRACE + ENDING)


@pytest.mark.parametrize(
    ("made", "node"),
    [
        pytest.param(
            event("Scheduled", T0, "Successfully assigned vision/p to gpu-1"),
            "gpu-1",
            id="to gpu-1",
        ),
        pytest.param(
            event("Scheduled", T0, "Successfully assigned vision/q to gpu-1"), None, id="another"
        ),
        pytest.param(event("Scheduled", T0, "Successfully assigned"), None, id="to nothing"),
        pytest.param(
            event("Killing", T0, "Successfully assigned vision/p to gpu-1"),
            None,
            id="by the kubelet",
        ),
    ],
)
def test_the_scheduler_names_the_node(made: dict[str, Any], node: str | None) -> None:
    assert events.assigned(read(made)) == node


@pytest.mark.parametrize(
    ("reason", "message", "made", "deleted"),
    [
        ("SuccessfulCreate", "Created pod: web-x7k2p", "web-x7k2p", None),
        ("SuccessfulDelete", "Deleted pod: web-x7k2p", None, "web-x7k2p"),
        ("SuccessfulCreate", "create Pod db-0 in StatefulSet db successful", "db-0", None),
        ("SuccessfulDelete", "delete Pod db-0 in StatefulSet db successful", None, "db-0"),
        ("SuccessfulCreate", "create Claim data in StatefulSet db successful", None, None),
        ("SuccessfulDelete", "Deleted pod: a b", None, None),
    ],
)
def test_controllers_name_the_pod(
    reason: str, message: str, made: str | None, deleted: str | None
) -> None:
    said = read(event(reason, T0, message, kind="Job"))
    assert (events.made(said), events.deleted(said)) == (made, deleted)
