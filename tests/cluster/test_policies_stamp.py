"""A pod's birth on a real API server: what it is labelled with, and who is refused a birth."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bursar.admission import pods as caps
from bursar.admission.placeholders import RESOURCES
from bursar.classify.engine import classify
from bursar.classify.parts import parts
from support.cluster import Sandbox
from support.policies import (
    CONTROLLER,
    KINDS,
    Object,
    Place,
    container,
    cpu_pod,
    pod,
    stamps,
    workload,
)

pytestmark = pytest.mark.cluster

FORGED = {
    "bursar.dev/accelerated": "true",
    "bursar.dev/class": "inference",
    "bursar.dev/class-by": "tagged",
    "bursar.dev/confidence": "1",
    "bursar.dev/team": "others",
    "bursar.dev/budget": "others",
    "bursar.dev/shutdown-eligible": "false",
    "bursar.dev/of-tomorrow": "x",
}
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "data" / "corpus" / "dev.jsonl"


@pytest.fixture
def place(sandbox: Sandbox, namespace: str) -> Place:
    return Place(sandbox=sandbox, namespace=namespace)


def with_env(value: str | None) -> Object:
    entry = {"name": "NVIDIA_VISIBLE_DEVICES"} | ({} if value is None else {"value": value})
    return container(limits={}, env=[entry])


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(pod(), id="a GPU"),
        pytest.param(pod(container(limits={"nvidia.com/mig-1g.10gb": 1})), id="a MIG slice"),
        pytest.param(pod(container(limits={"amd.com/gpu": 2})), id="another vendor's GPU"),
        pytest.param(
            pod(container(limits={"deviceclass.resource.kubernetes.io/gpu.example.com": 1})),
            id="a device class as an extended resource",
        ),
        pytest.param(
            pod(container(limits={}), initContainers=[container("init")]),
            id="a GPU of an init container",
        ),
        pytest.param(pod(with_env("all")), id="visible devices in the environment"),
        pytest.param(pod(with_env(None)), id="visible devices from a value that cannot be seen"),
        pytest.param(
            pod(
                container(limits={}),
                resourceClaims=[{"name": "gpu", "resourceClaimName": "mine"}],
            ),
            id="a claim of Dynamic Resource Allocation",
        ),
        *(
            pytest.param(pod(container(limits={}), annotations={key: "0.5"}), id=key)
            for key in ("gpu-fraction", "gpu-memory", "gpu-fraction-num-devices")
        ),
    ],
)
def test_every_way_of_asking_for_an_accelerator_is_stamped(place: Place, one: Object) -> None:
    assert stamps(place.attempt(one).labels)["accelerated"] == "true"


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(cpu_pod(labels={"app": "a"}), id="processors only"),
        pytest.param(cpu_pod(labels={"app": "a", **FORGED}), id="processors only, labels forged"),
        pytest.param(pod(with_env("none"), labels={"app": "a"}), id="no visible devices"),
        pytest.param(
            pod(container(limits={"nvidia.com/gpu": 0}), labels={"app": "a"}), id="no GPUs"
        ),
        pytest.param(
            pod(container(limits={"nvidia.com/rdma": 1}), labels={"app": "a"}),
            id="a network card of the same vendor",
        ),
    ],
)
def test_pods_without_accelerators_get_no_label(place: Place, one: Object) -> None:
    assert place.attempt(one).labels == {"app": "a"}


def test_a_pod_without_labels_is_stamped_too(place: Place) -> None:
    assert stamps(place.attempt(pod()).labels) == {
        "accelerated": "true",
        "accelerator-count": "1",
        "class": "unknown",
        "class-by": "none",
        "confidence": "0",
        "team": "unallocated",
        "cost-center": "unallocated",
        "project": "unallocated",
        "environment": "unallocated",
    }


def test_forged_labels_and_annotations_are_dropped(place: Place) -> None:
    forged = {"bursar.dev/held": "x", "bursar.dev/price": "0"}
    mine = {"bursar.dev/max-duration": "6h", "note": "mine"}
    answer = place.attempt(pod(labels={**FORGED, "app": "a"}, annotations=forged | mine))
    labels = stamps(answer.labels)
    assert (labels["class"], labels["class-by"], labels["team"]) == (
        "unknown",
        "none",
        "unallocated",
    )
    assert not {"budget", "shutdown-eligible", "of-tomorrow"} & labels.keys()
    assert answer.labels["app"] == "a"
    assert answer.object["metadata"]["annotations"] == mine


@pytest.mark.parametrize(
    ("one", "count"),
    [
        pytest.param(pod(container(limits={"nvidia.com/gpu": 8})), "8", id="of one container"),
        pytest.param(
            pod(container("a", limits={"nvidia.com/gpu": 2}), container("b"), container("c")),
            "4",
            id="of all containers together",
        ),
        pytest.param(
            pod(container(limits={"nvidia.com/mig-1g.10gb": 2})), None, id="not of slices"
        ),
        pytest.param(
            pod(container(limits={"nvidia.com/gpu": 1, "nvidia.com/gpumem": 4000})),
            None,
            id="not of what another resource makes smaller",
        ),
        pytest.param(pod(with_env("all")), None, id="not of what is only seen"),
        pytest.param(
            pod(initContainers=[container("init")]), None, id="not with init containers' own"
        ),
    ],
)
def test_whole_devices_are_counted(place: Place, one: Object, count: str | None) -> None:
    assert stamps(place.attempt(one).labels).get("accelerator-count") == count


def test_allocation_comes_from_the_pod_then_from_its_namespace(place: Place) -> None:
    place.sandbox.kubectl(
        *("label", "namespace", place.namespace, "team=vision", "env=dev"),
        *("bursar.dev/cost-center=4711", "costcenter=1"),
    )
    labels = {"app.kubernetes.io/part-of": "robots", "project": ""}
    got = place.sandbox.wait(
        lambda: (
            (found := stamps(place.attempt(pod(labels=labels)).labels))["environment"] == "dev"
            and found
        ),
        what="the namespace's labels",
    )
    told = {key: got[key] for key in ("team", "cost-center", "project", "environment")}
    assert told == {
        "team": "robots",
        "cost-center": "4711",
        "project": "unallocated",
        "environment": "dev",
    }


class TestOverride:
    """A class that people set."""

    WISH = pod(labels={"bursar.dev/class-override": "inference"})

    @pytest.fixture
    def place(self, sandbox: Sandbox, namespace: str) -> Place:
        place = Place(sandbox=sandbox, namespace=namespace)
        place.bind("tenant", "edit")
        place.bind("chief", "edit")
        place.bind("chief", "bursar-override")
        return place

    def test_counts_from_whoever_may_override(self, place: Place) -> None:
        labels = stamps(place.attempt(self.WISH, user="chief").labels)
        assert (labels["class"], labels["class-by"], labels["confidence"]) == (
            "inference",
            "tagged",
            "1",
        )

    def test_is_dropped_from_a_tenant(self, place: Place) -> None:
        labels = stamps(place.attempt(self.WISH, user="tenant").labels)
        assert labels["class"] == "unknown"
        assert "class-override" not in labels

    def test_counts_from_the_built_in_controllers(self, place: Place) -> None:
        assert stamps(place.attempt(self.WISH, user=CONTROLLER).labels)["class-by"] == "tagged"

    def test_with_a_word_that_is_no_class_decides_nothing(self, place: Place) -> None:
        wish = pod(labels={"bursar.dev/class-override": "exempt"})
        assert stamps(place.attempt(wish, user="chief").labels)["class-by"] == "none"

    def test_of_the_namespace_is_the_default(self, place: Place) -> None:
        place.sandbox.kubectl(
            "label", "namespace", place.namespace, "bursar.dev/class-override=interactive"
        )
        place.sandbox.wait(
            lambda: stamps(place.attempt(pod(), user="tenant").labels)["class"] == "interactive",
            what="the namespace's class",
        )
        assert stamps(place.attempt(self.WISH, user="chief").labels)["class"] == "inference"


@pytest.fixture(params=["a-first", "z-last"])
def injector(request: pytest.FixtureRequest, sandbox: Sandbox, namespace: str) -> Iterator[str]:
    """Another mutating policy that adds a GPU to pods which ask for it by a label."""
    name = f"{request.param}-{uuid.uuid4().hex[:8]}"
    api = "admissionregistration.k8s.io/v1"
    patch = (
        "[JSONPatch{op: 'add', path: '/spec/containers/0/resources/limits',"
        " value: {'nvidia.com/gpu': '1'}}]"
    )
    policy = {
        "apiVersion": api,
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "objectSelector": {"matchLabels": {"inject": name}},
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                    }
                ],
            },
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
        },
    }
    binding = {
        "apiVersion": api,
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name},
    }
    sandbox.create(policy, binding)
    try:
        yield name
    finally:
        sandbox.kubectl("delete", "mutatingadmissionpolicybinding,mutatingadmissionpolicy", name)


def test_a_gpu_that_another_policy_adds_is_stamped(place: Place, injector: str) -> None:
    one = pod(container(limits={}), labels={"inject": injector})
    answer = place.sandbox.wait(
        lambda: (got := place.attempt(one)).allowed and "nvidia.com/gpu" in got.done.stdout and got,
        what="a GPU added by the other policy",
    )
    assert stamps(answer.labels)["accelerated"] == "true"


def _many(count: int, **parts: Any) -> list[Object]:
    return [container(f"c{i}", **parts) for i in range(count)]


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(pod(*_many(caps.MOST_CONTAINERS + 1)), id="containers"),
        pytest.param(pod(*_many(50, env=[{"name": "A"}] * 1000)), id="variables"),
        pytest.param(pod(*_many(50, args=["a"] * 1000)), id="arguments"),
        pytest.param(pod(*_many(50, command=["a"] * 1000)), id="words of a command"),
        pytest.param(pod(container(args=["x" * 500_000])), id="characters of an argument"),
        pytest.param(
            pod(container(env=[{"name": "A", "value": "x" * 500_000}])),
            id="characters of a variable",
        ),
        pytest.param(
            pod(
                container(),
                *(
                    container(f"c{i}", limits={f"e.com/r{j}-{'x' * 50}": 1 for j in range(300)})
                    for i in range(5)
                ),
            ),
            id="limits",
        ),
        pytest.param(
            pod(container(ports=[{"containerPort": 1 + i} for i in range(5000)])), id="ports"
        ),
        pytest.param(
            pod(resourceClaims=[{"name": f"c{i}", "resourceClaimName": "c"} for i in range(1000)]),
            id="claims",
        ),
        pytest.param(
            pod(labels={f"l{i}": "x" for i in range(caps.MOST_KEYS + 1)}),
            id="labels",
        ),
        pytest.param(
            pod(labels={f"bursar.dev/l{i}": "x" for i in range(700)}),
            id="labels under our prefix",
        ),
    ],
)
def test_a_pod_with_too_many_of_something_is_refused_and_keeps_no_forged_label(
    place: Place, one: Object
) -> None:
    one["metadata"].setdefault("labels", {}).update(FORGED)
    answer = place.attempt(one)
    assert not answer.allowed
    assert "bursar-unstamped" in answer.said


def test_the_same_without_accelerators_is_let_through_unless_it_says_it_has_some(
    place: Place,
) -> None:
    big = pod(*_many(caps.MOST_CONTAINERS + 1, limits={}), labels={"app": "a"})
    assert place.attempt(big).labels == {"app": "a"}
    big["metadata"]["labels"] |= FORGED
    assert "bursar-unstamped" in place.attempt(big).said


def test_the_largest_pod_below_the_caps_is_stamped(place: Place) -> None:
    count = caps.MOST_CONTAINERS
    word = "train --b " * (caps.MOST_CHARACTERS // caps.MOST_WORDS // 14)
    containers = [
        container(
            f"c{i}",
            limits={f"r{j}.example.com/{'g' * 6}": 1 for j in range(caps.MOST_LIMITS // count - 1)}
            | (dict.fromkeys(["nvidia.com/gpu"], 1) if i == 0 else {}),
            image="train.py/" + "x" * 40,
            command=[word] * (caps.MOST_WORDS // count // 2),
            args=[word] * (caps.MOST_WORDS // count // 2),
            env=[{"name": "TRAIN_A", "value": "x" * 10}] * (caps.MOST_VARIABLES // count),
            ports=[{"containerPort": 1000 + 10 * i + j} for j in range(caps.MOST_PORTS // count)],
            readinessProbe={"tcpSocket": {"port": 1}},
        )
        for i in range(count)
    ]
    domain = ".".join(letter * 50 for letter in "abcd")
    one = pod(
        *containers,
        labels=FORGED | {f"{domain}/l{i}-{'x' * 50}": "v" * 63 for i in range(caps.MOST_KEYS)},
        annotations={f"bursar.dev/a{i}": "x" for i in range(caps.MOST_KEYS)},
        resourceClaims=[
            {"name": f"c{i}", "resourceClaimName": "c"} for i in range(caps.MOST_CLAIMS)
        ],
    )
    one["metadata"]["ownerReferences"] = [
        {"apiVersion": f"{domain}/v1", "kind": "K" * 63, "name": "n" * 253, "uid": str(i)}
        for i in range(caps.MOST_OWNERS)
    ]
    labels = stamps(place.attempt(one).labels)
    assert labels["class-by"] != "tagged"
    assert "budget" not in labels


def test_kube_system_is_let_through_whatever_its_pods_lack(sandbox: Sandbox) -> None:
    big = pod(*_many(caps.MOST_CONTAINERS + 1))
    assert Place(sandbox=sandbox, namespace="kube-system").attempt(big).allowed


class TestDebugContainer:
    """`kubectl debug` of a pod that runs."""

    @pytest.mark.parametrize(
        ("running", "variable", "allowed"),
        [
            pytest.param(cpu_pod(), "NVIDIA_VISIBLE_DEVICES=all", False, id="no budget sees"),
            pytest.param(cpu_pod(), "OTHER=all", True, id="another variable"),
            pytest.param(pod(), "NVIDIA_VISIBLE_DEVICES=all", True, id="of a pod that is counted"),
        ],
    )
    def test_may_not_see_devices_that_no_budget_counts(
        self, place: Place, running: Object, variable: str, allowed: bool
    ) -> None:
        assert place.attempt(running, keep=True).allowed
        answer = place.kubectl(
            *("debug", running["metadata"]["name"], "--image=example/tools", "-c", "tools"),
            *("--env", variable, "--attach=false", "--profile=general"),
        )
        assert answer.allowed is allowed, answer.said
        assert allowed or "bursar-ephemeral" in answer.said


@pytest.mark.parametrize("kind", KINDS)
def test_templates_are_left_as_they_are(place: Place, kind: str) -> None:
    template = place.attempt(workload(kind, pod(labels={"app": "t"}))).done.stdout
    assert "bursar.dev/" not in template


def corpus() -> list[Object]:
    """Pods of the labelled manifests, with what classification looks at."""
    found = []
    for line in CORPUS.read_text("utf-8").splitlines():
        for part in parts(json.loads(line)["manifest"]):
            containers = [
                _legal(f"c{i}", each)
                for i, each in enumerate(part["spec"]["containers"][:20])
                if isinstance(each, dict)
            ]
            found.append(pod(*containers))
    return found


def _legal(name: str, raw: Object) -> Object:
    def words(key: str) -> list[str]:
        return [str(word) for word in raw.get(key) or ()] if isinstance(raw.get(key), list) else []

    variables = [e for e in raw.get("env") or () if isinstance(e, dict) and e.get("name")]
    return container(
        name,
        image=(str(raw.get("image") or "none").split() or ["none"])[0],
        command=words("command"),
        args=words("args"),
        env=[{"name": str(e["name"]), "value": str(e.get("value", ""))} for e in variables],
    )


def test_the_api_server_classifies_as_python_does(place: Place) -> None:
    if not CORPUS.is_file():
        pytest.skip("the labelled manifests are not beside this checkout")
    many = {"apiVersion": "v1", "kind": "List", "items": corpus()}
    done = place.sandbox.kubectl(
        *("create", "--dry-run=server", "-n", place.namespace, "-f", "-", "-o", "yaml"),
        input=json.dumps(many),
    )
    items = [
        item
        for document in yaml.load_all(done.stdout, yaml.CSafeLoader)
        for item in document.get("items", [document])
    ]
    assert len(items) == len(many["items"]) > 300
    different = []
    for item in items:
        labels = stamps(item["metadata"].pop("labels"))
        told = classify(item, (), None)
        python = (
            told.workload_class.value,
            told.activity,
            f"{told.confidence:g}",
            told.decided_by.value,
        )
        server = (
            labels["class"],
            labels.get("activity", ""),
            labels["confidence"],
            labels["class-by"],
        )
        if python != server:
            different.append((item["spec"]["containers"], python, server))
    assert not different


def test_owners_count_at_birth(place: Place) -> None:
    one = pod()
    one["metadata"]["ownerReferences"] = [
        {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "name": "t", "uid": "1"}
    ]
    labels = stamps(place.attempt(one).labels)
    assert (labels["class"], labels["class-by"]) == ("training", "known")


def test_further_resources_stand_where_the_installation_puts_them() -> None:
    assert f"k in {RESOURCES}" in caps.ACCELERATED_RESOURCE
