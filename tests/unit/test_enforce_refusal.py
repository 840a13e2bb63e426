"""Who is refused at a moment, and by which budgets."""

from dataclasses import replace
from typing import Any

import pytest

from bursar.budget.standing import standing
from bursar.domain.budget import Budget, BudgetKey, Remembered, Standing
from bursar.domain.classification import WorkloadClass
from bursar.domain.time import SECOND
from bursar.enforce.refusal import Candidate, refusals
from support.purses import NOW, at, purse, spent

TRAINING = WorkloadClass.TRAINING
INFERENCE = WorkloadClass.INFERENCE
UNKNOWN = WorkloadClass.UNKNOWN


def shut(**spec: Any) -> tuple[Budget, Standing]:
    """A budget of which all is spent, by training."""
    budget = purse(**spec)
    return budget, standing(budget, {TRAINING: spent("12000")}, (), NOW, Remembered())


EXEMPT = {"exempt": {"classes": ["inference"], "priorityClassNames": ["production"]}}
OF_TRAINING = {"limits": {"cost": "20000"}, "classes": {"training": {"cost": "12000"}}}


@pytest.mark.parametrize(
    ("spec", "candidate", "refused"),
    [
        pytest.param({}, Candidate(workload_class=TRAINING), True, id="a shut budget refuses"),
        pytest.param(
            OF_TRAINING, Candidate(workload_class=TRAINING), True, id="a shut class refuses itself"
        ),
        pytest.param(
            OF_TRAINING, Candidate(workload_class=INFERENCE), False, id="and no other class"
        ),
        pytest.param(
            OF_TRAINING, Candidate(workload_class=UNKNOWN), True, id="an unknown one is training"
        ),
        pytest.param(
            {**OF_TRAINING, "unknownAs": "inference"}, Candidate(workload_class=UNKNOWN), False,
            id="unless the budget takes it for something else",
        ),
        pytest.param(
            EXEMPT, Candidate(workload_class=INFERENCE, tagged=True), False,
            id="an exempt class that was tagged is let in",
        ),
        pytest.param(
            EXEMPT, Candidate(workload_class=INFERENCE), True,
            id="an exempt class that was only guessed is not",
        ),
        pytest.param(
            EXEMPT, Candidate(workload_class=TRAINING, priority_class="production"), False,
            id="an exempt priority is let in",
        ),
        pytest.param(
            {"suspendUntil": "2026-11-24T12:00:01Z"}, Candidate(workload_class=TRAINING), False,
            id="a budget that sleeps refuses nobody",
        ),
        pytest.param(
            {"suspendUntil": "2026-11-24T12:00:00Z"}, Candidate(workload_class=TRAINING), True,
            id="a budget that has woken refuses",
        ),
    ],
)  # fmt: skip
def test_refusals(spec: dict[str, Any], candidate: Candidate, refused: bool) -> None:
    budget, found = shut(**spec)
    assert bool(refusals([(budget, found)], candidate, NOW)) is refused


def test_a_window_counts_from_its_first_second_to_before_its_last() -> None:
    budget, found = shut()
    candidate = Candidate(workload_class=TRAINING)
    for moment, refused in (
        (NOW - 1, False),
        (NOW, True),
        (at("2026-12-01T00:00:00Z") - 1, True),
        (at("2026-12-01T00:00:00Z"), False),
    ):
        assert bool(refusals([(budget, found)], candidate, moment)) is refused


def test_every_budget_that_is_shut_is_named() -> None:
    budget, found = shut()
    names = ("a", "b", "c")
    items = [
        (replace(budget, key=BudgetKey(namespace="vision", name=name)), found) for name in names
    ]
    still_open = (purse(), replace(found, windows=()))
    refused = refusals([*items, still_open], Candidate(workload_class=TRAINING), NOW + SECOND)
    assert [each.budget for each in refused] == ["AIBudget a", "AIBudget b", "AIBudget c"]
