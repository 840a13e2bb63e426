"""The resources on a real API server: examples apply, and every rule refuses what it must."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bursar.api import crd
from support.cluster import Sandbox
from support.dryrun import DryRun
from support.examples import GRANT, ROOT, changed, example, resources
from support.refusals import REFUSALS, Refusal
from support.violations import Change, violations

pytestmark = pytest.mark.cluster

EXAMPLES = [
    *((file, obj) for file, objects in resources().items() for obj in objects),
    ("with a grant", example("AIBudget")),
]
AS_LEE = (f"--as={GRANT['grantedBy']}", "--as-group=system:masters")
"""A grant must be signed by whoever writes it."""
BOUNDS = [
    pytest.param(
        resource.KIND, change, id=f"{resource.KIND} {'.'.join(change[1])} beyond its {change[0]}"
    )
    for resource in crd.RESOURCES
    if "spec" in crd.schema_of(resource)["properties"]
    for change in violations(
        crd.schema_of(resource)["properties"]["spec"], example(resource.KIND)["spec"], ("spec",)
    )
]


@pytest.fixture(scope="module")
def definitions(sandbox: Sandbox) -> Sandbox:
    """The sandbox with the definitions of this checkout, established."""
    sandbox.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    names = [f"crd/{resource.PLURAL}.bursar.dev" for resource in crd.RESOURCES]
    sandbox.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    return sandbox


@pytest.fixture(scope="module")
def server(definitions: Sandbox) -> Iterator[DryRun]:
    """Dry-run creation, once the API server serves what it established."""
    with DryRun(definitions.kubeconfig) as server:
        definitions.wait(
            lambda: all(server.create(obj, "default")[0] != 404 for _, obj in EXAMPLES),
            what="all kinds served",
        )
        yield server


@pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda each: each.KIND)
def test_definitions_are_accepted_without_a_complaint(definitions: Sandbox, resource: Any) -> None:
    """A schema that is not structural is stored all the same, and told of by a condition."""
    live = definitions.get("crd", f"{resource.PLURAL}.bursar.dev")
    bad = [
        each
        for each in live["status"]["conditions"]
        if each["type"] == "NonStructuralSchema" or each["status"] != "True"
    ]
    assert not bad


@pytest.mark.parametrize(
    ("file", "obj"),
    [pytest.param(*each, id=f"{each[0]} {each[1]['metadata']['name']}") for each in EXAMPLES],
)
def test_examples_apply(
    server: DryRun, definitions: Sandbox, namespace: str, file: str, obj: dict[str, Any]
) -> None:
    assert server.create(obj, namespace) == (201, "")
    placed = changed(obj, {"metadata.name": f"{obj['metadata']['name']}-{namespace}"})
    kind = next(each for each in crd.RESOURCES if obj["kind"] == each.KIND)
    where = ("-n", namespace) if kind.NAMESPACED else ()
    placed["metadata"].pop("namespace", None)
    definitions.kubectl("apply", "-f", "-", *where, *AS_LEE, input=_json(placed))
    try:
        live = definitions.get(kind.PLURAL, placed["metadata"]["name"], *where)
        assert kind.parse(live).dump()["spec"] == kind.parse(obj).dump()["spec"], file
    finally:
        definitions.kubectl("delete", kind.PLURAL, placed["metadata"]["name"], *where)


@pytest.mark.parametrize("name", sorted(resources()))
def test_example_files_apply_as_kubectl_reads_them(
    server: DryRun, definitions: Sandbox, namespace: str, name: str
) -> None:
    text = (ROOT / "examples" / name).read_text("utf-8")
    for own in {obj["metadata"].get("namespace") for obj in resources()[name]} - {None}:
        text = text.replace(f"namespace: {own}", f"namespace: {namespace}")
    definitions.kubectl("apply", "--dry-run=server", "-f", "-", input=text)


@pytest.mark.parametrize("case", [pytest.param(each, id=each.id) for each in REFUSALS])
def test_rules_refuse(server: DryRun, case: Refusal) -> None:
    code, message = server.create(changed(example(case.kind), case.changes), "default")
    assert code == 422, message
    assert case.says in message


@pytest.mark.parametrize(("kind", "change"), BOUNDS)
def test_bounds_refuse(server: DryRun, kind: str, change: Change) -> None:
    _, path, value = change
    code, message = server.create(changed(example(kind), {path: value}), "default")
    assert code == 422, message
    assert "spec" in message


def test_an_unquoted_on_applies_though_yaml_reads_it_as_true(
    server: DryRun, definitions: Sandbox, namespace: str
) -> None:
    budget = f"""
        apiVersion: bursar.dev/v1alpha1
        kind: AIBudget
        metadata: {{name: told, namespace: {namespace}}}
        spec:
          limits: {{cost: "1"}}
          notify: [{{urlSecretRef: {{name: hooks, key: slack}}, on: [Held]}}]
    """
    definitions.kubectl("apply", "-f", "-", input=budget)
    live = crd.AIBudget.parse(definitions.get("aibudget", "told", "-n", namespace))
    assert [each.occasions for each in live.spec.notify] == [("Held",)]


def test_a_null_break_glass_is_no_break_glass(server: DryRun) -> None:
    obj = changed(example("AIBudget"), {"spec.suspendUntil": None})
    assert server.create(obj, "default") == (201, "")


def test_status_is_written_apart_and_shown_in_the_columns(
    definitions: Sandbox, namespace: str
) -> None:
    obj = changed(example("AIBudget"), {"metadata.namespace": namespace})
    obj["status"] = {"held": 9}
    definitions.kubectl("apply", "-f", "-", *AS_LEE, input=_json(obj))
    where = ("vision", "-n", namespace)
    assert "held" not in definitions.get("aibudget", *where).get("status", {})
    status = {
        "observedGeneration": 1,
        "observedThrough": "2026-11-24T12:00:00Z",
        "period": {"start": "2026-10-31T23:00:00Z", "end": "2026-11-30T23:00:00Z"},
        "currency": "USD",
        "limit": {"cost": "12000.000000", "gpuHours": "-1.5"},
        "summary": {"limit": "12000 USD", "spent": "9960.00 USD", "used": "83%"},
        "spent": {
            "cost": "9960.000000",
            "gpuHours": "1893.250000",
            "estimatedCost": "3.200000",
            "byClass": {"training": {"cost": "6925.400000"}, "unknown": {"cost": "0.000000"}},
        },
        "reserved": {"cost": "0.000000"},
        "burnRate": {"costPerHour": "35.520000", "devices": "6"},
        "forecast": {"periodEndCost": "15465.600000", "exhaustedAt": "2026-11-26T21:25:56Z"},
        "admission": [
            {
                "class": "*",
                "closesAt": "2026-11-26T21:25:56Z",
                "reopensAt": "2026-11-30T23:00:00Z",
                "message": "shut",
            }
        ],
        "warning": {"since": "2026-11-24T01:51:53Z", "message": "83 % spent"},
        "held": 3,
        "history": [{"time": "2026-11-24T01:51:53Z", "type": "Granted", "amount": "2000"}],
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Evaluated",
                "message": "",
                "lastTransitionTime": "2026-11-24T12:00:00Z",
            }
        ],
    }
    definitions.kubectl(
        "patch", "aibudget", *where, "--subresource=status", "--type=merge",
        "-p", _json({"status": status}),
    )  # fmt: skip
    live = definitions.get("aib", *where)
    assert live["status"] == status
    table = definitions.kubectl("get", "aib", *where).stdout.splitlines()
    assert table[0].split() == [
        "NAME", "LIMIT", "SPENT", "USED", "BURN/H", "EXHAUSTS", "HELD", "READY", "AGE",
    ]  # fmt: skip
    assert table[1].split()[:-1] == [
        "vision", "12000", "USD", "9960.00", "USD", "83%", "35.520000",
        "2026-11-26T21:25:56Z", "3", "True",
    ]  # fmt: skip


def test_all_kinds_are_listed_by_category(definitions: Sandbox) -> None:
    named = definitions.kubectl("api-resources", "--categories=finops", "-o", "name").stdout
    assert {f"{each.PLURAL}.bursar.dev" for each in crd.RESOURCES} <= set(named.split())


def test_a_verdict_takes_a_full_merge_of_budgets(definitions: Sandbox, namespace: str) -> None:
    """Fifty budgets with eight windows each, as one namespace may have."""
    window = {
        "class": "*",
        "closesAt": "2026-11-26T21:25:56Z",
        "reopensAt": "2026-11-30T23:00:00Z",
        "message": "x" * 1024,
    }
    budget = {
        "budget": "AIBudget vision",
        "admission": "Optimistic",
        "unknownAs": "training",
        "windows": [window] * 8,
        "selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
    }
    definitions.create(
        {
            "apiVersion": "bursar.dev/v1alpha1",
            "kind": "BudgetVerdict",
            "metadata": {"name": "bursar", "namespace": namespace},
            "verdict": {"budgets": [budget] * 50},
        }
    )
    live = definitions.get("budgetverdict", "bursar", "-n", namespace)
    assert live["verdict"] == {"budgets": [budget] * 50}


def _json(value: object) -> str:
    return json.dumps(value)
