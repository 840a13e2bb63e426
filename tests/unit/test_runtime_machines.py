"""Nodes that die: what they cost, and what their pods do, is told by their last sign of life."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from bursar.domain.budget import BudgetKey
from bursar.domain.time import HOUR, MINUTE, SECOND, Ms, format_time
from bursar.domain.usage import Basis, End
from bursar.runtime.accounting.sinks import Sinks
from bursar.runtime.cluster.gateway import Gateway
from bursar.runtime.cluster.owners import Owners
from support.events import event
from support.nodes import conditioned, tainted
from support.runtime import T0, Operator, book, budget, cost, flat, node, pod
from support.witnesses import Api, served

NANO = 10**9
RATE = 48 * NANO
VISION = BudgetKey(namespace="vision", name="gpu")
OUT = "node.kubernetes.io/out-of-service"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/"
DIED, NOTICED = T0 + 2 * HOUR, T0 + 5 * HOUR


def lease(renewed: Ms, *, uid: str = "uid-gpu-1") -> dict[str, Any]:
    return {
        "metadata": {"name": "gpu-1", "ownerReferences": [{"kind": "Node", "uid": uid}]},
        "spec": {"renewTime": format_time(renewed)[:-1] + ".500000Z"},
    }


class Fleet:
    """One node of eight devices, of which a pod holds four, and who is asked of it."""

    def __init__(self, path: Path, api: Api) -> None:
        self.api = api
        self.operator = Operator.start(path, books=[book(flat("48"))], budgets=[budget()])
        self.operator.nodes.apply(node(), T0, deleted=False)
        self.operator.see(pod(bound=T0), T0)
        gateway = cast("Gateway", api)
        _, self.machines = Sinks.witnesses_of(
            gateway, self.operator.world, self.operator.nodes._ledger, Owners(gateway)
        )

    async def see(
        self, obj: dict[str, Any], now: Ms, *, deleted: bool = False, since: Ms | None = None
    ) -> None:
        end = await self.machines.of_event(obj, now, deleted=deleted, missed_since=since)
        self.operator.nodes.apply(obj, now, deleted=deleted, end=end)

    def node_end(self) -> End | None:
        self.operator.ledger.commit()
        rows = list(self.operator.ledger.reader.node_intervals(0, 1 << 61))
        return rows[-1].segment.end

    def pod_end(self, uid: str = "uid-p") -> End | None:
        self.operator.ledger.commit()
        rows = self.operator.ledger.reader.intervals(0, 1 << 61)
        return next(row.segment.end for row in rows if row.pod_uid == uid)

    def node_cost(self) -> int:
        self.operator.ledger.commit()
        return sum(row.cost.total for row in self.operator.ledger.reader.node_intervals(0, 1 << 61))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path / "ledger.db", served())
    yield made
    made.operator.close()


def told(end: End | None) -> tuple[str, int, int | None, int | None]:
    assert end is not None
    return end.witness, end.at, end.low, end.high


async def test_a_silent_node_keeps_costing_and_so_do_its_pods(fleet: Fleet) -> None:
    await fleet.see(conditioned(node(), "Unknown"), NOTICED)
    fleet.operator.checkpoint(NOTICED)
    assert fleet.node_end() is None
    assert fleet.node_cost() == cost(RATE, 8, 8, 5 * HOUR)
    assert fleet.operator.spent(VISION, NOTICED) == cost(RATE, 4, 8, 5 * HOUR)


async def test_a_node_out_of_service_ended_at_its_leases_last_renewal_with_its_pods(
    fleet: Fleet,
) -> None:
    fleet.api.objects[LEASES + "gpu-1"] = lease(DIED)
    fleet.operator.checkpoint(NOTICED - MINUTE)
    await fleet.see(tainted(conditioned(node(), "Unknown"), OUT), NOTICED)
    assert told(fleet.node_end()) == ("lease", DIED, DIED, NOTICED)
    assert fleet.node_cost() == cost(RATE, 8, 8, 2 * HOUR)
    assert fleet.pod_end() is None, "an overlooked minute lets a node come back"
    fleet.operator.accounts.end_with_nodes(NOTICED + MINUTE)
    assert told(fleet.pod_end()) == ("lease", DIED, DIED, NOTICED)
    assert fleet.operator.spent(VISION, NOTICED + MINUTE) == cost(RATE, 4, 8, 2 * HOUR)
    fleet.operator.see(pod(bound=T0), NOTICED + HOUR, deleted=True)
    assert told(fleet.pod_end()) == ("lease", DIED, DIED, NOTICED), "it lingered, and that is all"


async def test_a_pod_seen_to_go_before_that_ended_with_its_node_too(fleet: Fleet) -> None:
    fleet.api.objects[LEASES + "gpu-1"] = lease(DIED)
    await fleet.see(tainted(conditioned(node(), "Unknown"), OUT), NOTICED)
    fleet.operator.see(pod(bound=T0), NOTICED + SECOND, deleted=True)
    assert told(fleet.pod_end()) == ("lease", DIED, DIED, NOTICED)


@pytest.mark.parametrize(
    ("leases", "forbidden", "end"),
    [
        pytest.param(
            {LEASES + "gpu-1": lease(DIED, uid="another")},
            False,
            ("heartbeat", T0 + HOUR, T0 + HOUR, NOTICED),
            id="the lease is a namesake's",
        ),
        pytest.param(
            {}, False, ("heartbeat", T0 + HOUR, T0 + HOUR, NOTICED), id="the lease is gone"
        ),
        pytest.param(
            {}, True, ("heartbeat", T0 + HOUR, T0 + HOUR, NOTICED), id="it may not be read"
        ),
    ],
)
async def test_without_a_lease_the_objects_own_heartbeat_counts(
    fleet: Fleet,
    leases: dict[str, Any],
    forbidden: bool,
    end: tuple[str, int, int, int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fleet.api.objects.update(leases)
    if forbidden:
        fleet.api.forbidden.add("leases")
        await fleet.machines.probe()
    silent = conditioned(node(), "Unknown", beat=T0 + HOUR)
    await fleet.see(silent, NOTICED, deleted=True)
    assert told(fleet.node_end()) == end
    assert sum("witness=leases" in record.getMessage() for record in caplog.records) == forbidden


async def test_a_node_deleted_in_sight_ended_when_that_was_seen(fleet: Fleet) -> None:
    await fleet.see(conditioned(node(), "True"), NOTICED + 700, deleted=True)
    assert told(fleet.node_end()) == ("observed", NOTICED, None, None)
    fleet.operator.accounts.end_with_nodes(NOTICED + HOUR)
    end = fleet.pod_end()
    assert told(end) == ("node", NOTICED, None, None)
    assert end is not None
    assert end.basis is Basis.OBSERVED


async def test_pods_of_a_node_made_anew_under_its_name_go_on(fleet: Fleet) -> None:
    await fleet.see(conditioned(node(), "True"), NOTICED, deleted=True)
    await fleet.see(node(uid="new", created=NOTICED + SECOND), NOTICED + SECOND)
    fleet.operator.accounts.end_with_nodes(NOTICED + HOUR)
    assert fleet.pod_end() is None


@pytest.mark.parametrize(
    ("events", "there", "end"),
    [
        pytest.param([], [], ("heartbeat", T0 + HOUR, NOTICED), id="nobody saw anything"),
        pytest.param(
            [event("RemovingNode", DIED, "Removing", kind="Node", name="gpu-1")],
            [],
            ("event:RemovingNode", T0 + HOUR, DIED),
            id="its removal is told by an Event",
        ),
        pytest.param(
            [event("RemovingNode", DIED, "Removing", kind="Node", name="gpu-1", uid="old")],
            [],
            ("heartbeat", T0 + HOUR, NOTICED),
            id="that is about another node of its name",
        ),
        pytest.param(
            [],
            [node(uid="new", created=DIED)],
            ("node", T0 + HOUR, DIED),
            id="one of its name was made after it",
        ),
    ],
)
async def test_a_node_that_vanished_unseen_is_estimated(
    fleet: Fleet,
    events: list[dict[str, Any]],
    there: list[dict[str, Any]],
    end: tuple[str, int, int],
) -> None:
    fleet.api.lists["events"] = events
    fleet.operator.checkpoint(T0 + HOUR)
    ends = await fleet.machines.of_list(there, NOTICED, T0 + HOUR)
    fleet.operator.nodes.relist(there, NOTICED, ends)
    fleet.operator.ledger.commit()
    facts = fleet.operator.world.nodes["uid-gpu-1"]
    witness, low, high = end
    assert facts.until == (low + high) // 2
    assert (facts.until_witness, facts.until_low, facts.until_high) == (witness, low, high)
    rows = fleet.operator.ledger.reader.node_intervals(0, 1 << 61)
    (found,) = [row.segment.end for row in rows if row.node_uid == "uid-gpu-1"]
    assert told(found) == (witness, (low + high) // 2, low, high)


async def test_its_pods_are_not_estimated_to_outlive_it(fleet: Fleet) -> None:
    fleet.api.lists["events"] = [event("RemovingNode", DIED, "Removing", kind="Node", name="gpu-1")]
    fleet.operator.checkpoint(T0 + HOUR)
    ends = await fleet.machines.of_list([], NOTICED, T0 + HOUR)
    fleet.operator.nodes.relist([], NOTICED, ends)
    fleet.operator.relist([], NOTICED, gap=True)
    assert told(fleet.pod_end()) == ("node", T0 + 3 * HOUR // 2, T0 + HOUR, DIED)


async def test_a_machine_that_comes_back_goes_on_as_the_node_that_it_was(fleet: Fleet) -> None:
    fleet.api.objects[LEASES + "gpu-1"] = lease(DIED)
    off = tainted(conditioned(node(), "Unknown"), OUT)
    await fleet.see(off, NOTICED)
    await fleet.see(off, NOTICED + MINUTE)
    assert told(fleet.node_end()) == ("lease", DIED, DIED, NOTICED)
    await fleet.see(conditioned(node(), "True", since=NOTICED + HOUR), NOTICED + HOUR)
    assert fleet.operator.world.node_uids["gpu-1"] == "uid-gpu-1"
    fleet.operator.checkpoint(NOTICED + 2 * HOUR)
    assert fleet.node_end() is None
    assert fleet.node_cost() == cost(RATE, 8, 8, 7 * HOUR)
