"""What budgets make of the world: what to write, once it has changed, until it is written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bursar.domain.action import Action, Emit, Mode, WriteStatus, WriteVerdict
from bursar.domain.budget import BudgetKey
from bursar.domain.time import HOUR, MINUTE, SECOND, format_time
from support.runtime import T0, Operator, book, budget, flat, node, pod

VISION = BudgetKey(namespace="vision", name="gpu")
HOLD = [{"percent": 100, "actions": ["Hold", "Warn"]}]


@pytest.fixture
def op(tmp_path: Path) -> Iterator[Operator]:
    made = Operator.start(
        tmp_path / "ledger.db",
        books=[book(flat("48"))],
        namespaces={"vision": {}, "nlp": {"tier": "gold"}},
    )
    made.nodes.apply(node(), T0, deleted=False)
    yield made
    made.close()


def written(op: Operator, now: int) -> list[Action]:
    """Assess until nothing is left to do, everything having taken effect."""
    found: list[Action] = []
    for _ in range(5):
        actions = op.budgets.assess(now)
        for action in actions:
            op.budgets.done(action, now)
        found += actions
        if not actions:
            return found
        now += SECOND
    raise AssertionError(f"never done with {actions}")


def verdicts(actions: list[Action]) -> dict[str, Any]:
    return {each.namespace: each.verdict for each in actions if isinstance(each, WriteVerdict)}


def statuses(actions: list[Action]) -> dict[str, Any]:
    return {each.ref.name: each.status for each in actions if isinstance(each, WriteStatus)}


def test_a_new_budget_gets_a_verdict_and_a_status_and_then_nothing_more(op: Operator) -> None:
    op.budgets.apply(budget(thresholds=HOLD), T0, gone=False)
    actions = written(op, T0)
    assert verdicts(actions)["vision"]["budgets"][0]["budget"] == "AIBudget gpu"
    assert statuses(actions)["gpu"]["spent"]["cost"] == "0.000000"
    assert op.budgets.assess(T0 + 10 * SECOND) == ()


def test_what_did_not_take_effect_is_tried_again(op: Operator) -> None:
    op.budgets.apply(budget(), T0, gone=False)
    first = op.budgets.assess(T0)
    assert {type(each) for each in first} == {WriteVerdict, WriteStatus}
    op.budgets.verdicts.failed(next(each for each in first if isinstance(each, WriteVerdict)))
    again = op.budgets.assess(T0 + SECOND)
    assert {type(each) for each in again} == {WriteVerdict, WriteStatus}
    assert verdicts(list(again)) == verdicts(list(first))


def test_a_verdict_is_written_before_the_status_that_speaks_of_it(op: Operator) -> None:
    op.budgets.apply(budget(), T0, gone=False)
    kinds = [type(each) for each in op.budgets.assess(T0)]
    assert kinds.index(WriteVerdict) < kinds.index(WriteStatus)


def test_the_moment_of_closing_is_known_as_soon_as_a_pod_is_bound(op: Operator) -> None:
    op.budgets.apply(budget(limits={"cost": "48"}, thresholds=HOLD), T0, gone=False)
    written(op, T0)
    op.see(pod(bound=T0, gpus=8), T0)
    actions = written(op, T0 + SECOND)
    today, tomorrow, *_ = windows = verdicts(actions)["vision"]["budgets"][0]["windows"]
    assert today["class"] == "*"
    assert today["closesAt"] == format_time(T0 + HOUR)
    assert today["reopensAt"] == "2026-11-25T00:00:00Z"
    assert tomorrow["closesAt"] == "2026-11-25T01:00:00Z"
    assert statuses(actions)["gpu"]["admission"] == windows


def test_the_figures_of_what_burns_are_looked_at_again_though_nothing_happens(
    op: Operator,
) -> None:
    op.budgets.apply(budget(), T0, gone=False)
    op.see(pod(bound=T0), T0)
    written(op, T0)
    actions = written(op, T0 + 2 * MINUTE)
    assert statuses(actions)["gpu"]["spent"]["cost"] == "0.800000"
    assert verdicts(actions) == {}


def test_a_crossing_is_told_once(op: Operator) -> None:
    notify = [{"percent": 50, "actions": ["Notify"]}]
    op.budgets.apply(budget(limits={"cost": "48"}, thresholds=notify), T0, gone=False)
    op.see(pod(bound=T0, gpus=8), T0)
    written(op, T0)
    told = [
        each.reason
        for now in (T0 + 29 * MINUTE, T0 + 31 * MINUTE, T0 + 40 * MINUTE)
        for each in written(op, now)
        if isinstance(each, Emit)
    ]
    assert told == ["ThresholdCrossed"]


def test_the_next_look_is_not_later_than_the_next_change(op: Operator) -> None:
    op.budgets.apply(budget(limits={"cost": "48"}, thresholds=HOLD), T0, gone=False)
    op.see(pod(bound=T0, gpus=8), T0)
    written(op, T0)
    almost = T0 + HOUR - 20 * SECOND
    written(op, almost)
    assert almost <= op.budgets.next_due(almost) <= T0 + HOUR + SECOND


def test_the_last_budget_takes_its_verdict_with_it(op: Operator) -> None:
    op.budgets.apply(budget("one"), T0, gone=False)
    op.budgets.apply(budget("two"), T0, gone=False)
    written(op, T0)
    op.budgets.apply(budget("one"), T0 + HOUR, gone=True)
    actions = written(op, T0 + HOUR)
    assert [each["budget"] for each in verdicts(actions)["vision"]["budgets"]] == ["AIBudget two"]
    op.budgets.apply(budget("two"), T0 + 2 * HOUR, gone=True)
    actions = written(op, T0 + 2 * HOUR)
    assert not verdicts(actions)["vision"].get("budgets")
    assert not statuses(actions)
    assert op.budgets.assess(T0 + 3 * HOUR) == ()


def test_a_verdict_whose_budgets_went_while_nobody_watched_is_taken_away(op: Operator) -> None:
    op.budgets.verdicts.adopt("vision", {"budgets": [{"budget": "AIBudget gone"}]})
    op.budgets.verdicts.adopt("", {"budgets": [{"budget": "ClusterAIBudget gone"}]})
    actions = written(op, T0)
    assert verdicts(actions) == {"vision": {}, "": {}}


def test_a_verdict_that_is_still_right_is_not_written_again(op: Operator) -> None:
    op.budgets.apply(budget(), T0, gone=False)
    right = verdicts(written(op, T0))["vision"]
    path = Path(op.ledger.url).with_name("other.db")
    other = Operator.start(path, budgets=[budget()], namespaces={"vision": {}})
    other.budgets.verdicts.adopt("vision", right)
    assert verdicts(written(other, T0)) == {}
    other.close()


def test_a_budget_that_cannot_be_read_says_so_and_shuts_nothing(op: Operator) -> None:
    op.budgets.apply(budget(timeZone="Europe/Nowhere"), T0, gone=False)
    actions = written(op, T0)
    assert verdicts(actions) == {}
    (ready,) = [each for each in statuses(actions)["gpu"]["conditions"] if each["type"] == "Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "Invalid")
    assert "timeZone" in ready["message"]


def test_a_budget_that_breaks_by_an_edit_lets_its_purse_go_and_takes_it_up_again(
    op: Operator,
) -> None:
    op.budgets.apply(budget(), T0, gone=False)
    op.see(pod(bound=T0), T0)
    written(op, T0)
    op.budgets.apply(budget(generation=2, timeZone="Europe/Nowhere"), T0 + HOUR, gone=False)
    written(op, T0 + HOUR)
    assert VISION not in op.world.budgets
    op.budgets.apply(budget(generation=3), T0 + 2 * HOUR, gone=False)
    assert statuses(written(op, T0 + 2 * HOUR))["gpu"]["observedGeneration"] == 3


def test_observing_says_what_it_would_do_and_shuts_nothing(tmp_path: Path) -> None:
    op = Operator.start(
        tmp_path / "observe.db",
        books=[book(flat("48"))],
        namespaces={"vision": {}},
        mode=Mode.OBSERVE,
    )
    op.nodes.apply(node(), T0, deleted=False)
    op.budgets.apply(budget(limits={"cost": "1"}, thresholds=HOLD), T0, gone=False)
    op.see(pod(bound=T0), T0)
    actions = written(op, T0 + HOUR)
    assert all("windows" not in each for each in verdicts(actions)["vision"]["budgets"])
    assert statuses(actions)["gpu"]["admission"]
    op.close()


def test_a_shared_cluster_budget_is_written_once_for_all(op: Operator) -> None:
    op.budgets.apply(budget("all", cluster=True), T0, gone=False)
    actions = written(op, T0)
    assert list(verdicts(actions)) == [""]
    assert statuses(actions)["all"]["spent"]["cost"] == "0.000000"


def test_a_cluster_budget_by_namespace_has_a_purse_for_each_and_one_status(op: Operator) -> None:
    spec = {"scope": "PerNamespace", "namespaceSelector": {"matchLabels": {"tier": "gold"}}}
    op.budgets.apply(budget("each", cluster=True, **spec), T0, gone=False)
    status = statuses(written(op, T0))["each"]
    assert [each["name"] for each in status["namespaces"]] == ["nlp"]
    op.world.namespaces["vision"] = {"tier": "gold"}
    op.budgets.namespaces_changed(T0 + MINUTE)
    status = statuses(written(op, T0 + MINUTE))["each"]
    assert {each["name"] for each in status["namespaces"]} == {"nlp", "vision"}
    op.world.namespaces |= {"vision": {}, "nlp": {}}
    op.budgets.namespaces_changed(T0 + HOUR)
    actions = written(op, T0 + HOUR)
    assert statuses(actions)["each"]["namespaceCount"] == 0
    assert not verdicts(actions)[""].get("budgets")


def test_where_it_stands_now_is_not_where_it_stood_when_last_assessed(op: Operator) -> None:
    op.budgets.apply(budget(), T0, gone=False)
    op.see(pod(bound=T0), T0)
    written(op, T0)
    (_, then), (_, now) = *op.budgets.standings(), *op.budgets.standings_at(T0 + HOUR)
    assert (then.spent.cost, now.spent.cost) == (0, 24 * 10**9)


def test_the_budget_says_whose_cost_a_pod_is_where_nobody_else_does(op: Operator) -> None:
    allocation = {"team": "seeing", "costCenter": "cc-7"}
    op.budgets.apply(budget(allocation=allocation), T0, gone=False)
    found = op.see(pod(bound=T0), T0)
    assert found is not None
    assert (found.allocation.team, found.allocation.cost_center) == ("seeing", "cc-7")
    other = op.see(pod("q", namespace="nlp", bound=T0), T0)
    assert other is not None
    assert other.allocation.team == "unallocated"


def test_fields_that_do_not_act_yet_are_named(op: Operator) -> None:
    op.budgets.apply(budget(admission="Reserve"), T0, gone=False)
    status = statuses(written(op, T0))["gpu"]
    (found,) = [each for each in status["conditions"] if each["type"] == "NotInForce"]
    assert "admission" in found["message"]


def test_without_the_policies_a_budget_says_that_nothing_reads_its_verdict(op: Operator) -> None:
    op.budgets.policies = False
    op.budgets.apply(budget(thresholds=HOLD), T0, gone=False)
    status = statuses(written(op, T0))["gpu"]
    (enforced,) = [each for each in status["conditions"] if each["type"] == "Enforced"]
    assert (enforced["status"], enforced["reason"]) == ("False", "PoliciesMissing")
