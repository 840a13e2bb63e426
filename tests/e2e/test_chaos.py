"""Pods live and die while the operator, the API server, etcd and the network between them fail.

What etcd held is the measure: see `support.churn`. The long runs are those of `make churn`.
"""

from __future__ import annotations

import sys

import pytest

from support.churn.compare import Basis, Figures
from support.churn.run import Churn, Plan, churn, tormented
from support.closedform import money
from support.cluster import Sandbox

pytestmark = pytest.mark.cluster

SHORT = Plan(
    run="short",
    seed=20261124,
    lives=110,
    rate=8,
    copies=1,
    crowd=25,
    order=("price", "cut", "kill", "429", "apiserver", "stall", "etcd", "kill"),
    pause=(0.3, 1.0),
    away=3,
    lead=12,
    both=0,
)
LONG = Plan(run="long", seed=20261125, lives=1_000)


def report(line: str) -> None:
    print(f"churn: {line}", file=sys.__stderr__, flush=True)


def live(made: Churn) -> Figures:
    """All lives and all faults, to the end, and what the ledger makes of them."""
    with tormented(made):
        made.live()
    made.finish()
    assert not made.stage, made.stage
    return made.count()


def judge(made: Churn, found: Figures) -> None:
    """Exact where it can be, honest where it cannot."""
    assert found.wrong == []
    assert found.pending == []
    assert found.error == 0, "nano-units"
    assert money(found.ledger) == money(found.closed)
    assert all(each.low <= each.true <= each.high for each in found.estimates)
    # Only what the API server forgot can be lost, and it forgot a few seconds at a time.
    known = sum(found.bases.values())
    assert found.bases[Basis.EXACT] > known / 2
    assert len(found.unseen) < known / 4
    assert set(made.faults) >= {"kill", "apiserver", "etcd"}


@pytest.mark.parametrize(
    "plan", [SHORT, pytest.param(LONG, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_whatever_dies_the_ledger_is_the_closed_form(sandbox: Sandbox, plan: Plan) -> None:
    sandbox.on_this_machine("what is to die must be a process of it")
    if not sandbox.state.owned:
        pytest.skip("somebody else's control plane is left alone")
    with churn(sandbox.dir, plan, report) as made:
        judge(made, live(made))
