"""What pods hold together, over their lives, late news and restarts: never more than there is."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from bursar.domain.budget import BudgetKey
from bursar.domain.time import HOUR, MINUTE, SECOND, Ms
from bursar.domain.unknown import Unknown
from bursar.domain.workload import ClaimFacts
from bursar.recognize.claims import devices
from bursar.runtime.accounting import sharers
from support import dra
from support.runtime import JSON, T0, Operator, book, budget, cost, flat, node, pod

VISION = BudgetKey(namespace="vision", name="gpu")
RATE = 48 * 10**9
BOOKS = [book(flat("48"))]
LATER = T0 + 6 * HOUR
ONE = ClaimFacts(uid="claim-1", devices={"r": Fraction(1)})


class Allocated:
    """Claims by name."""

    def __init__(self, **claims: ClaimFacts) -> None:
        self.claims = dict(claims)

    def facts(self, namespace: str, pod_uid: str, name: str) -> ClaimFacts | None:
        return self.claims.get(name)

    def forget(self, pod_uid: str) -> None:
        """Nothing is kept by pod."""


class Restartable:
    """One ledger, and one operator after another on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.claims = Allocated(shared=ONE)
        self.now = self.start()

    def start(self, now: int = T0) -> Operator:
        self.now = Operator.start(self.path, books=BOOKS, budgets=[budget()], now=now)
        self.now.nodes.apply(node(), now, deleted=False)
        self.now.accounts.holdings.claims = self.claims
        return self.now

    def kill(self, now: int) -> Operator:
        self.now.ledger.crash()
        return self.start(now)


@pytest.fixture
def over(tmp_path: Path) -> Iterator[Restartable]:
    made = Restartable(tmp_path / "ledger.db")
    yield made
    made.now.close()


def claiming(name: str, bound: Ms | None = None, finished: Ms | None = None) -> JSON:
    """A pod that holds the claim `shared`."""
    made = pod(name, bound=bound, finished=finished)
    for container in made["spec"]["containers"]:
        container.pop("resources", None)
    made["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimName": "shared"}]
    return made


def paid(operator: Operator) -> dict[str, int]:
    """What the rows that count say of each pod."""
    operator.ledger.commit()
    sums: dict[str, int] = {}
    for row in operator.ledger.reader.intervals(0, 1 << 61):
        sums[row.name] = sums.get(row.name, 0) + row.cost.total
    return sums


def whole(milliseconds: Ms) -> int:
    return cost(RATE, 1, 8, milliseconds)


def half(milliseconds: Ms) -> int:
    return cost(RATE, 1, 16, milliseconds)


def agree(operator: Operator, expected: dict[str, int], now: int = LATER) -> None:
    """The ledger, the budget, the counters and a recount from the ledger all say the same."""
    operator.checkpoint(now)
    assert paid(operator) == expected
    total = sum(expected.values())
    assert operator.spent(VISION, now) == total
    assert sum(operator.counted(now).values()) == total
    operator.purses.recount(operator.world.budgets[VISION], now)
    assert operator.spent(VISION, now) == total


def test_those_who_hold_a_claim_at_the_same_time_share_its_cost(over: Restartable) -> None:
    now = over.now
    now.see(claiming("a", T0), T0)
    now.see(claiming("b", T0 + HOUR), T0 + HOUR)
    now.see(claiming("b", T0 + HOUR, T0 + 2 * HOUR), T0 + 2 * HOUR)
    now.see(claiming("a", T0, T0 + 3 * HOUR), T0 + 3 * HOUR)
    agree(now, {"a": whole(HOUR) + half(HOUR) + whole(HOUR), "b": half(HOUR)})


def test_an_end_that_is_told_late_corrects_who_ended_after_it(over: Restartable) -> None:
    now = over.now
    now.see(claiming("a", T0), T0)
    now.see(claiming("b", T0), T0)
    now.see(claiming("b", T0, T0 + 2 * HOUR), T0 + 2 * HOUR)
    now.see(claiming("a", T0, T0 + HOUR), T0 + 2 * HOUR + SECOND)
    agree(now, {"a": half(HOUR), "b": half(HOUR) + whole(HOUR)})


def test_a_binding_that_is_told_late_corrects_who_ended_meanwhile(over: Restartable) -> None:
    now = over.now
    now.see(claiming("c", T0), T0)
    now.see(claiming("a", T0), T0)
    now.see(claiming("c", T0, T0 + HOUR), T0 + HOUR)
    now.see(claiming("b", T0 + 30 * MINUTE), T0 + HOUR + SECOND)
    third, longer = cost(RATE, 1, 24, 30 * MINUTE), half(30 * MINUTE)
    now.see(claiming("a", T0, T0 + HOUR), T0 + HOUR + 2 * SECOND)
    now.see(claiming("b", T0 + 30 * MINUTE, T0 + HOUR), T0 + HOUR + 3 * SECOND)
    agree(now, {"a": longer + third, "c": longer + third, "b": third})


def test_after_a_kill_the_past_is_what_the_ledger_has_of_it(over: Restartable) -> None:
    over.now.see(claiming("a", T0), T0)
    over.now.see(claiming("b", T0 + HOUR), T0 + HOUR)
    over.now.see(claiming("b", T0 + HOUR, T0 + 2 * HOUR), T0 + 2 * HOUR)
    now = over.kill(T0 + 150 * MINUTE)  # nobody remembers b, and no checkpoint was written
    now.see(claiming("a", T0), T0 + 150 * MINUTE)
    now.see(claiming("a", T0, T0 + 3 * HOUR), T0 + 3 * HOUR)
    agree(now, {"a": whole(HOUR) + half(HOUR) + whole(HOUR), "b": half(HOUR)})


def test_who_came_and_went_unseen_is_counted_once_the_other_comes_again(over: Restartable) -> None:
    over.now.see(claiming("a", T0), T0)
    now = over.kill(T0 + 3 * HOUR)
    # The replay brings the one that lived in between before the one that was there all the time.
    now.see(claiming("b", T0 + HOUR), T0 + 3 * HOUR)
    now.see(claiming("b", T0 + HOUR, T0 + 2 * HOUR), T0 + 3 * HOUR)
    now.see(claiming("a", T0, T0 + 3 * HOUR), T0 + 3 * HOUR)
    agree(now, {"a": whole(HOUR) + half(HOUR) + whole(HOUR), "b": half(HOUR)})


def test_a_claim_that_is_told_late_is_counted_from_the_binding(over: Restartable) -> None:
    over.claims.claims.clear()
    found = over.now.see(claiming("a", T0), T0)
    assert found is not None
    assert isinstance(found.holdings[0].devices, Unknown)
    over.claims.claims["shared"] = ONE
    over.now.accounts.holdings.look_again(T0 + HOUR)
    over.now.see(claiming("a", T0, T0 + HOUR), T0 + HOUR)
    agree(over.now, {"a": whole(HOUR)})


def test_a_claim_that_is_gone_after_a_kill_is_what_it_was(over: Restartable) -> None:
    over.now.see(claiming("a", T0), T0)
    over.claims.claims.clear()
    now = over.kill(T0 + HOUR)
    now.see(claiming("a", T0), T0 + HOUR)
    now.see(claiming("a", T0, T0 + 2 * HOUR), T0 + 2 * HOUR)
    agree(now, {"a": whole(2 * HOUR)})


def test_what_a_tenant_edits_in_mid_run_changes_nothing(over: Restartable) -> None:
    def fractional(part: str, finished: Ms | None = None) -> JSON:
        made = pod("a", bound=T0, finished=finished)
        for container in made["spec"]["containers"]:
            container.pop("resources", None)
        made["metadata"]["annotations"] = {"gpu-fraction": part}
        return made

    over.now.see(fractional("0.5"), T0)
    over.now.see(fractional("0.01"), T0 + HOUR)
    now = over.kill(T0 + 2 * HOUR)
    now.see(fractional("0.01"), T0 + 2 * HOUR)
    now.see(fractional("0.01", T0 + 3 * HOUR), T0 + 3 * HOUR)
    agree(now, {"a": half(3 * HOUR)})


def test_parts_of_a_device_that_add_up_to_more_are_scaled(over: Restartable) -> None:
    def fractional(name: str, part: str, finished: Ms | None = None) -> JSON:
        made = pod(name, bound=T0, finished=finished)
        for container in made["spec"]["containers"]:
            container.pop("resources", None)
        made["metadata"]["annotations"] = {"gpu-fraction": part}
        made["metadata"].setdefault("labels", {})["runai-gpu-group"] = "g"
        return made

    for name in ("a", "b"):
        over.now.see(fractional(name, "0.75"), T0)
    for name in ("a", "b"):
        over.now.see(fractional(name, "0.75", T0 + HOUR), T0 + HOUR)
    agree(over.now, {"a": half(HOUR), "b": half(HOUR)})


def test_what_many_left_is_written_down_and_they_are_forgotten(
    over: Restartable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharers, "MOST_ENDED", 3)
    over.now.see(claiming("a", T0), T0)
    for number in range(7):
        begun = T0 + number * MINUTE
        over.now.see(claiming(f"s{number}", begun), begun)
        over.now.see(claiming(f"s{number}", begun, begun + 30 * SECOND), begun + 30 * SECOND)
    assert len(over.now.accounts.holdings._left) < 3
    over.now.see(claiming("a", T0, T0 + 7 * MINUTE), T0 + 7 * MINUTE)
    parts = {f"s{number}": half(30 * SECOND) for number in range(7)}
    agree(over.now, {"a": 7 * (half(30 * SECOND) + whole(30 * SECOND)), **parts})
    assert len(over.now.accounts.holdings._left) == 0


def test_a_node_whose_slices_are_told_late_is_counted_from_its_beginning(tmp_path: Path) -> None:
    bare = node()
    bare["metadata"]["labels"], bare["status"]["capacity"] = {}, {}
    operator = Operator.start(tmp_path / "ledger.db", books=BOOKS, budgets=[budget()])
    operator.accounts.holdings.claims = Allocated(shared=ONE)
    operator.nodes.apply(bare, T0, deleted=False)
    assert not operator.world.nodes
    slices = devices(dra.slice_of("gpu-1"))
    operator.nodes.published = lambda name: slices if name == "gpu-1" else ()
    found = operator.see(claiming("a", T0), T0)
    assert found is not None
    assert isinstance(found.holdings[0].devices, Unknown)
    operator.nodes.look_again(["gpu-1", "other"], T0 + HOUR)
    operator.accounts.holdings.look_again(T0 + HOUR)
    (facts,) = operator.world.nodes.values()
    assert (facts.devices, facts.accelerator) == (4, "h100-sxm5-80gb")
    operator.see(claiming("a", T0, T0 + HOUR), T0 + HOUR)
    assert paid(operator) == {"a": cost(RATE, 1, 4, HOUR)}
    operator.close()
