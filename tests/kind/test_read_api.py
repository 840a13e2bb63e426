"""The read API through the API server's service proxy: RBAC decides who may ask."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from support.deployed import PROXY
from support.product import Product

pytestmark = pytest.mark.kind


@pytest.fixture
def person(product: Product, namespace: str, tmp_path: Path) -> Path:
    """The kubeconfig of somebody who may do nothing yet; known as `someone` in the namespace."""
    sandbox = product.sandbox
    sandbox.kubectl("create", "serviceaccount", "someone", "-n", namespace)
    token = sandbox.kubectl("create", "token", "someone", "-n", namespace).stdout.strip()
    config = yaml.safe_load(
        sandbox.kubectl("config", "view", "--raw", "--minify", "--flatten").stdout
    )
    (user,) = config["users"]
    user["user"] = {"token": token}
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config), "utf-8")
    return path


@pytest.fixture
def viewer(product: Product, namespace: str, person: Path) -> Path:
    """The same, with `bursar-viewer` in the whole cluster and nothing else."""
    sandbox = product.sandbox
    name = f"viewer-{namespace}"
    sandbox.kubectl(
        *("create", "clusterrolebinding", name, "--clusterrole=bursar-viewer"),
        f"--serviceaccount={namespace}:someone",
    )
    yield person
    sandbox.kubectl("delete", "clusterrolebinding", name)


def raw(product: Product, config: Path, path: str) -> tuple[int, str]:
    done = product.sandbox.kubectl(
        "--kubeconfig", str(config), "get", "--raw", PROXY + path, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_viewer_reads_through_the_proxy_and_the_command_line_finds_the_way(
    product: Product, viewer: Path
) -> None:
    status, text = raw(product, viewer, "/api/v1/budgets")
    assert status == 0, text
    assert "budgets" in json.loads(text)
    done = product.cli("report", "-o", "json", env={"KUBECONFIG": str(viewer)})
    assert done.returncode == 0, done.stderr
    assert {"rows", "idle", "total"} <= json.loads(done.stdout).keys()
    done = product.cli("status", "-o", "json", env={"KUBECONFIG": str(viewer)})
    assert done.returncode == 0, done.stderr


def test_a_viewer_may_see_and_may_not_touch(product: Product, viewer: Path) -> None:
    def may(*what: str) -> str:
        asked = product.sandbox.kubectl(
            "--kubeconfig", str(viewer), "auth", "can-i", *what, check=False
        )
        return asked.stdout.strip()

    assert may("get", "aibudgets.bursar.dev", "--all-namespaces") == "yes"
    assert may("list", "pods", "-n", "kube-system") == "no"
    assert may("patch", "aibudgets.bursar.dev", "--all-namespaces") == "no"
    assert may("get", "services/any-other", "--subresource=proxy", "-n", "bursar-system") == "no"
    assert may("create", "services/http:bursar:http", "--subresource=proxy",
               "-n", "bursar-system") == "no"  # fmt: skip


def test_who_may_nothing_is_refused_by_the_api_server_and_told_so_in_one_line(
    product: Product, person: Path
) -> None:
    status, text = raw(product, person, "/api/v1/budgets")
    assert status != 0
    assert "forbidden" in text.lower()
    done = product.cli("report", "-o", "json", env={"KUBECONFIG": str(person)})
    assert done.returncode != 0
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
