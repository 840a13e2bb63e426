"""Manifests that nobody submitted yet: where their pods are, and what the object is called."""

from fractions import Fraction
from typing import Any

import pytest

from bursar.classify import classify_document
from bursar.classify.parts import MOST_PARTS, parts
from bursar.domain.unknown import Unknown
from bursar.recognize.request import requests

GPU = {"limits": {"nvidia.com/gpu": 1}}
TRAINER = {"image": "a:1", "command": ["torchrun", "train.py"], "resources": GPU}
SERVER = {"image": "vllm/vllm-openai:1", "resources": GPU}
PLAIN = {"image": "a:1", "resources": GPU}


def template(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)}}


def obj(api_version: str, kind: str, spec: Any, **rest: Any) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "a", "namespace": "n"},
        "spec": spec,
        **rest,
    }


@pytest.mark.parametrize(
    ("given", "expected", "activity"),
    [
        pytest.param(
            obj("batch/v1", "Job", {"template": template(TRAINER)}),
            "training",
            "distributed-training",
            id="a Job",
        ),
        pytest.param(
            obj("batch/v1", "CronJob", {"jobTemplate": {"spec": {"template": template(TRAINER)}}}),
            "training",
            "distributed-training",
            id="a CronJob",
        ),
        pytest.param(
            obj("kubeflow.org/v1", "PyTorchJob", {"pytorchReplicaSpecs": {"Master": {}}}),
            "training",
            "distributed-training",
            id="a PyTorchJob whose roles say nothing",
        ),
        pytest.param(
            obj(
                "kubeflow.org/v2beta1",
                "MPIJob",
                {
                    "mpiReplicaSpecs": {
                        "Launcher": {
                            "template": template(
                                {"image": "a:1", "command": ["mpirun", "all_reduce_perf"]}
                            )
                        },
                        "Worker": {
                            "template": template(
                                {"image": "a:1", "command": ["sshd", "-D"], "resources": GPU}
                            )
                        },
                    }
                },
            ),
            "other",
            "benchmark",
            id="an MPIJob is what its launcher commands",
        ),
        pytest.param(
            obj(
                "ray.io/v1",
                "RayJob",
                {
                    "entrypoint": "python train.py",
                    "rayClusterSpec": {"workerGroupSpecs": [{"template": template(PLAIN)}]},
                },
            ),
            "training",
            "",
            id="a RayJob is its entrypoint",
        ),
        pytest.param(
            obj(
                "ray.io/v1",
                "RayCluster",
                {"headGroupSpec": {"template": template(PLAIN)}, "workerGroupSpecs": []},
            ),
            "unknown",
            "",
            id="a RayCluster alone is no answer",
        ),
        pytest.param(
            obj("ray.io/v1", "RayService", {}), "inference", "online-serving", id="a RayService"
        ),
        pytest.param(
            obj(
                "serving.kserve.io/v1beta1",
                "InferenceService",
                {"predictor": {"model": {"storageUri": "hf://a/b", "resources": GPU}}},
            ),
            "inference",
            "online-serving",
            id="an InferenceService",
        ),
        pytest.param(
            obj("kaito.sh/v1beta1", "Workspace", None, tuning={"preset": {"name": "phi"}}),
            "training",
            "fine-tuning",
            id="a Workspace that tunes",
        ),
        pytest.param(
            obj("kaito.sh/v1beta1", "Workspace", None, inference={"preset": {"name": "phi"}}),
            "inference",
            "online-serving",
            id="a Workspace that serves",
        ),
        pytest.param(
            obj("kubeflow.org/v1", "Notebook", {"template": template(PLAIN)}),
            "interactive",
            "notebook",
            id="a Notebook",
        ),
        pytest.param(
            obj(
                "argoproj.io/v1alpha1",
                "Workflow",
                {"templates": [{"script": {"source": "nvidia-smi", "resources": GPU}}]},
            ),
            "other",
            "device-test",
            id="an Argo script",
        ),
        pytest.param(
            obj("example.org/v1", "Fancy", {"deep": [{"pod": template(TRAINER)}]}),
            "training",
            "distributed-training",
            id="a kind that nobody knows, by its template",
        ),
        pytest.param(
            {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "torchrun train.py"}},
            "unknown",
            "",
            id="a ConfigMap is no workload",
        ),
    ],
)
def test_class_of_a_manifest(given: dict[str, Any], expected: str, activity: str) -> None:
    found = classify_document(given, requests).classification
    assert (str(found.workload_class), found.activity) == (expected, activity)


def test_roles_with_accelerators_speak_for_the_object() -> None:
    given = obj(
        "jobset.x-k8s.io/v1alpha2",
        "JobSet",
        {
            "replicatedJobs": [
                {"template": {"spec": {"template": template({"image": "a/jupyter:1"})}}},
                {"template": {"spec": {"template": template(TRAINER)}}},
            ]
        },
    )
    assert str(classify_document(given, requests).classification.workload_class) == "training"


def test_accelerators_are_those_of_the_role_that_asks_most() -> None:
    def role(count: object) -> dict[str, Any]:
        return {"template": template({"resources": {"limits": {"nvidia.com/gpu": count}}})}

    def asked(*counts: object) -> object:
        spec = {"pytorchReplicaSpecs": {str(i): role(count) for i, count in enumerate(counts)}}
        (one,) = classify_document(
            obj("kubeflow.org/v1", "PyTorchJob", spec), requests
        ).accelerators
        assert one.resource == "nvidia.com/gpu"
        return one.count

    assert asked(1, 8, 2) == Fraction(8)
    assert isinstance(asked(1, "lots"), Unknown)


def test_dynamo_short_name_is_the_full_resource() -> None:
    given = obj(
        "nvidia.com/v1alpha1",
        "DynamoGraphDeployment",
        {
            "services": {
                "Worker": {
                    "resources": {"limits": {"gpu": "2"}},
                    "extraPodSpec": {"mainContainer": {"args": ["--model", "a/b"]}},
                }
            }
        },
    )
    found = classify_document(given, requests)
    assert [(one.resource, one.count) for one in found.accelerators] == [("nvidia.com/gpu", 2)]
    assert found.classification.model == "a/b"


@pytest.mark.parametrize(
    ("given", "model"),
    [
        pytest.param(
            obj("kubeai.org/v1", "Model", {"url": "hf://a/b", "engine": "VLLM"}),
            "a/b",
            id="KubeAI's url",
        ),
        pytest.param(
            obj(
                "apps.nvidia.com/v1alpha1",
                "NIMService",
                {"image": {"repository": "nvcr.io/nim/meta/llama3", "tag": "1"}},
            ),
            "meta/llama3",
            id="NIM's image",
        ),
        pytest.param(
            obj("kaito.sh/v1beta1", "Workspace", None, inference={"preset": {"name": "phi-4"}}),
            "phi-4",
            id="kaito's preset",
        ),
    ],
)
def test_model_of_kinds_without_a_template(given: dict[str, Any], model: str) -> None:
    assert classify_document(given, requests).classification.model == model


def test_the_override_of_a_template_decides() -> None:
    given = obj("batch/v1", "Job", {"template": template(SERVER)})
    given["spec"]["template"]["metadata"] = {"labels": {"bursar.dev/class-override": "training"}}
    found = classify_document(given, requests).classification
    assert (str(found.workload_class), str(found.decided_by)) == ("training", "tagged")


def test_a_document_is_searched_within_bounds() -> None:
    wide = obj("example.org/v1", "Fancy", {"many": [template(PLAIN)] * 10_000})
    assert len(parts(wide)) == MOST_PARTS
    deep: Any = template(TRAINER)
    for _ in range(500):
        deep = {"a": deep}
    assert parts(obj("example.org/v1", "Fancy", deep)) == ()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"kind": 5, "apiVersion": [], "metadata": "x", "spec": []},
        obj("batch/v1", "Job", {"template": {"spec": {"containers": [None, 5, {"image": {}}]}}}),
        obj("v1", "Pod", {"containers": {"a": 1}}),
        obj("ray.io/v1", "RayJob", {"entrypoint": 5}),
        obj("v1", "Pod", {"containers": [{"args": [None, True, 1.5, {}], "env": [[], {}]}]}),
    ],
    ids=["empty", "all wrong", "odd containers", "a map of containers", "odd entrypoint", "words"],
)
def test_odd_manifests_never_raise(given: dict[str, Any]) -> None:
    classify_document(given, requests)
