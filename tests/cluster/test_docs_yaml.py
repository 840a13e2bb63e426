"""YAML in the documentation is accepted by a real API server, as written, without being kept."""

from typing import Any

import pytest
import yaml

from support.cluster import Sandbox
from support.examples import ROOT
from support.pages import objects, pages

pytestmark = pytest.mark.cluster

VERDICTS = {"BudgetVerdict", "ClusterBudgetVerdict"}
"""Written by the operator alone: a page shows them, and nobody may apply them."""
FOLDERS = sorted((ROOT / "examples").rglob("*.yaml"))
WRITTEN = [
    pytest.param(obj, id=where)
    for page in pages()
    for where, obj in objects(page)
    if obj["kind"] not in VERDICTS and obj["apiVersion"] != "kind.x-k8s.io/v1alpha4"
]


def apply(sandbox: Sandbox, obj: dict[str, Any]) -> None:
    """Apply with a server-side dry-run, in a namespace that is there."""
    space = obj["metadata"].get("namespace")
    if space:
        sandbox.kubectl("create", "namespace", space, check=False)
    sandbox.kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
        input=yaml.safe_dump(obj),
    )


@pytest.mark.parametrize("obj", WRITTEN)
def test_yaml_on_a_page_applies(sandbox: Sandbox, obj: dict[str, Any]) -> None:
    apply(sandbox, obj)


@pytest.mark.parametrize(
    "path", [each for each in FOLDERS if each.parent.name != "examples"], ids=lambda p: p.name
)
def test_a_file_that_a_page_applies_is_accepted(sandbox: Sandbox, path: Any) -> None:
    for obj in yaml.safe_load_all(path.read_text("utf-8")):
        apply(sandbox, obj)


def test_what_the_tutorial_shows_of_the_budget_is_the_file() -> None:
    file = yaml.safe_load((ROOT / "examples" / "first-budget" / "budget.yaml").read_text("utf-8"))
    shown = [obj for _, obj in objects(ROOT / "docs" / "tutorials" / "first-budget.md")]
    assert file in shown
