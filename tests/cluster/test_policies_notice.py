"""What people are told when they create or change a workload, as kubectl shows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.cluster import Sandbox
from support.policies import (
    CONTROLLER,
    KINDS,
    Object,
    Place,
    container,
    cpu_pod,
    entry,
    job,
    moment,
    pod,
    window,
    workload,
)

pytestmark = pytest.mark.cluster

BINDING = "notice-only-nothing-was-refused"
WARNED = "AIBudget vision: 83 % of $12,000 spent; at $35.52/h it closes on 26 Nov 22:25"


@pytest.fixture
def place(sandbox: Sandbox, namespace: str) -> Iterator[Place]:
    here = Place(sandbox=sandbox, namespace=namespace)
    yield here
    here.close()


@pytest.mark.parametrize("cluster", [False, True], ids=["namespace", "cluster"])
def test_a_warning_is_shown_with_the_name_of_the_binding(place: Place, cluster: bool) -> None:
    place.rule(entry("AIBudget vision", notice=WARNED), cluster=cluster)
    answer = place.attempt(job(pod()))
    assert answer.allowed
    assert answer.said.startswith("Warning: ")
    assert BINDING in answer.said
    assert WARNED in answer.said


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_with_a_template_is_told_that_its_pods_will_wait(
    place: Place, kind: str
) -> None:
    place.rule(entry("AIBudget vision", window(message="AIBudget vision: spent"), notice=WARNED))
    answer = place.attempt(workload(kind, pod()))
    assert answer.allowed
    assert "created, but its pods will wait: AIBudget vision: spent" in answer.said
    assert WARNED not in answer.said


def test_a_window_of_one_class_is_told_as_a_maybe(place: Place) -> None:
    place.rule(entry("AIBudget vision", window("training", message="8,000 spent")))
    said = place.attempt(job(pod())).said
    assert "created, but its pods may wait: class training: 8,000 spent" in said


def test_a_bare_pod_is_told_the_warning_and_refused_where_it_would_wait(place: Place) -> None:
    place.rule(entry("AIBudget vision", notice=WARNED))
    answer = place.attempt(pod())
    assert answer.allowed
    assert WARNED in answer.said
    place.rule(entry("AIBudget vision", window()))
    answer = place.attempt(pod())
    assert not answer.allowed
    assert "will wait" not in answer.said


@pytest.mark.parametrize("cluster", [False, True], ids=["namespace", "cluster"])
def test_a_bare_pod_that_is_refused_is_told_once(place: Place, cluster: bool) -> None:
    shut = window(message=WARNED)
    place.rule(entry("AIBudget vision", shut, notice=WARNED), cluster=cluster)
    answer = place.attempt(pod())
    assert not answer.allowed
    assert answer.said.count(WARNED) == 1
    assert "Warning" not in answer.said


@pytest.mark.parametrize(
    "budget",
    [
        pytest.param({"windows": [window("inference")]}, id="shut for another class"),
        pytest.param({"windows": [window(closes=43_200)]}, id="shut later"),
        pytest.param(
            {"windows": [window()], "selector": {"matchLabels": {"a": "2"}}}, id="of other pods"
        ),
    ],
)
def test_a_bare_pod_that_gets_in_is_told_the_warning_beside_a_budget(
    place: Place, budget: Object
) -> None:
    place.rule(entry("AIBudget vision", notice=WARNED), {"budget": "AIBudget other", **budget})
    answer = place.attempt(pod(labels={"a": "1"}))
    assert answer.allowed
    assert WARNED in answer.said


@pytest.mark.parametrize(
    "budget",
    [
        pytest.param(entry("AIBudget vision"), id="has nothing to say"),
        pytest.param({}, id="has nothing at all"),
        pytest.param(entry("AIBudget vision", window(closes=43_200)), id="closes later"),
        pytest.param(
            entry("AIBudget vision", window(), asleepUntil=moment(43_200)), id="is asleep"
        ),
        pytest.param(
            entry("AIBudget vision", window(), notice=WARNED, selector={"matchLabels": {"a": "1"}}),
            id="selects other pods",
        ),
    ],
)
def test_nothing_is_told_where_the_budget(place: Place, budget: Object) -> None:
    place.rule(budget)
    answer = place.attempt(job(pod()))
    assert answer.allowed
    assert answer.said == ""


def test_labels_that_a_pod_gets_only_at_birth_are_taken_as_met(place: Place) -> None:
    selector = {"matchLabels": {"a": "1", "bursar.dev/class": "training"}}
    place.rule(entry("AIBudget vision", window(), selector=selector))
    assert "will wait" in place.attempt(job(pod(labels={"a": "1"}))).said
    assert place.attempt(job(pod(labels={"a": "2"}))).said == ""


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(cpu_pod(), id="processors only"),
        pytest.param(pod(container(limits={"nvidia.com/gpu": 0})), id="no GPUs"),
    ],
)
def test_workloads_without_accelerators_are_told_nothing(place: Place, template: Object) -> None:
    place.rule(entry("AIBudget vision", window(), notice=WARNED))
    assert place.attempt(job(template)).said == ""


def test_controllers_are_told_nothing(place: Place) -> None:
    place.rule(entry("AIBudget vision", window(), notice=WARNED))
    made = workload("Job", pod())
    answer = place.attempt(made, user="system:serviceaccount:kube-system:cronjob-controller")
    assert answer.allowed
    assert answer.said == ""
    assert CONTROLLER.startswith("system:serviceaccount:kube-system:")


def test_changes_are_told_of_warnings_only_where_the_spec_changes(place: Place) -> None:
    place.rule(entry("AIBudget vision", notice=WARNED))
    made = workload("Deployment", pod())
    name = made["metadata"]["name"]
    assert place.attempt({**made, "spec": {**made["spec"], "replicas": 0}}, keep=True).allowed
    label = place.kubectl("label", "deployment", name, "a=1")
    assert label.said == ""
    scaled = place.kubectl("set", "image", f"deployment/{name}", "main=example/other")
    assert WARNED in scaled.said


def test_kubectl_apply_shows_it_as_a_warning(place: Place) -> None:
    place.rule(entry("AIBudget vision", window(message="AIBudget vision: spent")))
    made = {**job(pod()), "metadata": {"name": "waits", "namespace": place.namespace}}
    done = place.sandbox.apply(made)
    assert "job.batch/waits created" in done.stdout
    assert "Warning: " in done.stderr
    assert BINDING in done.stderr
