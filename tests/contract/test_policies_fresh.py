"""The chart's policies and roles are what the tables say, and nothing more than that."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from bursar.admission import placeholders
from bursar.admission.manifests import Manifest, Policy
from bursar.admission.permissions import ROLES
from bursar.admission.placeholders import FULLNAME, PROXIED_SERVICE
from bursar.admission.policies import all_policies
from bursar.admission.rights import Role, rules
from bursar.api import meta
from bursar.api.crd import RESOURCES
from bursar.classify.rule import TEXT_LIMIT
from bursar.classify.rules import RULES
from support.examples import ROOT
from support.generated import generate

POLICIES = [policy for policies in all_policies().values() for policy in policies]
FOLDER = ROOT / "charts/bursar/templates/policies"


@pytest.mark.parametrize("name", ["admission", "rbac", "rights"])
def test_generated_files_are_fresh(name: str) -> None:
    done = generate(name, "--check")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_nothing_in_a_policy_depends_on_the_installation_but_what_is_named(file: Any) -> None:
    actions = set(re.findall(r"{{-?\s*(.*?)\s*-?}}", file.read_text("utf-8")))
    allowed = (
        r"/\* .* \*/|end|`{{`|include \"bursar\.(labels|mutatingApi|operatorUser|refusal)\" \."
        r"( \| nindent 4)?|\.Values\.acceleratorResources \| toJson"
        r"|if and \.Values\.policies\.install.*"
    )
    assert {each for each in actions if not re.fullmatch(allowed, each)} == set()


def specs(policy: Policy) -> Iterator[Manifest]:
    for manifest in policy.manifests:
        yield manifest["spec"]


def expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("expression", "messageExpression"):
                yield inner
            else:
                yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: f"{policy.name} {policy.when.name}")
class TestLessons:
    """What the attack on the design taught, held on every policy."""

    def test_times_are_never_compared_as_text(self, policy: Policy) -> None:
        for expression in expressions([*specs(policy)]):
            for stamp in re.findall(r"[\w.]*(?:closesAt|reopensAt|asleepUntil)\b", expression):
                bare = re.compile(
                    rf"(?<![\w.]){re.escape(stamp)}\s*[<>]|[<>]=?\s*{re.escape(stamp)}"
                )
                assert not bare.search(expression), stamp

    def test_no_message_asks_the_authorizer(self, policy: Policy) -> None:
        said = [
            rule.get("messageExpression", "")
            for spec in specs(policy)
            for rule in spec.get("validations", [])
        ]
        trusting = {
            variable["name"]
            for spec in specs(policy)
            for variable in spec.get("variables", [])
            if "authorizer" in variable["expression"]
            or "variables.trusted" in variable["expression"]
        }
        for message in said:
            assert "authorizer" not in message
            assert not set(re.findall(r"variables\.(\w+)", message)) & trusting

    def test_refusals_say_forbidden_and_all_have_a_fixed_message_too(self, policy: Policy) -> None:
        warns = "notice" in policy.name
        for spec in specs(policy):
            for rule in spec.get("validations", []):
                assert rule.get("reason") == (None if warns else "Forbidden")
                assert rule["message"]

    def test_one_parameter_object_by_its_name(self, policy: Policy) -> None:
        definition, binding = specs(policy)
        assert ("paramKind" in definition) == ("paramRef" in binding)
        if "paramRef" in binding:
            assert binding["paramRef"]["name"] == meta.VERDICT_NAME

    def test_mutations_of_lists_are_not_json_patches(self, policy: Policy) -> None:
        for spec in specs(policy):
            for mutation in spec.get("mutations", []):
                assert "value: [" not in mutation["jsonPatch"]["expression"]

    def test_every_placeholder_is_known(self, policy: Policy) -> None:
        found = set(re.findall(r"@[A-Z_]+@", json.dumps(policy.manifests)))
        assert found <= set(placeholders.ALL)
        filled = placeholders.fill(list(policy.manifests), dict.fromkeys(placeholders.ALL, "x"))
        assert not re.search(r"@[A-Z_]+@", json.dumps(filled))


FAIL_CLOSED = {
    "bursar-unstamped",
    "bursar-ephemeral",
    "bursar-budget",
    "bursar-cluster-budget",
    "bursar-require",
    "bursar-guard-pods",
    "bursar-guard-templates",
    "bursar-guard-namespaces",
    "bursar-guard-budgets",
    "bursar-guard-verdicts",
    "bursar-guard-operator",
}


def test_what_decides_fails_closed_and_what_helps_fails_open() -> None:
    closed = {p.name for p in POLICIES if p.manifests[0]["spec"]["failurePolicy"] == "Fail"}
    assert closed == FAIL_CLOSED


def test_a_policy_that_fails_closed_on_pods_with_a_parameter_selects_objects_first() -> None:
    for policy in POLICIES:
        spec = policy.manifests[0]["spec"]
        if "paramKind" in spec and spec["failurePolicy"] == "Fail":
            selector = spec["matchConstraints"].get("objectSelector")
            stamped = "not stamped" not in policy.when.value
            assert (selector is not None) == stamped


def test_the_stamp_has_no_match_condition_about_accelerators_and_one_patch() -> None:
    (policy,) = all_policies()["stamp"]
    spec = policy.manifests[0]["spec"]
    assert [condition["name"] for condition in spec["matchConditions"]] == ["small"]
    assert len(spec["mutations"]) == 1
    assert spec["reinvocationPolicy"] == "IfNeeded"


def test_stamp_and_refusal_have_the_same_caps() -> None:
    (stamp,), (unstamped,) = all_policies()["stamp"], all_policies()["unstamped"]
    small = stamp.manifests[0]["spec"]["matchConditions"][0]["expression"]
    assert {"name": "small", "expression": small} in unstamped.manifests[0]["spec"]["variables"]


def test_the_notice_only_warns_and_its_binding_says_so() -> None:
    for name in ("notice", "notice-cluster"):
        (policy,) = all_policies()[name]
        binding = policy.manifests[1]
        assert binding["metadata"]["name"].startswith("notice-only-nothing-was-refused")
        assert binding["spec"]["validationActions"] == ["Warn"]


def test_the_rules_of_a_class_stay_within_what_one_expression_may_cost() -> None:
    """CEL charges a match ceil(0.1·(1 + text)) · ceil(0.25·pattern), and stops at a million."""
    costs: dict[str, int] = {}
    for rule in RULES:
        cost = -(-(1 + TEXT_LIMIT) // 10) * -(-len(rule.pattern) // 4)
        costs[rule.workload_class] = costs.get(rule.workload_class, 0) + cost
    assert max(costs.values()) < 1_000_000, costs
    assert sum(costs.values()) < 5_000_000


class TestRights:
    """The roles of the chart."""

    @pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
    def test_have_no_wildcard_no_secret_and_write_no_policy(self, role: Role) -> None:
        for rule in rules(role):
            words = {word for part in rule.values() for word in part}
            assert not words & {"*", "secrets", "impersonate", "bind", "escalate"}
            assert not words & {"rbac.authorization.k8s.io", "deletecollection"}
            if "admissionregistration.k8s.io" in words:
                assert rule["verbs"] == ["get"]
                assert rule["resourceNames"]

    def test_observing_installations_have_none_to_suspend(self) -> None:
        assert [role.name for role in ROLES if role.enforcing] == ["enforcer"]

    def test_who_spends_does_not_edit_budgets(self) -> None:
        aggregated = {role.name: role.aggregate_to for role in ROLES if role.aggregate_to}
        assert aggregated == {"bursar-aggregate-to-view": ("view",)}

    def test_what_is_aggregated_only_reads_kinds_of_ours(self) -> None:
        (role,) = (role for role in ROLES if role.aggregate_to)
        for rule in rules(role):
            assert rule["apiGroups"] == [meta.GROUP]
            assert set(rule["verbs"]) <= {"get", "list", "watch"}

    def test_only_the_operator_writes_verdicts_and_status(self) -> None:
        for role in ROLES:
            if not role.name.startswith("bursar-"):
                continue
            for rule in rules(role):
                assert not any("/status" in resource for resource in rule["resources"])
                if any("verdict" in resource for resource in rule["resources"]):
                    assert set(rule["verbs"]) <= {"get", "list", "watch"}

    def test_cover_every_kind_of_ours(self) -> None:
        (budgets,) = (role for role in ROLES if role.name == "budgets")
        told = {resource for rule in rules(budgets) for resource in rule["resources"]}
        assert {each.PLURAL for each in RESOURCES} <= told

    @pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
    def test_are_what_the_chart_has(self, role: Role) -> None:
        text = (ROOT / f"charts/bursar/templates/rbac/{role.name}.yaml").read_text("utf-8")
        bare = re.sub(r"^\s*{{-.*}}\n", "", text, flags=re.MULTILINE)
        bare = bare.replace('{{ include "bursar.proxiedService" . }}', PROXIED_SERVICE)
        bare = bare.replace('["{{ include "bursar.fullname" . }}"]', f'["{FULLNAME}"]')
        bare = re.sub(r"{{.*?}}", "x", bare)
        first = next(each for each in yaml.safe_load_all(bare) if each)
        assert first["rules"] == rules(role)
