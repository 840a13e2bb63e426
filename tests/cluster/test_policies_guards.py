"""Who may write Bursar's keys and what budgets rest on: tried as a tenant with `edit`."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator

import pytest

from support.cluster import Sandbox
from support.examples import GRANT, changed, example
from support.policies import (
    CONTROLLER,
    KINDS,
    Answer,
    Object,
    Place,
    entry,
    pod,
    stamps,
    window,
    workload,
)

pytestmark = pytest.mark.cluster

OPERATOR = "system:serviceaccount:bursar-system:bursar"
OVERRIDE = "bursar.dev/class-override"


@pytest.fixture
def place(sandbox: Sandbox, namespace: str) -> Iterator[Place]:
    here = Place(sandbox=sandbox, namespace=namespace)
    here.bind("tenant", "edit")
    here.bind("editor", "edit")
    here.bind("editor", "bursar-budget-editor")
    here.bind("chief", "edit")
    here.bind("chief", "bursar-budget-editor")
    here.bind("chief", "bursar-override")
    yield here
    here.close()


@pytest.fixture
def running(place: Place) -> str:
    """A stamped pod; its name."""
    one = pod(annotations={"bursar.dev/max-duration": "6h"})
    assert place.attempt(one, keep=True).allowed
    return str(one["metadata"]["name"])


def guarded(answer: Answer, policy: str) -> bool:
    assert not answer.allowed, answer.done.stdout
    assert f"'{policy}'" in answer.said, answer.said
    assert "Forbidden" in answer.said
    return True


class TestPods:
    """Labels, annotations and gate of a pod that is there."""

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(("label", "bursar.dev/class=other", "--overwrite"), id="changed"),
            pytest.param(("label", "bursar.dev/model=llama"), id="added"),
            pytest.param(("label", "bursar.dev/accelerated-"), id="removed"),
            pytest.param(("label", f"{OVERRIDE}=inference"), id="the override"),
            pytest.param(("annotate", "bursar.dev/stop-at=never"), id="an annotation"),
        ],
    )
    def test_are_not_changed_by_a_tenant(
        self, place: Place, running: str, change: tuple[str, ...]
    ) -> None:
        verb, *rest = change
        answer = place.kubectl(verb, "pod", running, *rest, user="tenant")
        assert guarded(answer, "bursar-guard-pods")

    @pytest.mark.parametrize("subresource", ["status"])
    def test_nor_through_another_path(self, place: Place, running: str, subresource: str) -> None:
        place.grant("tenant", ("patch", "", f"pods/{subresource}"))
        patch = json.dumps({"metadata": {"labels": {"bursar.dev/class": "other"}}})
        arguments = ("patch", "pod", running, "--subresource", subresource, "-p", patch)
        answer = place.sandbox.wait(
            lambda: (
                "bursar-guard" in (got := place.kubectl(*arguments, user="tenant")).said and got
            ),
            what="the guard's answer",
        )
        assert guarded(answer, "bursar-guard-pods")

    def test_nor_with_a_whole_new_object(self, place: Place, running: str) -> None:
        place.kubectl("wait", f"pod/{running}", "--for=condition=Ready", "--timeout=60s")
        found = place.sandbox.get("pod", running, "-n", place.namespace)
        del found["metadata"]["labels"]
        del found["metadata"]["resourceVersion"]
        assert guarded(place.attempt(found, user="tenant", verb="replace"), "bursar-guard-pods")

    def test_other_keys_are_free(self, place: Place, running: str) -> None:
        assert place.kubectl("label", "pod", running, "a=1", user="tenant").allowed
        free = ("annotate", "pod", running, "--overwrite", "bursar.dev/max-duration=1h")
        assert place.kubectl(*free, user="tenant").allowed

    def test_the_override_is_changed_by_whom_rbac_lets(self, place: Place, running: str) -> None:
        assert place.kubectl("label", "pod", running, f"{OVERRIDE}=inference", user="chief").allowed

    def test_the_operator_writes_them(self, place: Place, running: str) -> None:
        label = ("label", "pod", running, "bursar.dev/class=training", "--overwrite")
        answer = place.kubectl(*label, user=OPERATOR)
        assert answer.allowed, answer.said

    def test_the_gate_is_lifted_by_bursar_only(self, place: Place) -> None:
        gated = pod(schedulingGates=[{"name": "bursar.dev/budget"}])
        assert place.attempt(gated, keep=True).allowed
        name = gated["metadata"]["name"]
        lift = ("patch", "pod", name, "--type=json")
        patch = '[{"op": "remove", "path": "/spec/schedulingGates"}]'
        assert guarded(place.kubectl(*lift, "-p", patch, user="tenant"), "bursar-guard-pods")
        assert place.kubectl(*lift, "-p", patch, user=OPERATOR).allowed


class TestTemplates:
    """The class that people set in a template, which controllers' pods are trusted with."""

    WISH = pod(labels={OVERRIDE: "inference"})

    @pytest.mark.parametrize("kind", KINDS)
    def test_needs_the_verb_override(self, place: Place, kind: str) -> None:
        wished = workload(kind, self.WISH)
        assert guarded(place.attempt(wished, user="tenant"), "bursar-guard-templates")
        assert place.attempt(wished, user="chief").allowed

    def test_is_not_slipped_in_by_an_update(self, place: Place) -> None:
        made = workload("Deployment", pod())
        made["spec"]["replicas"] = 0
        assert place.attempt(made, user="tenant", keep=True).allowed
        made["spec"]["template"]["metadata"]["labels"][OVERRIDE] = "inference"
        answer = place.attempt(made, user="tenant", verb="replace")
        assert guarded(answer, "bursar-guard-templates")

    def test_stays_through_a_tenants_other_changes_and_may_be_taken_out(self, place: Place) -> None:
        made = workload("Deployment", self.WISH)
        made["spec"]["replicas"] = 0
        assert place.attempt(made, user="chief", keep=True).allowed
        made["spec"]["template"]["spec"]["containers"][0]["image"] = "example/other"
        assert place.attempt(made, user="tenant", verb="replace").allowed
        del made["spec"]["template"]["metadata"]["labels"][OVERRIDE]
        assert place.attempt(made, user="tenant", verb="replace").allowed

    def test_on_the_workload_itself_needs_the_verb_too(self, place: Place) -> None:
        made = workload("Deployment", pod())
        made["metadata"]["labels"] = {OVERRIDE: "inference"}
        assert guarded(place.attempt(made, user="tenant"), "bursar-guard-templates")

    def test_controllers_pass_on_what_was_guarded(self, place: Place) -> None:
        made = workload("ReplicaSet", self.WISH)
        deployments = "system:serviceaccount:kube-system:deployment-controller"
        assert place.attempt(made, user=deployments).allowed


class TestOwners:
    """Our labels and annotations on owners: restored rather than refused."""

    OURS = ("bursar.dev/class=training", "bursar.dev/budget=vision")

    @pytest.fixture
    def made(self, place: Place) -> Object:
        made = workload("Deployment", pod())
        made["spec"]["replicas"] = 0
        assert place.attempt(made, user="tenant", keep=True).allowed
        name = made["metadata"]["name"]
        admin_as_operator = ("deployment", name)
        place.grant(OPERATOR, ("patch", "apps", "deployments"), ("get", "apps", "deployments"))
        held = ("annotate", *admin_as_operator, "bursar.dev/held=2")
        place.sandbox.wait(
            lambda: place.kubectl("label", *admin_as_operator, *self.OURS, user=OPERATOR).allowed,
            what="the operator's labels",
        )
        assert place.kubectl(*held, user=OPERATOR).allowed
        return made

    def standing(self, place: Place, made: Object) -> tuple[dict[str, str], dict[str, str]]:
        found = place.sandbox.get("deployment", made["metadata"]["name"], "-n", place.namespace)
        metadata = found["metadata"]
        return stamps(metadata.get("labels", {})), stamps(metadata.get("annotations", {}))

    def test_replace_of_a_manifest_without_them_works_and_keeps_them(
        self, place: Place, made: Object
    ) -> None:
        made["spec"]["template"]["spec"]["containers"][0]["image"] = "example/other"
        answer = place.attempt(made, user="tenant", verb="replace", keep=True)
        assert answer.allowed, answer.said
        labels, annotations = self.standing(place, made)
        assert labels == {"class": "training", "budget": "vision"}
        assert annotations["held"] == "2"

    def test_a_tenants_changes_are_undone(self, place: Place, made: Object) -> None:
        name = made["metadata"]["name"]
        for change in (
            ("label", "bursar.dev/class=other", "bursar.dev/team=x", "--overwrite"),
            ("label", "bursar.dev/budget-"),
            ("annotate", "bursar.dev/held=0", "bursar.dev/stop-at=never", "--overwrite"),
        ):
            verb, *rest = change
            place.kubectl(verb, "deployment", name, *rest, user="tenant")
        labels, annotations = self.standing(place, made)
        assert labels == {"class": "training", "budget": "vision"}
        assert annotations == {"held": "2"}

    def test_forged_ones_are_dropped_at_birth(self, place: Place) -> None:
        forged = workload("Job", pod())
        forged["metadata"] |= {
            "labels": {"bursar.dev/class": "other", "a": "1"},
            "annotations": {"bursar.dev/held": "0", "bursar.dev/max-duration": "6h"},
        }
        metadata = place.attempt(forged, user="tenant").object["metadata"]
        assert metadata["labels"] == {"a": "1"}
        assert stamps(metadata["annotations"]) == {"max-duration": "6h"}


class TestNamespaces:
    """Labels of ours on a namespace."""

    @pytest.fixture
    def place(self, place: Place) -> Iterator[Place]:
        """Two who may label namespaces, of whom one may override."""
        name = f"labels-{uuid.uuid4().hex[:8]}"
        rbac = "rbac.authorization.k8s.io"
        rules = [
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "patch", "create"]}
        ]
        subjects = [
            {"apiGroup": rbac, "kind": "User", "name": user} for user in ("tenant", "chief")
        ]
        place.sandbox.create(
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRole",
                "metadata": {"name": name},
                "rules": rules,
            },
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": name},
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
                "subjects": subjects,
            },
        )
        yield place
        place.sandbox.kubectl("delete", "clusterrolebinding,clusterrole", name)

    @pytest.mark.parametrize(
        "label", [f"{OVERRIDE}=inference", "bursar.dev/require-budget=false", "bursar.dev/team=x"]
    )
    def test_need_the_verb_override(self, place: Place, label: str) -> None:
        change = ("label", "namespace", place.namespace, label)
        assert guarded(place.kubectl(*change, user="tenant"), "bursar-guard-namespaces")
        assert place.kubectl(*change, user="chief").allowed

    def test_are_not_taken_off_without_it(self, place: Place) -> None:
        demand = ("label", "namespace", place.namespace, "bursar.dev/require-budget")
        place.sandbox.kubectl(*demand[:3], f"{demand[3]}=true")
        change = (*demand[:3], f"{demand[3]}-")
        assert guarded(place.kubectl(*change, user="tenant"), "bursar-guard-namespaces")

    def test_are_not_born_with_it(self, place: Place) -> None:
        fresh: Object = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": f"n-{uuid.uuid4().hex[:8]}", "labels": {"bursar.dev/team": "x"}},
        }
        arguments = ("create", "--dry-run=server", "-f", "-", "--as=tenant")
        text = json.dumps(fresh)
        done = place.sandbox.kubectl(*arguments, input=text, check=False)
        assert guarded(Answer(done=done), "bursar-guard-namespaces")

    def test_other_labels_are_free(self, place: Place) -> None:
        change = ("label", "namespace", place.namespace, "a=1")
        assert place.kubectl(*change, user="tenant").allowed


class TestExemptPriority:
    """A priority class that a budget lets through, in a template."""

    @pytest.fixture
    def priority(self, sandbox: Sandbox) -> Iterator[str]:
        name = f"production-{uuid.uuid4().hex[:8]}"
        kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1000}
        sandbox.create({**kind, "metadata": {"name": name}})
        yield name
        sandbox.kubectl("delete", "priorityclass", name)

    @pytest.mark.parametrize("cluster", [False, True], ids=["namespace", "cluster"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_needs_the_verb_override(
        self, place: Place, priority: str, kind: str, cluster: bool
    ) -> None:
        place.rule(entry("AIBudget vision", exemptPriority=[priority]), cluster=cluster)
        wished = workload(kind, pod(priorityClassName=priority))
        answer = place.attempt(wished, user="tenant")
        assert guarded(answer, f"bursar-guard-exempt{'-cluster' if cluster else ''}")
        assert f"priority class {priority} is exempt from a budget here" in answer.said
        assert place.attempt(wished, user="chief").allowed
        assert place.attempt(workload(kind, pod()), user="tenant").allowed


class TestVerdicts:
    """Nobody but the operator writes what the API server goes by."""

    @pytest.mark.parametrize("user", ["tenant", "editor", "chief"])
    def test_are_not_written_by(self, place: Place, user: str) -> None:
        place.rule(entry("AIBudget vision", window()))
        for arguments in (
            ("delete", "budgetverdict", "bursar"),
            ("patch", "budgetverdict", "bursar", "--type=merge", "-p", '{"verdict": null}'),
        ):
            answer = place.kubectl(*arguments, user=user)
            assert not answer.allowed
            assert "cannot" in answer.said
        assert not place.attempt(pod(), user=user).allowed

    def test_are_seen_by_whoever_sees_the_namespace(self, place: Place) -> None:
        place.rule(entry("AIBudget vision", window()))
        assert place.kubectl("get", "budgetverdict", "bursar", user="tenant").allowed


def budget(namespace: str, **changes: object) -> Object:
    made = changed(example("AIBudget"), {"spec.grants": [], **changes})
    made["metadata"] = {"name": "b", "namespace": namespace}
    return made


class TestBudgets:
    """Grants, periods, status and deletion of budgets."""

    def shut(self, place: Place) -> None:
        """A budget with a closing time in its status, as the operator writes it."""
        assert place.attempt(budget(place.namespace), user="editor", keep=True).allowed
        status = {"admission": [window()]}
        patch = json.dumps({"status": status})
        place.sandbox.kubectl(
            *("patch", "aibudget", "b", "-n", place.namespace, "--subresource=status"),
            *("--type=merge", "-p", patch),
        )

    def test_are_not_made_by_a_tenant(self, place: Place) -> None:
        answer = place.attempt(budget(place.namespace), user="tenant")
        assert not answer.allowed
        assert "cannot create" in answer.said

    def test_are_read_by_a_tenant_and_changed_by_their_editor(self, place: Place) -> None:
        assert place.attempt(budget(place.namespace), user="editor", keep=True).allowed
        assert place.kubectl("get", "aibudget", "b", user="tenant").allowed
        raised = budget(place.namespace, **{"spec.limits.cost": "13000"})
        assert place.attempt(raised, user="editor", verb="replace").allowed

    @pytest.mark.parametrize("user", ["tenant", "editor", "chief"])
    def test_their_status_is_written_by_nobody_else(self, place: Place, user: str) -> None:
        self.shut(place)
        for verb in ("update", "patch"):
            asked = ("auth", "can-i", verb, "aibudgets", "--subresource=status")
            answer = place.kubectl(*asked, user=user)
            assert answer.done.stdout.strip() == "no"
        answer = place.kubectl(
            *("patch", "aibudget", "b", "--subresource=status", "--type=merge"),
            *("-p", '{"status": {"admission": []}}'),
            user=user,
        )
        assert "aibudgets/status" in answer.said

    def test_a_grant_carries_the_name_of_whoever_gives_it(self, place: Place) -> None:
        def granted(*grants: Object) -> Object:
            return budget(place.namespace, **{"spec.grants": list(grants)})

        mine = {**GRANT, "grantedBy": "editor"}
        answer = place.attempt(granted(GRANT), user="editor")
        assert guarded(answer, "bursar-guard-budgets")
        assert "must carry grantedBy: editor" in answer.said
        assert place.attempt(granted(mine), user="editor", keep=True).allowed

        unchanged = place.attempt(granted(mine), user="chief", verb="replace")
        assert unchanged.allowed, unchanged.said
        larger = granted({**mine, "amount": "9000"})
        assert guarded(place.attempt(larger, user="chief", verb="replace"), "bursar-guard-budgets")
        twice = granted(mine, mine)
        assert guarded(place.attempt(twice, user="chief", verb="replace"), "bursar-guard-budgets")
        assert place.attempt(granted(), user="editor", verb="replace").allowed

    @pytest.mark.parametrize(
        "changes", [{"spec.period": "Weekly"}, {"spec.timeZone": "Asia/Tokyo"}], ids=str
    )
    def test_what_counts_as_spent_is_changed_with_the_verb_override(
        self, place: Place, changes: dict[str, str]
    ) -> None:
        assert place.attempt(budget(place.namespace), user="editor", keep=True).allowed
        dated = budget(place.namespace, **changes)
        assert guarded(place.attempt(dated, user="editor", verb="replace"), "bursar-guard-budgets")
        assert place.attempt(dated, user="chief", verb="replace").allowed

    def test_a_shut_budget_is_deleted_with_the_verb_override(self, place: Place) -> None:
        self.shut(place)
        answer = place.kubectl("delete", "aibudget", "b", user="editor")
        assert guarded(answer, "bursar-guard-budgets")
        assert "has a closing time set" in answer.said
        assert place.kubectl("delete", "aibudget", "b", user="chief").allowed

    def test_an_open_budget_is_deleted_by_its_editor(self, place: Place) -> None:
        assert place.attempt(budget(place.namespace), user="editor", keep=True).allowed
        assert place.kubectl("delete", "aibudget", "b", user="editor").allowed

    def test_a_namespace_with_a_shut_budget_goes_away(self, sandbox: Sandbox) -> None:
        name = f"t-{uuid.uuid4().hex[:8]}"
        sandbox.kubectl("create", "namespace", name)
        place = Place(sandbox=sandbox, namespace=name)
        place.bind("editor", "bursar-budget-editor")
        sandbox.wait(
            lambda: place.attempt(budget(name), user="editor").allowed, what="the editor's rights"
        )
        self.shut(place)
        started = time.monotonic()
        sandbox.kubectl("delete", "namespace", name, "--wait=true", "--timeout=60s")
        assert time.monotonic() - started < 60
        assert sandbox.find("namespace", name) is None


def test_the_controllers_of_the_cluster_make_pods_of_guarded_templates(place: Place) -> None:
    made = workload("Job", pod(labels={OVERRIDE: "inference"}))
    assert place.attempt(made, user="chief", keep=True).allowed

    def born() -> Object | None:
        selector = f"job-name={made['metadata']['name']}"
        items = place.sandbox.get("pods", "-n", place.namespace, "-l", selector)["items"]
        return items[0] if items else None

    labels = stamps(place.sandbox.wait(born, what="the Job's pod")["metadata"]["labels"])
    assert (labels["class"], labels["class-by"]) == ("inference", "tagged")
    assert CONTROLLER.endswith("job-controller")
