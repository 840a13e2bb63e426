"""Accounts of pods: what the stream brings, once, twice, late or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bursar.domain.budget import BudgetKey
from bursar.domain.time import HOUR, MINUTE, SECOND
from bursar.domain.usage import Basis
from support.runtime import T0, Operator, book, budget, cost, flat, node, pod

VISION = BudgetKey(namespace="vision", name="gpu")
NANO = 10**9
RATE = 48 * NANO
BOOKS = [book(flat("48"))]
LATER = T0 + 6 * HOUR


class Restartable:
    """One ledger, and one operator after another on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.budgets = [budget()]
        self.books = BOOKS
        self.now = self.start()

    def start(self, now: int = T0) -> Operator:
        self.now = Operator.start(self.path, books=self.books, budgets=self.budgets, now=now)
        self.now.nodes.apply(node(), now, deleted=False)
        return self.now

    def restart(self, now: int) -> Operator:
        self.now.close()
        return self.start(now)


@pytest.fixture
def over(tmp_path: Path) -> Iterator[Restartable]:
    made = Restartable(tmp_path / "ledger.db")
    yield made
    made.now.close()


def ledger_cost(operator: Operator) -> int:
    """What all rows of pods have cost, as far as written."""
    operator.ledger.commit()
    return sum(row.cost.total for row in operator.ledger.reader.intervals(0, 1 << 61))


def rows(operator: Operator):
    operator.ledger.commit()
    return list(operator.ledger.reader.intervals(0, 1 << 61))


def agree(operator: Operator, expected: int, now: int = LATER) -> None:
    """The ledger, the budget, the counters and a recount from the ledger all say the same."""
    operator.checkpoint(now)
    assert ledger_cost(operator) == expected
    assert operator.spent(VISION, now) == expected
    assert sum(operator.counted(now).values()) == expected
    operator.purses.recount(operator.world.budgets[VISION], now)
    assert operator.spent(VISION, now) == expected


def test_a_pod_pays_from_its_binding_to_the_end_of_its_containers(over: Restartable) -> None:
    operator = over.now
    operator.see(pod(), T0 + SECOND)
    assert operator.spent(VISION, T0 + MINUTE) == 0
    operator.see(pod(bound=T0 + MINUTE), T0 + MINUTE + 400)
    assert operator.spent(VISION, T0 + 2 * MINUTE) == cost(RATE, 4, 8, MINUTE)
    operator.see(pod(bound=T0 + MINUTE, finished=T0 + HOUR), T0 + HOUR + 700)
    agree(operator, cost(RATE, 4, 8, 59 * MINUTE))


def test_a_pod_that_waits_and_is_deleted_costs_nothing(over: Restartable) -> None:
    over.now.see(pod(), T0)
    over.now.see(pod(), T0 + HOUR, deleted=True)
    assert not over.now.world.pods
    agree(over.now, 0)


def test_events_seen_twice_change_nothing(over: Restartable) -> None:
    life = [
        (pod(), T0, False),
        (pod(bound=T0 + MINUTE), T0 + MINUTE, False),
        (pod(bound=T0 + MINUTE, finished=T0 + HOUR), T0 + HOUR, False),
        (pod(bound=T0 + MINUTE, finished=T0 + HOUR), T0 + HOUR + MINUTE, True),
    ]
    for obj, now, deleted in life:
        for _ in range(1 if deleted else 2):
            over.now.see(obj, now, deleted=deleted)
    agree(over.now, cost(RATE, 4, 8, 59 * MINUTE))


@pytest.mark.parametrize("first", [0, 1, 2, 3], ids=lambda n: f"from event {n} on")
def test_a_whole_life_replayed_after_a_restart_changes_nothing(
    over: Restartable, first: int
) -> None:
    life = [
        (pod(), T0, False),
        (pod(bound=T0 + MINUTE), T0 + MINUTE, False),
        (pod(bound=T0 + MINUTE, finished=T0 + HOUR), T0 + HOUR, False),
        (pod(bound=T0 + MINUTE, finished=T0 + HOUR), T0 + HOUR + MINUTE, True),
    ]
    for version, (obj, now, deleted) in enumerate(life):
        over.now.see(obj, now, deleted=deleted, version=version + 1)
    operator = over.restart(T0 + 2 * HOUR)
    for obj, _, deleted in life[first:]:
        operator.see(obj, T0 + 2 * HOUR, deleted=deleted, replayed=True)
    agree(operator, cost(RATE, 4, 8, 59 * MINUTE))
    assert not operator.world.pods
    assert not list(operator.purses.members(VISION))


def test_a_terminal_pod_still_there_after_a_restart_is_not_counted_again(
    over: Restartable,
) -> None:
    ended = pod(bound=T0, finished=T0 + HOUR)
    over.now.see(ended, T0 + HOUR)
    operator = over.restart(T0 + 2 * HOUR)
    operator.relist([ended], T0 + 2 * HOUR, gap=True)
    operator.see(ended, T0 + 3 * HOUR)
    operator.see(ended, T0 + 3 * HOUR, deleted=True)
    agree(operator, cost(RATE, 4, 8, HOUR))


def test_an_open_pod_goes_on_after_a_restart_as_if_nothing_had_been(over: Restartable) -> None:
    over.now.see(pod(bound=T0), T0)
    over.now.checkpoint(T0 + MINUTE)
    operator = over.restart(T0 + HOUR)
    operator.see(pod(bound=T0), T0 + HOUR, replayed=True)
    assert operator.spent(VISION, T0 + 2 * HOUR) == cost(RATE, 4, 8, 2 * HOUR)
    operator.see(pod(bound=T0, finished=T0 + 3 * HOUR), T0 + 3 * HOUR)
    agree(operator, cost(RATE, 4, 8, 3 * HOUR))


def test_a_pod_first_seen_when_it_has_ended_is_counted_whole(over: Restartable) -> None:
    over.now.see(pod(bound=T0 + MINUTE, finished=T0 + HOUR), T0 + 2 * HOUR)
    agree(over.now, cost(RATE, 4, 8, 59 * MINUTE))


def test_a_pod_first_seen_in_its_deletion_is_counted_whole(over: Restartable) -> None:
    over.now.see(pod(bound=T0 + MINUTE, finished=T0 + HOUR), T0 + 2 * HOUR, deleted=True)
    agree(over.now, cost(RATE, 4, 8, 59 * MINUTE))


def test_a_new_pod_of_an_old_name_has_an_account_of_its_own(over: Restartable) -> None:
    over.now.see(pod(uid="one", bound=T0), T0)
    over.now.see(pod(uid="one", bound=T0, finished=T0 + HOUR), T0 + HOUR, deleted=True)
    over.now.see(pod(uid="two", bound=T0 + HOUR, gpus=8), T0 + HOUR)
    over.now.see(pod(uid="two", bound=T0 + HOUR, gpus=8, finished=T0 + 2 * HOUR), T0 + 2 * HOUR)
    agree(over.now, cost(RATE, 4, 8, HOUR) + cost(RATE, 8, 8, HOUR))
    assert {row.pod_uid for row in rows(over.now)} == {"one", "two"}


def test_a_pod_pays_the_node_it_was_bound_to_and_not_a_later_one_of_its_name(
    over: Restartable,
) -> None:
    over.books = [book(flat("48", nodeSelector={"half": "no"}), flat("24", "less"))]
    operator = over.restart(T0)
    old = node(uid="old", labels={"half": "no"})
    operator.nodes.apply(node(), T0, deleted=True)
    operator.nodes.apply(old, T0, deleted=False)
    operator.see(pod(bound=T0 + MINUTE), T0 + MINUTE)
    operator.nodes.apply(old, T0 + HOUR, deleted=True)
    operator.nodes.apply(node(uid="new", created=T0 + HOUR), T0 + HOUR, deleted=False)
    operator.see(pod("q", bound=T0 + HOUR), T0 + HOUR)
    operator.see(pod(bound=T0 + MINUTE, finished=T0 + HOUR), T0 + HOUR)
    operator.see(pod("q", bound=T0 + HOUR, finished=T0 + 2 * HOUR), T0 + 2 * HOUR)
    by_pod = {row.pod_uid: (row.node_uid, row.cost.total) for row in rows(operator)}
    assert by_pod == {
        "uid-p": ("old", cost(48 * NANO, 4, 8, 59 * MINUTE)),
        "uid-q": ("new", cost(24 * NANO, 4, 8, HOUR)),
    }


def test_a_pod_that_vanishes_in_sight_ended_when_that_was_seen_to_the_second(
    over: Restartable,
) -> None:
    over.now.see(pod(bound=T0), T0)
    over.now.see(pod(bound=T0), T0 + HOUR + 777, deleted=True)
    (row,) = rows(over.now)
    assert row.segment.end is not None
    assert (row.segment.end.basis, row.segment.end.at) == (Basis.OBSERVED, T0 + HOUR)
    agree(over.now, cost(RATE, 4, 8, HOUR))


def test_a_deletion_that_was_missed_is_estimated_between_what_is_known(over: Restartable) -> None:
    over.now.see(pod(bound=T0), T0, version=1)
    over.now.checkpoint(T0)
    operator = over.restart(T0 + HOUR)
    operator.see(pod(bound=T0), T0 + HOUR, deleted=True, replayed=True)
    (row,) = rows(operator)
    end = row.segment.end
    assert end is not None
    assert (end.basis, end.low, end.high, end.at) == (
        Basis.ESTIMATED,
        T0,
        T0 + HOUR,
        T0 + HOUR // 2,
    )
    agree(operator, cost(RATE, 4, 8, HOUR // 2))
    assert operator.world.standings[VISION].spent.estimated == cost(RATE, 4, 8, HOUR // 2)


def test_an_announced_deletion_bounds_the_estimate_from_below(over: Restartable) -> None:
    over.now.see(pod(bound=T0), T0, version=1)
    operator = over.restart(T0 + HOUR)
    going = pod(bound=T0)
    going["metadata"] |= {
        "deletionTimestamp": "2026-11-24T08:30:30Z",
        "deletionGracePeriodSeconds": 30,
    }
    operator.see(going, T0 + HOUR, deleted=True, replayed=True)
    (row,) = rows(operator)
    assert row.segment.end is not None
    assert row.segment.end.low == T0 + 30 * MINUTE


def test_a_pod_gone_in_a_gap_is_estimated_from_when_it_was_last_known(over: Restartable) -> None:
    over.now.see(pod(bound=T0), T0)
    over.now.checkpoint(T0 + 30 * MINUTE)
    operator = over.restart(T0 + 2 * HOUR)
    operator.relist([], T0 + 2 * HOUR, gap=True)
    (row,) = rows(operator)
    end = row.segment.end
    assert end is not None
    assert (end.basis, end.witness) == (Basis.ESTIMATED, "heartbeat")
    assert (end.low, end.high) == (T0 + 30 * MINUTE, T0 + 2 * HOUR)
    agree(operator, cost(RATE, 4, 8, 75 * MINUTE))


def test_a_gap_in_mid_run_counts_from_the_last_heartbeat_and_not_from_the_start(
    over: Restartable,
) -> None:
    over.now.see(pod(bound=T0), T0, version=1)
    operator = over.restart(T0 + MINUTE)
    operator.see(pod(bound=T0), T0 + MINUTE, replayed=True)
    operator.checkpoint(T0 + 2 * HOUR)
    operator.relist([], T0 + 3 * HOUR, gap=True)
    (row,) = rows(operator)
    assert row.segment.end is not None
    assert row.segment.end.low == T0 + 2 * HOUR
    agree(operator, cost(RATE, 4, 8, 150 * MINUTE))


def test_a_checkpoint_taken_while_the_watch_is_away_does_not_say_that_pods_were_there(
    over: Restartable,
) -> None:
    over.now.see(pod("p", gpus=8, on="gpu-1", bound=T0), T0)
    over.now.checkpoint(T0 + HOUR)
    over.now.accounts.seen_until = lambda _: T0 + HOUR + MINUTE
    over.now.see(pod("q", gpus=8, on="gpu-1", bound=T0 + 2 * MINUTE), T0 + 2 * HOUR)
    over.now.checkpoint(T0 + 2 * HOUR)
    over.now.relist([], T0 + 3 * HOUR, gap=True)
    bounds = {row.pod_uid: (row.segment.end.low, row.segment.end.high) for row in rows(over.now)}
    assert bounds == {
        "uid-p": (T0 + HOUR + MINUTE, T0 + 3 * HOUR),
        "uid-q": (T0 + HOUR + MINUTE, T0 + 3 * HOUR),
    }


def test_a_pod_whose_rows_still_wait_is_not_lost_in_a_gap(tmp_path: Path) -> None:
    operator = Operator.start(tmp_path / "held.db", books=BOOKS, budgets=[budget()], eager=False)
    operator.nodes.apply(node(), T0, deleted=False)
    operator.see(pod(bound=T0), T0)
    operator.relist([], T0 + HOUR, gap=True)
    agree(operator, cost(RATE, 4, 8, HOUR // 2))
    assert not operator.world.pods
    operator.close()


def test_an_evicted_pod_found_after_a_gap_did_not_end_when_it_was_found(over: Restartable) -> None:
    over.now.see(pod(bound=T0), T0, version=1)
    over.now.checkpoint(T0 + MINUTE)
    operator = over.restart(T0 + HOUR)
    evicted = pod(bound=T0, phase="Failed")
    operator.relist([evicted], T0 + HOUR, gap=True)
    (row,) = rows(operator)
    end = row.segment.end
    assert end is not None
    assert end.basis is Basis.ESTIMATED
    assert (end.low, end.high) == (T0 + MINUTE, T0 + HOUR)


def test_pods_there_before_and_after_a_gap_are_exact(over: Restartable) -> None:
    over.now.see(pod("stays", bound=T0), T0)
    over.now.see(pod("ends", bound=T0), T0)
    operator = over.restart(T0 + 5 * HOUR)
    operator.relist(
        [pod("stays", bound=T0), pod("ends", bound=T0, finished=T0 + HOUR)],
        T0 + 5 * HOUR,
        gap=True,
    )
    operator.see(pod("stays", bound=T0, finished=LATER), LATER)
    agree(operator, cost(RATE, 4, 8, HOUR) + cost(RATE, 4, 8, 6 * HOUR))


def test_a_price_changed_in_mid_life_cuts_and_a_restart_afterwards_doubles_nothing(
    over: Restartable,
) -> None:
    over.now.see(pod(bound=T0), T0)
    over.books = [book(flat("24"))]
    over.now.price(over.books, T0 + HOUR)
    both = cost(RATE, 4, 8, HOUR) + cost(RATE // 2, 4, 8, HOUR)
    assert over.now.spent(VISION, T0 + 2 * HOUR) == both
    operator = over.restart(T0 + 2 * HOUR)
    assert operator.spent(VISION, T0 + 2 * HOUR) == 0  # nothing is known of open pods yet
    operator.see(pod(bound=T0), T0 + 2 * HOUR, replayed=True)
    assert operator.spent(VISION, T0 + 2 * HOUR) == both
    assert sum(operator.counted(T0 + 2 * HOUR).values()) == both
    operator.see(pod(bound=T0, finished=T0 + 2 * HOUR), T0 + 3 * HOUR)
    agree(operator, both)
    agree(over.restart(T0 + 4 * HOUR), both)


def test_a_dated_price_counts_to_the_end_of_a_pod_that_vanished_in_a_gap(
    over: Restartable,
) -> None:
    over.books = [
        book(flat("48"), flat("24", "half", validFrom="2026-11-24T09:00:00Z", nodeSelector={}))
    ]
    operator = over.restart(T0)
    operator.see(pod(bound=T0), T0)
    operator.checkpoint(T0)
    operator = over.restart(T0 + 4 * HOUR)
    operator.relist([], T0 + 4 * HOUR, gap=True)
    agree(operator, cost(RATE, 4, 8, HOUR) + cost(RATE // 2, 4, 8, HOUR))
    ends = [row.segment.end for row in rows(operator)]
    assert [end.basis for end in ends if end] == [Basis.ESTIMATED, Basis.ESTIMATED]


def test_a_pod_on_a_node_that_was_never_seen_is_metered_and_not_priced(over: Restartable) -> None:
    over.now.see(pod(bound=T0, on="stranger"), T0)
    (found,) = over.now.world.pods.values()
    assert found.unknown
    assert over.now.spent(VISION, T0 + HOUR) == 0
    assert over.now.world.standings[VISION].unknown
    over.now.see(pod(bound=T0, on="stranger", finished=T0 + HOUR), T0 + HOUR)
    (row,) = rows(over.now)
    assert row.segment.share is None


@pytest.mark.parametrize(
    "broken",
    [
        {"spec": None},
        {"status": None},
        {"spec": {"containers": "none"}},
        {"status": {"conditions": 7, "phase": []}},
        {"spec": {"nodeName": 7, "containers": [None, 3, {"resources": []}]}},
    ],
    ids=["no spec", "no status", "containers are text", "odd status", "odd containers"],
)
def test_odd_pods_do_no_harm(over: Restartable, broken: dict[str, object]) -> None:
    over.now.see(pod("good", bound=T0), T0)
    over.now.see({**pod("bad", bound=T0), **broken}, T0)
    over.now.see({**pod("bad", bound=T0), **broken}, T0 + HOUR, deleted=True)
    over.now.see(pod("good", bound=T0, finished=T0 + HOUR), T0 + HOUR)
    assert over.now.spent(VISION, LATER) >= cost(RATE, 4, 8, HOUR)


def test_pods_are_counted_as_classified_once(over: Restartable) -> None:
    for _ in range(3):
        over.now.see(pod(bound=T0), T0)
    assert sum(over.now.accounts.classified.values()) == 1


def test_a_pod_that_nothing_happened_to_is_taken_up_after_a_restart(over: Restartable) -> None:
    over.now.see(pod("runs", bound=T0), T0, version=1)
    over.now.see(pod("over", bound=T0, finished=T0 + HOUR), T0 + HOUR, version=2)
    before = over.now.counted(T0 + 2 * HOUR)
    operator = over.restart(T0 + 2 * HOUR)
    unchanged = [pod("runs", bound=T0), pod("over", bound=T0, finished=T0 + HOUR)]
    operator.relist(unchanged, T0 + 2 * HOUR, gap=False)
    assert operator.counted(T0 + 2 * HOUR) == before
    assert operator.spent(VISION, T0 + 2 * HOUR) == cost(RATE, 4, 8, 3 * HOUR)
