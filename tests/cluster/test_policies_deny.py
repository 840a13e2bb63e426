"""What a verdict refuses, on a real API server and with no operator running."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from support.cluster import Sandbox
from support.policies import (
    CONTROLLER,
    Answer,
    Object,
    Place,
    container,
    cpu_pod,
    entry,
    moment,
    pod,
    window,
)

pytestmark = pytest.mark.cluster

TRAINS = pod(container(command=["torchrun", "train.py"]))
SERVES = pod(container(image="vllm/vllm-openai:v1", args=["--model", "m"]))
SHUT = "AIBudget vision: $12,000 of $12,000 spent; reopens 1 Dec 00:00 (Berlin); ask lee"


@pytest.fixture
def place(sandbox: Sandbox, namespace: str) -> Iterator[Place]:
    here = Place(sandbox=sandbox, namespace=namespace)
    yield here
    here.close()


def refused(answer: Answer, *names: str) -> bool:
    """Whether a pod was refused for money, by all these names and no other budget's."""
    if answer.allowed:
        return False
    assert "Forbidden" in answer.said
    assert "budget-is-shut" in answer.said
    for name in names:
        assert name in answer.said
    return True


class TestWindows:
    """When a pod is refused: if it is born inside one."""

    def test_a_pod_inside_a_window_is_refused_with_the_budgets_own_words(
        self, place: Place
    ) -> None:
        place.rule(entry("AIBudget vision", window(message=SHUT)))
        assert refused(place.attempt(pod()), SHUT)

    @pytest.mark.parametrize(
        "one",
        [
            pytest.param(window(closes=43_200), id="before it closes"),
            pytest.param(window(closes=-60, reopens=-1), id="after it reopened"),
            pytest.param({"class": "*", "message": "x"}, id="a window that never closes"),
        ],
    )
    def test_a_pod_outside_the_window_is_allowed(self, place: Place, one: Object) -> None:
        place.rule(entry("AIBudget vision", one))
        assert place.attempt(pod()).allowed

    def test_a_window_that_does_not_reopen_stays_shut(self, place: Place) -> None:
        place.rule(entry("AIBudget vision", window(reopens=None)))
        assert refused(place.attempt(pod()), "AIBudget vision is shut")

    def test_a_later_window_refuses_in_its_own_time(self, place: Place) -> None:
        before = window(closes=-7200, reopens=-3600)
        place.rule(entry("AIBudget vision", before, window(message="second")))
        assert refused(place.attempt(pod()), "second")

    def test_the_api_server_shuts_and_reopens_by_its_own_clock(self, place: Place) -> None:
        closes, reopens = time.time() + 6, time.time() + 10
        place.rule(entry("AIBudget vision", window(closes=6, reopens=10)))
        seen: list[tuple[float, bool, float]] = []

        def reopened() -> bool:
            asked = time.time()
            answer = place.attempt(pod())
            seen.append((asked, answer.allowed, time.time()))
            return asked > reopens + 1

        place.sandbox.wait(reopened, timeout=30, what="the window to pass")
        # A window's times are whole seconds, rounded down by `moment`; so is the pod's own.
        inside = [ok for asked, ok, told in seen if asked > closes and told < reopens - 1]
        outside = [ok for asked, ok, told in seen if told < closes - 1 or asked > reopens]
        assert inside
        assert not any(inside)
        assert outside
        assert all(outside)

    def test_pods_without_accelerators_are_never_looked_at(self, place: Place) -> None:
        place.rule(entry("AIBudget vision", window()))
        assert place.attempt(cpu_pod()).allowed
        assert place.attempt(cpu_pod(labels={"bursar.dev/accelerated": "true"})).allowed

    def test_every_shut_budget_is_named_and_no_open_one(self, place: Place) -> None:
        place.rule(
            entry("AIBudget vision", window(message="AIBudget vision: spent")),
            entry("AIBudget open", window(closes=43_200)),
            entry("AIBudget year", window()),
            entry("AIBudget team", window("training", message="AIBudget team: spent")),
        )
        answer = place.attempt(TRAINS)
        assert refused(
            answer, "AIBudget vision: spent | AIBudget year is shut", "AIBudget team: spent"
        )
        assert "AIBudget open" not in answer.said


class TestClasses:
    """Windows of one class."""

    def test_a_class_window_refuses_that_class_only(self, place: Place) -> None:
        place.rule(entry("AIBudget vision", window("training")))
        assert refused(place.attempt(TRAINS), "AIBudget vision")
        assert place.attempt(SERVES).allowed

    def test_an_unknown_pod_is_treated_as_training(self, place: Place) -> None:
        place.rule(entry("AIBudget vision", window("training")))
        assert refused(place.attempt(pod()), "AIBudget vision")

    def test_or_as_the_budget_says(self, place: Place) -> None:
        place.rule(
            entry("AIBudget vision", window("training"), unknownAs="interactive"),
            entry("AIBudget other", window("interactive"), unknownAs="interactive"),
        )
        answer = place.attempt(pod())
        assert refused(answer, "AIBudget other")
        assert "AIBudget vision" not in answer.said

    def test_a_window_without_a_class_is_for_all(self, place: Place) -> None:
        place.rule(entry("AIBudget vision", window(None)))
        assert refused(place.attempt(SERVES), "AIBudget vision")

    def test_a_forged_class_opens_nothing(self, place: Place) -> None:
        place.rule(entry("AIBudget vision", window("training")))
        forged = pod(labels={"bursar.dev/class": "inference", "bursar.dev/class-by": "tagged"})
        assert refused(place.attempt(forged), "AIBudget vision")


class TestExempt:
    """Who is never held."""

    TAGGED = pod(labels={"bursar.dev/class-override": "inference"})

    @pytest.fixture
    def place(self, sandbox: Sandbox, namespace: str) -> Place:
        place = Place(sandbox=sandbox, namespace=namespace)
        place.bind("tenant", "edit")
        place.bind("chief", "edit")
        place.bind("chief", "bursar-override")
        return place

    @pytest.fixture
    def priority(self, sandbox: Sandbox) -> Iterator[str]:
        name = f"production-{uuid.uuid4().hex[:8]}"
        sandbox.create(
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": name},
                "value": 1000,
            }
        )
        yield name
        sandbox.kubectl("delete", "priorityclass", name)

    def test_an_exempt_class_counts_where_it_was_tagged_under_guard(self, place: Place) -> None:
        place.rule(entry("AIBudget vision", window(), exemptTagged=["inference"]))
        assert place.attempt(self.TAGGED, user="chief").allowed
        assert place.attempt(self.TAGGED, user=CONTROLLER).allowed

    def test_and_not_where_it_was_discovered_or_wished_for(self, place: Place) -> None:
        place.rule(entry("AIBudget vision", window(), exemptTagged=["inference"]))
        assert refused(place.attempt(SERVES, user="tenant"), "AIBudget vision")
        assert refused(place.attempt(self.TAGGED, user="tenant"), "AIBudget vision")

    def test_a_tagged_class_that_is_not_exempt_is_refused(self, place: Place) -> None:
        place.rule(entry("AIBudget vision", window(), exemptTagged=["training"]))
        assert refused(place.attempt(self.TAGGED, user="chief"), "AIBudget vision")

    def test_an_exempt_priority_class_counts_from_whom_rbac_lets(
        self, place: Place, priority: str
    ) -> None:
        place.rule(entry("AIBudget vision", window(), exemptPriority=[priority]))
        one = pod(priorityClassName=priority)
        assert place.attempt(one, user="chief").allowed
        assert place.attempt(one, user=CONTROLLER).allowed
        assert refused(place.attempt(one, user="tenant"), "AIBudget vision")
        assert refused(place.attempt(pod(), user="chief"), "AIBudget vision")


class TestSelection:
    """Which pods a budget is about."""

    @pytest.mark.parametrize(
        ("selector", "labels", "selected"),
        [
            pytest.param({}, {}, True, id="an empty selector selects all"),
            pytest.param({"matchLabels": {"a": "1"}}, {"a": "1"}, True, id="an equal label"),
            pytest.param({"matchLabels": {"a": "1"}}, {"a": "2"}, False, id="another value"),
            pytest.param({"matchLabels": {"a": "1"}}, {}, False, id="a missing label"),
            pytest.param({"in": ["1", "2"]}, {"a": "2"}, True, id="In"),
            pytest.param({"in": ["1"]}, {"a": "2"}, False, id="not In"),
            pytest.param({"in": ["1"]}, {}, False, id="In without the label"),
            pytest.param({"notin": ["1"]}, {"a": "2"}, True, id="NotIn"),
            pytest.param({"notin": ["1"]}, {}, True, id="NotIn without the label"),
            pytest.param({"notin": ["1"]}, {"a": "1"}, False, id="not NotIn"),
            pytest.param({"exists": None}, {"a": ""}, True, id="Exists"),
            pytest.param({"exists": None}, {}, False, id="not Exists"),
            pytest.param({"doesnotexist": None}, {}, True, id="DoesNotExist"),
            pytest.param({"doesnotexist": None}, {"a": "1"}, False, id="not DoesNotExist"),
        ],
    )
    def test_by_labels_with_kubernetes_own_meaning(
        self, place: Place, selector: Object, labels: dict[str, str], selected: bool
    ) -> None:
        operators = {
            "in": "In", "notin": "NotIn", "exists": "Exists", "doesnotexist": "DoesNotExist",
        }  # fmt: skip
        for word, values in list(selector.items()):
            if word in operators:
                requirement: Object = {"key": "a", "operator": operators[word]}
                if values:
                    requirement["values"] = values
                selector = {"matchExpressions": [requirement]}
        place.rule(entry("AIBudget vision", window(), selector=selector))
        answer = place.attempt(pod(labels=labels))
        assert answer.allowed is not selected

    def test_by_the_labels_that_the_stamp_wrote(self, place: Place) -> None:
        selector = {"matchLabels": {"bursar.dev/team": "robots"}}
        place.rule(entry("AIBudget robots", window(), selector=selector))
        assert refused(place.attempt(pod(labels={"team": "robots"})), "AIBudget robots")
        forged = pod(labels={"team": "robots", "bursar.dev/team": "others"})
        assert refused(place.attempt(forged), "AIBudget robots")
        assert place.attempt(pod(labels={"team": "others"})).allowed


class TestBreakGlass:
    """Enforcement that sleeps till a time."""

    def test_refuses_nothing_before_that_time(self, place: Place) -> None:
        place.rule(entry("AIBudget vision", window(), asleepUntil=moment(43_200)))
        assert place.attempt(pod()).allowed

    def test_and_refuses_again_from_then_on(self, place: Place) -> None:
        place.rule(entry("AIBudget vision", window(), asleepUntil=moment(-1)))
        assert refused(place.attempt(pod()), "AIBudget vision")


def lacking(parts: Object, *missing: str) -> Object:
    return {key: value for key, value in parts.items() if key not in missing}


class TestIncomplete:
    """A verdict that lacks something never refuses what it does not speak of."""

    @pytest.mark.parametrize(
        "odd",
        [
            pytest.param({}, id="an entry without anything"),
            pytest.param(entry("AIBudget odd"), id="no windows"),
            pytest.param({"budget": "AIBudget odd"}, id="windows missing"),
            pytest.param(entry("AIBudget odd", {}), id="a window without anything"),
            pytest.param(
                entry("AIBudget odd", lacking(window(), "closesAt")), id="a window never closing"
            ),
            pytest.param(entry("AIBudget odd", notice="x"), id="a notice only"),
            pytest.param(
                entry("AIBudget odd", window(), selector={"matchLabels": {"none": "such"}}),
                id="a selector without expressions",
            ),
            pytest.param(
                entry(
                    "AIBudget odd",
                    window(),
                    selector={"matchExpressions": [{"key": "none", "operator": "In"}]},
                ),
                id="a requirement without values",
            ),
        ],
    )
    def test_an_odd_entry_refuses_nothing_and_hides_no_other(
        self, place: Place, odd: Object
    ) -> None:
        place.rule(odd)
        assert place.attempt(TRAINS).allowed
        place.rule(odd, entry("AIBudget vision", window()))
        assert refused(place.attempt(TRAINS), "AIBudget vision is shut until")

    @pytest.mark.parametrize(
        ("odd", "says"),
        [
            pytest.param({"windows": [window()]}, "an AI budget is shut", id="no name"),
            pytest.param(
                entry("AIBudget odd", window(), selector={}, namespaceSelector={}),
                "AIBudget odd",
                id="empty selectors",
            ),
            pytest.param(
                entry("AIBudget odd", window(), exemptTagged=[], exemptPriority=[]),
                "AIBudget odd",
                id="empty exemptions",
            ),
        ],
    )
    def test_an_entry_with_a_window_refuses_whatever_else_it_lacks(
        self, place: Place, odd: Object, says: str
    ) -> None:
        place.rule(odd)
        assert refused(place.attempt(pod()), says)

    @pytest.mark.parametrize("cluster", [False, True], ids=["namespace", "cluster"])
    @pytest.mark.parametrize(
        "budgets", [pytest.param(None, id="no content"), pytest.param([], id="no budgets")]
    )
    def test_a_verdict_without_content_refuses_nothing(
        self, place: Place, budgets: list[Object] | None, cluster: bool
    ) -> None:
        place.rule(entry("AIBudget vision", window()), cluster=cluster)
        assert not place.attempt(pod()).allowed
        place.write(budgets, cluster=cluster)
        place.sandbox.wait(lambda: place.attempt(pod()).allowed, what="the empty verdict")

    def test_no_verdict_refuses_nothing(self, place: Place) -> None:
        assert place.attempt(pod()).allowed


class TestCluster:
    """Verdicts of cluster budgets."""

    def test_refuse_in_the_namespaces_that_they_select(self, place: Place) -> None:
        place.rule(entry("ClusterAIBudget company", window()), cluster=True)
        answer = place.attempt(pod())
        assert refused(answer, "ClusterAIBudget company")
        assert "cluster-budget-is-shut" in answer.said
        elsewhere = Place(sandbox=place.sandbox, namespace="default")
        assert elsewhere.attempt(pod()).allowed

    @pytest.mark.parametrize(
        ("selector", "selected"),
        [
            pytest.param({"matchLabels": {"tier": "gold"}}, True, id="an equal label"),
            pytest.param({"matchLabels": {"tier": "tin"}}, False, id="another value"),
            pytest.param(
                {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["tin"]}]},
                True,
                id="NotIn",
            ),
            pytest.param(
                {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
                False,
                id="not DoesNotExist",
            ),
        ],
    )
    def test_select_namespaces_by_label(
        self, place: Place, selector: dict[str, Any], selected: bool
    ) -> None:
        place.sandbox.kubectl("label", "namespace", place.namespace, "tier=gold")
        mine = {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}}
        both = {**selector, "matchLabels": mine["matchLabels"] | selector.get("matchLabels", {})}
        place.rule(entry("ClusterAIBudget gold", window(), namespaceSelector=both), cluster=True)
        assert place.attempt(pod()).allowed is not selected


class TestRequire:
    """Namespaces in which accelerators start only under a budget."""

    BINDING = "this-namespace-has-no-evaluated-aibudget"

    @pytest.fixture
    def place(self, sandbox: Sandbox, namespace: str) -> Place:
        place = Place(sandbox=sandbox, namespace=namespace)
        sandbox.kubectl("label", "namespace", namespace, "bursar.dev/require-budget=true")
        sandbox.wait(lambda: not place.attempt(pod()).allowed, what="the demand for a budget")
        return place

    def test_refuse_pods_without_a_verdict_and_say_what_is_missing(self, place: Place) -> None:
        assert self.BINDING in place.attempt(pod()).said
        assert place.attempt(cpu_pod()).allowed

    def test_refuse_pods_that_no_budget_selects(self, place: Place) -> None:
        place.rule(entry("AIBudget a", selector={"matchLabels": {"a": "1"}}))
        assert "no AIBudget selects this pod" in place.attempt(pod()).said
        assert place.attempt(pod(labels={"a": "1"})).allowed

    def test_allow_pods_under_an_open_budget(self, place: Place) -> None:
        place.rule(entry("AIBudget vision"))
        assert place.attempt(pod()).allowed
