"""Every set of values on a real API server: what is rendered would be accepted, all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.apiserver import restart
from support.chart import CHART, Helm, Release, documents
from support.cluster import Sandbox
from support.policies import Place, cpu_pod, pod, stamps
from support.values import VALUE_SETS

pytestmark = pytest.mark.cluster

SERVED = (
    *("--kube-version", "1.36.3"),
    *("--api-versions", "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"),
    *("--api-versions", "monitoring.coreos.com/v1/ServiceMonitor"),
    # With it the hooks of the removal are rendered, as they are by an installation.
    *("--api-versions", "apps/v1/Deployment"),
)
"""What helm finds on this cluster; said so, it need not ask for each set of values."""

MONITORS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "names": {"kind": "ServiceMonitor", "plural": "servicemonitors"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["selector", "endpoints"],
                                "properties": {
                                    "selector": {
                                        "type": "object",
                                        "x-kubernetes-preserve-unknown-fields": True,
                                    },
                                    "namespaceSelector": {
                                        "type": "object",
                                        "properties": {
                                            "any": {"type": "boolean"},
                                            "matchNames": {
                                                "type": "array",
                                                "items": {"type": "string"},
                                            },
                                        },
                                    },
                                    "endpoints": {
                                        "type": "array",
                                        "items": {
                                            "type": "object",
                                            "properties": {
                                                "port": {"type": "string"},
                                                "path": {"type": "string"},
                                                "interval": {"type": "string"},
                                                "honorLabels": {"type": "boolean"},
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}
"""The fields of a ServiceMonitor that are used here, as the Prometheus Operator documents them."""


@pytest.fixture(scope="module")
def prepared(spare: Sandbox, helm: Helm) -> Iterator[Sandbox]:
    """The definitions are there, as an earlier release leaves them, and nothing else."""
    earlier = Release(sandbox=spare, helm=helm)
    earlier.install("{policies: {install: false}, persistence: {enabled: false}}")
    earlier.do("uninstall")
    spare.apply(MONITORS)
    spare.kubectl("wait", "--for=condition=Established", "--timeout=60s", "--all", "crd")
    yield spare
    spare.kubectl("delete", "crd", MONITORS["metadata"]["name"], "--ignore-not-found")


@pytest.fixture
def namespace_of_spare(spare: Sandbox) -> Iterator[str]:
    spare.kubectl("create", "namespace", "standard")
    spare.wait(
        lambda: spare.find("serviceaccount", "default", "-n", "standard"),
        what="the namespace's service account",
    )
    yield "standard"
    spare.kubectl("delete", "namespace", "standard", "--wait=false")


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_the_api_server_accepts_all_that_is_rendered(
    prepared: Sandbox, release: Release, values: str
) -> None:
    rendered = release.run("template", str(CHART), *SERVED, values=values)
    assert rendered.returncode == 0, rendered.stderr
    objects = documents(rendered.stdout)
    done = prepared.kubectl(
        *("apply", "--dry-run=server", "--validate=strict", "-f", "-"),
        input=rendered.stdout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == len(objects)
    assert all(line.endswith("(server dry run)") for line in answers)
    # Nothing was kept, so each set is judged by itself.
    assert not release.policies()


def test_the_operators_pod_fits_a_namespace_with_the_restricted_standard(
    prepared: Sandbox, release: Release, namespace_of_spare: str
) -> None:
    level = "pod-security.kubernetes.io/enforce=restricted"
    prepared.kubectl("label", "namespace", namespace_of_spare, level)
    objects = documents(release.do("template", str(CHART), *SERVED))
    template = next(each for each in objects if each["kind"] == "Deployment")["spec"]["template"]
    place = Place(sandbox=prepared, namespace=namespace_of_spare)
    spec = template["spec"] | {"serviceAccountName": "default"}
    operators = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "o"}, "spec": spec}
    answer = place.attempt(operators)
    assert answer.allowed, answer.said
    assert not place.attempt(cpu_pod()).allowed, "the standard is not enforced here"


def test_without_the_prometheus_operator_the_monitor_says_what_is_missing(
    spare: Sandbox, release: Release
) -> None:
    spare.kubectl("delete", "crd", MONITORS["metadata"]["name"], "--ignore-not-found")
    values = "serviceMonitor: {enabled: true}"

    def told() -> bool:
        done = release.run("install", str(CHART), "--dry-run=server", values=values)
        return "install the Prometheus Operator first" in done.stderr and done.returncode != 0

    spare.wait(told, what="the missing kind told of")


def test_where_only_v1beta1_is_served_the_policies_stamp_pods_all_the_same(
    prepared: Sandbox, release: Release
) -> None:
    # As Kubernetes 1.34 serves them; this one serves both when told to.
    restart(prepared, "--runtime-config=admissionregistration.k8s.io/v1beta1=true")
    rendered = release.do(
        *("template", str(CHART), "--kube-version", "1.34.0"),
        *("--api-versions", "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy"),
        values="{enforcement: {mode: Enforce}, policies: {stamping: Always}, replicaCount: 0, "
        "crds: {install: false}, persistence: {enabled: false}}",
    )
    stamp = next(each for each in documents(rendered) if each["metadata"]["name"] == "bursar-stamp")
    assert stamp["apiVersion"] == "admissionregistration.k8s.io/v1beta1"
    try:
        prepared.kubectl("apply", "-f", "-", input=rendered)
        place = Place(sandbox=prepared, namespace="default")
        labels = prepared.wait(
            lambda: (got := place.attempt(pod())).allowed and stamps(got.labels), what="the stamp"
        )
        assert labels["accelerated"] == "true"
        assert not stamps(place.attempt(cpu_pod()).labels)
    finally:
        prepared.kubectl("delete", "-f", "-", "--ignore-not-found", input=rendered)
    assert not release.policies()
