"""Each step of the path in words, with the figures that the ledger and the verdict use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bursar.domain.action import Mode
from bursar.domain.time import HOUR
from bursar.pipeline import PATH
from bursar.runtime.answers import explain
from support.runtime import T0, Operator, book, budget, flat, job, node, pod

HOLD = [{"percent": 100, "actions": ["Hold"]}]


def start(path: Path, **more: object) -> Operator:
    op = Operator.start(
        path / "ledger.db", books=[book(flat("48"))], namespaces={"vision": {}}, **more
    )
    op.nodes.apply(node(), T0, deleted=False)
    op.budgets.apply(budget(limits={"cost": "24"}, thresholds=HOLD), T0, gone=False)
    op.see(pod(bound=T0), T0)
    op.budgets.assess(T0 + HOUR)
    return op


@pytest.fixture
def op(tmp_path: Path) -> Iterator[Operator]:
    made = start(tmp_path)
    yield made
    made.close()


def steps(op: Operator, name: str = "p", *, job: bool = False) -> dict[str, dict[str, object]]:
    tell = explain.job if job else explain.pod
    found = tell(op.controller(), "vision", name, T0 + HOUR)
    assert found is not None
    assert (found["namespace"], found["name"]) == ("vision", name)
    return {each["step"]: each for each in found["steps"]}


def test_a_pods_steps_are_those_of_the_path_in_its_order(op: Operator) -> None:
    told = list(steps(op))
    assert told == [each.name for each in PATH if each.name in told]
    assert set(told) >= {"recognize", "classify", "allocate", "price", "meter", "budget"}


def test_each_step_says_what_it_found_and_from_what(op: Operator) -> None:
    told = steps(op)
    assert told["recognize"]["answer"] == "h100-sxm5-80gb"
    assert "asks for nvidia.com/gpu: 4" in told["recognize"]["details"]
    assert "holds 4 of 8 devices of gpu-1" in told["recognize"]["details"]
    assert told["price"]["answer"] == "48.000000 USD an hour for the node"
    assert told["price"]["details"][:2] == ["PriceBook list/flat", "stated"]
    assert any("PriceBook list/flat" in line for line in told["price"]["details"][2:])
    assert told["meter"]["answer"] == "24.000000000"
    (line,) = told["meter"]["details"]
    assert line.startswith("nvidia.com/gpu: 48.000000/h x 1/2 x 3600.000 s / 3600 = 24.000000000 ")
    assert line.endswith("(from 2026-11-24T08:00:00Z)")
    assert told["budget"]["answer"] == "1 budget pays"
    (line,) = told["budget"]["details"]
    assert line.startswith("AIBudget gpu as ")
    assert line.endswith("since 2026-11-24T08:00:00Z; 24.00 spent")
    assert all(each["question"].endswith("?") for each in told.values())


def test_a_sum_shows_each_price_that_was_in_force(op: Operator) -> None:
    op.price([book(flat("24"))], T0 + HOUR // 2)
    told = steps(op)
    assert told["meter"]["answer"] == "18.000000000"
    assert len(told["meter"]["details"]) == 2


def test_a_pod_that_waits_pays_nothing_and_is_told_so(op: Operator) -> None:
    op.see(pod("waits"), T0)
    told = steps(op, "waits")
    assert told["meter"]["answer"] == "waits: a pod that is not bound costs nothing"
    assert told["price"]["answer"] == "nothing is held, so nothing is paid"


def test_what_is_unknown_is_told_with_its_reason(op: Operator) -> None:
    op.see(pod("lost", bound=T0, on="stranger"), T0)
    told = steps(op, "lost")
    assert told["recognize"]["answer"] == "unknown"
    assert told["price"]["answer"] == "unpriced"
    assert told["price"]["details"] == ["node stranger was never seen"]
    assert told["meter"]["details"][0].endswith("not priced")


def test_what_is_not_known_is_not_explained(op: Operator) -> None:
    assert explain.pod(op.controller(), "vision", "nobody", T0) is None
    assert explain.job(op.controller(), "vision", "nobody", T0) is None
    assert explain.pod(op.controller(), "nlp", "p", T0) is None


def test_a_job_whose_pods_would_be_refused_waits_and_names_the_budget(op: Operator) -> None:
    op.jobs.apply(job(held="AIBudget gpu", suspend=True), (), gone=False)
    told = steps(op, "train", job=True)
    assert told["enforce"]["answer"] == "its pods wait"
    refused, held = told["enforce"]["details"]
    assert "AIBudget gpu" in refused
    assert held == "suspended by Bursar for AIBudget gpu; it goes on when that opens"


def test_where_bursar_only_observes_a_job_may_start(tmp_path: Path) -> None:
    op = start(tmp_path, mode=Mode.OBSERVE)
    op.jobs.apply(job(), (), gone=False)
    told = steps(op, "train", job=True)
    assert told["enforce"]["answer"] == "its pods may start: this installation only observes"
    op.close()
