"""From the chart of the release before to this one and back: what people made is kept."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bursar.sandbox import install
from support.chart import CHART, Release
from support.examples import ROOT
from support.policies import Place, cpu_pod, entry, pod, window

pytestmark = pytest.mark.cluster

BEFORE = "d128ef59ce2e45380d7ecd9c8b7142e24d5612a0"
BUDGET = {
    "apiVersion": "bursar.dev/v1alpha1",
    "kind": "AIBudget",
    "metadata": {"name": "vision", "namespace": "default"},
    "spec": {"period": "Monthly", "limits": {"cost": "12000"}},
}
KEPT = (
    ("aibudget", "vision", "-n", "default"),
    ("persistentvolumeclaim", "bursar-ledger", "-n", install.NAMESPACE),
    ("crd", "aibudgets.bursar.dev"),
    ("budgetverdict", "bursar", "-n", "default"),
)


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """The chart as it was in the release before."""
    archive = tmp_path / "chart.tar"
    done = subprocess.run(
        ["git", "archive", "--output", str(archive), BEFORE, "charts/bursar"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the commit of the release before is not in this clone: {done.stderr.strip()}")
    subprocess.run(["tar", "-xf", str(archive), "-C", str(tmp_path)], check=True)
    return tmp_path / "charts" / "bursar"


def test_an_upgrade_and_the_way_back_keep_what_people_made(release: Release, before: Path) -> None:
    sandbox = release.sandbox
    values = ("--set", "enforcement.mode=Enforce,replicaCount=0")
    release.do("install", str(before), "--create-namespace", *values)
    sandbox.wait(lambda: sandbox.create(BUDGET, check=False).returncode == 0, what="a budget made")
    place = Place(sandbox=sandbox, namespace="default")
    place.rule(entry("AIBudget vision", window()))
    uids = {what: sandbox.get(*what)["metadata"]["uid"] for what in KEPT}

    def judged() -> None:
        assert {what: sandbox.get(*what)["metadata"]["uid"] for what in KEPT} == uids
        sandbox.wait(
            lambda: "AIBudget vision is shut" in place.attempt(pod()).said, what="the budget shut"
        )
        assert place.attempt(cpu_pod()).allowed

    judged()
    release.do("upgrade", str(CHART), "--reset-then-reuse-values")
    assert release.state() == "deployed"
    notes = sandbox.get("crd", "aibudgets.bursar.dev")["metadata"]["annotations"]
    assert notes["bursar.dev/read-api"] == "bursar-system/http:bursar:http"
    assert sandbox.get("deployment", "bursar", "-n", install.NAMESPACE)["spec"]["replicas"] == 0
    judged()
    release.do("rollback", "1")
    judged()
    release.do("upgrade", str(CHART), "--reset-then-reuse-values")
    judged()
    release.do("uninstall")
    assert release.policies() == []
    for what in KEPT:
        assert sandbox.get(*what)["metadata"]["uid"] == uids[what]


def test_what_is_no_longer_installed_is_kept_where_it_must_be(release: Release) -> None:
    release.install()
    uid = release.sandbox.get("crd", "aibudgets.bursar.dev")["metadata"]["uid"]
    release.install("{crds: {install: false}, persistence: {enabled: false}}")
    assert release.sandbox.get("crd", "aibudgets.bursar.dev")["metadata"]["uid"] == uid
    assert release.sandbox.find(*KEPT[1])
    # And a release that comes after takes over what was kept.
    release.do("uninstall")
    release.install()
    assert release.sandbox.get("crd", "aibudgets.bursar.dev")["metadata"]["uid"] == uid
