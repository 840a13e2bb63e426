"""Every set of values on a real API server: what is rendered would be accepted, all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.chart import CHART, Helm, Release, documents
from support.cluster import Sandbox
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


def test_without_the_prometheus_operator_the_monitor_says_what_is_missing(
    spare: Sandbox, release: Release
) -> None:
    spare.kubectl("delete", "crd", MONITORS["metadata"]["name"], "--ignore-not-found")
    values = "serviceMonitor: {enabled: true}"

    def told() -> bool:
        done = release.run("install", str(CHART), "--dry-run=server", values=values)
        return "install the Prometheus Operator first" in done.stderr and done.returncode != 0

    spare.wait(told, what="the missing kind told of")
