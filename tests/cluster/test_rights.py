"""What the API server says that the operator and people may do: the table, no more and no less."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from bursar.admission.permissions import OPERATOR_ROLES, PEOPLE_ROLES
from bursar.sandbox import install
from support.chart import CHART, Helm
from support.cluster import Sandbox
from support.policies import Answer, Object, Place, container, cpu_pod, impersonation, job, pod
from support.rights import Grant, of_roles, reviewed

pytestmark = pytest.mark.cluster

OPERATOR = "system:serviceaccount:bursar-system:bursar"
MODES = ("Observe", "Enforce")
HELD = {"bursar.dev/held": "AIBudget vision"}
HOLD = {"metadata": {"annotations": HELD}, "spec": {"suspend": True}}
RELEASE = {"metadata": {"annotations": dict.fromkeys(HELD)}, "spec": {"suspend": False}}


def upgrade(sandbox: Sandbox, helm: Helm, mode: str) -> None:
    done = helm(
        *("upgrade", "--kubeconfig", str(sandbox.kubeconfig), "--namespace", install.NAMESPACE),
        *(install.RELEASE, str(CHART), "--set", f"replicaCount=0,enforcement.mode={mode}"),
    )
    assert done.returncode == 0, done.stderr


def granted(mode: str) -> set[Grant]:
    return of_roles(r for r in OPERATOR_ROLES if mode == "Enforce" or not r.enforcing)


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest, sandbox: Sandbox, helm: Helm) -> Iterator[str]:
    """An installation in each of the modes, and in the end as it was before."""
    wanted = str(request.param)
    upgrade(sandbox, helm, wanted)
    sandbox.wait(
        lambda: (
            (Grant("patch", "batch", "jobs") in reviewed(sandbox, OPERATOR, "default"))
            is (wanted == "Enforce")
        ),
        what=f"the rights of {wanted}",
    )
    yield wanted
    upgrade(sandbox, helm, "Enforce")


class TestOperator:
    """The operator's ServiceAccount."""

    @pytest.mark.parametrize("where", ["default", "kube-system", "bursar-system"])
    def test_may_do_exactly_what_the_table_says(
        self, sandbox: Sandbox, mode: str, where: str
    ) -> None:
        found, wanted = reviewed(sandbox, OPERATOR, where), granted(mode)
        assert sorted(map(str, found - wanted)) == []
        assert sorted(map(str, wanted - found)) == []

    @pytest.mark.parametrize(
        "asked",
        [
            pytest.param(("get", "secrets", "-A"), id="read secrets"),
            pytest.param(("get", "configmaps", "-A"), id="read config maps"),
            pytest.param(("get", "validatingadmissionpolicybindings"), id="list bindings"),
            pytest.param(("get", "validatingadmissionpolicy", "bursar-stamp"), id="read another"),
            pytest.param(
                ("delete", "validatingadmissionpolicybinding", "budget-is-shut"),
                id="take the refusal away",
            ),
            pytest.param(
                ("patch", "validatingadmissionpolicy", "bursar-guard-pods", "-p", "{}"),
                id="change a policy",
            ),
            pytest.param(
                ("patch", "clusterrole", "bursar-labeler", "-p", '{"rules": []}'), id="change roles"
            ),
            pytest.param(
                ("create", "clusterrolebinding", "x", "--clusterrole=view", "--user=x"),
                id="bind a role",
            ),
            pytest.param(("create", "token", "bursar", "-n", "bursar-system"), id="make a token"),
            pytest.param(("create", "token", "default", "-n", "default"), id="make another's"),
            pytest.param(("run", "x", "--image=example/x", "-n", "default"), id="create a pod"),
            pytest.param(("cordon", "h100-0"), id="change a node"),
            pytest.param(("delete", "node", "--all"), id="delete nodes"),
            pytest.param(("label", "namespace", "default", "a=1"), id="label a namespace"),
            pytest.param(
                ("patch", "crd", "aibudgets.bursar.dev", "-p", '{"spec": null}'),
                id="change definitions",
            ),
        ],
    )
    def test_may_not(self, sandbox: Sandbox, mode: str, asked: tuple[str, ...]) -> None:
        answer = _as(sandbox, OPERATOR, *asked)
        assert not answer.allowed, mode
        assert f'User "{OPERATOR}" cannot' in answer.said

    def test_may_not_act_as_anybody_else(self, sandbox: Sandbox, mode: str) -> None:
        token = sandbox.kubectl("create", "token", "bursar", "-n", "bursar-system").stdout.strip()
        # With a token instead of the administrator's certificate, as a thief would.
        for somebody in ("--as=admin", "--as-group=system:masters", f"--as={OPERATOR}"):
            one = [somebody] if "group" not in somebody else ["--as=x", somebody]
            done = sandbox.kubectl(
                *("get", "pods", f"--token={token}", "--client-certificate=/dev/null"),
                *("--client-key=/dev/null", *one),
                check=False,
            )
            assert done.returncode != 0, mode

    def test_patches_jobs_only_where_verdicts_are_enforced(
        self, sandbox: Sandbox, namespace: str, mode: str
    ) -> None:
        place = Place(sandbox=sandbox, namespace=namespace)
        made = job(pod())
        assert place.attempt(made, keep=True).allowed
        name = made["metadata"]["name"]
        answer = place.kubectl("patch", "job", name, "-p", json.dumps(HOLD), user=OPERATOR)
        assert answer.allowed is (mode == "Enforce"), answer.said
        assert not place.kubectl("delete", "job", name, user=OPERATOR).allowed

    def test_deletes_and_evicts_no_pod(self, sandbox: Sandbox, namespace: str, mode: str) -> None:
        place = Place(sandbox=sandbox, namespace=namespace)
        one = pod()
        assert place.attempt(one, keep=True).allowed
        name = one["metadata"]["name"]
        for verb in ("delete", "evict"):
            answer = (
                place.kubectl("delete", "pod", name, user=OPERATOR)
                if verb == "delete"
                else _evict(place, name)
            )
            assert not answer.allowed, mode
            assert "cannot" in answer.said

    def test_writes_only_the_one_verdict_of_a_namespace(
        self, sandbox: Sandbox, namespace: str, mode: str
    ) -> None:
        for name, allowed in (("bursar", True), ("another", False)):
            verdict = {
                "apiVersion": "bursar.dev/v1alpha1",
                "kind": "BudgetVerdict",
                "metadata": {"name": name, "namespace": namespace},
            }
            done = sandbox.kubectl(
                *("apply", "--server-side", "--validate=false", "-f", "-"),
                *impersonation(OPERATOR),
                input=json.dumps(verdict),
                check=False,
            )
            assert (done.returncode == 0) is allowed, (mode, done.stderr)


def _as(sandbox: Sandbox, user: str, *arguments: str) -> Answer:
    return Answer(done=sandbox.kubectl(*arguments, *impersonation(user), check=False))


def _evict(place: Place, name: str) -> Answer:
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": place.namespace},
    }
    path = f"/api/v1/namespaces/{place.namespace}/pods/{name}/eviction"
    done = place.sandbox.kubectl(
        *("create", "--raw", path, "-f", "-", *impersonation(OPERATOR)),
        input=json.dumps(eviction),
        check=False,
    )
    return Answer(done=done)


@pytest.fixture
def place(sandbox: Sandbox, namespace: str) -> Place:
    return Place(sandbox=sandbox, namespace=namespace)


class TestOperatorsPatches:
    """RBAC lets whoever may patch a pod change its image; the operator is held to its keys."""

    WRITES = "Bursar's operator writes only"

    @pytest.fixture
    def running(self, place: Place) -> str:
        one = pod(container(command=["sleep"]), labels={"app": "a"}, annotations={"note": "mine"})
        assert place.attempt(one, keep=True).allowed
        return str(one["metadata"]["name"])

    @pytest.fixture
    def held(self, place: Place) -> str:
        name = self.job(place, pod(), labels={"app": "a"})
        assert place.kubectl("patch", "job", name, "-p", json.dumps(HOLD), user=OPERATOR).allowed
        return name

    def job(self, place: Place, template: Object, *, suspend: bool = False, **more: object) -> str:
        made = job(template, **more)
        made["spec"]["suspend"] = suspend
        assert place.attempt(made, keep=True).allowed
        return str(made["metadata"]["name"])

    @pytest.mark.parametrize(
        "patch",
        [
            pytest.param(
                {"spec": {"containers": [{"name": "main", "image": "e/vil"}]}}, id="image"
            ),
            pytest.param({"spec": {"activeDeadlineSeconds": 1}}, id="its end"),
            pytest.param({"metadata": {"labels": {"app": "b"}}}, id="a label"),
            pytest.param({"metadata": {"labels": {"app": None}}}, id="a label gone"),
            pytest.param({"metadata": {"annotations": {"note": "x"}}}, id="an annotation"),
            pytest.param({"metadata": {"finalizers": ["example.com/x"]}}, id="a finalizer"),
            pytest.param(
                {
                    "metadata": {
                        "ownerReferences": [
                            {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}
                        ]
                    }
                },
                id="an owner",
            ),
        ],
    )
    def test_of_a_pod_are_refused_where_they_change(
        self, place: Place, running: str, patch: Object
    ) -> None:
        answer = place.kubectl("patch", "pod", running, "-p", json.dumps(patch), user=OPERATOR)
        assert not answer.allowed
        assert "'bursar-guard-operator'" in answer.said
        assert self.WRITES in answer.said

    @pytest.mark.parametrize(
        "patch",
        [
            pytest.param({"spec": {"parallelism": 9}}, id="parallelism"),
            pytest.param({"spec": {"ttlSecondsAfterFinished": 1}}, id="a field that was absent"),
            pytest.param(
                {**RELEASE, "spec": {"suspend": False, "ttlSecondsAfterFinished": 1}},
                id="more than suspend",
            ),
            pytest.param(
                {"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}}, id="the template"
            ),
            pytest.param({"metadata": {"labels": {"app": "b"}}}, id="a label"),
        ],
    )
    def test_of_a_job_are_refused_where_they_change(
        self, place: Place, held: str, patch: Object
    ) -> None:
        answer = place.kubectl("patch", "job", held, "-p", json.dumps(patch), user=OPERATOR)
        assert not answer.allowed
        assert "'bursar-guard-operator'" in answer.said

    def test_of_our_keys_and_of_suspend_are_let_through(
        self, place: Place, running: str, held: str
    ) -> None:
        keys = {
            "labels": {"bursar.dev/class": "training", "bursar.dev/model": "x"},
            "annotations": {"bursar.dev/price": "1", "bursar.dev/held": "AIBudget x"},
        }
        for kind, name, patch in (
            ("pod", running, {"metadata": keys}),
            ("job", held, {"metadata": keys}),
            ("job", held, RELEASE),
        ):
            answer = place.kubectl("patch", kind, name, "-p", json.dumps(patch), user=OPERATOR)
            assert answer.allowed, answer.said

    def test_lift_bursars_gate_and_no_other(self, place: Place) -> None:
        gates = [{"name": "bursar.dev/budget"}, {"name": "example.com/other"}]
        one = pod(schedulingGates=gates)
        assert place.attempt(one, keep=True).allowed
        for kept, allowed in (([], False), (gates[:1], False), (gates[1:], True)):
            patch = json.dumps({"spec": {"schedulingGates": kept}})
            answer = place.kubectl(
                *("patch", "pod", one["metadata"]["name"], "--type=merge", "-p", patch),
                user=OPERATOR,
            )
            assert answer.allowed is allowed, answer.said

    @pytest.mark.parametrize(
        ("template", "suspend", "patch"),
        [
            pytest.param(cpu_pod(), False, HOLD, id="suspend what uses no accelerator"),
            pytest.param(pod(), False, {"spec": {"suspend": True}}, id="suspend and not say so"),
            pytest.param(pod(), True, {"spec": {"suspend": False}}, id="resume what others hold"),
            pytest.param(
                pod(),
                True,
                {"metadata": {"annotations": HELD}, "spec": {"suspend": False}},
                id="resume what it says only now that it held",
            ),
        ],
    )
    def test_may_not(self, place: Place, template: Object, suspend: bool, patch: Object) -> None:
        name = self.job(place, template, suspend=suspend)
        answer = place.kubectl("patch", "job", name, "-p", json.dumps(patch), user=OPERATOR)
        assert not answer.allowed
        assert "Bursar's operator suspends Jobs that use accelerators" in answer.said

    def test_of_a_pod_as_large_as_there_can_be_are_judged_too(self, place: Place) -> None:
        words = [f"w{i}" * 10 for i in range(100)]
        env = [{"name": f"A{i}", "value": "x" * 100} for i in range(20)]
        big = pod(*(container(f"c{i}", args=words[:30], env=env) for i in range(60)))
        assert place.attempt(big, keep=True).allowed
        label = ("label", "pod", big["metadata"]["name"], "bursar.dev/model=x")
        answer = place.kubectl(*label, user=OPERATOR)
        assert answer.allowed, answer.said


class TestPeople:
    """The roles that administrators give to people, bound in one namespace."""

    @pytest.mark.parametrize("role", PEOPLE_ROLES, ids=lambda role: role.name)
    def test_hold_exactly_what_the_table_says(
        self, place: Place, role: object, request: pytest.FixtureRequest
    ) -> None:
        (wanted,) = (each for each in PEOPLE_ROLES if each == role)
        user = f"u-{uuid.uuid4().hex[:8]}"
        place.bind(user, wanted.name)
        found = place.sandbox.wait(
            lambda: reviewed(place.sandbox, user, place.namespace), what="the binding"
        )
        assert found == of_roles([wanted])

    @pytest.mark.parametrize("builtin", ["view", "edit", "admin"])
    def test_built_in_roles_read_our_kinds_and_write_nothing(
        self, place: Place, builtin: str
    ) -> None:
        user = f"u-{uuid.uuid4().hex[:8]}"
        place.bind(user, builtin)
        found = place.sandbox.wait(
            lambda: {
                each
                for each in reviewed(place.sandbox, user, place.namespace)
                if each.group == "bursar.dev"
            },
            what="the aggregated rights",
        )
        (aggregated,) = (role for role in PEOPLE_ROLES if role.aggregate_to)
        assert found == of_roles([aggregated])

    def test_whoever_views_a_namespace_may_not_ask_the_read_api(self, place: Place) -> None:
        proxy = ("auth", "can-i", "get", "services/http:bursar:http", "--subresource=proxy")
        for role, answer in (("view", "no"), ("bursar-viewer", "yes")):
            user = f"u-{uuid.uuid4().hex[:8]}"
            place.bind(user, role)
            place.sandbox.wait(
                lambda user=user: place.kubectl("get", "aibudgets", user=user).allowed,
                what="the binding",
            )
            assert place.kubectl(*proxy, user=user).done.stdout.strip() == answer
            other = (*proxy[:3], "services/http:other:http", proxy[4])
            assert place.kubectl(*other, user=user).done.stdout.strip() == "no"
