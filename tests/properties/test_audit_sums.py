"""`bursar audit`: what is held and what idles add up to what there is, and to what it costs."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bursar.cli.audit.snapshot import SeenPod
from bursar.domain.time import MINUTE
from support.audit import H100, NOW, audit, node, owned, pod

PLACED = st.tuples(
    st.integers(1, 3),  # the node
    st.integers(0, 4),  # devices
    st.integers(0, 40_000),  # minutes ago
    st.sampled_from(("a", "b")),  # the owner
)


def cluster(placed: list[tuple[int, int, int, str]]) -> list[SeenPod]:
    """Pods in the order given, those left out for which their node has no room."""
    room = {1: 8, 2: 8, 3: 8}
    found = []
    for index, (number, devices, minutes, owner) in enumerate(placed):
        if devices <= room[number]:
            room[number] -= devices
            limits = {"nvidia.com/gpu": devices} if devices else {"nvidia.com/mig-9g.1gb": 1}
            since = NOW - minutes * MINUTE
            one = pod(f"p-{index}", on=f"h100-{number}", limits=limits, since=since)
            found.append(owned(one, "Job", owner))
    return found


@given(st.lists(PLACED, max_size=12))
def test_held_and_idle_and_untold_are_all_there_is(placed: list[tuple[int, int, int, str]]) -> None:
    found = audit(*cluster(placed), nodes=tuple(node(number=number) for number in (1, 2, 3)))
    (pool,) = found.pools
    assert pool.idle is not None
    assert pool.held + pool.idle + pool.untold == pool.devices == 24
    paid = found.held.per_hour + pool.idle_cost.per_hour + pool.untold * H100
    assert paid == pool.cost.per_hour == 24 * H100
    rows = sum((one.cost.per_hour for one in found.workloads), Fraction(0))
    assert rows == found.held.per_hour
    assert sum(one.pods for one in found.workloads) == found.pods == len(cluster(placed))
    assert found.held.unpriced == sum(one.untold for one in found.workloads)
