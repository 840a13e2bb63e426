"""The read API with real tokens, and the command line away from the sandbox's own state."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from bursar.sandbox.operator import cluster_of
from support.product import Product, budget

pytestmark = pytest.mark.cluster

VIEWER = "get on services/proxy http:bursar:http in bursar-system (ClusterRole bursar-viewer)"


@dataclass(frozen=True)
class Person:
    """A ServiceAccount of the test's namespace."""

    name: str
    token: str


@pytest.fixture
def person(product: Product, namespace: str) -> Iterator[Callable[..., Person]]:
    """Make somebody who holds ClusterRoles, in the namespace or everywhere."""
    bindings: list[str] = []

    def make(name: str, *, here: str = "", everywhere: str = "") -> Person:
        kubectl = product.sandbox.kubectl
        account = f"--serviceaccount={namespace}:{name}"
        kubectl("-n", namespace, "create", "serviceaccount", name)
        if here:
            kubectl("-n", namespace, "create", "rolebinding", name, f"--clusterrole={here}",
                    account)  # fmt: skip
        if everywhere:
            binding = f"{namespace}-{name}"
            kubectl("create", "clusterrolebinding", binding, f"--clusterrole={everywhere}",
                    account)  # fmt: skip
            bindings.append(binding)
        token = kubectl("-n", namespace, "create", "token", name).stdout.strip()
        return Person(name=name, token=token)

    yield make
    for binding in bindings:
        product.sandbox.kubectl("delete", "clusterrolebinding", binding)


def ask(product: Product, path: str, token: str | None = None) -> tuple[int, Any]:
    """GET a page; the status and what was answered."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{product.sandbox.direct}/api/v1{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


PAGES = ["/report", "/budgets", "/runs", "/models", "/nodes", "/queue"]


def test_who_holds_the_viewers_role_sees_all(
    product: Product, person: Callable[..., Person]
) -> None:
    token = person("viewer", everywhere="bursar-viewer").token
    for path in ["", *PAGES]:
        status, found = ask(product, path, token)
        assert status == 200, (path, found)


def test_who_may_read_a_namespaces_budgets_sees_that_namespace(
    product: Product, person: Callable[..., Person], namespace: str
) -> None:
    product.sandbox.create(budget("mine", namespace, limits={"cost": "1000"}))
    product.sandbox.wait(lambda: product.standing(namespace, "mine"), what="the budget known")
    token = person("tenant", here="view").token
    status, found = ask(product, f"/budgets?namespace={namespace}", token)
    assert (status, [each["name"] for each in found["budgets"]]) == (200, ["mine"])
    for path in ("/report", "/runs", "/queue"):
        status, found = ask(product, f"{path}?namespace={namespace}", token)
        assert status == 200, found
    assert ask(product, f"/report?namespace={namespace}", token)[1]["idle"] is None
    status, found = ask(product, f"/explain/pod/{namespace}/none", token)
    assert (status, found["error"]) == (
        404,
        f"no pod {namespace}/none that asks for an accelerator is known",
    )
    # Nothing else: neither all, nor another's namespace, nor what is the cluster's.
    for path, said in (
        ("/report", "name a namespace"),
        ("/report?namespace=default", "get on aibudgets.bursar.dev in default"),
        ("/explain/pod/default/none", "get on aibudgets.bursar.dev in default"),
        ("/nodes", f"you need {VIEWER}"),
        ("/models", f"you need {VIEWER}"),
    ):
        status, found = ask(product, path, token)
        assert status == 403, path
        assert said in found["error"]


def test_who_has_no_right_or_no_valid_token_sees_nothing(
    product: Product, person: Callable[..., Person], namespace: str
) -> None:
    nobody = person("nobody").token
    assert ask(product, "", nobody)[0] == 200, "the index tells nothing of the cluster"
    for path in (*PAGES, f"/report?namespace={namespace}"):
        assert ask(product, path, nobody)[0] == 403, path
    for path in ("", *PAGES):
        status, found = ask(product, path, nobody[:-8] + "AAAAAAAA")
        assert (status, found) == (401, {"error": "the API server does not accept this token"})
    assert nobody not in product.sandbox.operator_log


def test_a_right_that_is_given_acts_within_seconds(
    product: Product, person: Callable[..., Person], namespace: str
) -> None:
    late = person("late")
    assert ask(product, f"/queue?namespace={namespace}", late.token)[0] == 403
    product.sandbox.kubectl(
        *("-n", namespace, "create", "rolebinding", "late", "--clusterrole=view"),
        f"--serviceaccount={namespace}:late",
    )
    product.sandbox.wait(
        lambda: ask(product, f"/queue?namespace={namespace}", late.token)[0] == 200,
        what="the right",
    )


def test_requests_that_are_none_leave_it_running(product: Product) -> None:
    address = urllib.parse.urlsplit(product.sandbox.direct)
    for method, path in (
        ("GET", "/api/v1/report?" + "a" * 9_000),
        ("GET", "/api/v1/%ff%fe?%00"),
        ("POST", "/api/v1/report"),
        ("BREW", "/api/v1/report"),
    ):
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
        connection.request(method, path, body=b"x" * 1_000 if method == "POST" else None)
        assert 400 <= connection.getresponse().status < 500
        connection.close()
    assert ask(product, "")[0] == 200
    assert "Traceback" not in product.sandbox.operator_log


def kubeconfig(product: Product, path: Path, token: str) -> Path:
    """A kubeconfig of somebody else, away from the sandbox's folder."""
    path.write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "c", "cluster": cluster_of(product.sandbox.state)}],
                "users": [{"name": "u", "user": {"token": token}}],
                "contexts": [{"name": "away", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "away",
            }
        ),
        "utf-8",
    )
    return path


def test_the_command_line_says_what_is_missing_in_a_cluster(
    product: Product, person: Callable[..., Person], tmp_path: Path, namespace: str
) -> None:
    def cli(token: str, *arguments: str) -> str:
        env = {"KUBECONFIG": str(kubeconfig(product, tmp_path / "config", token))}
        done = product.cli(*arguments, env=env)
        assert done.returncode == 1, done.stdout
        (line,) = done.stderr.splitlines()
        return line

    nobody = person("nobody").token
    said = cli(nobody, "report")
    assert "may not read CRD aibudgets.bursar.dev in context away" in said
    assert "ask for ClusterRole bursar-viewer" in said
    assert "name a namespace of yours with -n" in cli(nobody, "status")
    assert f"namespace {namespace} of context away" in cli(nobody, "status", "-n", namespace)
    assert "does not accept these credentials: log in again" in cli("wrong", "report")
    # Without a pod the Service has no endpoints.
    product.sandbox.stop_operator()
    viewer = person("viewer", everywhere="bursar-viewer").token
    said = cli(viewer, "report")
    assert "the operator of context away does not run" in said
    assert "see `kubectl -n bursar-system get pods`" in said


def test_a_token_of_a_file_is_taken_to_a_named_server(
    product: Product, person: Callable[..., Person], tmp_path: Path, namespace: str
) -> None:
    path = tmp_path / "token"
    path.write_text(person("tenant", here="view").token + "\n", "utf-8")
    at = ("--server", product.sandbox.direct, "--token-file", str(path), "-o", "json")
    done = product.cli("runs", "-n", namespace, *at)
    assert (done.returncode, json.loads(done.stdout)["runs"]) == (0, [])
    done = product.cli("runs", *at)
    assert done.returncode == 1
    assert done.stderr.startswith("bursar: name a namespace")
