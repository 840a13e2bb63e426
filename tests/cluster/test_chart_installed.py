"""The chart on a real API server: every set of values is accepted, and the notes say what is so."""

from __future__ import annotations

import pytest

from bursar.admission.pods import MOST_CONTAINERS
from bursar.sandbox import install
from support.chart import CHART, Helm
from support.cluster import Sandbox
from support.policies import Place, container, cpu_pod, entry, pod, stamps, window

pytestmark = pytest.mark.cluster

SETS = [
    pytest.param("enforcement.mode=Observe", id="observing"),
    pytest.param("enforcement.mode=Enforce", id="enforcing"),
    pytest.param("enforcement.mode=Enforce,policies.stamping=Never", id="without the stamp"),
    pytest.param("acceleratorResources={example.com/Card_2.x,e.org/c}", id="further resources"),
    pytest.param("persistence.enabled=false,rbac.create=false", id="bare"),
    pytest.param("currency=EUR,clusterName=berlin,defaultRatePerDeviceHour=2.50", id="prices"),
    pytest.param(
        "nodeSelector.a=b,podLabels.a=b,podAnnotations.a=b,imagePullSecrets={a},"
        "priorityClassName=system-cluster-critical,serviceAccount.annotations.a=b,"
        "persistence.storageClassName=fast,image.tag=x",
        id="everything else",
    ),
]


def arguments(sandbox: Sandbox) -> tuple[str, ...]:
    return (
        *("--kubeconfig", str(sandbox.kubeconfig)),
        *("--namespace", install.NAMESPACE, install.RELEASE, str(CHART)),
    )


@pytest.mark.parametrize("values", SETS)
def test_the_api_server_accepts_all_that_is_rendered(
    sandbox: Sandbox, helm: Helm, values: str
) -> None:
    rendered = helm("template", *arguments(sandbox), "--validate", "--set", values)
    assert rendered.returncode == 0, rendered.stderr
    # What is installed already is judged before it is found to exist.
    done = sandbox.kubectl(
        *("create", "--dry-run=server", "-f", "-", "-n", install.NAMESPACE),
        input=rendered.stdout,
        check=False,
    )
    refused = [line for line in done.stderr.splitlines() if "AlreadyExists" not in line]
    assert not refused
    kinds = rendered.stdout.count("\nkind: ")
    assert len(done.stdout.splitlines()) + len(done.stderr.splitlines()) == kinds


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
            ("mode Observe", "kubectl get aibudgets -A", "nothing is refused for money"),
            ("WARNING",),
            id="observing",
        ),
        pytest.param(
            "enforcement.mode=Enforce,replicaCount=0",
            ("WARNING: enforcement is on", "No operator runs"),
            ("rollout status",),
            id="enforcing without an operator",
        ),
        pytest.param(
            "policies.install=false", ("nothing is labelled at birth",), (), id="no policies"
        ),
        pytest.param(
            "enforcement.mode=Enforce,policies.stamping=Never",
            ("EVERY new pod is refused",),
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
