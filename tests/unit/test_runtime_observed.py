"""What an installation that only observes says it would have refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bursar.domain.action import Emit, Mode
from bursar.domain.time import HOUR, SECOND, Ms
from bursar.domain.workload import Owner
from bursar.domain.world import PodAccount
from bursar.runtime.budgeting import observed
from bursar.runtime.budgeting.observed import Observed
from support.runtime import T0, Operator, book, budget, flat, node, pod

HOLD = [{"percent": 100, "actions": ["Hold"]}]
SHUT = T0 + HOUR + SECOND
JOB = Owner(api_version="batch/v1", kind="Job", namespace="vision", name="train", uid="uid-job")


@pytest.fixture
def op(tmp_path: Path) -> Iterator[Operator]:
    made = Operator.start(
        tmp_path / "ledger.db",
        books=[book(flat("48"))],
        namespaces={"vision": {}, "nlp": {}},
        mode=Mode.OBSERVE,
    )
    made.nodes.apply(node(), T0, deleted=False)
    made.budgets.apply(budget(limits={"cost": "48"}, thresholds=HOLD), T0, gone=False)
    made.see(pod(bound=T0, gpus=8), T0)
    made.budgets.assess(SHUT)
    yield made
    made.close()


def seen(op: Operator, name: str, created: Ms = SHUT, namespace: str = "vision") -> PodAccount:
    found = op.see(pod(name, created=created, namespace=namespace), created)
    assert found is not None
    return found


def test_a_pod_made_while_its_budget_is_shut_is_told_of_and_counted(op: Operator) -> None:
    watching = Observed(op.world)
    said = watching.look(seen(op, "late"))
    assert isinstance(said, Emit)
    assert (said.ref.kind, said.ref.name, said.reason) == ("Pod", "late", "ObserveOnly")
    assert said.message.startswith("would have been refused: AIBudget gpu is shut: ")
    assert watching.refusals == {"vision": 1}


@pytest.mark.parametrize(
    ("created", "namespace"),
    [
        pytest.param(T0 + HOUR // 2, "vision", id="made while its budget was open"),
        pytest.param(SHUT, "nlp", id="made where no budget is"),
    ],
)
def test_what_would_have_started_is_not_told_of(op: Operator, created: Ms, namespace: str) -> None:
    watching = Observed(op.world)
    assert watching.look(seen(op, "fine", created, namespace)) is None
    assert not watching.refusals


def test_a_job_is_told_of_once_however_many_pods_it_makes(op: Operator) -> None:
    watching = Observed(op.world)
    pods = [replace(seen(op, f"train-{n}"), owners=(JOB,)) for n in range(3)]
    (said,) = [each for each in map(watching.look, pods) if each is not None]
    assert (said.ref.kind, said.ref.name) == ("Job", "train")
    assert watching.refusals == {"vision": 3}


def test_what_is_remembered_is_bounded(op: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observed, "MOST_TOLD", 2)
    watching = Observed(op.world)
    pods = [seen(op, f"p{n}") for n in range(4)]
    assert all(watching.look(each) is not None for each in pods)
    assert watching.look(pods[3]) is None, "the youngest is remembered"
    assert watching.look(pods[0]) is not None, "the oldest is not"
