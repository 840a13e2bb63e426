"""What a tenant, a budget's editor and the lord of a namespace try, and what comes of it.

Each row says who tries what, and what must become of it: refused by RBAC, refused by a policy and
with which words, or let through because it moves nothing. What `test_policies_*` try at each policy
is not tried again here.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest

from bursar.admission import pods as caps
from support.cluster import Sandbox
from support.examples import changed, example
from support.policies import (
    KINDS,
    Answer,
    Object,
    Place,
    container,
    cpu_pod,
    entry,
    impersonation,
    moment,
    pod,
    stamps,
    window,
    workload,
)

pytestmark = pytest.mark.cluster

OPERATOR = "system:serviceaccount:bursar-system:bursar"
BUDGET = {
    "apiVersion": "bursar.dev/v1alpha1",
    "kind": "AIBudget",
    "metadata": {"name": "vision"},
    "spec": {"period": "Monthly", "limits": {"cost": "100"}},
}
OURS = "/apis/bursar.dev/v1alpha1/namespaces/NS"
SYSTEM = "/api/v1/namespaces/bursar-system"
VERDICT = {
    "apiVersion": "bursar.dev/v1alpha1",
    "kind": "BudgetVerdict",
    "metadata": {"name": "bursar"},
}


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Iterator[Place]:
    """A namespace with a tenant (`edit`), a boss (`admin`), an editor, and a lord (`*` on `*`)."""
    name = f"attacked-{uuid.uuid4().hex[:8]}"
    sandbox.kubectl("create", "namespace", name)
    here = Place(sandbox=sandbox, namespace=name)
    here.bind("tenant", "edit")
    here.bind("boss", "admin")
    here.bind("editor", "edit")
    here.bind("editor", "bursar-budget-editor")
    here.grant("lord", ("*", "*", "*"))
    sandbox.wait(
        lambda: (
            here.kubectl("get", "secrets", user="lord").allowed
            and here.kubectl("get", "secrets", user="tenant").allowed
            and here.kubectl("get", "aibudgets", user="editor").allowed
        ),
        what="everybody's rights",
    )
    yield here
    here.close()
    sandbox.kubectl("delete", "namespace", name, "--wait=false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """Who tries what.

    Attributes:
        kubectl: arguments; `NS` stands for the namespace.
        obj: what is created where there are no arguments.
    """

    who: str = "tenant"
    kubectl: tuple[str, ...] = ()
    obj: Object | None = None

    def answer(self, place: Place) -> Answer:
        if self.obj is not None:
            return place.attempt(self.obj, user=self.who)
        arguments = [part.replace("NS", place.namespace) for part in self.kubectl]
        if "-n" in arguments or "--raw" in arguments:
            done = place.sandbox.kubectl(*arguments, *impersonation(self.who), check=False)
            return Answer(done=done)
        return place.kubectl(*arguments, user=self.who)


def does(*kubectl: str, who: str = "tenant", id: str) -> object:  # noqa: A002 - as pytest calls it
    return pytest.param(Try(who=who, kubectl=kubectl), id=f"{who}: {id}")


def makes(obj: Object, who: str = "tenant", *, id: str) -> object:  # noqa: A002
    return pytest.param(Try(who=who, obj=obj), id=f"{who}: {id}")


def cluster_budget(**spec: object) -> Object:
    return changed(example("ClusterAIBudget"), {"metadata.name": "mine", **spec})


def as_operator(**more: object) -> Object:
    """A pod that would run with the operator's own rights."""
    made = cpu_pod(serviceAccountName="bursar", **more)
    made["metadata"]["namespace"] = "bursar-system"
    return made


SPEND_MORE = '{"spec": {"limits": {"cost": "999999"}}}'
NO_WINDOWS = '{"status": {"admission": []}}'


@pytest.mark.parametrize(
    "attempt",
    [
        makes(BUDGET, id="a budget of one's own"),
        makes(cluster_budget(), id="a budget of the cluster"),
        makes(cluster_budget(), "editor", id="a budget of the cluster, as a namespace's editor"),
        makes(VERDICT, id="a verdict"),
        makes(VERDICT, "editor", id="a verdict, as an editor"),
        makes({**VERDICT, "kind": "ClusterBudgetVerdict"}, "lord", id="the cluster's verdict"),
        makes(example("PriceBook"), "lord", id="prices of one's own"),
        makes(example("ClassificationPolicy"), "lord", id="what labels mean"),
        does("delete", "--raw", f"{OURS}/aibudgets", id="delete all budgets"),
        does("delete", "--raw", f"{OURS}/budgetverdicts", who="editor", id="delete all verdicts"),
        does("delete", "clusteraibudgets", "--all", who="lord", id="delete the cluster's budgets"),
        does("label", "namespace", "NS", "bursar.dev/require-budget=false", id="no demand"),
        does("label", "namespace", "NS", "bursar.dev/class-override=inference", id="a class"),
        does("label", "namespace", "NS", "team=other", who="editor", id="another team's costs"),
        does("label", "nodes", "--all", "node.kubernetes.io/instance-type=x", id="a cheaper node"),
        does("annotate", "nodes", "--all", "bursar.dev/hourly-price=0", id="a price on a node"),
        does("create", "priorityclass", "p", "--value=1", id="a priority class"),
        does("create", "token", "bursar", "-n", "bursar-system", id="a token of the operator"),
        does("get", "secrets", "-n", "bursar-system", id="the operator's secrets"),
        does("get", "configmaps", "-n", "bursar-system", id="the chart's config maps"),
        does("create", "configmap", "x", "-n", "bursar-system", id="a config map of the chart's"),
        does(
            "get", "--raw", f"{SYSTEM}/pods/bursar-0/exec?command=sh", id="exec into the operator"
        ),
        does(
            "get",
            "--raw",
            f"{SYSTEM}/services/http:bursar:http/proxy/api/v1/report",
            id="its costs",
        ),
        does("delete", "pods", "--all", "-n", "bursar-system", id="kill the operator"),
        does("run", "x", "--image=e/x", "-n", "bursar-system", id="a pod beside the operator"),
        does("scale", "deployment", "bursar", "--replicas=0", "-n", "bursar-system", id="scale it"),
        does("get", "--raw", "/metrics", id="what the API server measures"),
        does("delete", "validatingadmissionpolicies", "--all", who="lord", id="the policies"),
        does("delete", "validatingadmissionpolicybindings", "--all", who="lord", id="bindings"),
        does("delete", "mutatingadmissionpolicies", "--all", who="lord", id="the stamp"),
        does("delete", "crd", "budgetverdicts.bursar.dev", who="lord", id="the definitions"),
        does(
            *("create", "clusterrolebinding", "x", "--clusterrole=bursar-override", "--user=lord"),
            who="lord",
            id="the verb override in the whole cluster",
        ),
        does(
            *("patch", "clusterrole", "bursar-aggregate-to-view", "-p", "{}"),
            who="lord",
            id="what everybody may see",
        ),
    ],
)
def test_is_refused_by_rbac(place: Place, attempt: Try) -> None:
    answer = attempt.answer(place)
    assert not answer.allowed, answer.done.stdout
    assert " cannot " in answer.said


@pytest.mark.parametrize("role", ["bursar-budget-editor", "bursar-override"])
def test_whoever_may_bind_roles_may_not_bind_ours_to_himself(place: Place, role: str) -> None:
    binding = ("create", "rolebinding", "x", f"--clusterrole={role}", "--user=boss")
    answer = place.kubectl(*binding, user="boss")
    assert not answer.allowed
    assert "attempting to grant RBAC permissions not currently held" in answer.said


def test_an_account_of_ones_own_may_not_act_as_the_operator(place: Place) -> None:
    place.sandbox.create(place_binding(place))
    token = place.sandbox.kubectl("create", "token", "default", "-n", place.namespace).stdout
    config = place.sandbox.dir / "tenant.kubeconfig"
    view = ("config", "view", "--raw", "--minify", "-o", "json")
    found = json.loads(place.sandbox.kubectl(*view).stdout)
    found["users"][0]["user"] = {"token": token.strip()}
    config.write_text(json.dumps(found), "utf-8")
    config.chmod(0o600)
    for somebody in (OPERATOR, "system:kube-controller-manager", "admin"):
        done = place.sandbox.kubectl(
            *(f"--kubeconfig={config}", f"--as={somebody}", "get", "pods", "-n", place.namespace),
            check=False,
        )
        assert done.returncode != 0
        assert "cannot impersonate" in done.stderr


def place_binding(place: Place) -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "own-account", "namespace": place.namespace},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "edit",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": place.namespace}],
    }


# --- what RBAC lets through, and policies do not -------------------------------------------------


@pytest.fixture
def shut(place: Place) -> Iterator[Place]:
    """The namespace, with a budget that is shut and exempts tagged inference."""
    place.rule(
        entry("AIBudget vision", window(message="AIBudget vision is shut"),
              exemptTagged=["inference"])
    )  # fmt: skip
    yield place
    place.write([])


@pytest.fixture
def standing(place: Place) -> Iterator[str]:
    """A budget and its verdict; the budget's name."""
    place.write([entry("AIBudget vision", window())])
    assert place.attempt(BUDGET, user="editor", keep=True).allowed
    status = {"status": {"admission": [window()]}}
    place.sandbox.kubectl(
        *("patch", "aibudget", "vision", "-n", place.namespace, "--subresource=status"),
        *("--type=merge", "-p", json.dumps(status)),
    )
    yield "vision"
    place.sandbox.kubectl("delete", "aibudget", "vision", "-n", place.namespace)
    place.write([])


class TestLord:
    """Whoever was given everything in a namespace has no business in what the operator writes."""

    @pytest.mark.parametrize(
        "attempt",
        [
            does("delete", "budgetverdict", "bursar", who="lord", id="delete the verdict"),
            does("delete", "budgetverdicts", "--all", who="lord", id="delete all verdicts"),
            does(
                *("patch", "budgetverdict", "bursar", "--type=merge", "-p", '{"verdict": null}'),
                who="lord",
                id="empty the verdict",
            ),
            makes({**VERDICT, "metadata": {"name": "another"}}, "lord", id="make another verdict"),
            does(
                *("patch", "aibudget", "vision", "--subresource=status", "--type=merge"),
                *("-p", NO_WINDOWS),
                who="lord",
                id="open the budget in its status",
            ),
        ],
    )
    def test_is_refused(self, place: Place, standing: str, attempt: Try) -> None:
        answer = attempt.answer(place)
        assert not answer.allowed, answer.done.stdout
        assert "'bursar-guard-verdicts'" in answer.said
        assert "written by Bursar's operator" in answer.said

    def test_may_not_write_the_status_of_a_model_either(self, place: Place) -> None:
        made = changed(example("AIModel"), {"metadata.namespace": place.namespace})
        place.sandbox.create(made)
        answer = place.kubectl(
            *("patch", "aimodel", made["metadata"]["name"], "--subresource=status"),
            *("--type=merge", "-p", '{"status": {"observedGeneration": 1}}'),
            user="lord",
        )
        assert "'bursar-guard-verdicts'" in answer.said

    def test_an_administrator_breaks_the_glass(self, place: Place) -> None:
        place.write([entry("AIBudget vision", window())])
        assert place.kubectl("delete", "budgetverdict", "bursar").allowed

    def test_a_namespace_with_a_verdict_goes_away(self, sandbox: Sandbox) -> None:
        name = f"going-{uuid.uuid4().hex[:8]}"
        sandbox.kubectl("create", "namespace", name)
        Place(sandbox=sandbox, namespace=name).write([entry("AIBudget vision", window())])
        sandbox.kubectl("delete", "namespace", name, "--wait=true", "--timeout=90s")
        assert sandbox.find("namespace", name) is None


WAYS = [
    pytest.param(pod(), id="a GPU"),
    pytest.param(pod(container(limits={"nvidia.com/mig-1g.10gb": 1})), id="a slice of one"),
    pytest.param(
        pod(container(limits={"deviceclass.resource.kubernetes.io/gpu.example.com": 1})),
        id="a device class",
    ),
    pytest.param(
        pod(container(limits={}, env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}])),
        id="the environment",
    ),
    pytest.param(
        pod(container(limits={}, env=[{"name": "NVIDIA_VISIBLE_DEVICES", "valueFrom": {
            "fieldRef": {"fieldPath": "metadata.name"}}}])),
        id="an environment that cannot be seen",
    ),
    pytest.param(
        pod(
            container(limits={}),
            resourceClaims=[{"name": "g", "resourceClaimTemplateName": "mine"}],
        ),
        id="a claim",
    ),
    *(
        pytest.param(pod(container(limits={}), annotations={key: "0.5"}), id=key)
        for key in ("gpu-fraction", "gpu-memory", "gpu-fraction-num-devices")
    ),
    pytest.param(
        pod(container(limits={}), initContainers=[container("i", restartPolicy="Always")]),
        id="a sidecar",
    ),
    pytest.param(pod(nodeName="h100-0"), id="a node chosen past the scheduler"),
    pytest.param(pod(schedulingGates=[{"name": "bursar.dev/budget"}]), id="a gate of ours"),
    pytest.param(pod(schedulingGates=[{"name": "e.com/mine"}]), id="a gate of one's own"),
    pytest.param(pod(schedulerName="mine"), id="a scheduler of one's own"),
    pytest.param(pod(name="n" * 253), id="the longest name"),
    pytest.param(
        pod(annotations={"note": "\U0001f4b8" * 1000, "bursar.dev/class": "inference"}),
        id="words that are no ASCII",
    ),
    pytest.param(
        pod(labels={"bursar.dev/class": "inference", "bursar.dev/class-by": "tagged",
                    "bursar.dev/class-override": "inference", "bursar.dev/accelerated": "false"}),
        id="forged labels",
    ),
    pytest.param(pod(labels={"bursar.dev/accelerated": ""}), id="a stamp without a value"),
]  # fmt: skip


class TestPodsWhileShut:
    """Ways of asking for an accelerator where the budget is shut."""

    @pytest.mark.parametrize("one", WAYS)
    def test_are_refused_in_the_budgets_words(self, shut: Place, one: Object) -> None:
        answer = shut.attempt(one, user="tenant")
        assert not answer.allowed, answer.done.stdout
        assert "AIBudget vision is shut" in answer.said

    def test_of_every_controller_are_refused_and_the_owner_is_told(self, shut: Place) -> None:
        kinds = [kind for kind in KINDS if kind != "CronJob"]
        made = {kind: workload(kind, pod()) for kind in kinds}
        for each in made.values():
            assert shut.attempt(each, user="tenant", keep=True).allowed

        def told() -> bool:
            events = shut.sandbox.get("events", "-n", shut.namespace)["items"]
            refused = {
                event["involvedObject"]["kind"]
                for event in events
                if "AIBudget vision is shut" in event.get("message", "")
            }
            return refused >= {*kinds} - {"Deployment"}

        shut.sandbox.wait(told, what="each controller's refusal", timeout=90)
        running = shut.sandbox.get("pods", "-n", shut.namespace)["items"]
        assert [each for each in running if "ownerReferences" in each["metadata"]] == []
        for kind, each in made.items():
            name = each["metadata"]["name"]
            shut.sandbox.kubectl("delete", kind, name, "-n", shut.namespace, "--wait=false")

    @pytest.mark.parametrize(
        "one",
        [
            pytest.param(
                pod(container(limits={}), resources={"limits": {"nvidia.com/gpu": 1}}),
                id="asked for by the pod as a whole",
            ),
            pytest.param(
                pod(
                    {"name": "a", "image": "e/a", "resources": {"requests": {"nvidia.com/gpu": 1}}}
                ),
                id="requested without a limit",
            ),
            pytest.param(
                pod(
                    container(limits={}),
                    ephemeralContainers=[{"name": "e", "image": "e/e"}],
                ),
                id="in a debug container from the start",
            ),
            pytest.param(pod(labels={"app": "🤑"}), id="a label that is no word"),
            pytest.param(pod(name="n" * 254), id="too long a name"),
        ],
    )
    def test_kubernetes_itself_takes_none_that_is(self, shut: Place, one: Object) -> None:
        answer = shut.attempt(one, user="tenant")
        assert not answer.allowed
        assert "is invalid" in answer.said

    def test_as_dear_to_judge_as_they_may_be_in_letters_of_four_bytes(self, shut: Place) -> None:
        word = "\U0001f4b8" * (caps.MOST_CHARACTERS // 200)
        one = pod(*(container(f"c{i}", args=[word] * 2) for i in range(99)))
        answer = shut.attempt(one, user="tenant")
        assert not answer.allowed
        assert "AIBudget vision is shut" in answer.said


class TestHeldJob:
    """A Job that the operator has suspended, in its tenant's hands."""

    HELD: ClassVar = {"bursar.dev/held": "AIBudget vision"}

    @pytest.fixture
    def held(self, shut: Place) -> str:
        made = workload("Job", pod())
        assert shut.attempt(made, user="tenant", keep=True).allowed
        name = str(made["metadata"]["name"])
        hold = {"metadata": {"annotations": self.HELD}, "spec": {"suspend": True}}
        patch = ("patch", "job", name, "-p", json.dumps(hold))
        assert shut.kubectl(*patch, user=OPERATOR).allowed
        return name

    @pytest.mark.parametrize(
        "annotations",
        [
            pytest.param({"bursar.dev/held": None}, id="taken off"),
            pytest.param({"bursar.dev/held": ""}, id="emptied"),
            pytest.param({"bursar.dev/held": "AIBudget other"}, id="of another budget"),
        ],
    )
    def test_keeps_what_the_operator_noted_on_it(
        self, shut: Place, held: str, annotations: Object
    ) -> None:
        patch = json.dumps({"metadata": {"annotations": annotations}})
        shut.kubectl("patch", "job", held, "--type=merge", "-p", patch, user="tenant")
        found = shut.sandbox.get("job", held, "-n", shut.namespace)["metadata"]
        assert stamps(found["annotations"]) == {"held": "AIBudget vision"}

    def test_may_be_resumed_and_its_pods_are_refused_as_before(
        self, shut: Place, held: str
    ) -> None:
        answer = shut.kubectl(
            *("patch", "job", held, "--type=merge", "-p", '{"spec": {"suspend": false}}'),
            user="tenant",
        )
        assert answer.allowed

        def told() -> bool:
            selector = f"--field-selector=involvedObject.name={held}"
            events = shut.sandbox.get("events", "-n", shut.namespace, selector)["items"]
            return any("AIBudget vision is shut" in each["message"] for each in events)

        shut.sandbox.wait(told, what="the pods' refusal", timeout=90)
        selector = f"job-name={held}"
        assert shut.sandbox.get("pods", "-n", shut.namespace, "-l", selector)["items"] == []


class TestRunningPods:
    """A pod that runs, and all paths to change it."""

    @pytest.fixture
    def running(self, place: Place) -> str:
        one = cpu_pod(labels={"app": "a"})
        assert place.attempt(one, user="tenant", keep=True).allowed
        return str(one["metadata"]["name"])

    @pytest.mark.parametrize(
        "subresource", ["", "status", "resize", "ephemeralcontainers"], ids=lambda s: s or "pod"
    )
    def test_gets_no_label_of_ours_on_any_path(
        self, place: Place, running: str, subresource: str
    ) -> None:
        where = ("--subresource", subresource) if subresource else ()
        patch = {"metadata": {"labels": {"bursar.dev/accelerated": "true"}}}
        place.kubectl(
            *("patch", "pod", running, *where, "--type=merge", "-p", json.dumps(patch)),
            user="lord",
        )
        found = place.sandbox.get("pod", running, "-n", place.namespace)
        assert stamps(found["metadata"]["labels"]) == {}

    def test_gets_no_accelerator_afterwards(self, place: Place, running: str) -> None:
        limits = {"resources": {"limits": {"cpu": "1", "nvidia.com/gpu": "1"}}}
        patch = json.dumps({"spec": {"containers": [{"name": "main", **limits}]}})
        for where in ((), ("--subresource", "resize")):
            answer = place.kubectl("patch", "pod", running, *where, "-p", patch, user="lord")
            assert not answer.allowed


class TestNamespace:
    """Labels of ours on a namespace, on all paths."""

    @pytest.fixture
    def janitor(self, sandbox: Sandbox) -> Iterator[str]:
        name = f"janitor-{uuid.uuid4().hex[:8]}"
        sandbox.kubectl(
            *("create", "clusterrole", name, "--verb=get,update,patch"),
            "--resource=namespaces,namespaces/status,namespaces/finalize",
        )
        sandbox.kubectl(
            *("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--user={name}")
        )
        yield name
        sandbox.kubectl("delete", "clusterrolebinding,clusterrole", name)

    @pytest.mark.parametrize("path", ["", "/status", "/finalize"])
    def test_are_guarded(self, place: Place, janitor: str, path: str) -> None:
        found = place.sandbox.get("namespace", place.namespace)
        found["metadata"]["labels"]["bursar.dev/require-budget"] = "false"
        raw = ("replace", "--raw", f"/api/v1/namespaces/{place.namespace}{path}", "-f", "-")

        def answered() -> Answer | None:
            done = place.sandbox.kubectl(
                *raw, *impersonation(janitor), input=json.dumps(found), check=False
            )
            return None if " cannot " in done.stderr else Answer(done=done)

        answer = place.sandbox.wait(answered, what="the janitor's rights")
        assert not answer.allowed
        assert "'bursar-guard-namespaces'" in answer.said


class TestNamesakes:
    """Accounts and objects that are called like ours."""

    def test_an_account_of_the_operators_name_elsewhere_is_a_tenant(self, place: Place) -> None:
        place.sandbox.kubectl("create", "serviceaccount", "bursar", "-n", place.namespace)
        user = f"system:serviceaccount:{place.namespace}:bursar"
        place.bind(user, "edit")
        one = pod()
        assert place.attempt(one, keep=True).allowed
        label = ("label", "pod", one["metadata"]["name"], "bursar.dev/class=other", "--overwrite")
        answer = place.sandbox.wait(
            lambda: (
                (got := place.kubectl(*label, user=user)) and " cannot " not in got.said and got
            ),
            what="the account's rights",
        )
        assert "'bursar-guard-pods'" in answer.said

    def test_a_pod_runs_as_nobody_from_another_namespace(self, place: Place) -> None:
        answer = place.attempt(cpu_pod(serviceAccountName="bursar-system:bursar"), user="tenant")
        assert not answer.allowed

    def test_a_verdict_of_another_name_is_read_by_nobody(self, place: Place) -> None:
        for name, windows in (("bursar", []), ("another", [window()])):
            made = {
                **VERDICT,
                "metadata": {"name": name, "namespace": place.namespace},
                "verdict": {"budgets": [entry("AIBudget vision", *windows)]},
            }
            place.sandbox.apply(made)
        assert place.attempt(pod(), user="tenant").allowed


class TestEditor:
    """Whoever edits budgets sets limits, and no more than that."""

    def budget(self, name: str, **changes: object) -> Object:
        return changed({**BUDGET, "metadata": {"name": name}}, changes)

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            pytest.param({"spec.period": "Daily"}, "period and timeZone", id="the period"),
            pytest.param({"spec.timeZone": "Asia/Tokyo"}, "period and timeZone", id="the zone"),
            pytest.param(
                {"spec.grants": [{"amount": "9", "until": moment(3600), "grantedBy": "chief"}]},
                "must carry grantedBy: editor",
                id="a grant in another's name",
            ),
            pytest.param(
                {"spec.grants": [{"amount": "9", "until": moment(3600)}]},
                "must carry grantedBy: editor",
                id="a grant in nobody's name",
            ),
        ],
    )
    def test_may_not_change(
        self, place: Place, standing: str, changes: dict[str, object], says: str
    ) -> None:
        answer = place.attempt(self.budget(standing, **changes), user="editor", verb="replace")
        assert not answer.allowed
        assert "'bursar-guard-budgets'" in answer.said
        assert says in answer.said

    @pytest.mark.parametrize("path", ["patch", "apply", "delete one", "delete all"])
    def test_is_guarded_on_every_path(self, place: Place, standing: str, path: str) -> None:
        arguments = {
            "patch": ("patch", "aibudget", standing, "--type=merge", "-p",
                      '{"spec": {"period": "Daily"}}'),
            "apply": ("patch", "aibudget", standing, "--type=json", "-p",
                      '[{"op": "replace", "path": "/spec/period", "value": "Daily"}]'),
            "delete one": ("delete", "aibudget", standing, "--cascade=orphan"),
            "delete all": ("delete", "aibudgets", "--all"),
        }[path]  # fmt: skip
        answer = place.kubectl(*arguments, user="editor")
        assert "'bursar-guard-budgets'" in answer.said

    def test_may_raise_the_limit_and_put_enforcement_to_sleep(
        self, place: Place, standing: str
    ) -> None:
        for patch in (SPEND_MORE, json.dumps({"spec": {"suspendUntil": moment(3600)}})):
            arguments = ("patch", "aibudget", standing, "--type=merge", "-p", patch)
            assert not place.kubectl(*arguments, user="tenant").allowed
            assert place.kubectl(*arguments, user="editor").allowed

    def test_gains_nothing_by_a_second_budget(self, shut: Place) -> None:
        """Budgets nest: a pod must fit each that selects it."""
        verdict = [
            entry("AIBudget vision", window(message="AIBudget vision is shut")),
            entry("AIBudget wide-open"),
        ]
        shut.rule(*verdict)
        assert "AIBudget vision is shut" in shut.attempt(pod(), user="tenant").said

    def test_can_be_kept_from_making_thousands(self, sandbox: Sandbox) -> None:
        name = f"few-{uuid.uuid4().hex[:8]}"
        sandbox.kubectl("create", "namespace", name)
        few = Place(sandbox=sandbox, namespace=name)
        few.bind("editor", "bursar-budget-editor")
        few.sandbox.kubectl(
            *("create", "quota", "few", "-n", name, "--hard=count/aibudgets.bursar.dev=1")
        )
        sandbox.wait(
            lambda: few.attempt(self.budget("first"), user="editor", keep=True).allowed,
            what="the editor's rights and the quota",
        )
        answer = few.attempt(self.budget("second"), user="editor", keep=True)
        assert "exceeded quota: few" in answer.said
        sandbox.kubectl("delete", "namespace", name, "--wait=false")
