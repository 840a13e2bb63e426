"""The verdict on a pod: evidence added up, tags before it, and what is told besides the class."""

from typing import Any

import pytest

from bursar.classify import LabelMapping, Tag, classify, tagged
from bursar.classify.engine import confidence
from bursar.classify.model import model_name
from bursar.classify.rule import CONFIDENCE_STEPS, TEXT_LIMIT, Where
from bursar.classify.texts import texts
from bursar.domain.classification import DecidedBy, WorkloadClass
from bursar.domain.workload import Owner

TRAINING, INFERENCE = WorkloadClass.TRAINING, WorkloadClass.INFERENCE
INTERACTIVE, OTHER = WorkloadClass.INTERACTIVE, WorkloadClass.OTHER
UNKNOWN = WorkloadClass.UNKNOWN


def pod(image: str = "pytorch/pytorch:2.5", *words: str, **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "main", "image": image}
    if words:
        container["command"] = list(words)
    container.update(spec)
    return {"metadata": {"name": "a"}, "spec": {"containers": [container]}}


def owner(kind: str, api_version: str = "apps/v1", **labels: str) -> Owner:
    return Owner(
        api_version=api_version, kind=kind, namespace="n", name="o", uid="u", labels=labels
    )


@pytest.mark.parametrize(
    ("given", "owners", "expected"),
    [
        pytest.param(pod("a:1", "torchrun", "train.py"), (), TRAINING, id="torchrun trains"),
        pytest.param(
            pod("pytorch/torchserve:1", "torchrun", "train.py"),
            (),
            TRAINING,
            id="what is executed beats the image of a server",
        ),
        pytest.param(
            pod("a:1", "bash", "-c", "git checkout inference-pipeline && python train.py"),
            (),
            TRAINING,
            id="a branch called inference proves nothing",
        ),
        pytest.param(pod("vllm/vllm-openai:v1"), (), INFERENCE, id="a server's image serves"),
        pytest.param(pod("a:1", "python", "predict.py"), (), INFERENCE, id="a batch that predicts"),
        pytest.param(
            pod("a:1", ports=[{"containerPort": 8000}], readinessProbe={"httpGet": {}}),
            (owner("ReplicaSet"),),
            INFERENCE,
            id="a replicated pod that answers on a port",
        ),
        pytest.param(pod("a:1", "jupyter", "lab"), (), INTERACTIVE, id="a notebook"),
        pytest.param(
            pod("nvcr.io/nvidia/tritonserver:1", "sleep", "infinity"),
            (),
            INTERACTIVE,
            id="a server's image that only sleeps is somebody's shell",
        ),
        pytest.param(
            pod("a:1"), (owner("Notebook", "kubeflow.org/v1"),), INTERACTIVE, id="a notebook kind"
        ),
        pytest.param(pod("a:1", "nvidia-smi", "-L"), (), OTHER, id="a device test"),
        pytest.param(
            pod("vllm/vllm-openai:v1", "python", "benchmark_serving.py"),
            (),
            OTHER,
            id="a benchmark in a server's image",
        ),
        pytest.param(
            pod("a:1", "python", "convert_checkpoint.py"), (), OTHER, id="a model conversion"
        ),
        pytest.param(pod("nvcr.io/nvidia/k8s-device-plugin:1"), (), OTHER, id="a device plugin"),
        pytest.param(
            pod("a:1", "bash", "-c", "nvidia-smi && python train.py --epochs 3"),
            (),
            TRAINING,
            id="looking at the device before training is training",
        ),
        pytest.param(
            pod("a:1", "pip", "install", "vllm", "jupyterlab"),
            (),
            UNKNOWN,
            id="what is only installed is not executed",
        ),
        pytest.param(pod("a:1", "python", "main.py"), (), UNKNOWN, id="nothing that tells"),
        pytest.param(
            pod("a:1"), (owner("RayCluster", "ray.io/v1"),), UNKNOWN, id="a Ray head is no answer"
        ),
    ],
)
def test_class(given: dict[str, Any], owners: tuple[Owner, ...], expected: WorkloadClass) -> None:
    assert classify(given, owners, None).workload_class is expected


def test_evidence_is_sorted_by_weight_and_sums_to_the_confidence() -> None:
    found = classify(pod("a/trainer:1", "torchrun", "train.py", "--epochs", "3"), (), None)
    weights = [item.weight for item in found.evidence]
    assert weights == sorted(weights, reverse=True)
    assert {item.workload_class for item in found.evidence} == {TRAINING}
    assert found.confidence == confidence(sum(weights))
    assert found.decided_by is DecidedBy.KNOWN
    assert found.activity == "distributed-training"
    assert all(item.found for item in found.evidence)


def test_unknown_has_no_confidence_and_nobody_decided() -> None:
    found = classify(pod(), (), None)
    assert (found.workload_class, found.confidence) == (UNKNOWN, 0.0)
    assert found.decided_by is DecidedBy.NONE


def test_a_verdict_without_known_software_is_discovered() -> None:
    assert classify(pod("a:1", "python", "train.py"), (), None).decided_by is DecidedBy.DISCOVERED


@pytest.mark.parametrize(("margin", "expected"), CONFIDENCE_STEPS)
def test_confidence_takes_the_first_step_that_fits(margin: float, expected: float) -> None:
    assert confidence(margin) == expected
    assert confidence(margin + 0.125) == expected


def test_a_tag_decides_alone_but_keeps_the_evidence() -> None:
    tag = Tag(workload_class=OTHER, source="pod a=b")
    found = classify(pod("vllm/vllm-openai:1"), (), tag)
    assert (found.workload_class, found.confidence) == (OTHER, 1.0)
    assert found.decided_by is DecidedBy.TAGGED
    assert found.evidence[0].found == "pod a=b"
    assert len(found.evidence) > 1


OVERRIDE = {"bursar.dev/class-override": "training"}
SERVES = {"workload-type": "serving"}
MAPPINGS = (LabelMapping(key="workload-type", values={"serving": "inference", "odd": "cooking"}),)


@pytest.mark.parametrize(
    ("labels", "owners", "namespace", "guarded", "expected"),
    [
        pytest.param({}, (), {}, True, None, id="nothing said"),
        pytest.param(
            OVERRIDE | SERVES, (), {}, True, TRAINING, id="override before a mapped label"
        ),
        pytest.param(OVERRIDE, (), {}, False, None, id="an unguarded override is no tag"),
        pytest.param(
            OVERRIDE | SERVES, (), {}, False, INFERENCE, id="a mapped label needs no guard"
        ),
        pytest.param(
            SERVES, (), OVERRIDE, True, INFERENCE, id="the pod's label before the namespace's"
        ),
        pytest.param(
            {}, (owner("Job", **SERVES),), OVERRIDE, True, INFERENCE, id="the owner's label next"
        ),
        pytest.param(
            {}, (owner("Job", **OVERRIDE),), {}, True, None, id="an override on owners is not read"
        ),
        pytest.param({}, (), OVERRIDE, True, TRAINING, id="the namespace's default last"),
        pytest.param(
            {"bursar.dev/class-override": "cooking"}, (), {}, True, None, id="no such class"
        ),
        pytest.param(
            {"bursar.dev/class-override": "unknown"}, (), {}, True, None, id="unknown is no wish"
        ),
        pytest.param({"workload-type": "odd"}, (), {}, True, None, id="mapped to no class"),
    ],
)
def test_tags(
    labels: dict[str, str],
    owners: tuple[Owner, ...],
    namespace: dict[str, str],
    guarded: bool,
    expected: WorkloadClass | None,
) -> None:
    found = tagged(labels, owners, namespace, MAPPINGS, guarded=guarded)
    assert (found and found.workload_class) == expected


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        pytest.param({"args": ["--model=a/b-7B"]}, "a/b-7B", id="--model="),
        pytest.param({"args": ["--model_name_or_path", "a/b"]}, "a/b", id="an option with a blank"),
        pytest.param({"args": ["--model-path", "/models/a"]}, "/models/a", id="a path"),
        pytest.param({"command": ["vllm", "serve", "a/b"]}, "a/b", id="vllm serve"),
        pytest.param(
            {"command": ["sh", "-c", "vllm serve 'a/b' --port 1"]}, "a/b", id="inside a script"
        ),
        pytest.param(
            {"args": ["--model=$(MODEL_ID)"], "env": [{"name": "MODEL_ID", "value": "a/b"}]},
            "a/b",
            id="a reference to the environment",
        ),
        pytest.param({"args": ["--model=$MODEL"]}, "", id="a reference to nothing"),
        pytest.param({"args": ["--model=<MODEL>"]}, "", id="a placeholder"),
        pytest.param({"env": [{"name": "MODEL_ID", "value": "a/b"}]}, "a/b", id="MODEL_ID"),
        pytest.param({"args": ["x", "hf://a/b"]}, "a/b", id="a Hugging Face URI"),
        pytest.param(
            {"image": "nvcr.io/nim/meta/llama3-8b:1.0"}, "meta/llama3-8b", id="a NIM's image"
        ),
        pytest.param({"args": ["model_name=gemma-7b"]}, "gemma-7b", id="a bare assignment"),
        pytest.param({"args": ["--model", "x" * 1000]}, "", id="too long to be a name"),
        pytest.param({"args": "--model=a", "env": 5}, "", id="wrong types"),
    ],
)
def test_model(container: dict[str, Any], expected: str) -> None:
    assert model_name({"spec": {"containers": [container]}}) == expected


def test_texts_are_built_as_the_stamp_builds_them() -> None:
    given = {
        "metadata": {
            "generateName": "a-",
            "labels": {"b": "2", "a": "1", "bursar.dev/class": "training"},
        },
        "spec": {
            "restartPolicy": "Never",
            "initContainers": [{"image": "init:1"}],
            "containers": [
                {"image": "a:1", "ports": [{"containerPort": 80}], "readinessProbe": {"exec": {}}},
                {
                    "image": "b:1",
                    "command": ["c"],
                    "args": ["d", "e"],
                    "env": [{"name": "K", "value": "v"}, {"name": "S", "valueFrom": {}}],
                },
            ],
        },
    }
    assert texts(given, (owner("ReplicaSet"), owner("Core", "v1"))) == {
        Where.IMAGE: "a:1 b:1",
        Where.COMMAND: " c d e",
        Where.ENV: " K=v S=",
        Where.OWNER: "ReplicaSet.apps Core",
        Where.LABEL: "a=1 b=2",
        Where.SHAPE: "port:80 probe:ready restart:Never",
        Where.NAME: "a- o o",
    }


def test_texts_are_cut() -> None:
    given = pod("a:1", *["x" * 100] * 1000)
    assert len(texts(given)[Where.COMMAND]) == TEXT_LIMIT
