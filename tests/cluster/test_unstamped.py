"""Where no policy labels pods at birth, the operator watches all of them, and misses none."""

from __future__ import annotations

import pytest

from support.chart import Release
from support.policies import container, cpu_pod
from support.product import Product, budget, gpu_pod

pytestmark = pytest.mark.cluster

BRIEF = 3
"""Seconds that a pod lives: far less than passes between two sweeps for unstamped pods."""


@pytest.fixture
def product(release: Release, monkeypatch: pytest.MonkeyPatch) -> Product:
    """A cluster whose pods nothing stamps, as below Kubernetes 1.34, and an operator that knows."""
    release.install("policies: {stamping: Never}", mode="Enforce")
    monkeypatch.setenv("BURSAR_WATCH_PODS", "All")
    made = Product(sandbox=release.sandbox)
    made.start()
    return made


def test_a_brief_pod_is_labelled_and_paid_and_others_are_left_alone(product: Product) -> None:
    sandbox = product.sandbox
    sandbox.create(budget("all", "default", limits={"cost": "99999"}))
    brief = gpu_pod("h100", {"nvidia.com/gpu": "1"}, BRIEF)
    long = gpu_pod("h100", {"nvidia.com/gpu": "1"})
    long["spec"]["containers"] = [
        {**container(limits={"nvidia.com/gpu": "1"}), "command": ["torchrun", "train.py"]}
    ]
    plain = cpu_pod()
    sandbox.create(brief, long, plain)
    names = {each["metadata"]["name"] for each in (brief, long)}

    def labels(obj: dict) -> dict[str, str]:
        found = sandbox.get("pod", obj["metadata"]["name"], "-n", "default")
        return {k: v for k, v in found["metadata"].get("labels", {}).items() if "bursar.dev" in k}

    sandbox.wait(lambda: labels(long).get("bursar.dev/class") == "training", what="the label")
    assert labels(long)["bursar.dev/accelerated"] == "true"
    assert labels(plain) == {}

    def paid() -> bool:
        rows = product.report(by="pod")["rows"]
        return names <= {row["key"]["pod"] for row in rows if float(row["cost"]) > 0}

    sandbox.wait(paid, what="both pods in the report")
    reported = {row["key"]["pod"] for row in product.report(by="pod")["rows"]}
    assert plain["metadata"]["name"] not in reported
    sandbox.kubectl("delete", "pod", "-n", "default", "--all", "--grace-period=0", "--force")
    sandbox.kubectl("delete", "aibudget", "-n", "default", "all")


def test_the_chart_tells_the_operator_which_pods_to_watch(release: Release) -> None:
    deployment = ("deployment", "bursar", "-n", "bursar-system")

    def watches() -> list[str]:
        (found,) = release.sandbox.get(*deployment)["spec"]["template"]["spec"]["containers"]
        return [each for each in found["args"] if each.startswith("--watch-pods")]

    release.install()
    assert watches() == ["--watch-pods=Stamped"]
    release.install("policies: {stamping: Never}")
    assert watches() == ["--watch-pods=All"]
    release.install("policies: {install: false}")
    assert watches() == ["--watch-pods=All"]
