"""The answers of the read API, from a small world whose figures can be told by hand."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from bursar.domain.action import Mode
from bursar.domain.time import HOUR, SECOND
from bursar.domain.workload import Owner
from bursar.pipeline import Sighting
from bursar.runtime.answers import pages as module
from bursar.runtime.answers.pages import Pages
from bursar.runtime.answers.refused import Refused
from bursar.runtime.http import ROUTES, Question
from support.runtime import T0, Operator, book, budget, flat, job, node, pod

HOLD = [{"percent": 100, "actions": ["Hold"]}]
DAY = {"from": "2026-11-24", "to": "2026-11-25"}


def of_llama(made: dict[str, Any]) -> dict[str, Any]:
    """A pod whose arguments name its model."""
    made["spec"]["containers"][0]["args"] = ["--model", "llama"]
    return made


@pytest.fixture(autouse=True)
def four_hours_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bursar.runtime.clock.now", lambda: T0 + 4 * HOUR)


@pytest.fixture
def op(tmp_path: Path) -> Iterator[Operator]:
    made = Operator.start(
        tmp_path / "l.db", books=[book(flat("48"))], namespaces={"vision": {}, "nlp": {}}
    )
    made.nodes.apply(node(), T0, deleted=False)
    made.nodes.apply(node("gpu-0", gpus=2), T0, deleted=False)
    yield made
    made.close()


def pages(op: Operator) -> Pages:
    return Pages(op.controller(), "USD")


async def read(op: Operator, name: str, **query: str) -> Any:
    return await pages(op).read(name, Question(query=query))


def work(op: Operator) -> None:
    """A Job's pod that failed and the one that took its place, a bare pod, one that runs on."""
    owner = Owner(api_version="batch/v1", kind="Job", namespace="vision", name="train", uid="j1")
    tagged = {"bursar.dev/class": "training"}
    for name, start, end in (("t-1", 0, 1), ("t-2", 2, 3)):
        made = pod(name, bound=T0 + start * HOUR, finished=T0 + end * HOUR, labels=tagged, gpus=2)
        op.accounts.apply(of_llama(made), (owner,), Sighting(now=T0 + end * HOUR))
    serving = {"bursar.dev/class": "inference"}
    serve = pod("serve", namespace="nlp", bound=T0 + HOUR, labels=serving)
    op.see(of_llama(serve), T0 + HOUR)
    op.see(pod("odd", bound=T0, finished=T0 + HOUR, gpus=1), T0 + HOUR)


async def test_a_run_is_all_pods_under_one_owner_over_its_whole_life(op: Operator) -> None:
    work(op)
    found = await read(op, "runs", **DAY)
    assert (found["currency"], found["count"], found["offset"]) == ("USD", 3, 0)
    serve, train, odd = found["runs"]
    assert (serve["kind"], serve["namespace"], serve["name"]) == ("Pod", "nlp", "serve")
    assert (serve["start"], serve["end"]) == ("2026-11-24T09:00:00Z", None)
    assert serve["cost"] == "72.000000000"
    assert train == {
        "kind": "Job",
        "namespace": "vision",
        "name": "train",
        "uid": "j1",
        "class": "training",
        "activity": None,
        "model": "llama",
        "team": "unallocated",
        "project": "unallocated",
        "accelerators": ["h100-sxm5-80gb"],
        "start": "2026-11-24T08:00:00Z",
        "end": "2026-11-24T11:00:00Z",
        "cost": "24.000000000",
        "costInWindow": "24.000000000",
        "capex": "0.000000000",
        "opex": "24.000000000",
        "gpuHours": "4.000000000",
        "estimatedCost": "0.000000000",
        "assumedCost": "0.000000000",
        "unpricedGpuHours": "0.000000000",
        "pods": 2,
    }
    assert (odd["name"], odd["model"], odd["pods"]) == ("odd", None, 1)


async def test_a_window_chooses_runs_and_does_not_cut_them(op: Operator) -> None:
    work(op)
    found = await read(op, "runs", **{"from": "2026-11-24T10:30:00Z", "to": "2026-11-24T11:30:00Z"})
    serve, train = found["runs"]
    assert (train["cost"], train["costInWindow"]) == ("24.000000000", "6.000000000")
    assert (serve["cost"], serve["costInWindow"]) == ("72.000000000", "24.000000000")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"namespace": "vision"}, ["train", "odd"]),
        ({"class": "training"}, ["train"]),
        ({"limit": "1"}, ["serve"]),
        ({"limit": "1", "offset": "1"}, ["train"]),
        ({"offset": "9"}, []),
        ({"namespace": "nobody"}, []),
    ],
    ids=["of a namespace", "of a class", "the first", "the second", "past the end", "of nobody"],
)
async def test_runs_are_filtered_and_paged(
    op: Operator, query: dict[str, str], names: list[str]
) -> None:
    work(op)
    found = await read(op, "runs", **DAY, **query)
    assert [run["name"] for run in found["runs"]] == names


async def test_what_runs_cost_is_what_the_report_says(op: Operator) -> None:
    work(op)
    found = await read(op, "runs", **DAY)
    report = await read(op, "report", **DAY, by="workload")
    costs = {row["key"]["workload"]: row["cost"] for row in report["rows"]}
    assert costs == {f"{run['kind']}/{run['name']}": run["cost"] for run in found["runs"]}


async def test_models_are_told_by_class(op: Operator) -> None:
    work(op)
    found = await read(op, "models", **DAY)
    llama, rest = found["models"]
    assert found["count"] == 2
    assert (llama["model"], llama["cost"], llama["pods"]) == ("llama", "96.000000000", 3)
    assert {name: part["cost"] for name, part in llama["classes"].items()} == {
        "training": "24.000000000",
        "inference": "72.000000000",
    }
    assert llama["classes"]["training"]["gpuHours"] == "4.000000000"
    assert (rest["model"], rest["cost"]) == (None, "6.000000000")


async def test_a_report_of_a_namespace_has_no_idle_cost(op: Operator) -> None:
    work(op)
    found = await read(op, "report", **DAY, namespace="vision")
    assert {row["key"]["namespace"] for row in found["rows"]} == {"vision"}
    assert found["idle"] is None
    assert found["total"]["cost"] == "30.000000000"
    assert "omitted" not in found


async def test_a_report_says_how_many_rows_it_left_out(op: Operator) -> None:
    work(op)
    found = await read(op, "report", **DAY, by="pod", limit="1")
    assert [row["key"]["pod"] for row in found["rows"]] == ["serve"]
    assert found["omitted"] == {"rows": 3}
    whole = await read(op, "report", **DAY, by="pod")
    assert found["total"] == whole["total"]


async def test_nodes_tell_their_price_and_what_idles(op: Operator) -> None:
    work(op)
    found = await read(op, "nodes")
    idle, busy = found["nodes"]
    assert busy == {
        "name": "gpu-1",
        "uid": "uid-gpu-1",
        "instanceType": "p5.48xlarge",
        "region": "us-east-1",
        "zone": None,
        "accelerator": "h100-sxm5-80gb",
        "capacityType": "unknown",
        "infrastructure": "self-managed",
        "devices": "8.000000000",
        "allocatedDevices": "4.000000000",
        "idleDevices": "4.000000000",
        "pods": 1,
        "costPerHour": "48.000000000",
        "allocatedCostPerHour": "24.000000000",
        "idleCostPerHour": "24.000000000",
        "origin": "PriceBook list/flat",
        "assumed": False,
        "unknown": [],
    }
    assert (idle["name"], idle["pods"]) == ("gpu-0", 0)
    assert idle["allocatedCostPerHour"] == "0.000000000"
    assert (await read(op, "nodes", accelerator="t4-16gb"))["nodes"] == []


async def test_what_cannot_be_told_of_a_node_is_null_with_its_reason(op: Operator) -> None:
    op.price([], T0)
    odd = {"node.kubernetes.io/instance-type": "none", "nvidia.com/gpu.product": "Odd-1"}
    op.nodes.apply(node("odd", labels=odd, created=T0), T0, deleted=False)
    op.see(pod("lost", bound=T0, on="odd", gpus="0.5"), T0)
    found = {each["name"]: each for each in (await read(op, "nodes"))["nodes"]}
    assert found["odd"]["costPerHour"] is None
    assert found["odd"]["idleCostPerHour"] is None
    assert found["odd"]["unknown"]


async def test_budgets_of_a_namespace_are_its_own(op: Operator) -> None:
    op.budgets.apply(budget(limits={"cost": "100"}), T0, gone=False)
    op.budgets.apply(budget("other", namespace="nlp"), T0, gone=False)
    op.budgets.apply(budget("company", cluster=True), T0, gone=False)
    op.see(pod(bound=T0), T0)
    op.budgets.assess(T0 + HOUR)
    found = await read(op, "budgets")
    assert len(found["budgets"]) == 3
    (mine,) = (await read(op, "budgets", namespace="vision"))["budgets"]
    assert (mine["budget"], mine["spent"]) == ("AIBudget gpu", "96.000000000")
    assert mine["limits"] == {"cost": "100.000000000"}
    assert mine["costPerHour"] == "24.000000000"
    assert mine["periodStart"] == "2026-11-24T00:00:00Z"


def shut(path: Path, mode: Mode) -> Operator:
    """A budget that is used up, and three Jobs."""
    op = Operator.start(
        path / "q.db", books=[book(flat("48"))], namespaces={"vision": {}}, mode=mode
    )
    op.nodes.apply(node(), T0, deleted=False)
    op.budgets.apply(budget(limits={"cost": "24"}, thresholds=HOLD), T0, gone=False)
    op.see(pod(bound=T0), T0)
    op.budgets.assess(T0 + HOUR + SECOND)
    for name, priority, more in (
        ("late", 0, {"suspend": True, "held": "AIBudget gpu"}),
        ("first", 9, {}),
        ("paused", 0, {"suspend": True}),
        ("runs", 0, {"active": 1}),
    ):
        made = job(name, **more)
        made["spec"]["template"]["spec"]["priority"] = priority
        op.jobs.apply(made, (), gone=False)
    return op


async def test_the_queue_is_in_the_order_of_turn_with_reasons(tmp_path: Path) -> None:
    op = shut(tmp_path, Mode.ENFORCE)
    found = await read(op, "queue")
    assert (found["mode"], found["count"]) == ("Enforce", 2)
    first, late = found["queue"]
    assert (first["position"], first["name"], first["state"]) == (1, "first", "Refused")
    assert (late["position"], late["name"], late["state"]) == (2, "late", "Held")
    assert late["heldBy"] == ["AIBudget gpu"]
    assert late["until"] == "2026-11-25T00:00:00Z"
    assert late["reasons"][0].startswith("AIBudget gpu is shut")
    assert (await read(op, "queue", namespace="nlp"))["queue"] == []
    op.close()


async def test_where_bursar_only_observes_nothing_is_said_to_be_held(tmp_path: Path) -> None:
    op = shut(tmp_path, Mode.OBSERVE)
    found = await read(op, "queue")
    assert [each["state"] for each in found["queue"]] == ["WouldWait", "LeftHeld"]
    op.close()


async def test_explain_of_what_is_not_known_is_not_found(op: Operator) -> None:
    for place, said in (
        ({"kind": "pod", "namespace": "vision", "name": "no"}, "no pod vision/no that asks"),
        ({"kind": "ship", "namespace": "vision", "name": "no"}, "no ship vision/no that asks"),
    ):
        with pytest.raises(Refused, match=said) as found:
            await pages(op).read("explain", Question(place=place))
        assert found.value.status == 404


async def test_a_ledger_that_takes_nothing_is_said_so(
    op: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(op.ledger, "submit", lambda _: Future())
    with pytest.raises(Refused, match="takes no rows") as found:
        await read(op, "report")
    assert found.value.status == 503


async def test_too_many_reports_at_once_are_put_off(
    op: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING", 0)
    with pytest.raises(Refused, match="too many reports") as found:
        await read(op, "report")
    assert found.value.status == 503


def test_every_route_but_the_index_has_its_page(op: Operator) -> None:
    assert set(pages(op)._pages) == {route.name for route in ROUTES} - {"index"}
