"""The chart on a real API server: its modes take effect, and the notes say what is so."""

from __future__ import annotations

import pytest

from bursar.admission.pods import MOST_CONTAINERS
from bursar.sandbox import install
from support.chart import CHART, Helm
from support.cluster import Sandbox
from support.policies import Place, container, cpu_pod, entry, pod, stamps, window

pytestmark = pytest.mark.cluster


def arguments(sandbox: Sandbox) -> tuple[str, ...]:
    return (
        *("--kubeconfig", str(sandbox.kubeconfig)),
        *("--namespace", install.NAMESPACE, install.RELEASE, str(CHART)),
    )


def test_from_enforcing_to_observing_and_back(sandbox: Sandbox, helm: Helm) -> None:
    def actions() -> dict[str, list[str]]:
        items = sandbox.get("validatingadmissionpolicybindings")["items"]
        return {o["spec"]["policyName"]: o["spec"]["validationActions"] for o in items}

    enforcing = "replicaCount=0,enforcement.mode=Enforce"
    try:
        done = helm("upgrade", *arguments(sandbox), "--set", "replicaCount=0")
        assert done.returncode == 0, done.stderr
        assert actions()["bursar-unstamped"] == ["Warn"]
        assert "bursar-budget" not in actions()
    finally:
        done = helm("upgrade", *arguments(sandbox), "--set", enforcing)
    assert done.returncode == 0, done.stderr
    assert actions()["bursar-unstamped"] == ["Deny"]
    assert actions()["bursar-budget"] == ["Deny"]
    place = Place(sandbox=sandbox, namespace="default")
    big = pod(*(container(f"c{i}") for i in range(MOST_CONTAINERS + 1)))
    sandbox.wait(lambda: not place.attempt(big).allowed, what="the policies in force again")


def test_without_the_stamp_budgets_look_at_pods_themselves(
    sandbox: Sandbox, helm: Helm, namespace: str
) -> None:
    place = Place(sandbox=sandbox, namespace=namespace)
    values = "replicaCount=0,enforcement.mode=Enforce"
    try:
        done = helm("upgrade", *arguments(sandbox), "--set", f"{values},policies.stamping=Never")
        assert done.returncode == 0, done.stderr
        sandbox.wait(
            lambda: (got := place.attempt(pod())).allowed and not stamps(got.labels),
            what="the stamp to go",
        )
        place.rule(entry("AIBudget vision", window("training"), exemptTagged=["inference"]))
        forged = {"bursar.dev/class": "inference", "bursar.dev/class-by": "tagged"}
        for one in (pod(), pod(labels=forged)):
            answer = place.attempt(one)
            assert not answer.allowed
            assert "AIBudget vision is shut" in answer.said
        assert place.attempt(cpu_pod()).allowed
    finally:
        done = helm("upgrade", *arguments(sandbox), "--set", values)
    assert done.returncode == 0, done.stderr
    fresh = Place(sandbox=sandbox, namespace="default")
    sandbox.wait(
        lambda: (got := fresh.attempt(pod())).allowed and stamps(got.labels),
        what="the stamp to come back",
    )


@pytest.mark.parametrize(
    ("values", "says", "silent"),
    [
        pytest.param(
            "enforcement.mode=Observe",
            (
                "mode Observe",
                "kubectl get aibudgets -A",
                "nothing is refused for money",
                "bursar audit",
                "namespaces/bursar-system/services/http:bursar:http/proxy/api/v1/budgets",
                # The cluster of the tests enforces.
                "WARNING: it enforced until now",
                "bursar release-all --dry-run",
            ),
            ("enforcement is on",),
            id="from enforcing to observing",
        ),
        pytest.param(
            "enforcement.mode=Enforce,replicaCount=0",
            ("WARNING: enforcement is on", "No operator runs", "`bursar release-all`"),
            ("rollout status", "get --raw"),
            id="enforcing without an operator",
        ),
        pytest.param(
            "persistence.enabled=false",
            ("what was spent is forgotten",),
            (),
            id="no volume",
        ),
        pytest.param(
            "enforcement.mode=Enforce,rbac.create=false",
            ("rbac.create is false",),
            (),
            id="no rights",
        ),
        pytest.param(
            "policies.install=false", ("nothing is labelled at birth",), (), id="no policies"
        ),
        pytest.param(
            "enforcement.mode=Enforce,policies.stamping=Never",
            ("EVERY new pod is refused", "policies.stamping is Never"),
            (),
            id="no stamp",
        ),
    ],
)
def test_the_notes_say_what_is_so(
    sandbox: Sandbox, helm: Helm, values: str, says: tuple[str, ...], silent: tuple[str, ...]
) -> None:
    done = helm("upgrade", *arguments(sandbox), "--dry-run=server", "--set", values)
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    for words in says:
        assert words in notes
    for words in silent:
        assert words not in notes


def test_the_policies_type_check(sandbox: Sandbox) -> None:
    for kind in ("validatingadmissionpolicies",):
        for policy in sandbox.get(kind)["items"]:
            warnings = policy.get("status", {}).get("typeChecking", {}).get("expressionWarnings")
            assert not warnings, policy["metadata"]["name"]
