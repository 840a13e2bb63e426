"""Ends that were told too late are clipped at the binding of who got the devices next."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bursar.domain.budget import BudgetKey
from bursar.domain.time import HOUR, MINUTE, SECOND, Ms
from bursar.domain.usage import Basis, End
from support.runtime import T0, Operator, book, budget, cost, flat, node, pod

NANO = 10**9
RATE = 48 * NANO
VISION = BudgetKey(namespace="vision", name="gpu")
NEXT = T0 + HOUR
"""When the next pod is bound."""
SEEN = NEXT + 9 * SECOND
"""When the operator, which is behind, hears of the end of the one before."""


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    made = Operator.start(tmp_path / "ledger.db", books=[book(flat("48"))], budgets=[budget()])
    made.nodes.apply(node(), T0, deleted=False)
    yield made
    made.close()


def end(operator: Operator, uid: str) -> End | None:
    operator.ledger.commit()
    rows = operator.ledger.reader.intervals(0, 1 << 61)
    return next(row.segment.end for row in rows if row.pod_uid == uid)


def lives(
    operator: Operator, name: str, gpus: int, *, gone: Ms | None = None, bound: Ms = T0
) -> None:
    """A pod that is bound, and is seen to vanish where `gone` says when."""
    operator.see(pod(name, gpus=gpus, bound=bound), bound)
    if gone is not None:
        operator.see(pod(name, gpus=gpus, bound=bound), gone, deleted=True)


def test_an_observed_end_lies_at_the_binding_that_needed_its_devices(operator: Operator) -> None:
    lives(operator, "old", 8, gone=SEEN)
    assert operator.spent(VISION, SEEN) == cost(RATE, 8, 8, HOUR + 9 * SECOND)
    lives(operator, "new", 4, bound=NEXT)
    found = end(operator, "uid-old")
    assert found is not None
    assert (found.basis, found.at) == (Basis.OBSERVED, NEXT)
    now = NEXT + HOUR
    paid = cost(RATE, 8, 8, HOUR) + cost(RATE, 4, 8, HOUR)
    operator.checkpoint(now)
    operator.ledger.commit()
    assert sum(row.cost.total for row in operator.ledger.reader.intervals(0, 1 << 61)) == paid
    assert operator.spent(VISION, now) == paid


@pytest.mark.parametrize(
    ("others", "clipped"),
    [
        pytest.param([], [], id="there was room for both"),
        pytest.param([("stays", 4, None)], ["old"], id="another pod took the rest"),
        pytest.param(
            [("stays", 2, None), ("later", 2, SEEN + MINUTE)], ["old"], id="who went first had them"
        ),
        pytest.param(
            [("stays", 3, None), ("later", 1, SEEN + MINUTE)], ["old"], id="no more than is needed"
        ),
        pytest.param([("greedy", 9, None)], [], id="where more is held than there is"),
    ],
)
def test_as_few_ends_are_clipped_as_make_room(
    operator: Operator, others: list[tuple[str, int, Ms | None]], clipped: list[str]
) -> None:
    lives(operator, "old", 4, gone=SEEN)
    for name, gpus, gone in others:
        lives(operator, name, gpus, gone=gone)
    lives(operator, "new", 4, bound=NEXT)
    ended = {name: end(operator, f"uid-{name}") for name in ("old", *(each[0] for each in others))}
    assert [name for name, found in ended.items() if found and found.at == NEXT] == clipped


def test_an_exact_end_stays_what_the_kubelet_said(operator: Operator) -> None:
    told = pod("old", gpus=8, bound=T0, finished=SEEN)
    operator.see(pod("old", gpus=8, bound=T0), T0)
    operator.see(told, SEEN)
    lives(operator, "new", 4, bound=NEXT)
    found = end(operator, "uid-old")
    assert found is not None
    assert (found.basis, found.at // SECOND) == (Basis.EXACT, SEEN // SECOND)


def test_an_estimate_is_narrowed_by_who_came_after_it(operator: Operator) -> None:
    operator.see(pod("old", gpus=8, bound=T0), T0)
    operator.down_since = T0 + 10 * MINUTE
    operator.see(pod("old", gpus=8, bound=T0), T0 + 3 * HOUR, deleted=True, replayed=True)
    found = end(operator, "uid-old")
    assert found is not None
    assert (found.witness, found.high) == ("absent", T0 + 3 * HOUR)
    operator.see(pod("new", gpus=4, bound=NEXT), T0 + 3 * HOUR, replayed=True)
    found = end(operator, "uid-old")
    assert found is not None
    assert (found.witness, found.low, found.at, found.high) == (
        "binding",
        T0 + 10 * MINUTE,
        T0 + 35 * MINUTE,
        NEXT,
    )
    assert operator.spent(VISION, NEXT) == cost(RATE, 8, 8, 35 * MINUTE)
    assert operator.world.standings[VISION].spent.estimated == cost(RATE, 8, 8, 35 * MINUTE) - cost(
        RATE, 8, 8, 10 * MINUTE
    )


def test_costs_are_reported_by_region_and_by_the_labels_that_were_named(
    operator: Operator,
) -> None:
    operator.accounts.report_labels = ("stage", "app.kubernetes.io/part-of")
    labels = {"stage": "dev", "secret": "no", "app.kubernetes.io/part-of": "search"}
    operator.see(pod(bound=T0, labels=labels), T0)
    operator.ledger.commit()
    (row,) = operator.ledger.reader.intervals(0, 1 << 61)
    assert row.dimension.region == "us-east-1"
    assert row.dimension.labels == (("app.kubernetes.io/part-of", "search"), ("stage", "dev"))
