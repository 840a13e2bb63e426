"""`helm uninstall`, the operator alive or dead: nobody is left behind, held or shut out."""

from __future__ import annotations

import time
from typing import Any

import pytest

from support.closedform import PodWatch, moment
from support.deployed import NAMESPACE
from support.policies import Answer, Place
from support.product import Product, budget
from support.realpods import RealPods, real_job, real_pod
from support.release import Release, until_second_ends

pytestmark = pytest.mark.kind

INSTANCE = "g6e.12xlarge"


def forgotten(answer: Answer) -> bool:
    """Whether a pod was let in as if Bursar had never been; the API server takes a second to."""
    return answer.allowed and "bursar.dev/accelerated" not in answer.labels


@pytest.mark.parametrize("alive", [True, False], ids=["the operator alive", "the operator dead"])
def test_after_an_uninstallation_everything_starts_and_data_is_kept(
    product: Product,
    release: Release,
    namespace: str,
    watch: PodWatch,
    forgiven: list[slice],
    alive: bool,
) -> None:
    sandbox = product.sandbox
    place = Place(sandbox=sandbox, namespace=namespace)
    sandbox.create(budget("vision", namespace, limits={"cost": "0"}))
    probe = real_pod(sandbox, INSTANCE, 1)
    sandbox.wait(
        lambda: "AIBudget vision is shut" in place.attempt(probe).said,
        what="the budget shut",
        timeout=30,
    )
    job = place.attempt(real_job(sandbox, INSTANCE, 1), keep=True).object["metadata"]["name"]

    def the_job() -> dict[str, Any]:
        return sandbox.get("job", job, "-n", namespace)

    sandbox.wait(lambda: the_job()["spec"].get("suspend"), what="the Job held", timeout=30)
    until_second_ends()
    window = {"to": moment(int(time.time()) * 1000), "by": "namespace,class"}
    before = product.report(**window)
    claim = sandbox.get("pvc", "bursar-ledger", "-n", NAMESPACE)["metadata"]["uid"]

    with release.borrowed():
        if not alive:
            product.kill()
        # Its roles go before its process has ended: what it is refused in between is nobody's loss.
        log = len(sandbox.operator_log)
        release.uninstall()
        forgiven.append(slice(log, len(sandbox.operator_log)))
        assert release.policies() == []
        sandbox.wait(
            lambda: forgotten(place.attempt(probe)), what="the API server without policies"
        )

        # Pods start, with GPUs too, in the namespace that was shut.
        pods = RealPods(sandbox, namespace, watch)
        name = pods.create(INSTANCE, 1)
        pods.running(name)
        assert "bursar.dev/accelerated" not in (
            watch.pods[name].last["metadata"].get("labels") or {}
        )
        # What was held is let go: by the one command for it, which needs no operator.
        done = product.cli("release-all", "--help")
        if done.returncode == 0:
            done = product.cli("release-all", "-n", namespace)
            assert done.returncode == 0, done.stderr
        else:
            place.kubectl("patch", "job", job, "-p", '{"spec":{"suspend":false}}')
        sandbox.wait(
            lambda: the_job()["status"].get("active") == 1, what="the Job running", timeout=60
        )
        assert "bursar.dev/held" not in the_job()["metadata"].get("annotations", {})
        # Nothing of ours keeps anything from being deleted.
        assert not the_job()["metadata"].get("finalizers")
        # Budgets, their definitions and the ledger are kept.
        assert sandbox.find("aibudget", "vision", "-n", namespace)
        kept = sandbox.get("pvc", "bursar-ledger", "-n", NAMESPACE)["metadata"]["uid"]
        assert kept == claim

    assert product.report(**window) == before
    # Back in force, the budget shuts again.
    sandbox.wait(
        lambda: "AIBudget vision is shut" in place.attempt(probe).said,
        what="the budget shut again",
        timeout=60,
    )
