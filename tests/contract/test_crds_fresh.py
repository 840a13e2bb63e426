"""The generated CRDs are what the models say, in both places, and no rule is without a test."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bursar.api import crd, meta
from bursar.api.common import Resource
from support.examples import ROOT, example
from support.refusals import REFUSALS

GENERATE = ROOT / "hack" / "generate.py"


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(GENERATE), *arguments], capture_output=True, text=True, check=False
    )


def rules(schema: Any) -> set[str]:
    """All CEL rules' messages at and below a schema."""
    if isinstance(schema, list):
        return set().union(*map(rules, schema))
    if not isinstance(schema, dict):
        return set()
    own = {rule["message"] for rule in schema.get("x-kubernetes-validations", ())}
    return own.union(*(rules(each) for each in schema.values()))


def walk(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = [(path, schema)]
    for name, each in schema.get("properties", {}).items():
        found += walk(each, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            found += walk(schema[key], f"{path}[]")
    return found


@pytest.mark.parametrize("name", ["crds", "chart-crds", "resources"])
def test_generated_files_are_fresh(name: str) -> None:
    done = generate(name, "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_a_missing_and_a_left_over_file_are_named(tmp_path: Path) -> None:
    assert generate("crds", "--root", str(tmp_path)).returncode == 0
    assert generate("crds", "--root", str(tmp_path), "--check").returncode == 0
    (tmp_path / "crds/aibudgets.yaml").write_text("old", "utf-8")
    (tmp_path / "crds/pricebooks.yaml").unlink()
    (tmp_path / "crds/gone.yaml").write_text("old", "utf-8")
    done = generate("crds", "--root", str(tmp_path), "--check")
    assert done.returncode == 1
    assert sorted(done.stdout.split("\n")) == [
        "",
        "stale: crds/aibudgets.yaml",
        "stale: crds/gone.yaml",
        "stale: crds/pricebooks.yaml",
    ]
    assert generate("crds", "--root", str(tmp_path)).returncode == 0
    assert not (tmp_path / "crds/gone.yaml").exists()


@pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda each: each.KIND)
def test_the_charts_definition_is_the_plain_one_and_survives_an_uninstall(
    resource: type[Resource],
) -> None:
    plain = (ROOT / f"crds/{resource.PLURAL}.yaml").read_text("utf-8")
    chart = (ROOT / f"charts/bursar/templates/crds/{resource.PLURAL}.yaml").read_text("utf-8")
    guard, end = "{{- if .Values.crds.install }}\n", "{{- end }}\n"
    assert chart.count(guard) == 1
    assert chart.endswith(end)
    annotations = (
        "  annotations:\n    helm.sh/resource-policy: keep\n"
        '    bursar.dev/read-api: {{ include "bursar.readApi" . | quote }}\n'
    )
    assert chart.count(annotations) == 1
    body = chart.replace(guard, "").removesuffix(end).replace(annotations, "")
    assert "{{" not in body.replace("{{ `{{` }}", "")
    assert body.replace("{{ `{{` }}", "{{") == plain


@pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda each: each.KIND)
def test_schemas_are_structural_described_and_bounded(resource: type[Resource]) -> None:
    for path, schema in walk(crd.schema_of(resource)):
        here = f"{resource.KIND}{path}"
        assert not schema.keys() & {"$ref", "$defs", "anyOf", "oneOf", "title", "const"}, here
        assert "type" in schema or schema.get("x-kubernetes-int-or-string"), here
        if path.startswith((".spec.", ".status.", ".verdict.")) and not path.endswith("[]"):
            assert schema.get("description"), f"{here} has no description"
        if schema.get("type") == "array":
            assert "maxItems" in schema, f"{here} has no bound"
            assert "x-kubernetes-list-type" in schema, f"{here} does not say how it is merged"
        if schema.get("type") == "string" and "enum" not in schema and path.startswith(".spec"):
            assert "maxLength" in schema, f"{here} has no bound"
        assert "additionalProperties" not in schema or "maxProperties" in schema, here


@pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda each: each.KIND)
def test_every_validation_rule_has_a_case_in_which_it_refuses(resource: type[Resource]) -> None:
    kinds = {resource.KIND, resource.KIND.removeprefix("Cluster")}  # a cluster budget inherits
    said = [case.says for case in REFUSALS if case.kind in kinds]
    silent = {
        message
        for message in rules(crd.schema_of(resource))
        if not any(words in message for words in said)
    }
    assert not silent


def test_a_cluster_budget_takes_all_that_a_budget_takes() -> None:
    budget, cluster = (
        dict(walk(crd.schema_of(kind)["properties"]["spec"])[1:]) for kind in crd.RESOURCES[:2]
    )
    assert budget.items() <= cluster.items()


def test_the_verdicts_have_the_shape_that_the_policies_were_attacked_with() -> None:
    source = ROOT.parent / "shared" / "design" / "policies" / "00-verdict-crds.yaml"
    if not source.is_file():
        pytest.skip("the design documents are not beside this checkout")
    for designed in yaml.safe_load_all(source.read_text("utf-8")):
        ours = next(
            crd.manifest(each)
            for each in crd.RESOURCES
            if designed["spec"]["names"]["kind"] == each.KIND
        )
        assert ours["metadata"]["name"] == designed["metadata"]["name"]
        assert ours["spec"]["scope"] == designed["spec"]["scope"]
        have, want = (
            dict(walk(each["spec"]["versions"][0]["schema"]["openAPIV3Schema"]))
            for each in (ours, designed)
        )
        for path, schema in want.items():
            bounds = {
                key: value
                for key, value in schema.items()
                if key not in ("properties", "items", "additionalProperties")
            }
            assert {key: have[path].get(key) for key in bounds} == bounds, path
        added = {
            ".apiVersion",
            ".kind",
            ".metadata",
            ".verdict.repeatedIn",
            ".verdict.repeatedIn[]",
        }
        assert have.keys() - want.keys() == added


def test_budgets_show_the_documented_columns() -> None:
    columns = crd.manifest(crd.RESOURCES[0])["spec"]["versions"][0]["additionalPrinterColumns"]
    shown = [each["name"].upper() for each in columns if not each.get("priority")]
    assert shown == [
        "LIMIT", "SPENT", "USED", "BURN/H", "EXHAUSTS", "HELD", "READY", "AGE",
    ]  # fmt: skip


def test_every_kind_is_found_by_its_categories_and_short_name() -> None:
    for resource in crd.RESOURCES:
        names = crd.manifest(resource)["spec"]["names"]
        assert names["categories"] == ["bursar", "finops"]
        assert names["plural"] == resource.PLURAL
    short = [name for resource in crd.RESOURCES for name in resource.SHORT_NAMES]
    assert len(short) == len(set(short))


@pytest.mark.parametrize(
    "kind", ["AIBudget", "ClusterAIBudget", "PriceBook", "ClassificationPolicy", "AIModel"]
)
def test_every_kind_that_people_write_has_an_example_that_parses(kind: str) -> None:
    obj = example(kind)
    assert obj["apiVersion"] == meta.API_VERSION
    resource = next(each for each in crd.RESOURCES if kind == each.KIND)
    assert resource.parse(obj).metadata.name == obj["metadata"]["name"]
