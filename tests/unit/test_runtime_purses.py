"""Who pays: fixed at the binding, whatever is edited, relabelled, restarted or made anew."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bursar.domain.budget import BudgetKey
from bursar.domain.time import DAY, HOUR, MINUTE
from support.runtime import T0, Operator, book, budget, cost, flat, node, pod

VISION = BudgetKey(namespace="vision", name="gpu")
RATE = 48 * 10**9
EVENING = T0 + 12 * HOUR
MIDNIGHT = T0 + 16 * HOUR


def hours(count: int, gpus: int = 4) -> int:
    return cost(RATE, gpus, 8, count * HOUR)


class Budgeted:
    """An operator on a ledger, started anew with whatever budgets there are by then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.objects: dict[str, dict[str, Any]] = {}
        self.namespaces: dict[str, Mapping[str, str]] = {"vision": {}, "nlp": {"tier": "gold"}}
        self.op = self._start(T0)

    def _start(self, now: int) -> Operator:
        operator = Operator.start(
            self.path,
            books=[book(flat("48"))],
            budgets=list(self.objects.values()),
            namespaces=self.namespaces,
            now=now,
        )
        operator.nodes.apply(node(), now, deleted=False)
        return operator

    def restart(self, now: int, *pods: dict[str, Any]) -> None:
        self.op.close()
        self.op = self._start(now)
        self.op.relist(pods, now, gap=False)

    def edit(self, obj: dict[str, Any], now: int, *, gone: bool = False) -> None:
        uid = obj["metadata"]["uid"]
        self.objects.pop(uid, None) if gone else self.objects.update({uid: obj})
        self.op.budgets.apply(obj, now, gone=gone)

    def spent(self, now: int, key: BudgetKey = VISION) -> int:
        return self.op.spent(key, now)

    def recounted(self, now: int, key: BudgetKey = VISION) -> int:
        self.op.checkpoint(now)
        self.op.purses.recount(self.op.world.budgets[key], now)
        return self.op.spent(key, now)


@pytest.fixture
def b(tmp_path: Path) -> Iterator[Budgeted]:
    made = Budgeted(tmp_path / "ledger.db")
    yield made
    made.op.close()


TEAM_A = {"matchLabels": {"team": "a"}}


def test_a_relabelled_pod_is_still_paid_for_by_whom_it_was_bound_to(b: Budgeted) -> None:
    b.edit(budget(selector=TEAM_A), T0)
    b.op.see(pod(bound=T0, labels={"team": "a"}), T0)
    b.op.see(pod(bound=T0, labels={"team": "b"}), T0 + HOUR)
    assert b.spent(T0 + 2 * HOUR) == hours(2)
    b.op.see(pod(bound=T0, labels={"team": "b"}, finished=T0 + 3 * HOUR), T0 + 3 * HOUR)
    assert b.spent(EVENING) == b.recounted(EVENING) == hours(3)


def test_a_relabelled_pod_does_not_change_its_payer_by_a_restart(b: Budgeted) -> None:
    other = BudgetKey(namespace="vision", name="other")
    b.edit(budget(selector=TEAM_A), T0)
    b.edit(budget("other", selector={"matchLabels": {"team": "b"}}), T0)
    b.op.see(pod(bound=T0, labels={"team": "a"}), T0)
    b.op.checkpoint(T0 + HOUR // 2)
    b.restart(T0 + HOUR, pod(bound=T0, labels={"team": "b"}))
    assert b.spent(T0 + 2 * HOUR) == hours(2)
    assert b.spent(T0 + 2 * HOUR, other) == 0


def test_an_edited_selector_counts_from_the_edit_on(b: Budgeted) -> None:
    b.edit(budget(selector=TEAM_A), T0)
    b.op.see(pod("in", bound=T0, labels={"team": "a"}), T0)
    b.op.see(pod("out", bound=T0, labels={"team": "b"}), T0)
    b.edit(budget(generation=2, selector={"matchLabels": {"team": "b"}}), T0 + HOUR)
    assert b.spent(T0 + 2 * HOUR) == 2 * hours(1)
    for name, team in (("in", "a"), ("out", "b")):
        done = pod(name, bound=T0, labels={"team": team}, finished=T0 + 3 * HOUR)
        b.op.see(done, T0 + 3 * HOUR)
    expected = hours(1) + hours(2)
    assert b.spent(EVENING) == b.recounted(EVENING) == expected
    b.restart(EVENING)
    assert b.spent(EVENING) == expected


def test_a_pod_that_left_by_an_edit_and_came_back_pays_for_both_stretches(b: Budgeted) -> None:
    b.edit(budget(selector=TEAM_A), T0)
    b.op.see(pod(bound=T0, labels={"team": "a"}), T0)
    b.edit(budget(generation=2, selector={"matchLabels": {"team": "b"}}), T0 + HOUR)
    b.edit(budget(generation=3, selector=TEAM_A), T0 + 3 * HOUR)
    assert b.spent(T0 + 4 * HOUR) == 2 * hours(1)
    b.restart(T0 + 4 * HOUR, pod(bound=T0, labels={"team": "a"}))
    assert b.spent(T0 + 4 * HOUR) == 2 * hours(1)
    b.op.see(pod(bound=T0, labels={"team": "a"}, finished=T0 + 5 * HOUR), T0 + 5 * HOUR)
    assert b.spent(EVENING) == b.recounted(EVENING) == hours(1) + hours(2)


def test_a_budget_made_in_mid_life_counts_from_its_creation(b: Budgeted) -> None:
    b.op.see(pod(bound=T0), T0)
    b.edit(budget(created=T0 + HOUR), T0 + HOUR + MINUTE)
    assert b.spent(T0 + 2 * HOUR) == hours(1)
    b.op.see(pod(bound=T0, finished=T0 + 3 * HOUR), T0 + 3 * HOUR)
    assert b.spent(EVENING) == b.recounted(EVENING) == hours(2)


def test_a_budget_made_while_nobody_watched_counts_from_its_creation(b: Budgeted) -> None:
    b.op.see(pod(bound=T0), T0)
    b.op.checkpoint(T0 + MINUTE)
    obj = budget(created=T0 + HOUR)
    b.objects[obj["metadata"]["uid"]] = obj
    b.restart(T0 + 2 * HOUR, pod(bound=T0))
    assert b.spent(T0 + 3 * HOUR) == hours(2)


def test_a_budget_deleted_and_made_anew_begins_at_nothing(b: Budgeted) -> None:
    b.edit(budget(uid="old"), T0)
    b.op.see(pod("ended", bound=T0, finished=T0 + HOUR), T0 + HOUR)
    b.op.see(pod("runs", bound=T0), T0)
    b.edit(budget(uid="old"), T0 + 2 * HOUR, gone=True)
    b.edit(budget(uid="new", created=T0 + 3 * HOUR), T0 + 3 * HOUR)
    assert b.spent(T0 + 4 * HOUR) == b.recounted(T0 + 4 * HOUR) == hours(1)
    b.restart(T0 + 4 * HOUR, pod("runs", bound=T0))
    assert b.spent(T0 + 4 * HOUR) == hours(1)
    b.op.see(pod("runs", bound=T0, finished=T0 + 5 * HOUR), T0 + 5 * HOUR)
    assert b.spent(EVENING) == b.recounted(EVENING) == hours(2)


def test_a_budget_that_is_deleted_is_forgotten_and_what_ran_goes_on(b: Budgeted) -> None:
    b.edit(budget(), T0)
    b.op.see(pod(bound=T0), T0)
    b.edit(budget(), T0 + HOUR, gone=True)
    assert VISION not in b.op.world.budgets
    assert not list(b.op.budgets.standings())
    b.op.see(pod(bound=T0, finished=T0 + 2 * HOUR), T0 + 2 * HOUR)
    assert sum(b.op.counted(EVENING).values()) == hours(2)


def test_a_new_period_begins_at_nothing_and_a_running_pod_pays_from_its_first_moment(
    b: Budgeted,
) -> None:
    b.edit(budget(), T0)
    b.op.see(pod("ended", bound=T0, finished=T0 + HOUR), T0 + HOUR)
    b.op.see(pod("runs", bound=T0), T0 + HOUR)
    assert b.spent(MIDNIGHT - 1) == hours(1) + cost(RATE, 4, 8, 16 * HOUR - 1)
    assert b.spent(MIDNIGHT) == 0
    assert b.spent(MIDNIGHT + HOUR) == b.recounted(MIDNIGHT + HOUR) == hours(1)
    b.restart(MIDNIGHT + 2 * HOUR, pod("runs", bound=T0))
    assert b.spent(MIDNIGHT + 2 * HOUR) == hours(2)


def test_an_end_told_after_midnight_belongs_to_the_day_in_which_it_was(b: Budgeted) -> None:
    b.edit(budget(), T0)
    b.op.see(pod("late", bound=T0), T0)
    b.op.see(pod("next", bound=T0), T0)
    b.op.see(
        pod("next", bound=T0, finished=MIDNIGHT + MINUTE), MIDNIGHT + MINUTE
    )  # the purse has rolled
    b.op.see(pod("late", bound=T0, finished=MIDNIGHT - MINUTE), MIDNIGHT + 2 * MINUTE)
    expected = cost(RATE, 4, 8, MINUTE)
    assert b.spent(MIDNIGHT + HOUR) == b.recounted(MIDNIGHT + HOUR) == expected


def test_an_end_ahead_of_the_clock_does_not_empty_todays_purse(b: Budgeted) -> None:
    b.edit(budget(), T0)
    b.op.see(pod("ended", bound=T0, finished=T0 + HOUR), T0 + HOUR)
    b.op.see(pod("skewed", bound=MIDNIGHT - MINUTE), MIDNIGHT - MINUTE)
    b.op.see(pod("skewed", bound=MIDNIGHT - MINUTE, finished=MIDNIGHT + MINUTE), MIDNIGHT - 30_000)
    assert b.spent(MIDNIGHT - 20_000) >= hours(1)


def test_a_purse_survives_days_without_any_event(b: Budgeted) -> None:
    b.edit(budget(), T0)
    b.op.see(pod(bound=T0), T0)
    b.spent(T0 + HOUR)
    assert b.spent(MIDNIGHT + 3 * DAY + HOUR) == hours(1)


def test_an_edited_period_is_counted_anew_from_the_ledger(b: Budgeted) -> None:
    b.edit(budget(), T0)
    b.op.see(pod("ended", bound=T0, finished=T0 + HOUR), T0 + HOUR)
    b.op.see(pod("runs", bound=T0), T0)
    assert b.spent(MIDNIGHT + HOUR) == hours(1)
    b.edit(budget(generation=2, period="Monthly"), MIDNIGHT + HOUR)
    assert b.spent(MIDNIGHT + HOUR) == hours(1) + cost(RATE, 4, 8, 17 * HOUR)


@pytest.mark.parametrize("end", [False, True], ids=["that runs", "that ended"])
def test_a_pod_cut_by_a_price_is_counted_once_by_a_recount(b: Budgeted, *, end: bool) -> None:
    b.edit(budget(), T0)
    b.op.see(pod(bound=T0), T0)
    b.op.price([book(flat("24"))], T0 + HOUR)
    if end:
        b.op.see(pod(bound=T0, finished=T0 + 3 * HOUR), T0 + 3 * HOUR)
    expected = hours(1) + hours(2) // 2
    assert b.spent(T0 + 3 * HOUR) == b.recounted(T0 + 3 * HOUR) == expected


def test_an_unknown_class_pays_as_the_budget_says(b: Budgeted) -> None:
    b.edit(budget(), T0)
    b.op.see(pod(bound=T0), T0)
    b.op.see(pod(bound=T0, finished=T0 + HOUR), T0 + HOUR)
    paid = b.op.world.purses[VISION].by_class
    assert [str(name) for name in paid] == [b.op.world.budgets[VISION].unknown_as.value]


def test_a_shared_cluster_budget_and_the_namespaces_own_both_pay(b: Budgeted) -> None:
    everybody = BudgetKey(namespace="", name="all")
    b.edit(budget(), T0)
    b.edit(budget("all", cluster=True), T0)
    b.op.see(pod(bound=T0, finished=T0 + HOUR), T0 + HOUR)
    b.op.see(pod("q", namespace="nlp", bound=T0, finished=T0 + HOUR), T0 + HOUR)
    assert b.spent(EVENING) == hours(1)
    assert b.spent(EVENING, everybody) == b.recounted(EVENING, everybody) == 2 * hours(1)


def test_a_cluster_budget_by_namespace_has_a_purse_for_each(b: Budgeted) -> None:
    b.edit(budget("each", cluster=True, scope="PerNamespace"), T0)
    b.op.see(pod(bound=T0, finished=T0 + HOUR), T0 + HOUR)
    b.op.see(pod("q", namespace="nlp", bound=T0, finished=T0 + 2 * HOUR), T0 + 2 * HOUR)
    for namespace, expected in (("vision", hours(1)), ("nlp", hours(2))):
        key = BudgetKey(namespace="", name="each", member=namespace)
        assert b.spent(EVENING, key) == b.recounted(EVENING, key) == expected
