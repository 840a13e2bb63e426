"""Jobs that ask for accelerators, as far as holding and releasing them needs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bursar.domain.action import Emit, Mode, Resume, Suspend
from bursar.domain.budget import BudgetKey
from bursar.domain.classification import WorkloadClass
from bursar.domain.time import HOUR, SECOND
from support.runtime import T0, Operator, book, budget, flat, job, node, pod

VISION = BudgetKey(namespace="vision", name="gpu")
HOLD = [{"percent": 100, "actions": ["Hold"]}]


def start(path: Path, mode: Mode) -> Operator:
    op = Operator.start(
        path / "ledger.db", books=[book(flat("48"))], namespaces={"vision": {}}, mode=mode
    )
    op.nodes.apply(node(), T0, deleted=False)
    op.budgets.apply(budget(limits={"cost": "48"}, thresholds=HOLD), T0, gone=False)
    op.see(pod(bound=T0, gpus=8), T0)
    op.budgets.assess(T0)
    return op


@pytest.fixture
def op(tmp_path: Path) -> Iterator[Operator]:
    made = start(tmp_path, Mode.ENFORCE)
    yield made
    made.close()


def shut(op: Operator) -> int:
    """Move on to when the budget is used up."""
    now = T0 + HOUR + SECOND
    op.budgets.assess(now)
    return now


@pytest.mark.parametrize(
    ("template", "ours"),
    [
        (job(), True),
        (job(gpus=0), False),
        ({**job(), "spec": {"template": None}}, False),
        ({**job(), "spec": {}}, False),
        ({**job(), "spec": {"template": {"spec": {"containers": 3}}}}, False),
    ],
    ids=["GPUs", "no GPU", "no template", "nothing at all", "odd containers"],
)
def test_only_jobs_that_ask_for_accelerators_are_kept(
    op: Operator, template: dict[str, object], *, ours: bool
) -> None:
    assert op.jobs.apply(template, (), gone=False) is ours
    assert (op.jobs.find("vision", "train") is not None) is ours


def test_a_job_that_is_gone_is_forgotten(op: Operator) -> None:
    op.jobs.apply(job(), (), gone=False)
    assert op.jobs.apply(job(), (), gone=True)
    assert not op.jobs.apply(job(), (), gone=True)
    assert op.jobs.find("vision", "train") is None


def test_a_job_waits_when_its_budget_shuts_and_goes_on_when_it_opens(op: Operator) -> None:
    op.jobs.apply(job(), (), gone=False)
    assert op.jobs.decide(T0) == ()
    now = shut(op)
    suspend, said = op.jobs.decide(now)
    assert isinstance(suspend, Suspend)
    assert (suspend.resource_version, suspend.held_by) == ("7", ("AIBudget gpu",))
    assert isinstance(said, Emit)
    op.jobs.done(suspend)
    assert op.jobs.held(VISION) == 1
    assert op.jobs.decide(now) == ()
    op.budgets.apply(budget(generation=2, limits={"cost": "500"}, thresholds=HOLD), now, gone=False)
    op.budgets.assess(now)
    resume, _ = op.jobs.decide(now)
    assert isinstance(resume, Resume)
    op.jobs.done(resume)
    assert op.jobs.held(VISION) == 0
    assert op.jobs.decide(now) == ()


def test_what_was_not_done_is_decided_again(op: Operator) -> None:
    op.jobs.apply(job(), (), gone=False)
    now = shut(op)
    assert op.jobs.decide(now) == op.jobs.decide(now) != ()


def test_what_was_held_before_a_restart_is_known_from_the_job_itself(op: Operator) -> None:
    op.jobs.apply(job(suspend=True, held="AIBudget gpu"), (), gone=False)
    assert op.jobs.held(VISION) == 1
    assert op.jobs.held(VISION, "nlp") == 0
    (resume, _) = op.jobs.decide(T0)
    assert isinstance(resume, Resume)


@pytest.mark.parametrize(
    "conditions",
    [
        [{"type": "Complete", "status": "True"}],
        [{"type": "Suspended", "status": "False"}, {"type": "Failed", "status": "True"}],
    ],
    ids=["complete", "failed"],
)
def test_a_finished_job_is_left_alone(op: Operator, conditions: list[dict[str, str]]) -> None:
    op.jobs.apply(job(conditions=conditions), (), gone=False)
    assert op.jobs.decide(shut(op)) == ()


@pytest.mark.parametrize(
    "status",
    [{"conditions": "none"}, {"conditions": [None, 3]}, {"active": "many"}],
    ids=["conditions are text", "odd conditions", "odd count"],
)
def test_odd_statuses_are_read_as_saying_nothing(op: Operator, status: dict[str, object]) -> None:
    op.jobs.apply(job(**status), (), gone=False)
    assert op.jobs.decide(shut(op)) != ()


def test_a_budget_that_selects_other_pods_holds_nobody(tmp_path: Path) -> None:
    op = start(tmp_path, Mode.ENFORCE)
    op.jobs.apply(job(labels={"team": "b"}), (), gone=False)
    op.budgets.apply(
        budget(
            generation=2,
            limits={"cost": "1"},
            thresholds=HOLD,
            selector={"matchLabels": {"team": "a"}},
        ),
        T0,
        gone=False,
    )
    assert op.jobs.decide(shut(op)) == ()
    op.close()


def test_observing_suspends_nothing(tmp_path: Path) -> None:
    op = start(tmp_path, Mode.OBSERVE)
    op.jobs.apply(job(), (), gone=False)
    assert op.jobs.decide(shut(op)) == ()
    op.close()


def test_a_job_is_classified_by_its_pods(op: Operator) -> None:
    labels = {"bursar.dev/class-override": "training"}
    op.jobs.apply(job(labels=labels), (), gone=False)
    known = op.jobs.find("vision", "train")
    assert known is not None
    assert known.view.workload_class is WorkloadClass.TRAINING
