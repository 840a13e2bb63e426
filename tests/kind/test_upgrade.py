"""The way from the release before to this one, with everything kept that was recorded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from support.closedform import PodWatch, moment
from support.deployed import NAMESPACE
from support.examples import ROOT
from support.lives import by_pod
from support.policies import Place
from support.product import Product, budget, settle
from support.realpods import RealPods, real_pod
from support.release import CONTROL_PLANE, Release, until_second_ends

pytestmark = pytest.mark.kind

BEFORE = "d128ef59ce2e45380d7ecd9c8b7142e24d5612a0"
BEFORE_VERSION = "0.1.0"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release before, as it was, with today's way to build its image."""
    known = subprocess.run(
        ["git", "cat-file", "-e", f"{BEFORE}^{{commit}}"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if known.returncode:
        pytest.skip(f"this clone does not have the commit of {BEFORE_VERSION}: {BEFORE[:7]}")
    folder = tmp_path_factory.mktemp("before")
    packed = folder / "before.tar"
    with packed.open("wb") as out:
        subprocess.run(["git", "archive", BEFORE], cwd=ROOT, stdout=out, check=True)
    source = folder / "source"
    with tarfile.open(packed) as archive:
        archive.extractall(source, filter="data")
    for name in ("operator/Dockerfile", ".dockerignore", "requirements/build.txt"):
        shutil.copy(ROOT / name, source / name)
    return source


@pytest.fixture(scope="module")
def image_before(checkout: Path) -> str:
    """Its image, on the node that the operator runs on."""
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import kind;"
        "name = kind.image(pathlib.Path(sys.argv[2]), sys.argv[3]); kind.load(name); print(name)"
    )
    argv = [sys.executable, "-c", code, str(ROOT / "hack"), str(checkout), BEFORE_VERSION]
    path = os.pathsep.join([str(ROOT / "operator"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def test_an_upgrade_keeps_what_was_recorded_and_budgets_and_brings_todays_policies(
    product: Product,
    release: Release,
    namespace: str,
    watch: PodWatch,
    checkout: Path,
    image_before: str,
) -> None:
    sandbox = product.sandbox
    assert sandbox.find("node", CONTROL_PLANE)
    with release.borrowed():
        # From nothing: not over a ledger that is newer than it.
        release.uninstall()
        sandbox.kubectl("delete", "pvc", "bursar-ledger", "-n", NAMESPACE)
        release.upgrade(chart=checkout / "charts" / "bursar", image=image_before)
        assert 'version="0.1.0"' in product.metrics()
        sandbox.create(budget("vision", namespace, limits={"cost": "1000"}))
        pods = RealPods(sandbox, namespace, watch)
        ended, running = pods.create("p5en.48xlarge", 2), pods.create("g6e.12xlarge", 1)
        for name in pods.asked:
            pods.running(name)
        pods.end(ended)
        settle(lambda: {ended, running} <= by_pod(product, namespace).keys(), want=True, timeout=30)
        until_second_ends()
        window = {"to": moment(int(time.time()) * 1000), "by": "namespace,pod"}
        sandbox.wait(
            lambda: product.report(**window) == product.report(**window), what="a settled report"
        )
        before = product.report(**window)
        held = sandbox.get("aibudget", "vision", "-n", namespace)
        claim = sandbox.get("pvc", "bursar-ledger", "-n", NAMESPACE)["metadata"]["uid"]

        release.upgrade()
        assert 'version="0.1.0"' not in product.metrics()
        after = product.report(**window)
        for key in ("rows", "idle", "total"):
            assert costs(after[key]) == costs(before[key]), key
        again = sandbox.get("aibudget", "vision", "-n", namespace)
        assert (again["metadata"]["uid"], again["spec"]) == (held["metadata"]["uid"], held["spec"])
        assert sandbox.get("pvc", "bursar-ledger", "-n", NAMESPACE)["metadata"]["uid"] == claim

        # What ran all the while is paid once, over both.
        pods.end(running)
        want = {name: cost for name, (cost, _) in pods.by_hand().items()}
        settle(
            lambda: {name: row["cost"] for name, row in by_pod(product, namespace).items()},
            want,
            timeout=30,
        )
        # And today's policies act.
        place = Place(sandbox=sandbox, namespace=namespace)
        sandbox.kubectl(
            *("patch", "aibudget", "vision", "-n", namespace, "--type=merge"),
            *("-p", '{"spec":{"limits":{"cost":"0"}}}'),
        )
        sandbox.wait(
            lambda: (
                "AIBudget vision is shut"
                in place.attempt(real_pod(sandbox, "g6e.12xlarge", 1)).said
            ),
            what="the budget shut under today's release",
            timeout=30,
        )


def costs(part: object) -> object:
    """Keys and costs of rows, or the costs of one part."""
    if isinstance(part, list):
        return sorted((sorted(row["key"].items()), row["cost"]) for row in part)
    assert isinstance(part, dict)
    return part["cost"], part["gpuHours"]
