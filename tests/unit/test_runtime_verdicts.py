"""In what order verdicts are written, so that at no moment an entry stands in neither."""

from dataclasses import replace

import pytest

from bursar.budget.standing import standing
from bursar.domain.action import Mode, WriteVerdict
from bursar.domain.budget import Budget, BudgetKey, Remembered
from bursar.domain.selector import Selector
from bursar.domain.world import World
from bursar.enforce.verdict import MOST_BUDGETS
from bursar.runtime.budgeting.verdicts import CLUSTER, Verdicts
from support.purses import NOW, purse

OWN = BudgetKey(namespace="a", name="own")
SHARED = BudgetKey(namespace="", name="company")
OF_B = BudgetKey(namespace="", name="each", member="b")


def add(world: World, key: BudgetKey, selector: Selector | None = None) -> None:
    budget: Budget = replace(
        purse(limits={"cost": "0"}), key=key, namespace_selector=selector or Selector()
    )
    world.budgets[key] = budget
    world.standings[key] = standing(budget, {}, (), NOW, Remembered())


def remove(world: World, verdicts: Verdicts, key: BudgetKey) -> None:
    del world.budgets[key], world.standings[key]
    verdicts.mark(key)


def written(verdicts: Verdicts, *, fails: str | None = None) -> list[tuple[str, list[str]]]:
    """Carry out one round; gives (namespace, names of the entries) in the order of writing."""
    seen = []
    for action in list(verdicts.actions()):
        assert isinstance(action, WriteVerdict)
        names = [each["budget"] for each in action.verdict.get("budgets", ())]
        seen.append((action.namespace, names))
        if action.namespace == fails:
            verdicts.failed(action)
        else:
            verdicts.done(action)
    return seen


def repeated(verdicts: Verdicts) -> list[str]:
    return list(verdicts._written.get(CLUSTER, {}).get("repeatedIn", ()))


@pytest.fixture
def world() -> World:
    world = World()
    add(world, OWN)
    add(world, SHARED)
    return world


@pytest.fixture
def verdicts(world: World) -> Verdicts:
    verdicts = Verdicts(world, Mode.ENFORCE)
    for key in world.budgets:
        verdicts.mark(key)
    return verdicts


def test_a_namespace_with_a_budget_gets_the_clusters_entries_too(verdicts: Verdicts) -> None:
    assert written(verdicts) == [
        ("a", ["ClusterAIBudget company", "AIBudget own"]),
        (CLUSTER, ["ClusterAIBudget company"]),
    ]


def test_the_cluster_says_what_is_repeated_only_once_that_stands(verdicts: Verdicts) -> None:
    assert written(verdicts, fails="a")[0][0] == "a"
    assert repeated(verdicts) == []
    written(verdicts)
    written(verdicts)
    assert repeated(verdicts) == ["a"]
    assert written(verdicts) == []


def test_a_namespaces_verdict_goes_only_after_the_cluster_has_taken_it_back(
    world: World, verdicts: Verdicts
) -> None:
    while written(verdicts):
        pass
    remove(world, verdicts, OWN)
    assert written(verdicts, fails=CLUSTER) == [(CLUSTER, ["ClusterAIBudget company"])]
    assert repeated(verdicts) == ["a"], "the failed write changed nothing"
    assert written(verdicts) == [(CLUSTER, ["ClusterAIBudget company"])]
    assert written(verdicts) == [("a", [])]
    assert repeated(verdicts) == []
    while written(verdicts):
        pass
    assert verdicts._written["a"] == {}


def test_an_entry_of_another_namespace_is_not_repeated(world: World) -> None:
    add(world, OF_B, Selector(match_labels={"kubernetes.io/metadata.name": "b"}))
    verdicts = Verdicts(world, Mode.ENFORCE)
    for key in world.budgets:
        verdicts.mark(key)
    assert written(verdicts)[0] == ("a", ["ClusterAIBudget company", "AIBudget own"])


def test_a_verdict_whose_budgets_went_while_nobody_looked_is_taken_away(world: World) -> None:
    verdicts = Verdicts(world, Mode.ENFORCE)
    verdicts.adopt("gone", {"budgets": [{"budget": "AIBudget old"}]})
    assert ("gone", []) in written(verdicts)


def test_a_verdict_that_stands_as_it_should_is_not_written_again(
    world: World, verdicts: Verdicts
) -> None:
    while written(verdicts):
        pass
    fresh = Verdicts(world, Mode.ENFORCE)
    for namespace, stands in verdicts._written.items():
        fresh.adopt(namespace, stands)
    assert written(fresh) == []


def test_nothing_is_refused_by_the_clusters_last_verdict_once_it_is_empty(
    world: World, verdicts: Verdicts
) -> None:
    while written(verdicts):
        pass
    remove(world, verdicts, SHARED)
    assert set(dict(written(verdicts))) == {"a", CLUSTER}
    assert verdicts._written[CLUSTER] == {}
    assert [each["budget"] for each in verdicts._written["a"]["budgets"]] == ["AIBudget own"]


def test_many_budgets_of_a_namespace_do_not_push_the_clusters_out(
    world: World, verdicts: Verdicts
) -> None:
    company = world.standings[SHARED]
    # Shut as well, a second later than all of those that are to push it out.
    later = tuple(replace(each, closes_at=each.closes_at + 1000) for each in company.windows)
    world.standings[SHARED] = replace(company, windows=later)
    for number in range(MOST_BUDGETS):
        key = BudgetKey(namespace="a", name=f"a{number:04}")
        add(world, key, Selector())
        verdicts.mark(key)
    for _ in range(3):
        written(verdicts)
    has = any("ClusterAIBudget" in each["budget"] for each in verdicts._written["a"]["budgets"])
    assert has or repeated(verdicts) == []
