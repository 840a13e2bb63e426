"""The whole path on a real API server: label, meter, budget, warn, hold, resume."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import pytest

from support.closedform import PodWatch, Price, bound, finished, listed, milliseconds, money
from support.policies import Object, Place, job, moment
from support.product import Product, budget, gpu_pod, until

pytestmark = pytest.mark.cluster

BINDING = "notice-only-nothing-was-refused"
ALL_H100 = {"nvidia.com/gpu": 8}
HALF = Fraction(1, 2)
SPOT = Price(opex=listed("g4dn.12xlarge", "us-east-1", spot=True))
ONE = {"nvidia.com/gpu": 1}
CLASSES = ("training", "inference", "interactive", "other", "unknown")


def job_of(template: Object, **spec: Any) -> Object:
    made = job(template)
    made["spec"].update(spec)
    made["spec"]["template"]["spec"]["nodeSelector"] = template["spec"]["nodeSelector"]
    return made


def verdict_windows(product: Product, namespace: str, name: str) -> list[Object] | None:
    """The windows of a budget as the API server has them; None where it has none of it."""
    found = product.sandbox.find("budgetverdict", "bursar", "-n", namespace)
    entries = ((found or {}).get("verdict") or {}).get("budgets") or []
    return next((each.get("windows", []) for each in entries if each["budget"] == name), None)


def shut(product: Product, namespace: str, name: str, **spec: Any) -> Place:
    """A budget that is shut from the start, in force."""
    product.sandbox.create(budget(name, namespace, limits={"cost": "0"}, **spec))
    place = Place(sandbox=product.sandbox, namespace=namespace)
    product.sandbox.wait(
        lambda: f"AIBudget {name} is shut" in place.attempt(gpu_pod("t4-spot", ONE)).said,
        what=f"budget {name} shut",
        timeout=20,
    )
    return place


def opened(product: Product, place: Place, template: Object | None = None) -> None:
    """Wait until a pod would get in."""
    probe = template or gpu_pod("t4-spot", ONE)
    product.sandbox.wait(
        lambda: place.attempt(probe).allowed, what="the namespace open", timeout=20
    )


def test_a_job_is_labelled_metered_warned_of_held_and_released(
    product: Product, namespace: str, watch: PodWatch
) -> None:
    sandbox = product.sandbox
    place = Place(sandbox=sandbox, namespace=namespace)
    thresholds = [{"percent": 10, "actions": ["Warn"]}, {"percent": 100, "actions": ["Hold"]}]
    sandbox.create(budget("vision", namespace, limits={"cost": "0.15"}, thresholds=thresholds))
    sandbox.wait(
        lambda: verdict_windows(product, namespace, "AIBudget vision") == [],
        what="an open budget in the verdict",
    )
    first = place.attempt(job_of(gpu_pod("h100", ALL_H100)), keep=True).object
    seen = sandbox.wait(
        lambda: next((each for each in watch.pods.values() if bound(each.last)), None),
        what="the Job's pod bound",
    )

    # Label: at birth, by policy.
    labels = seen.first["metadata"]["labels"]
    assert labels["bursar.dev/accelerated"] == "true"
    assert labels["bursar.dev/class"] in (
        "training",
        "inference",
        "interactive",
        "other",
        "unknown",
    )
    assert labels["bursar.dev/class-by"]

    # Budget: status and verdict, the same, in time.
    def evaluated() -> Object | None:
        found = sandbox.get("aibudget", "vision", "-n", namespace)
        windows = found.get("status", {}).get("admission")
        return found if windows and verdict_windows(product, namespace, "AIBudget vision") else None

    status = sandbox.wait(evaluated, what="windows", every=0.1)["status"]
    took = time.time() - (bound(seen.last) or 0) / 1000
    assert took < 5 + 1, "later than 5 s after the binding (whose time is cut to the second)"
    windows = sandbox.get("aibudget", "vision", "-n", namespace)["status"]["admission"]
    assert windows == verdict_windows(product, namespace, "AIBudget vision")
    assert windows[0]["class"] == "*"
    assert set(status["spent"]) >= {"cost", "gpuHours", "byClass", "estimatedCost"}
    assert status["burnRate"]["devices"] == "8.000000"
    assert status["burnRate"]["costPerHour"] == "55.040000"

    # Warn: told by kubectl, with the binding's name, and nothing is refused.
    def warned() -> Object | None:
        return sandbox.get("aibudget", "vision", "-n", namespace)["status"].get("warning")

    warning = sandbox.wait(warned, what="a warning")
    assert warning["since"]
    told = place.attempt(job_of(gpu_pod("t4-spot", ONE)))
    assert told.allowed
    assert BINDING in told.said
    assert "AIBudget vision" in told.said

    # Hold: the pods are refused, the Job is suspended and told why.
    for _ in until(milliseconds(windows[0]["closesAt"])):
        pass
    held = place.attempt(job_of(gpu_pod("t4-spot", ONE)), keep=True).object
    own = job_of(gpu_pod("t4-spot", ONE), suspend=True)
    own = place.attempt(own, keep=True).object

    def jobs_state(made: Object) -> Object:
        return sandbox.get("job", made["metadata"]["name"], "-n", namespace)

    def is_held() -> bool:
        found = jobs_state(held)
        notes = found["metadata"].get("annotations", {})
        return found["spec"].get("suspend") is True and "bursar.dev/held" in notes

    sandbox.wait(is_held, what="the Job suspended")
    assert jobs_state(held)["metadata"]["annotations"]["bursar.dev/held"] == "AIBudget vision"
    event = sandbox.wait(
        lambda: event_of(product, namespace, held, "HeldByBudget"), what="an Event on the Job"
    )
    assert "AIBudget vision is shut" in event["message"]
    assert not [n for n in watch.pods if n.startswith(held["metadata"]["name"])]
    sandbox.wait(
        lambda: sandbox.get("aibudget", "vision", "-n", namespace)["status"].get("held") == 1,
        what="one held workload in the status",
    )
    # What runs is left alone by Hold.
    assert jobs_state(first)["spec"].get("suspend") is not True

    # Resume: raised, the Job starts; what its owner suspended stays so.
    sandbox.kubectl(
        *("patch", "aibudget", "vision", "-n", namespace, "--type=merge"),
        *("-p", '{"spec":{"limits":{"cost":"1000"}}}'),
    )
    sandbox.wait(
        lambda: [n for n in watch.pods if n.startswith(held["metadata"]["name"])],
        what="the released Job's pod",
    )
    released = jobs_state(held)
    assert released["spec"]["suspend"] is False
    assert "bursar.dev/held" not in released["metadata"].get("annotations", {})
    sandbox.wait(lambda: event_of(product, namespace, held, "Released"), what="an Event of release")
    assert jobs_state(own)["spec"]["suspend"] is True
    assert "bursar.dev/held" not in jobs_state(own)["metadata"].get("annotations", {})


def event_of(product: Product, namespace: str, obj: Object, reason: str) -> Object | None:
    name = obj["metadata"]["name"]
    found = product.sandbox.get(
        "events", "-n", namespace, f"--field-selector=involvedObject.name={name}"
    )
    return next((each for each in found["items"] if reason in each["reason"]), None)


def test_an_exempt_pod_passes_a_shut_budget_and_its_spending_counts(
    product: Product, namespace: str, watch: PodWatch
) -> None:
    place = shut(product, namespace, "vision", exempt={"classes": ["inference"]})
    tag = {"bursar.dev/class-override": "inference"}
    tagged = gpu_pod("t4-spot", {"nvidia.com/gpu": 2}, 2, labels=tag)
    made = place.attempt(tagged, keep=True)
    assert made.allowed, made.said
    assert made.labels["bursar.dev/class-by"] == "tagged"
    name = made.object["metadata"]["name"]
    product.sandbox.wait(lambda: finished(watch.pods[name].last), what="the exempt pod's end")
    last = watch.pods[name].last
    start, end = bound(last), finished(last)
    assert start is not None
    assert end is not None
    want = money(SPOT.nano(HALF, start, end))

    def spent() -> str:
        return str((product.standing(namespace, "vision") or {}).get("spent"))

    product.sandbox.wait(lambda: spent() == want, what=f"{want} spent", timeout=20)


def test_a_refusal_names_each_budget_that_is_shut_and_deleting_them_opens(
    product: Product, namespace: str
) -> None:
    sandbox = product.sandbox
    company = f"company-{namespace}"
    here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    sandbox.create(
        budget(company, None, limits={"cost": "0"}, scope="Shared", namespaceSelector=here)
    )
    try:
        place = shut(product, namespace, "vision")
        probe = gpu_pod("t4-spot", ONE)
        sandbox.wait(
            lambda: company in place.attempt(probe).said,
            what="both budgets in one refusal",
            timeout=20,
        )
        said = place.attempt(probe).said
        assert "AIBudget vision is shut" in said
        assert f"ClusterAIBudget {company} is shut" in said
    finally:
        sandbox.kubectl("delete", "clusteraibudget", company)

    def only_own() -> bool:
        said = place.attempt(probe).said
        return company not in said and "AIBudget vision is shut" in said

    sandbox.wait(only_own, what="the cluster's budget forgotten", timeout=20)
    sandbox.kubectl("delete", "aibudget", "vision", "-n", namespace)
    opened(product, place)


def test_a_budget_that_is_put_to_sleep_lets_pods_in_until_it_is_awake(
    product: Product, namespace: str
) -> None:
    place = shut(product, namespace, "vision")

    def sleep_until(value: str) -> None:
        product.sandbox.kubectl(
            *("patch", "aibudget", "vision", "-n", namespace, "--type=merge"),
            *("-p", f'{{"spec":{{"suspendUntil":{value}}}}}'),
        )

    sleep_until(f'"{moment(3600)}"')
    opened(product, place)
    sleep_until("null")
    probe = gpu_pod("t4-spot", ONE)
    product.sandbox.wait(
        lambda: "AIBudget vision is shut" in place.attempt(probe).said, what="it awake", timeout=20
    )
