"""Each right that the operator has is one that it asks for, and it asks for no other.

An operator under the chart's ServiceAccount, with somebody between it and the API server who writes
down what it wants, is given one of everything to do.
"""

from __future__ import annotations

import ssl
import subprocess
import urllib.error
import urllib.request
import uuid
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from bursar.admission.permissions import OPERATOR_ROLES
from bursar.domain.kinds import KINDS, WorkloadKind
from bursar.sandbox import install, kubeconfig, operator, processes
from support.cluster import Sandbox
from support.examples import changed, example
from support.policies import Object, Place, job, pod, workload
from support.product import NODES, budget, settle
from support.recorder import Recorder, asked, recording
from support.rights import Grant, of_roles

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("method", "target", "grant"),
    [
        ("GET", "/api/v1/pods?labelSelector=a", Grant("list", "", "pods")),
        ("GET", "/api/v1/namespaces?watch=true", Grant("watch", "", "namespaces")),
        ("GET", "/api/v1/namespaces/a", Grant("get", "", "namespaces", "a")),
        ("GET", "/apis/batch/v1/namespaces/a/jobs/b", Grant("get", "batch", "jobs", "b")),
        ("POST", "/api/v1/namespaces/a/events", Grant("create", "", "events")),
        ("PATCH", "/apis/g/v1/namespaces/a/x/b/status", Grant("patch", "g", "x/status", "b")),
        ("DELETE", "/apis/g/v1/x/b", Grant("delete", "g", "x", "b")),
        ("GET", "/apis", None),
        ("GET", "/apis/batch/v1", None),
        ("GET", "/version", None),
    ],
    ids=str,
)
def test_a_request_is_read_as_the_right_that_it_needs(
    method: str, target: str, grant: Grant | None
) -> None:
    assert asked(method, target) == grant


@dataclass(slots=True)
class Running:
    """An operator whose every request is written down."""

    sandbox: Sandbox
    recorder: Recorder
    url: str
    log: Path

    def ask(self, token: str) -> int:
        """Ask the read API as somebody; the status."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/budgets", headers={"Authorization": f"Bearer {token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


def trust(cluster: Object) -> ssl.SSLContext:
    authority = b64decode(cluster["certificate-authority-data"]).decode()
    return ssl.create_default_context(cadata=authority)


@pytest.fixture(scope="module")
def running(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("recorded")
    cluster = operator.cluster_of(sandbox.state)
    token = sandbox.kubectl(
        "create", "token", install.SERVICE_ACCOUNT, "-n", install.NAMESPACE
    ).stdout.strip()
    with recording(cluster["server"], trust(cluster)) as recorder:
        access = folder / "kubeconfig"
        kubeconfig.write(
            access, kubeconfig.document({"server": recorder.url}, {"token": token}, "recorded")
        )
        (port,) = processes.free_ports(1)
        state = sandbox.state
        command = operator.command(state, access, port)
        place = command.index(f"sqlite:///{state.dir / 'ledger.db'}")
        command[place] = f"sqlite:///{folder / 'ledger.db'}"
        log = folder / "operator.log"
        with log.open("wb") as written:
            started = subprocess.Popen(command, stdout=written, stderr=written)
        try:
            here = Running(sandbox, recorder, f"http://127.0.0.1:{port}", log)
            sandbox.wait(lambda: _ready(here.url), what="the operator ready", timeout=120)
            yield here
        finally:
            started.terminate()
            started.wait(30)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def owned(namespace: str, kind: WorkloadKind) -> Object:
    """A pod that says it is controlled by an object of this kind, which is not there."""
    made = pod(nodeSelector=NODES["t4-spot"])
    made["metadata"]["namespace"] = namespace
    made["metadata"]["ownerReferences"] = [
        {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "name": "owner",
            "uid": str(uuid.uuid4()),
            "controller": True,
        }
    ]
    return made


def give_it_something_to_do(running: Running, namespace: str) -> None:
    """One of everything that an operator has to do."""
    sandbox, place = running.sandbox, Place(sandbox=running.sandbox, namespace=namespace)
    other = f"all-{namespace}"
    for kind in ("PriceBook", "ClassificationPolicy"):
        sandbox.create(changed(example(kind), {"metadata.name": other}))
    sandbox.create(changed(example("AIModel"), {"metadata.namespace": namespace}))
    here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    shared = budget(other, None, limits={"cost": "99999"}, scope="Shared", namespaceSelector=here)
    try:
        sandbox.create(*(owned(namespace, kind) for kind in KINDS))
        # Whose cost its pod is, only the owner's label says, which policies at birth cannot see.
        owner = workload("Deployment", pod(nodeSelector=NODES["t4-spot"]))
        owner["metadata"]["labels"] = {"team": "robots"}
        assert place.attempt(owner, keep=True).allowed
        sandbox.create(shared, budget("own", namespace, limits={"cost": "0"}))
        sandbox.wait(lambda: "AIBudget own is shut" in place.attempt(pod()).said, what="it shut")
        held = place.attempt(job(pod()), keep=True).object["metadata"]["name"]

        def is_suspended() -> bool:
            return sandbox.get("job", held, "-n", namespace)["spec"].get("suspend") is True

        sandbox.wait(is_suspended, what="the Job suspended")
        mine = sandbox.kubectl("create", "token", "default", "-n", namespace).stdout.strip()
        assert running.ask(mine) == 403
        sandbox.kubectl("delete", "aibudget", "own", "-n", namespace)
        sandbox.wait(lambda: not is_suspended(), what="the Job resumed")
    finally:
        for kind in ("pricebook", "classificationpolicy", "clusteraibudget"):
            sandbox.kubectl("delete", kind, other, "--ignore-not-found")
    gone = ("clusterbudgetverdict", "bursar")
    sandbox.wait(lambda: sandbox.find(*gone) is None, what="the cluster's verdict gone")


def test_the_operator_asks_for_each_of_its_rights_and_for_no_other(
    running: Running, namespace: str
) -> None:
    give_it_something_to_do(running, namespace)
    table = of_roles(OPERATOR_ROLES)
    named = {(each.group, each.resource) for each in table if each.name}

    def used() -> set[Grant]:
        found = set()
        for each in running.recorder.grants:
            whole = Grant(each.verb, each.group, each.resource)
            keeps_name = whole not in table and (each.group, each.resource) in named
            found.add(each if keeps_name else whole)
        return found

    def missing() -> list[str]:
        return sorted(map(str, table - used()))

    with suppress(AssertionError):
        settle(missing, [], timeout=30)
    assert missing() == []
    assert sorted(map(str, used() - table)) == []
    assert sorted(map(str, running.recorder.refused)) == []
    assert "ERROR" not in running.log.read_text("utf-8")
