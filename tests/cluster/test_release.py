"""`bursar release-all`: what waits goes on when the operator is dead and the chart uninstalled."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bursar.cli.release import _one
from bursar.domain.time import parse_time
from bursar.runtime.cluster.gateway import Gateway
from bursar.sandbox import kubeconfig, kubectl, operator
from support.chart import Release
from support.cluster import Sandbox
from support.policies import Object, job
from support.policies import Place as Asked
from support.product import Product, budget, gpu_pod

pytestmark = pytest.mark.cluster

ONE = {"nvidia.com/gpu": 1}
PRIORITY = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "urgent"},
    "value": 1000,
}


def gpu_job(name: str, **spec: Any) -> Object:
    template = gpu_pod("t4-spot", ONE, 1)
    made = job(template, name=name)
    made["spec"]["template"]["metadata"]["annotations"] = template["metadata"]["annotations"]
    made["spec"]["template"]["spec"] |= {"nodeSelector": template["spec"]["nodeSelector"]}
    made["spec"]["template"]["spec"] |= spec.pop("pod", {})
    made["spec"].update(spec)
    return made


class Place:
    """A namespace, and the Jobs in it."""

    def __init__(self, sandbox: Sandbox, namespace: str) -> None:
        self.sandbox, self.namespace = sandbox, namespace

    def create(self, *jobs: Object) -> None:
        text = "\n---\n".join(json.dumps(each) for each in jobs)
        self.sandbox.kubectl("create", "-n", self.namespace, "-f", "-", input=text)

    def job(self, name: str) -> Object:
        return self.sandbox.get("job", name, "-n", self.namespace)

    def suspended(self, name: str) -> bool:
        return self.job(name)["spec"].get("suspend") is True

    def held(self, name: str) -> bool:
        found = self.job(name)
        notes = found["metadata"].get("annotations", {})
        return self.suspended(name) and "bursar.dev/held" in notes

    def patch(self, name: str, patch: Mapping[str, Any], *more: str) -> None:
        text = json.dumps(patch)
        argv = ("patch", "job", name, "-n", self.namespace, "--type=merge", "-p", text, *more)
        self.sandbox.kubectl(*argv)

    def completed(self, name: str) -> bool:
        return self.job(name).get("status", {}).get("succeeded") == 1


@pytest.fixture
def place(spare: Sandbox) -> Iterator[Place]:
    spare.kubectl("create", "namespace", "waiting")
    spare.wait(
        lambda: spare.find("serviceaccount", "default", "-n", "waiting"),
        what="the namespace's service account",
    )
    yield Place(spare, "waiting")
    spare.kubectl("delete", "namespace", "waiting", "--timeout=120s")


def rows(product: Product, *arguments: str) -> dict[str, str]:
    """What came of each Job, in the order in which they went."""
    done = product.cli("release-all", "-o", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return {each["name"]: each["result"] for each in json.loads(done.stdout)}


def hold_some(release: Release, place: Place) -> None:
    """Jobs that the operator has suspended, one that its owner has; then nobody is left."""
    release.install(mode="Enforce")
    sandbox = place.sandbox
    sandbox.apply(PRIORITY)
    sandbox.start_operator()
    sandbox.create(budget("vision", place.namespace, limits={"cost": "0"}))
    asked = Asked(sandbox=sandbox, namespace=place.namespace)
    sandbox.wait(
        lambda: "AIBudget vision is shut" in asked.attempt(gpu_pod("t4-spot", ONE)).said,
        what="the budget shut",
    )
    place.create(gpu_job("old"), gpu_job("own", suspend=True))
    sandbox.wait(lambda: place.held("old"), what="the Job suspended")
    made = parse_time(place.job("old")["metadata"]["creationTimestamp"]) or 0
    # Ages are whole seconds; what comes next must be younger.
    sandbox.wait(lambda: time.time() * 1000 > made + 1000, what="the next second")
    place.create(gpu_job("young"), gpu_job("restarted"), gpu_job("again"))
    place.create(gpu_job("first", pod={"priorityClassName": "urgent"}))
    for name in ("young", "restarted", "again", "first"):
        sandbox.wait(lambda name=name: place.held(name), what=f"Job {name} suspended")
    sandbox.kill_operator()


def test_everything_that_waited_runs_after_the_operators_death_and_the_uninstallation(
    release: Release, place: Place
) -> None:
    hold_some(release, place)
    sandbox, product = place.sandbox, Product(sandbox=place.sandbox)
    release.do("uninstall")
    # With nobody at work, owners do as they like.
    place.patch("restarted", {"spec": {"suspend": False}})
    place.patch("again", {"spec": {"suspend": False}})
    place.patch("again", {"spec": {"suspend": True}})

    would = rows(product, "--dry-run")
    assert place.held("old")
    assert next(iter(would)) == "first"
    assert would["old"] == "would be resumed"
    told = rows(product, "--namespace", place.namespace)
    assert told == {
        "first": "resumed",
        "old": "resumed",
        "young": "resumed",
        "restarted": "not suspended; note removed",
        "again": "left alone: somebody else suspended it",
    }
    assert list(told)[:2] == ["first", "old"]
    for name in ("first", "old", "young", "restarted"):
        assert "bursar.dev/held" not in place.job(name)["metadata"].get("annotations", {})
        sandbox.wait(lambda name=name: place.completed(name), what=f"Job {name} complete")
    assert place.suspended("own")
    assert place.suspended("again")
    # Once more: there is nothing to do but for what was left alone.
    assert rows(product) == {"again": "left alone: somebody else suspended it"}


def test_an_operator_that_enforces_is_a_reason_to_refuse(release: Release, place: Place) -> None:
    hold_some(release, place)
    sandbox, product = place.sandbox, Product(sandbox=place.sandbox)
    # With the operator dead the policies still refuse: said, and done even so.
    done = product.cli("release-all", "--dry-run")
    assert done.returncode == 0, done.stderr
    # A Deployment that looks alive: the fake nodes run anything.
    release.install("persistence: {enabled: false}", mode="Enforce", replicas=1)
    deployment = ("deployment", "bursar", "-n", "bursar-system")
    sandbox.wait(
        lambda: sandbox.get(*deployment)["status"].get("readyReplicas"), what="a ready operator"
    )
    done = product.cli("release-all")
    assert done.returncode == 1
    assert "bursar-system/bursar) runs and enforces" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert place.held("old")
    done = product.cli("release-all", "--force", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert "the admission policies are still in force" in done.stderr
    assert not place.suspended("old")
    # Where it only observes, it is none.
    place.patch("old", {"spec": {"suspend": True}}, "--field-manager=bursar")
    place.patch("old", {"metadata": {"annotations": {"bursar.dev/held": "AIBudget vision"}}})
    release.install("persistence: {enabled: false}", mode="Observe", replicas=1)
    sandbox.wait(
        lambda: sandbox.get(*deployment)["status"].get("readyReplicas"), what="a ready operator"
    )
    assert rows(product)["old"] == "resumed"


def access(sandbox: Sandbox, name: str, folder: Path, *verbs: str) -> dict[str, str]:
    """The environment of somebody who has these verbs on Jobs of namespace `waiting`."""
    where = ("-n", "waiting")
    sandbox.kubectl("create", "serviceaccount", name, *where)
    if verbs:
        sandbox.kubectl(
            "create", "role", name, "--resource=jobs", f"--verb={','.join(verbs)}", *where
        )
        subject = f"--serviceaccount=waiting:{name}"
        sandbox.kubectl("create", "rolebinding", name, f"--role={name}", subject, *where)
    token = sandbox.kubectl("create", "token", name, *where).stdout.strip()
    path = folder / name
    cluster = operator.cluster_of(sandbox.state)
    kubeconfig.write(path, kubeconfig.document(cluster, {"token": token}, "somebody"))
    return {"KUBECONFIG": str(path)}


def test_a_missing_right_is_named(release: Release, place: Place, tmp_path: Path) -> None:
    sandbox, product = place.sandbox, Product(sandbox=place.sandbox)
    note = {"annotations": {"bursar.dev/held": "AIBudget vision"}}
    place.create(gpu_job("a", suspend=True), gpu_job("b", suspend=True))
    for name in ("a", "b"):
        # As the operator leaves them: suspended by its manager of fields.
        place.patch(name, {"spec": {"suspend": False}})
        text = {"metadata": note, "spec": {"suspend": True}}
        place.patch(name, text, "--field-manager=bursar")

    nobody = access(sandbox, "nobody", tmp_path)
    done = product.cli("release-all", env=nobody)
    assert done.returncode == 1
    assert "you may not list Jobs in all namespaces" in done.stderr
    assert "name one with --namespace" in done.stderr
    reader = access(sandbox, "reader", tmp_path, "list")
    done = product.cli("release-all", "-n", "waiting", env=reader)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line == (
        "bursar: 2 of 2 Jobs could not be released: you need the verb patch on jobs "
        "(API group batch) in namespace waiting"
    )
    assert done.stdout.count("failed") == 2
    assert place.held("a")
    writer = access(sandbox, "writer", tmp_path, "list", "get", "patch")
    done = product.cli("release-all", "-n", "waiting", env=writer)
    assert done.returncode == 0, done.stderr
    assert not place.suspended("a")


def test_a_job_that_changed_meanwhile_is_looked_at_anew(release: Release, place: Place) -> None:
    sandbox = place.sandbox
    place.create(gpu_job("raced"), gpu_job("taken"))
    for name in ("raced", "taken"):
        text = {"metadata": {"annotations": {"bursar.dev/held": "x"}}, "spec": {"suspend": True}}
        place.patch(name, text, "--field-manager=bursar")
    old = {name: place.job(name) for name in ("raced", "taken")}
    managed = kubectl.run(
        sandbox.state.kubectl,
        sandbox.kubeconfig,
        *("get", "jobs", "-n", place.namespace, "--show-managed-fields", "-o", "json"),
    )
    for each in json.loads(managed.stdout)["items"]:
        old[each["metadata"]["name"]] = each
    place.patch("raced", {"metadata": {"labels": {"changed": "yes"}}})
    place.patch("taken", {"spec": {"suspend": False}})
    place.patch("taken", {"spec": {"suspend": True}})

    async def both() -> list[tuple[str, str]]:
        gateway = await Gateway.connect(sandbox.kubeconfig)
        try:
            return [await _one(gateway, old[n], dry_run=False) for n in ("raced", "taken")]
        finally:
            await gateway.close()

    results = asyncio.run(both())
    assert results == [("resumed", ""), ("left alone: somebody else suspended it", "")]
    assert not place.suspended("raced")
    assert place.suspended("taken")
