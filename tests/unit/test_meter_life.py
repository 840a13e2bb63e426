"""When a pod began and ceased to hold its devices, by each rule of the meter."""

import pytest

from bursar.domain.time import parse_time
from bursar.domain.usage import Basis
from bursar.meter import bound_at, end_of

NOON = "2026-11-24T12:00:00Z"


def ms(text):
    moment = parse_time(text)
    assert moment is not None
    return moment


def at(clock):
    return ms(f"2026-11-24T{clock}Z")


def scheduled(time=NOON, status="True"):
    return {"type": "PodScheduled", "status": status, "lastTransitionTime": time}


def terminated(clock):
    ended = f"2026-11-24T{clock}Z" if clock else None
    return {"name": "c", "state": {"terminated": {"exitCode": 0, "finishedAt": ended}}}


RUNNING = {"name": "r", "state": {"running": {"startedAt": NOON}}}
WAITING = {
    "name": "w",
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"finishedAt": "2026-11-24T12:00:05Z"}},
}


def pod(phase="Running", containers=(), init=(), ephemeral=(), conditions=(), **more):
    return {
        "metadata": {"uid": "u", **more.pop("metadata", {})},
        "spec": {"nodeName": "n", **more.pop("spec", {})},
        "status": {
            "phase": phase,
            "conditions": [scheduled(), *conditions],
            "containerStatuses": list(containers),
            "initContainerStatuses": list(init),
            "ephemeralContainerStatuses": list(ephemeral),
            **more,
        },
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(pod(), at("12:00:00"), id="bound at the transition of PodScheduled"),
        pytest.param(
            {"spec": {"nodeName": "n"}, "status": {"startTime": NOON}},
            at("12:00:00"),
            id="a static pod is bound at the kubelet's startTime",
        ),
        pytest.param(
            {
                "spec": {"nodeName": "n"},
                "status": {"startTime": "2026-11-24T12:00:03Z", "conditions": [scheduled()]},
            },
            at("12:00:00"),
            id="the condition comes before startTime",
        ),
        pytest.param(
            {"status": {"conditions": [scheduled(status="False")]}},
            None,
            id="a pod that can't be scheduled is not bound",
        ),
        pytest.param(
            {"status": {"startTime": NOON}}, None, id="startTime without a node binds nothing"
        ),
        pytest.param({}, None, id="an empty object is not bound"),
        pytest.param(
            {"status": {"conditions": [scheduled(time="0001-01-01T00:00:00Z")]}},
            None,
            id="the zero time is no time",
        ),
        pytest.param(
            {"status": {"conditions": [7, {"type": "PodScheduled"}, scheduled(time=12)]}},
            None,
            id="odd conditions count as absent",
        ),
    ],
)
def test_bound_at(given, expected):
    assert bound_at(given) == expected


DISRUPTED = {
    "type": "DisruptionTarget",
    "status": "True",
    "lastTransitionTime": "2026-11-24T12:03:00Z",
}


@pytest.mark.parametrize(
    ("given", "moments", "expected"),
    [
        pytest.param(pod(containers=[RUNNING]), {}, None, id="a running pod holds its devices"),
        pytest.param(
            pod("Pending", [WAITING]), {}, None, id="a pod that can't pull its image holds them"
        ),
        pytest.param(
            pod(containers=[RUNNING], metadata={"deletionTimestamp": NOON}),
            {},
            None,
            id="a terminating pod holds them until it is gone",
        ),
        pytest.param(
            pod(
                "Succeeded",
                [terminated("12:01:31"), terminated("12:01:29")],
                init=[terminated("12:00:02")],
                ephemeral=[terminated("12:01:40")],
            ),
            {"deleted_at": at("12:09:00")},
            (at("12:01:40"), Basis.EXACT, "finishedAt"),
            id="terminal: the latest finishedAt of containers of every sort",
        ),
        pytest.param(
            pod("Failed", [WAITING], init=[terminated("12:00:09")]),
            {},
            (at("12:00:09"), Basis.EXACT, "finishedAt"),
            id="failed in an init container: that one's finishedAt",
        ),
        pytest.param(
            pod("Failed", [terminated(None)], conditions=[DISRUPTED]),
            {"seen_at": at("12:05:00")},
            (at("12:03:00"), Basis.EXACT, "DisruptionTarget"),
            id="evicted without finishedAt: the condition's time",
        ),
        pytest.param(
            pod("Failed"),
            {"seen_at": at("12:05:00") + 999},
            (at("12:05:00"), Basis.OBSERVED, "observed"),
            id="terminal without any time: when it was seen, on the second",
        ),
        pytest.param(
            pod("Failed"), {}, None, id="terminal without any time and not yet seen: no end yet"
        ),
        pytest.param(
            pod("Failed"),
            {"seen_at": at("12:05:00"), "deleted_at": at("12:06:00")},
            (at("12:05:00"), Basis.OBSERVED, "observed"),
            id="terminal, then deleted: whichever came first",
        ),
        pytest.param(
            pod(containers=[terminated("12:02:00")], init=[terminated("12:00:01")]),
            {"deleted_at": at("12:02:30") + 400},
            (at("12:02:00"), Basis.EXACT, "finishedAt"),
            id="deleted after all containers ended: the latest finishedAt",
        ),
        pytest.param(
            pod(containers=[terminated("12:02:00"), RUNNING]),
            {"deleted_at": at("12:02:30") + 400},
            (at("12:02:30"), Basis.OBSERVED, "observed"),
            id="deleted while one container ran: the moment observed, rounded down",
        ),
        pytest.param(
            pod(containers=[terminated("12:02:00")], spec={"containers": [{}, {}]}),
            {"deleted_at": at("12:02:30")},
            (at("12:02:30"), Basis.OBSERVED, "observed"),
            id="deleted, one of two containers never reported: the moment observed",
        ),
        pytest.param(
            pod(containers=[terminated("12:02:00")], init=[RUNNING]),
            {"deleted_at": at("12:02:30")},
            (at("12:02:30"), Basis.OBSERVED, "observed"),
            id="deleted while a sidecar ran: the moment observed",
        ),
        pytest.param(
            pod(containers=[WAITING]),
            {"deleted_at": at("12:02:30")},
            (at("12:02:30"), Basis.OBSERVED, "observed"),
            id="deleted between two tries: the earlier try's end does not count",
        ),
        pytest.param(
            pod(containers=[RUNNING]),
            {"deleted_at": at("12:02:30"), "next_binding": at("12:02:28")},
            (at("12:02:28"), Basis.OBSERVED, "observed"),
            id="observed ends are clipped where the device's next pod was bound",
        ),
        pytest.param(
            pod(containers=[RUNNING]),
            {"deleted_at": at("12:02:30"), "next_binding": at("11:59:59")},
            (at("12:02:30"), Basis.OBSERVED, "observed"),
            id="a binding before the pod's own is not the next one",
        ),
        pytest.param(
            pod("Succeeded", [terminated("12:02:00")]),
            {"deleted_at": None, "next_binding": at("12:01:58")},
            (at("12:02:00"), Basis.EXACT, "finishedAt"),
            id="exact ends are not clipped",
        ),
        pytest.param(
            pod("Succeeded", [terminated("11:00:00")]),
            {},
            (at("12:00:00"), Basis.EXACT, "finishedAt"),
            id="an end before the binding is the binding",
        ),
        pytest.param(
            pod(containers=[RUNNING]),
            {"deleted_at": at("11:00:00")},
            (at("12:00:00"), Basis.OBSERVED, "observed"),
            id="a clock that lags does not end a pod before its binding",
        ),
        pytest.param(
            {"status": {"phase": "Failed"}},
            {"deleted_at": at("12:00:00")},
            None,
            id="a pod that was never bound has no end",
        ),
        pytest.param(
            pod(
                ["Failed"],
                containerStatuses={"state": 1},
                initContainerStatuses=[None, {"state": []}, {"state": {"terminated": "x"}}],
            ),
            {"deleted_at": at("12:01:00")},
            (at("12:01:00"), Basis.OBSERVED, "observed"),
            id="fields of the wrong type count as absent",
        ),
    ],
)
def test_end_of(given, moments, expected):
    end = end_of(given, moments.pop("deleted_at", None), **moments)
    assert (end and (end.at, end.basis, end.witness)) == expected
