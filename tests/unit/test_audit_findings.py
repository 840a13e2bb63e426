"""`bursar audit`: what to do first, with its figures, and the starter objects it suggests."""

from fractions import Fraction
from typing import Any

import pytest
import yaml

from bursar.api.aibudget import AIBudget
from bursar.api.pricebook import PriceBook
from bursar.cli.audit import starters
from bursar.cli.audit.snapshot import SeenPod
from bursar.cli.audit.values import Audit, Finding
from bursar.domain.money import NANO
from bursar.domain.time import DAY, HOUR
from support.audit import H100, MYSTERY, NOTEBOOK, NOW, SERVE, audit, node, owned, pod

WHOLE = {"nvidia.com/gpu": 8}
TEAM = {"labels": {"vision": {"team": "blue"}}}
LONG = owned(pod("p", NOTEBOOK, limits=WHOLE, since=NOW - 2 * DAY), "Notebook", "n")
CRASHED = {"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}


def job(name: str = "j-1", **more: Any) -> SeenPod:
    return owned(pod(name, **({"limits": WHOLE} | more)), "Job", "j")


def finding(found: Audit, code: str) -> Finding:
    return next(each for each in found.findings if each.code == code)


@pytest.mark.parametrize(
    ("seen", "more", "codes"),
    [
        ([job()], TEAM, []),
        ([], {}, ["idle-devices"]),
        ([job()], {}, ["no-team"]),
        ([job(limits={"nvidia.com/gpu": 1})], {}, ["idle-devices", "no-team"]),
        ([job(limits={"nvidia.com/gpu": 7})], {}, ["no-team", "idle-devices"]),
        ([pod("p", limits=WHOLE)], TEAM, ["bare-pods"]),
        ([job(**CRASHED)], TEAM, ["stuck-pods"]),
        ([job(), job("j-2", on=None)], TEAM, ["waiting-pods"]),
        ([owned(pod("p", MYSTERY, limits=WHOLE), "Job", "j")], TEAM, ["no-class"]),
        ([owned(pod("p", NOTEBOOK, limits=WHOLE), "Notebook", "n")], TEAM, []),
        ([LONG], TEAM, ["long-interactive"]),
        ([job(on="dgx-h100-1")], TEAM | {"nodes": (node("dgx-h100"),)}, ["assumed-prices"]),
        ([job()], TEAM | {"nodes": None}, []),
    ],
    ids=[
        "all is held, labelled and priced",
        "nobody holds anything",
        "nobody says whose it is",
        "the dearer of two comes first: what idles",
        "the dearer of two comes first: what nobody pays for",
        "a pod that no controller looks after",
        "a pod in which nothing runs",
        "a pod that waits is about no money, and last",
        "nobody can tell what it does",
        "a notebook of an hour is no news",
        "a notebook of two days is",
        "a price that stands in for another",
        "what is not known is no finding",
    ],
)  # fmt: skip
def test_findings(seen: list[Any], more: dict[str, Any], codes: list[str]) -> None:
    assert [each.code for each in audit(*seen, **more).findings] == codes


def test_idle_devices_are_told_with_their_cost_and_the_nodes_to_give_back() -> None:
    found = audit(job(limits={"nvidia.com/gpu": 6}), nodes=(node(), node(number=2)), **TEAM)
    idle = finding(found, "idle-devices")
    assert idle.per_hour == 10 * H100
    assert idle.title == "10 of 16 devices are held by nobody"
    assert idle.detail == "$1,651 a day, $50,224 a month: 10 of 16 h100-sxm5-80gb."
    assert idle.next.startswith("1 whole node could be given back.")
    assert idle.command == "kubectl cordon h100-2"


def test_devices_without_a_price_idle_all_the_same() -> None:
    odd = node()
    odd["metadata"]["labels"] = {}
    found = audit(nodes=(odd,))
    assert [each.code for each in found.findings] == ["idle-devices", "unpriced-nodes"]
    assert found.findings[0].detail == "At a price that is not known: 8 of 8 unknown."
    assert found.findings[0].per_hour is None


def test_a_long_notebook_is_told_with_who_and_since_when() -> None:
    seen = owned(pod("n-0", NOTEBOOK, since=NOW - 9 * DAY), "Notebook", "jupyter-x")
    long = finding(audit(seen, **TEAM), "long-interactive")
    assert long.title == "1 interactive workload has held devices for over a day"
    assert long.detail == (
        "Notebook vision/jupyter-x has held 1 h100-sxm5-80gb for 9 d, $1,486 so far."
    )
    assert long.per_hour == H100
    assert long.next == "Ask team blue whether it is still needed:"
    assert long.command == "kubectl describe -n vision notebook jupyter-x"


def test_what_nobody_pays_for_is_told_as_a_share_and_by_namespace() -> None:
    found = audit(
        job(limits={"nvidia.com/gpu": 3}),
        owned(pod("o", namespace="other"), "Job", "k"),
        labels={"other": {"team": "red"}},
    )
    lost = finding(found, "no-team")
    assert lost.title == "75 % of GPU cost has no team"
    assert lost.detail == "1 pod in 1 namespace: vision."
    assert lost.per_hour == 3 * H100
    assert lost.command == "kubectl label namespace vision team=NAME"


def test_who_waits_is_told_beside_what_idles() -> None:
    waiting = finding(audit(job("j-2", on=None, since=NOW - 3 * HOUR)), "waiting-pods")
    assert waiting.title == "1 GPU pod waits, while 8 devices are held by nobody"
    assert waiting.detail == "vision/j-2 since 3 h: 0/1 nodes are available"


def test_a_command_quotes_what_a_tenant_wrote_into_an_owner_reference() -> None:
    seen = owned(pod("p", MYSTERY), "Job; rm -rf ~", "$(id)")
    command = finding(audit(seen, **TEAM), "no-class").command
    assert command == "kubectl get -o yaml -n vision 'job; rm -rf ~' '$(id)' | bursar classify -f -"


# --- starter budgets -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Fraction(19814), "20000"),
        (Fraction(20000), "20000"),
        (Fraction(20001), "21000"),
        (Fraction(99001), "100000"),
        (Fraction(123), "130"),
        (Fraction(12), "12"),
        (Fraction("1.234"), "1.3"),
        (Fraction("0.123"), "0.13"),
        (Fraction("0.0001"), "0.01"),
    ],
)
def test_limits_are_rounded_up_to_two_digits(amount: Fraction, text: str) -> None:
    assert starters.round_up(amount) == text
    assert Fraction(text) >= amount


def documents(found: Audit) -> list[dict[str, Any]]:
    text = starters.as_yaml(starters.budgets(found), starters.BUDGETS_OPENING)
    return [each for each in yaml.safe_load_all(text) if each is not None]


def test_a_namespace_gets_what_runs_in_it_for_a_month() -> None:
    found = audit(
        job(limits={"nvidia.com/gpu": 3}),
        owned(pod("s", SERVE), "Deployment", "s"),
        owned(pod("m", MYSTERY), "Job", "m"),
        owned(pod("w", on=None, namespace="waits-only"), "Job", "w"),
    )
    (body,) = documents(found)
    assert body["metadata"] == {"name": "starter", "namespace": "vision"}
    # November: 720 h x 5 x $6.88 = $24,768; training with the unknown one 4, inference 1.
    assert body["spec"] == {
        "period": "Monthly",
        "limits": {"cost": "25000"},
        "classes": {"inference": {"cost": "5000"}, "training": {"cost": "20000"}},
        "thresholds": [
            {"percent": 80, "actions": ["Notify", "Warn"]},
            {"percent": 100, "actions": ["Hold"]},
        ],
    }
    AIBudget.parse(body)
    (starter,) = starters.budgets(found)
    assert starter.comments == (
        "vision: 5 devices held now, $34.40/h; × 720 hours of this month, rounded up.",
        "An hour: inference 6.88, training 27.52.",
    )


def test_without_a_price_the_limit_is_in_device_time() -> None:
    odd = node()
    odd["metadata"]["labels"] = {}
    (body,) = documents(audit(job(), nodes=(odd,)))
    assert body["spec"]["limits"] == {"gpuHours": "5800"}
    AIBudget.parse(body)


def test_where_nothing_can_be_told_there_is_no_number() -> None:
    found = audit(job(), nodes=None)
    assert documents(found) == []
    assert starters.budgets(found)[0].comments == ("vision: neither cost nor devices can be told.",)


def test_a_namespace_with_a_budget_is_left_alone() -> None:
    found = audit(job(), budgets={"vision": ("gpu",)})
    assert documents(found) == []
    assert starters.as_list(starters.budgets(found))["items"] == []


@pytest.mark.parametrize("made", [starters.budgets(audit())[0], starters.prices(audit())])
def test_where_there_is_nothing_to_suggest_it_says_so(made: starters.Starter) -> None:
    assert made.body is None
    assert len(made.comments) == 1


# --- prices ----------------------------------------------------------------------------------


def test_assumed_prices_become_rates_for_those_nodes_alone() -> None:
    found = audit(nodes=(node(), node("dgx-h100")))
    starter = starters.prices(found)
    assert starter.body is not None
    (rate,) = PriceBook.parse(dict(starter.body)).spec.rates
    assert rate.node_selector == {"kubernetes.io/hostname": "dgx-h100-1"}
    assert rate.per_hour == "84.2400"


def test_alike_nodes_share_a_rate_and_no_two_rates_tie() -> None:
    unsure = {"eks.amazonaws.com/capacityType": "?"}
    nodes = tuple(node(number=number, labels=unsure) for number in (1, 2))
    starter = starters.prices(audit(nodes=nodes))
    assert starter.body is not None
    (rate,) = PriceBook.parse(dict(starter.body)).spec.rates
    assert rate.node_selector == {
        "node.kubernetes.io/instance-type": "p5.48xlarge",
        "topology.kubernetes.io/region": "us-east-1",
    }
    assert Fraction(rate.per_hour or "0") * NANO == 8 * H100


def test_a_price_that_nobody_knows_is_left_to_be_filled_in() -> None:
    odd = node()
    odd["metadata"]["labels"] = {}
    starter = starters.prices(audit(nodes=(odd,)))
    assert starter.body is not None
    assert PriceBook.parse(dict(starter.body)).spec.rates == ()
    assert any("AMOUNT" in line for line in starter.comments)
