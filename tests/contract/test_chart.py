"""The chart itself: helm accepts it, its values are checked, and it renders what it should."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
import yaml

from bursar import __version__, settings
from bursar.admission.policies import all_policies
from bursar.api import crd, meta
from bursar.api.common import Resource
from bursar.cli.app import app
from support.chart import CHART, Helm, documents
from support.generated import generate
from support.values import NONSENSE, VALUE_SETS

MUTATING = "admissionregistration.k8s.io/{}/MutatingAdmissionPolicy"
ENFORCE = ("--set", "enforcement.mode=Enforce")
V1 = ("--api-versions", MUTATING.format("v1"))
V1BETA1 = ("--api-versions", MUTATING.format("v1beta1"))

Object = dict[str, Any]


@pytest.fixture(scope="session")
def render(helm: Helm) -> Callable[..., list[Object]]:
    def rendered(*arguments: str) -> list[Object]:
        done = helm(
            *("template", "bursar", str(CHART), "--namespace", "bursar-system"),
            *("--kube-version", "1.36.3", *arguments),
        )
        assert done.returncode == 0, done.stderr
        return documents(done.stdout)

    return rendered


def names(objects: list[Object], kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in objects if each["kind"] == kind}


def one(objects: list[Object], kind: str, name: str = "bursar") -> Object:
    (found,) = (o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name)
    return found


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_helm_finds_nothing_to_complain_of(helm: Helm, values: str) -> None:
    done = helm("lint", "--strict", "--kube-version", "1.36.3", str(CHART), values=values)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_has_the_versions_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert (chart["version"], str(chart["appVersion"])) == (__version__, __version__)


@pytest.mark.parametrize("name", ["values", "leftovers", "admission", "rbac"])
def test_what_is_generated_is_fresh(name: str) -> None:
    done = generate(name, "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def leaves(schema: Object, path: str = "") -> Iterator[str]:
    """What can be set, by the schema: maps that take any key count as one."""
    for name, inner in schema["properties"].items():
        if "properties" in inner and name != "resources":
            yield from leaves(inner, f"{path}{name}.")
        else:
            yield path + name


def test_values_schema_and_readme_name_the_same() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    readme = (CHART / "README.md").read_text("utf-8")
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    rows = re.findall(r"^\| `([A-Za-z.]+)` \| .* \| `(.*?)` \| (.+) \|$", readme, re.MULTILINE)
    assert set(leaves(schema)) - {"global"} == {name for name, _, _ in rows}
    for name, default, _ in rows:
        value = values
        for part in name.split("."):
            value = value[part]
        assert json.loads(default) == value, name


def test_every_map_of_the_schema_is_closed() -> None:
    """A misspelled value would else be ignored in silence."""

    def walk(schema: Object, path: str) -> None:
        assert schema.get("additionalProperties") is not None, f"{path} takes anything"
        for name, inner in schema["properties"].items():
            if "properties" in inner:
                walk(inner, f"{path}.{name}")

    walk(json.loads((CHART / "values.schema.json").read_text("utf-8")), "values")


@pytest.mark.parametrize("values", NONSENSE.values(), ids=NONSENSE)
def test_the_schema_refuses(helm: Helm, values: str) -> None:
    done = helm("template", "bursar", str(CHART), "--kube-version", "1.36.3", values=values)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr


def test_an_account_that_the_chart_does_not_make_must_be_named(helm: Helm) -> None:
    values = "serviceAccount: {create: false}"
    done = helm("template", "bursar", str(CHART), "--kube-version", "1.36.3", values=values)
    assert done.returncode != 0
    assert "serviceAccount.create=false needs serviceAccount.name" in done.stderr


def test_several_replicas_need_a_ledger_that_all_reach(helm: Helm) -> None:
    done = helm(
        "template", "bursar", str(CHART), "--kube-version", "1.36.3", values="replicaCount: 2"
    )
    assert done.returncode != 0
    assert "replicaCount above 1 needs a ledger that all replicas reach" in done.stderr


@pytest.mark.parametrize(("replicas", "selects"), [("1", None), ("2", "true")], ids=["one", "two"])
def test_the_service_leads_to_who_leads_where_several_run(
    render: Callable[..., list[Object]], replicas: str, selects: str | None
) -> None:
    url = "ledger.url=postgresql://bursar@db.example/bursar"
    objects = render("--set", f"replicaCount={replicas}", "--set", url)
    service, deployment = one(objects, "Service", "bursar"), one(objects, "Deployment", "bursar")
    assert service["spec"]["selector"].get("bursar.dev/leader") == selects
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert ("--leader-elect" in container["args"]) == (selects is not None)
    named = [each for each in container["env"] if each["name"] == "BURSAR_POD_NAME"]
    assert bool(named) == (selects is not None)
    roles = [each for each in objects if each["kind"] == "Role"]
    assert bool(roles) == (selects is not None)


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_the_operator_takes_all_that_the_chart_tells_it(
    helm: Helm, values: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[settings.Settings] = []
    monkeypatch.setattr("bursar.runtime.operator.run", started.append)
    done = helm("template", "bursar", str(CHART), "--kube-version", "1.36.3", values=values)
    (deployment,) = (
        each for each in yaml.safe_load_all(done.stdout) if each and each["kind"] == "Deployment"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    for variable in container.get("env", []):
        told = variable.get("value", "sqlite:////tmp/ledger.db")
        monkeypatch.setenv(variable["name"], told)
    app(container["args"], standalone_mode=False)
    assert len(started) == 1


@pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda each: each.KIND)
def test_each_definition_tells_where_the_read_api_is(
    render: Callable[..., list[Object]], resource: type[Resource]
) -> None:
    for arguments, where in (
        ((), "bursar-system/http:bursar:http"),
        (("--namespace", "money", "--set", "fullnameOverride=purse"), "money/http:purse:http"),
    ):
        name = f"{resource.PLURAL}.{meta.GROUP}"
        found = one(render(*arguments), "CustomResourceDefinition", name)
        assert found["metadata"]["annotations"] == {
            "helm.sh/resource-policy": "keep",
            meta.ANNOTATION_READ_API: where,
        }


class TestPolicies:
    """Which policies an installation has."""

    GUARDS: ClassVar = {
        "bursar-guard-pods",
        "bursar-guard-templates",
        "bursar-guard-namespaces",
        "bursar-guard-budgets",
        "bursar-guard-verdicts",
        "bursar-guard-operator",
    }
    MONEY: ClassVar = {
        "bursar-budget",
        "bursar-cluster-budget",
        "bursar-require",
        "bursar-notice",
        "bursar-cluster-notice",
        "bursar-guard-exempt",
        "bursar-guard-exempt-cluster",
    }
    BIRTH: ClassVar = {"bursar-unstamped", "bursar-ephemeral"}

    def test_observing_has_the_stamp_and_the_guards_and_refuses_nothing_for_money(
        self, render: Callable[..., list[Object]]
    ) -> None:
        objects = render(*V1)
        assert names(objects, "MutatingAdmissionPolicy") == {
            "bursar-stamp",
            "bursar-restore-owners",
        }
        assert names(objects, "ValidatingAdmissionPolicy") == self.GUARDS | self.BIRTH
        for name in self.BIRTH:
            binding = one(objects, "ValidatingAdmissionPolicyBinding", name)
            assert binding["spec"]["validationActions"] == ["Warn"]

    def test_enforcing_has_all_of_them(self, render: Callable[..., list[Object]]) -> None:
        objects = render(*ENFORCE, *V1)
        found = names(objects, "ValidatingAdmissionPolicy")
        assert found == self.GUARDS | self.BIRTH | self.MONEY
        for name in self.BIRTH:
            binding = one(objects, "ValidatingAdmissionPolicyBinding", name)
            assert binding["spec"]["validationActions"] == ["Deny"]

    @pytest.mark.parametrize("values", [(), ENFORCE], ids=["observing", "enforcing"])
    def test_every_policy_has_its_binding(
        self, render: Callable[..., list[Object]], values: tuple[str, ...]
    ) -> None:
        objects = render(*values, *V1)
        for kind in ("MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"):
            bound = {o["spec"]["policyName"] for o in objects if o["kind"] == f"{kind}Binding"}
            assert bound == names(objects, kind)

    def test_none_where_none_are_wanted(self, render: Callable[..., list[Object]]) -> None:
        objects = render(*ENFORCE, *V1, "--set", "policies.install=false")
        assert not [each for each in objects if "AdmissionPolicy" in each["kind"]]

    def test_the_operator_is_known_by_its_own_name(
        self, render: Callable[..., list[Object]]
    ) -> None:
        objects = render(*V1, "--namespace", "money", "--set", "serviceAccount.name=clerk")
        guard = one(objects, "ValidatingAdmissionPolicy", "bursar-guard-pods")
        (condition,) = guard["spec"]["matchConditions"]
        assert condition["expression"] == (
            'request.userInfo.username != "system:serviceaccount:money:clerk"'
        )
        assert "clerk" in names(objects, "ServiceAccount")

    def arguments(self, objects: list[Object]) -> list[str]:
        (deployment,) = (each for each in objects if each["kind"] == "Deployment")
        found: list[str] = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        return found

    def test_further_resources_are_accelerators(self, render: Callable[..., list[Object]]) -> None:
        name = "example.com/Card_2.x"
        objects = render(*V1, "--set", f"acceleratorResources={{{name}}}")
        stamp = one(objects, "MutatingAdmissionPolicy", "bursar-stamp")
        uses = next(v for v in stamp["spec"]["variables"] if v["name"] == "uses")
        assert f'k in ["{name}"]' in uses["expression"]
        assert f"--accelerator-resources={name}" in self.arguments(objects)
        plain = one(render(*V1), "MutatingAdmissionPolicy", "bursar-stamp")
        uses = next(v for v in plain["spec"]["variables"] if v["name"] == "uses")
        assert "k in []" in uses["expression"]


class TestOlderClusters:
    """Where pods are not, or not surely, stamped at birth."""

    def deny(self, objects: list[Object]) -> Object:
        return dict(one(objects, "ValidatingAdmissionPolicy", "bursar-budget")["spec"])

    def test_without_mutating_policies_denials_look_at_pods_and_trust_no_label(
        self, render: Callable[..., list[Object]]
    ) -> None:
        objects = render(*ENFORCE)
        assert not names(objects, "MutatingAdmissionPolicy")
        assert "bursar-unstamped" not in names(objects, "ValidatingAdmissionPolicy")
        spec = self.deny(objects)
        assert "objectSelector" not in spec["matchConstraints"]
        assert [each["name"] for each in spec["matchConditions"]] == ["uses-accelerators"]
        variables = {each["name"]: each["expression"] for each in spec["variables"]}
        assert (variables["cls"], variables["tagged"]) == ('"unknown"', "false")

    def test_as_v1beta1_the_stamp_is_there_but_nothing_relies_on_it(
        self, render: Callable[..., list[Object]]
    ) -> None:
        objects = render(*ENFORCE, *V1BETA1)
        stamp = one(objects, "MutatingAdmissionPolicy", "bursar-stamp")
        assert stamp["apiVersion"] == "admissionregistration.k8s.io/v1beta1"
        assert "bursar-unstamped" not in names(objects, "ValidatingAdmissionPolicy")
        assert "objectSelector" not in self.deny(objects)["matchConstraints"]

    def test_unless_the_administrator_says_that_it_runs(
        self, render: Callable[..., list[Object]]
    ) -> None:
        objects = render(*ENFORCE, *V1BETA1, "--set", "policies.stamping=Always")
        assert "bursar-unstamped" in names(objects, "ValidatingAdmissionPolicy")
        assert "objectSelector" in self.deny(objects)["matchConstraints"]

    def test_or_that_it_shall_not(self, render: Callable[..., list[Object]]) -> None:
        objects = render(*ENFORCE, *V1, "--set", "policies.stamping=Never")
        assert not names(objects, "MutatingAdmissionPolicy")

    def test_below_1_30_the_chart_is_refused(self, helm: Helm) -> None:
        done = helm("template", "bursar", str(CHART), "--kube-version", "1.29.9")
        assert done.returncode != 0
        assert "kubeVersion" in done.stderr


class TestOperator:
    """The Deployment and what it rests on."""

    def pod(self, objects: list[Object]) -> Object:
        return dict(one(objects, "Deployment")["spec"]["template"]["spec"])

    def test_is_one_and_replaced_whole(self, render: Callable[..., list[Object]]) -> None:
        spec = one(render(), "Deployment")["spec"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})

    def test_runs_with_the_settings_of_the_values(
        self, render: Callable[..., list[Object]]
    ) -> None:
        objects = render(*ENFORCE, *V1, "--set", "currency=EUR,clusterName=berlin")
        (container,) = self.pod(objects)["containers"]
        assert container["args"][0] == "run"
        assert set(container["args"]) >= {
            "--namespace=bursar-system",
            "--service-account=bursar",
            "--service=bursar",
            "--ledger=sqlite:////var/lib/bursar/ledger.db",
            "--http-host=0.0.0.0",
            "--http-port=8080",
            "--api-open-to=0.0.0.0/0,::/0",
            "--api-write-open-to=127.0.0.0/8,::1/128",
            "--mode=Enforce",
            "--watch-pods=Stamped",
            "--currency=EUR",
            "--cluster-name=berlin",
            "--log-level=info",
        }

    @pytest.mark.parametrize(
        ("values", "env"),
        [
            pytest.param(
                "ledger.url=postgresql://bursar@db:5432/bursar",
                {"value": "postgresql://bursar@db:5432/bursar"},
                id="by a URL",
            ),
            pytest.param(
                "ledger.existingSecret.name=books,ledger.existingSecret.key=dsn",
                {"valueFrom": {"secretKeyRef": {"name": "books", "key": "dsn"}}},
                id="by a Secret",
            ),
        ],
    )
    def test_with_postgresql_it_needs_no_volume_and_no_password_in_sight(
        self, render: Callable[..., list[Object]], values: str, env: Object
    ) -> None:
        objects = render("--set", values, "--set", "networkPolicy.enabled=true")
        assert not names(objects, "PersistentVolumeClaim")
        pod = self.pod(objects)
        (container,) = pod["containers"]
        assert container["env"] == [{"name": "BURSAR_LEDGER", **env}]
        assert not any(argument.startswith("--ledger=") for argument in container["args"])
        assert [each["name"] for each in pod["volumes"]] == ["tmp"]
        egress = one(objects, "NetworkPolicy")["spec"]["egress"]
        assert {"ports": [{"port": 5432, "protocol": "TCP"}]} in egress

    @pytest.mark.parametrize(
        ("more", "watched"),
        [
            pytest.param(V1, "Stamped", id="where pods are stamped at birth"),
            pytest.param((), "All", id="where no mutating policies are served"),
            pytest.param(V1BETA1, "All", id="where they are served, and perhaps not in force"),
            pytest.param((*V1, "--set", "policies.install=false"), "All", id="without policies"),
        ],
    )
    def test_watches_all_pods_unless_they_are_known_to_be_stamped(
        self, render: Callable[..., list[Object]], more: tuple[str, ...], watched: str
    ) -> None:
        (container,) = self.pod(render(*more))["containers"]
        assert f"--watch-pods={watched}" in container["args"]

    def test_is_confined(self, render: Callable[..., list[Object]]) -> None:
        spec = self.pod(render())
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert spec["automountServiceAccountToken"] is True
        assert spec["enableServiceLinks"] is False
        assert one(render(), "ServiceAccount")["automountServiceAccountToken"] is False
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}

    @pytest.mark.parametrize(
        ("values", "claims", "volume"),
        [
            pytest.param((), 1, "persistentVolumeClaim", id="on its own claim"),
            pytest.param(
                ("--set", "persistence.existingClaim=mine"),
                0,
                "persistentVolumeClaim",
                id="on a claim that is there",
            ),
            pytest.param(("--set", "persistence.enabled=false"), 0, "emptyDir", id="on nothing"),
        ],
    )
    def test_keeps_its_ledger(
        self,
        render: Callable[..., list[Object]],
        values: tuple[str, ...],
        claims: int,
        volume: str,
    ) -> None:
        objects = render(*values)
        assert len(names(objects, "PersistentVolumeClaim")) == claims
        ledger = next(v for v in self.pod(objects)["volumes"] if v["name"] == "ledger")
        assert volume in ledger

    def test_may_suspend_only_where_it_enforces(self, render: Callable[..., list[Object]]) -> None:
        assert "bursar-enforcer" not in names(render(), "ClusterRole")
        assert "bursar-enforcer" in names(render(*ENFORCE), "ClusterRole")

    def test_the_service_reaches_its_port_by_name(
        self, render: Callable[..., list[Object]]
    ) -> None:
        objects = render()
        spec = one(objects, "Service")["spec"]
        assert [(p["name"], p["targetPort"]) for p in spec["ports"]] == [("http", "http")]
        labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
        assert spec["selector"].items() <= labels.items()

    def test_the_read_api_may_be_open_to_nobody_without_a_token(
        self, render: Callable[..., list[Object]]
    ) -> None:
        (container,) = self.pod(render("--set-json", "readApi.openTo=[]"))["containers"]
        assert "--api-open-to=" in container["args"]

    def test_a_drain_of_its_node_is_never_blocked(
        self, render: Callable[..., list[Object]]
    ) -> None:
        spec = one(render(), "PodDisruptionBudget")["spec"]
        assert spec["maxUnavailable"] == 1
        assert "minAvailable" not in spec
        labels = one(render(), "Deployment")["spec"]["template"]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()

    def test_the_network_policy_lets_in_one_port_and_out_what_is_needed(
        self, render: Callable[..., list[Object]]
    ) -> None:
        assert not names(render(), "NetworkPolicy")
        values = 'networkPolicy={"enabled":true,"ingressFrom":[{"podSelector":{}}]}'
        spec = one(render("--set-json", values), "NetworkPolicy")["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert spec["ingress"] == [
            {"ports": [{"port": "http", "protocol": "TCP"}], "from": [{"podSelector": {}}]}
        ]
        out = {port["port"] for rule in spec["egress"] for port in rule["ports"]}
        assert out == {53, 443, 6443}

    def test_the_service_monitor_finds_the_service(
        self, render: Callable[..., list[Object]]
    ) -> None:
        assert not names(render(), "ServiceMonitor")
        objects = render("--set", "serviceMonitor.enabled=true,serviceMonitor.namespace=prom")
        found, service = one(objects, "ServiceMonitor"), one(objects, "Service")
        assert found["metadata"]["namespace"] == "prom"
        selector = found["spec"]["selector"]["matchLabels"]
        assert selector.items() <= service["metadata"]["labels"].items()
        assert found["spec"]["namespaceSelector"] == {"matchNames": ["bursar-system"]}
        (endpoint,) = found["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}

    def test_release_names_that_differ_keep_everything_apart(self, helm: Helm) -> None:
        done = helm("template", "money", str(CHART), "--namespace", "n", "--kube-version", "1.36.3")
        objects = documents(done.stdout)
        assert names(objects, "Deployment") == {"money-bursar"}
        bound = one(objects, "ClusterRoleBinding", "money-bursar-reader")
        assert bound["subjects"] == [
            {"kind": "ServiceAccount", "name": "money-bursar", "namespace": "n"}
        ]


class TestLeftovers:
    """What `helm uninstall` removes although the last revision does not have it."""

    IN_CLUSTER: ClassVar = (*V1, "--api-versions", "apps/v1/Deployment")

    @staticmethod
    def split(objects: list[Object]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        """What is installed, and what is a hook of the removal."""
        found: tuple[set[tuple[str, str]], set[tuple[str, str]]] = (set(), set())
        for each in objects:
            notes = each["metadata"].get("annotations", {})
            hook = notes.get("helm.sh/hook")
            assert hook in (None, "post-delete")
            found[hook is not None].add((each["kind"], each["metadata"]["name"]))
        return found

    @pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
    def test_each_policy_is_installed_or_removed_whatever_the_values(
        self, helm: Helm, values: str
    ) -> None:
        done = helm(
            *("template", "bursar", str(CHART), "--kube-version", "1.36.3", *self.IN_CLUSTER),
            *("--api-versions", "monitoring.coreos.com/v1/ServiceMonitor"),
            values=values,
        )
        assert done.returncode == 0, done.stderr
        installed, removed = self.split(documents(done.stdout))
        every = {
            (manifest["kind"], manifest["metadata"]["name"])
            for policies in all_policies().values()
            for policy in policies
            for manifest in policy.manifests
        }
        assert not installed & removed
        assert every <= installed | removed
        assert removed <= every | {
            (kind, name)
            for kind, name in removed
            if kind.startswith("ClusterRole") and name.endswith("-enforcer")
        }

    def test_a_mere_rendering_has_none(self, render: Callable[..., list[Object]]) -> None:
        _, removed = self.split(render(*V1))
        assert not removed
