"""When a node's machine was gone: at its last sign of life, and never while its kubelet reports."""

from typing import Any

import pytest

from bursar.domain.time import HOUR, MINUTE, format_time
from bursar.domain.usage import Basis
from bursar.meter import machines
from bursar.meter.witness import LEASE
from support.nodes import conditioned, facts, tainted
from support.runtime import T0, node

SHUTDOWN = "node.cloudprovider.kubernetes.io/shutdown"


@pytest.mark.parametrize(
    ("obj", "off"),
    [
        pytest.param(node(), False, id="a node that says nothing of itself"),
        pytest.param(conditioned(node(), "Unknown"), False, id="one that is silent keeps costing"),
        pytest.param(tainted(conditioned(node(), "True"), SHUTDOWN), False, id="one that reports"),
        pytest.param(tainted(conditioned(node(), "Unknown"), SHUTDOWN), True, id="shut down"),
        pytest.param(
            tainted(conditioned(node(), "False"), "node.kubernetes.io/out-of-service"),
            True,
            id="out of service",
        ),
        pytest.param(
            tainted(conditioned(node(), "Unknown"), "node.kubernetes.io/unreachable"),
            False,
            id="unreachable is only silent",
        ),
        pytest.param({**node(), "spec": {"taints": 7}, "status": []}, False, id="odd"),
    ],
)
def test_a_machine_is_off_where_somebody_says_so_and_it_is_silent(
    obj: dict[str, Any], off: bool
) -> None:
    assert machines.is_off(obj) is off


def test_the_lease_is_a_better_sign_of_life_than_the_object() -> None:
    silent = conditioned(node(), "Unknown", beat=T0 + HOUR)
    assert machines.last_sign(silent, T0 + 2 * HOUR) == (T0 + 2 * HOUR, LEASE)
    assert machines.last_sign(silent, None) == (T0 + HOUR, "heartbeat")
    assert machines.last_sign(node(), None) is None


@pytest.mark.parametrize(
    ("sign", "at"),
    [
        pytest.param(T0 + HOUR + 333, T0 + HOUR, id="the second of its last renewal"),
        pytest.param(T0 - HOUR, T0, id="not before it was made"),
        pytest.param(
            T0 + 9 * HOUR, T0 + 3 * HOUR, id="not after it was noticed, whatever clocks say"
        ),
    ],
)
def test_a_machine_ended_at_its_last_sign_of_life(sign: int, at: int) -> None:
    end = machines.silenced((sign, LEASE), T0, T0 + 3 * HOUR)
    assert (end.basis, end.witness, end.low, end.at) == (Basis.ESTIMATED, LEASE, at, at)
    assert end.high == T0 + 3 * HOUR


def test_a_namesake_bounds_the_end_of_a_node_that_vanished() -> None:
    end = machines.vanished(T0, T0 + HOUR, T0 + 9 * HOUR, (), T0 + 2 * HOUR)
    assert (end.low, end.at, end.high) == (T0 + HOUR, T0 + 3 * HOUR // 2, T0 + 2 * HOUR)
    assert end.witness == "node"


def test_an_end_is_kept_until_the_kubelet_reports_again() -> None:
    known = facts()
    ended = machines.ended(known, machines.silenced((T0 + HOUR, LEASE), T0, T0 + HOUR), listed=True)
    silent = tainted(conditioned(node(), "Unknown"), SHUTDOWN)
    kept = machines.carried_on(known, ended, silent, deleted=False)
    assert kept == ended
    replayed = conditioned(node(), "True", since=T0 + MINUTE)
    assert machines.carried_on(known, ended, replayed, deleted=False) == ended
    again = conditioned(node(), "True", since=T0 + 2 * HOUR)
    back = machines.carried_on(known, ended, again, deleted=False)
    assert (back.until, back.returned) == (None, 1)
    gone = machines.carried_on(known, ended, silent, deleted=True)
    assert (gone.until, gone.off) == (T0 + HOUR, False)
    assert machines.carried_on(known, gone, again, deleted=False).until == T0 + HOUR
    assert format_time(gone.until or 0) == "2026-11-24T09:00:00Z"
