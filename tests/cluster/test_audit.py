"""`bursar audit` against a real API server in which nothing of Bursar is installed.

As users with real tokens: one who may read the cluster and nothing else, one who may read one
namespace, one who may read nothing. Whoever has no right to write can't have written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import bursar
from bursar import sandbox as sandboxes
from bursar.sandbox import kubectl
from support.cluster import Sandbox
from support.product import NODES

pytestmark = pytest.mark.cluster

SOURCE = Path(bursar.__file__).parents[1]
H100 = 6.88
"""Dollars an hour of one of eight devices of a p5.48xlarge in us-east-1, by the catalog."""

READERS = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reads-nodes}
rules: [{apiGroups: [""], resources: [nodes], verbs: [list]}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: everywhere, namespace: default}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: nowhere, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: everywhere-view}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: everywhere, namespace: default}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: everywhere-nodes}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reads-nodes}
subjects: [{kind: ServiceAccount, name: everywhere, namespace: default}]
---
apiVersion: v1
kind: Namespace
metadata: {name: vision, labels: {team: blue}}
---
apiVersion: v1
kind: Namespace
metadata: {name: serving}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: member, namespace: vision}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: member-view, namespace: vision}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects:
  - {kind: ServiceAccount, name: member, namespace: vision}
  - {kind: ServiceAccount, name: guest, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reads-namespaces}
rules: [{apiGroups: [""], resources: [namespaces], verbs: [get, list]}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: guest, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: guest-namespaces}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reads-namespaces}
subjects: [{kind: ServiceAccount, name: guest, namespace: default}]
"""


def _template(gpus: int, image: str, *command: str) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": gpus}
    container = {
        "name": "main",
        "image": image,
        "command": command,
        "resources": {"limits": limits},
    }
    tolerations = [{"operator": "Exists"}]
    return {"nodeSelector": NODES["h100"], "tolerations": tolerations, "containers": [container]}


def workloads() -> list[dict[str, Any]]:
    """A training Job with two pods, a server, and one that no node has room for."""
    train = {**_template(2, "pytorch/pytorch", "torchrun", "train.py"), "restartPolicy": "Never"}
    serve = _template(1, "vllm/vllm-openai", "vllm", "serve", "a/b")
    big = {**_template(64, "pytorch/pytorch", "torchrun", "train.py"), "restartPolicy": "Never"}

    def job(name: str, pods: int, spec: dict[str, Any]) -> dict[str, Any]:
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": "vision"},
            "spec": {"parallelism": pods, "completions": pods, "template": {"spec": spec}},
        }

    labels = {"app": "server"}
    server = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "server", "namespace": "serving", "labels": {"project": "chat"}},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": serve},
        },
    }
    return [job("fine-tune", 2, train), job("too-big", 1, big), server]


@dataclass(slots=True)
class Plain:
    """A cluster without Bursar, and its users."""

    cluster: Sandbox
    folder: Path

    def kubeconfig(self, namespace: str, account: str) -> Path:
        """A kubeconfig of a ServiceAccount, with a token of its own."""
        token = self.cluster.kubectl("create", "token", account, "-n", namespace).stdout.strip()
        document = yaml.safe_load(self.cluster.kubeconfig.read_text("utf-8"))
        document["users"][0]["user"] = {"token": token}
        path = self.folder / f"{account}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))
        return path

    def audit(self, kubeconfig: Path, *more: str) -> subprocess.CompletedProcess[str]:
        """Run the command as its users do."""
        argv = [sys.executable, "-m", "bursar", "audit", "--kubeconfig", str(kubeconfig), *more]
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, env=environment, timeout=120
        )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    """A cluster of its own in which nothing is installed, with its workloads running."""
    folder = tmp_path_factory.mktemp("plain")
    options = sandboxes.UpOptions(dir=folder / "sandbox", operator=False, chart=False)
    sandboxes.up(options, lambda _: None)
    found = Plain(Sandbox(folder / "sandbox"), folder)
    try:
        found.cluster.apply(READERS)
        for namespace in ("vision", "serving"):
            found.cluster.wait(
                lambda n=namespace: found.cluster.find("serviceaccount", "default", "-n", n),
                what=f"the default service account of {namespace}",
            )
        found.cluster.apply(*workloads())
        found.cluster.wait(lambda: _bound(found.cluster) == 3, what="three pods bound")
        yield found
    finally:
        sandboxes.down(folder / "sandbox")


def _bound(cluster: Sandbox) -> int:
    pods = cluster.get("pods", "-A")["items"]
    return sum(bool(pod["spec"].get("nodeName")) for pod in pods)


@pytest.fixture(scope="module")
def as_json(plain: Plain) -> Callable[..., dict[str, Any]]:
    """What a user is told, as JSON."""

    def ask(kubeconfig: Path, *more: str) -> dict[str, Any]:
        done = plain.audit(kubeconfig, *more, "-o", "json")
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return ask


def test_who_may_only_read_gets_all_of_it(
    plain: Plain, as_json: Callable[..., dict[str, Any]]
) -> None:
    reader = plain.kubeconfig("default", "everywhere")
    found = as_json(reader)
    assert found["notRead"] == []
    assert found["installed"] is False
    rows = {row["name"]: row for row in found["workloads"]}
    train, serve, waits = rows["fine-tune"], rows["server"], rows["too-big"]
    assert (train["kind"], train["class"], train["pods"]) == ("Job", "training", 2)
    assert (train["team"], train["allocationSources"]) == ("blue", {"team": "namespace"})
    assert float(train["costPerHour"]) == pytest.approx(4 * H100)
    # The walk went from the pod over the ReplicaSet to the Deployment, whose label counts.
    assert (serve["kind"], serve["class"], serve["project"]) == ("Deployment", "inference", "chat")
    assert serve["allocationSources"] == {"project": "owner Deployment/server"}
    assert (waits["pods"], waits["waitingPods"], waits["costPerHour"]) == (0, 1, None)
    assert "Insufficient nvidia.com/gpu" in found["waiting"][0]["reason"]
    h100 = next(each for each in found["devices"] if each["accelerator"] == "h100-sxm5-80gb")
    assert (h100["devices"], h100["held"], h100["idle"]) == ("16", "5", "11")
    assert {each["code"] for each in found["findings"]} >= {"idle-devices", "waiting-pods"}


def test_the_reader_has_no_right_to_write(plain: Plain) -> None:
    reader = plain.kubeconfig("default", "everywhere")
    kube = plain.cluster.state.kubectl
    for verb in ("create", "update", "patch", "delete"):
        for resource in ("pods", "nodes", "namespaces", "jobs.batch", "configmaps"):
            done = kubectl.run(kube, reader, "auth", "can-i", verb, resource, check=False)
            assert done.stdout.strip() == "no", (verb, resource)


def test_who_may_read_one_namespace_gets_that_and_is_told_what_is_missing(
    plain: Plain, as_json: Callable[..., dict[str, Any]]
) -> None:
    member = plain.kubeconfig("vision", "member")
    found = as_json(member, "-n", "vision")
    assert found["namespaces"] == ["vision"]
    assert {row["name"] for row in found["workloads"]} == {"fine-tune", "too-big"}
    assert [gap["what"] for gap in found["notRead"]] == ["nodes"]
    train = next(row for row in found["workloads"] if row["name"] == "fine-tune")
    # Class and team are known all the same; devices and price are not, and so are null.
    assert (train["class"], train["team"]) == ("training", "blue")
    assert (train["devices"], train["costPerHour"], train["asked"]) == (
        {},
        None,
        {"nvidia.com/gpu": "4"},
    )
    assert found["totals"]["idlePerHour"] is None
    table = plain.audit(member, "-n", "vision", "-n", "serving").stdout
    assert "! pods in serving: forbidden; they are not counted." in table
    assert "! nodes: forbidden;" in table


def test_who_names_no_namespace_gets_those_that_may_be_read(
    plain: Plain, as_json: Callable[..., dict[str, Any]]
) -> None:
    member = plain.kubeconfig("vision", "member")  # its context names a namespace
    document = yaml.safe_load(member.read_text("utf-8"))
    document["contexts"][0]["context"]["namespace"] = "vision"
    member.write_text(yaml.safe_dump(document))
    guest = plain.kubeconfig("default", "guest")  # may list namespaces, and so tries each
    for who in (member, guest):
        found = as_json(who)
        assert found["namespaces"] == ["vision"]
        assert {row["name"] for row in found["workloads"]} == {"fine-tune", "too-big"}
        assert found["notRead"][0]["what"] == "pods of all namespaces"
        assert "vision" in found["notRead"][0]["so"]


def test_who_may_read_nothing_is_told_what_to_do(plain: Plain) -> None:
    done = plain.audit(plain.kubeconfig("default", "nowhere"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "-n, or ask for ClusterRole view" in done.stderr


def test_a_token_that_is_none_is_told_so(plain: Plain) -> None:
    path = plain.kubeconfig("default", "nowhere")
    document = yaml.safe_load(path.read_text("utf-8"))
    document["users"][0]["user"] = {"token": "none"}
    path.write_text(yaml.safe_dump(document))
    done = plain.audit(path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not know who you are (401)" in done.stderr


def test_every_form_is_printed(plain: Plain, as_json: Callable[..., dict[str, Any]]) -> None:
    admin = plain.cluster.kubeconfig
    document = yaml.safe_load(plain.audit(admin, "-o", "yaml").stdout)
    assert set(document) == set(as_json(admin))
    csv = plain.audit(admin, "-o", "csv").stdout.splitlines()
    assert csv[0].startswith("namespace,kind,name,class,")
    assert len(csv) == 1 + 3
    assert "fine-tune" in plain.audit(admin).stdout


def test_a_price_book_of_ones_own_counts(
    plain: Plain, as_json: Callable[..., dict[str, Any]]
) -> None:
    book = plain.folder / "prices.yaml"
    suggested = plain.audit(plain.cluster.kubeconfig, "--suggest-prices").stdout
    assert "perHour: '84.2400'" in suggested
    book.write_text(suggested.replace("84.2400", "80"))
    found = as_json(plain.cluster.kubeconfig, "--price-book", str(book))
    prices = [price for pool in found["devices"] for price in pool["prices"]]
    own = [price for price in prices if price["origin"] == "PriceBook prices/rate-1"]
    assert [(price["perNodeHour"], price["assumed"]) for price in own] == [("80.000000", False)]


def test_what_it_suggests_is_taken_by_a_cluster_with_bursar(plain: Plain, sandbox: Sandbox) -> None:
    admin = plain.cluster.kubeconfig
    for option, kinds in (("--suggest-budgets", 2), ("--suggest-prices", 1)):
        text = plain.audit(admin, option).stdout
        objects = [each for each in yaml.safe_load_all(text) if each]
        assert len(objects) == kinds
        for obj in objects:
            namespace = obj["metadata"].pop("namespace", None)
            if namespace is not None:  # it is tried in a namespace that is there
                obj["metadata"]["namespace"] = "default"
        sandbox.kubectl(
            *("apply", "--dry-run=server", "-f", "-"), input=yaml.safe_dump_all(objects)
        )


def test_where_bursar_is_installed_its_prices_and_budgets_count(
    sandbox: Sandbox, namespace: str, as_json: Callable[..., dict[str, Any]]
) -> None:
    rate = {
        "name": "p5",
        "nodeSelector": NODES["h100"],
        "perHour": "8",
        "accelerator": "h100-sxm5-80gb",
    }
    book = {"metadata": {"name": namespace}, "spec": {"rates": [rate]}}
    budget = {
        "metadata": {"name": "gpu", "namespace": namespace},
        "spec": {"limits": {"cost": "1"}},
    }
    api = {"apiVersion": "bursar.dev/v1alpha1"}
    spec = _template(1, "vllm/vllm-openai", "vllm", "serve", "a/b")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": namespace}}
    sandbox.apply({**api, "kind": "PriceBook", **book}, {**api, "kind": "AIBudget", **budget})
    try:
        sandbox.apply({**pod, "spec": spec})
        sandbox.wait(
            lambda: sandbox.get("pod", "p", "-n", namespace)["spec"].get("nodeName"),
            what="the pod bound",
        )
        found = as_json(sandbox.kubeconfig, "-n", namespace)
    finally:
        sandbox.kubectl("delete", "pricebook", namespace)
    assert found["installed"] is True
    assert {"namespace": namespace, "name": "gpu"} in found["budgets"]
    (one,) = found["workloads"]
    assert (one["class"], one["costPerHour"]) == ("inference", "1.000000")
    assert one["origins"] == [f"PriceBook {namespace}/p5"]
