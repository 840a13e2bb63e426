"""Which Jobs are suspended and resumed."""

from dataclasses import replace

import pytest

from bursar.domain.action import Action, Emit, Mode, ObjectRef, Resume, Suspend
from bursar.domain.classification import WorkloadClass
from bursar.enforce.jobs import LONGEST_MESSAGE, JobView, decide
from bursar.enforce.refusal import Refusal

SHUT = (Refusal(budget="AIBudget vision", message="AIBudget vision is shut: …"),)


def job(name: str = "train") -> JobView:
    return JobView(
        ref=ObjectRef(
            api_version="batch/v1", kind="Job", namespace="vision", name=name, uid=f"uid-{name}"
        ),
        resource_version="7",
        controller="",
        workload_class=WorkloadClass.TRAINING,
        tagged=False,
        priority_class="",
        priority=0,
        suspended=False,
        held_by=(),
        active=0,
        finished=False,
        created=1,
    )


HELD = replace(job(), suspended=True, held_by=("AIBudget vision",))


def decided(view: JobView, shut: bool, mode: Mode = Mode.ENFORCE) -> list[str]:
    actions = decide([view], lambda _: SHUT if shut else (), mode)
    return [each.reason if isinstance(each, Emit) else type(each).__name__ for each in actions]


@pytest.mark.parametrize(
    ("view", "shut", "expected"),
    [
        pytest.param(job(), True, ["Suspend", "HeldByBudget"], id="a Job that would be refused"),
        pytest.param(job(), False, [], id="a Job that would not"),
        pytest.param(replace(job(), active=1), True, [], id="a Job whose pods run is left alone"),
        pytest.param(replace(job(), finished=True), True, [], id="a Job that is finished"),
        pytest.param(
            replace(job(), controller="CronJob"), True, ["Suspend", "HeldByBudget"],
            id="a Job of a CronJob",
        ),
        pytest.param(
            replace(job(), controller="JobSet"), True, [],
            id="a Job of another controller, which would undo it",
        ),
        pytest.param(
            replace(job(), suspended=True), True, [], id="a Job that its owner suspended, shut"
        ),
        pytest.param(
            replace(job(), suspended=True), False, [], id="a Job that its owner suspended, open"
        ),
        pytest.param(HELD, True, [], id="a Job that waits already"),
        pytest.param(HELD, False, ["Resume", "ReleasedByBudget"], id="a Job that has waited"),
        pytest.param(
            replace(HELD, suspended=False), True, ["Suspend", "HeldByBudget"],
            id="a held Job that its owner set going while shut",
        ),
        pytest.param(
            replace(HELD, suspended=False), False, ["Resume"],
            id="a held Job that its owner set going when open: only our note is taken back",
        ),
    ],
)  # fmt: skip
def test_enforcing(view: JobView, shut: bool, expected: list[str]) -> None:
    assert decided(view, shut) == expected


@pytest.mark.parametrize(
    ("view", "shut", "expected"),
    [
        pytest.param(job(), True, [], id="a Job that would be held: its pods tell of it"),
        pytest.param(job(), False, [], id="a Job that would not"),
        pytest.param(
            HELD, True, ["Resume", "ReleasedByBudget"], id="a Job that was held before observing"
        ),
    ],
)
def test_observing(view: JobView, shut: bool, expected: list[str]) -> None:
    assert decided(view, shut, Mode.OBSERVE) == expected


def test_a_hold_names_every_budget_and_the_version_that_it_was_decided_on() -> None:
    both = (*SHUT, Refusal(budget="ClusterAIBudget company", message="the company's is shut"))
    suspend, event = decide([job()], lambda _: both, Mode.ENFORCE)
    assert isinstance(suspend, Suspend)
    assert isinstance(event, Emit)
    assert suspend.held_by == ("AIBudget vision", "ClusterAIBudget company")
    assert suspend.resource_version == "7"
    assert event.message == "AIBudget vision is shut: … | the company's is shut"
    assert event.event_type == "Warning"


def test_the_highest_priority_goes_on_first_and_among_equals_the_oldest() -> None:
    def held(name: str, priority: int, created: int) -> JobView:
        view = job(name)
        return replace(view, suspended=True, held_by=("b",), priority=priority, created=created)

    jobs = [held("young", 0, 9), held("old", 0, 1), held("urgent", 5, 9)]
    actions: tuple[Action, ...] = decide(jobs, lambda _: (), Mode.ENFORCE)
    assert [each.ref.name for each in actions if isinstance(each, Resume)] == [
        "urgent",
        "old",
        "young",
    ]


def test_messages_of_many_budgets_are_cut_to_what_an_event_takes() -> None:
    many = tuple(Refusal(budget=f"b{n}", message="m" * 400) for n in range(9))
    _, event = decide([job()], lambda _: many, Mode.ENFORCE)
    assert isinstance(event, Emit)
    assert len(event.message) == LONGEST_MESSAGE
