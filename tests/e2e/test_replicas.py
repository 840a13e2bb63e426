"""Two replicas share a ledger: one leads, the other follows it, and no second counts twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bursar.sandbox import install, processes
from support.closedform import PodWatch, finished, moment, money, nanos
from support.lives import LISTED, Fleet
from support.product import Product, settle, until
from support.replicas import Replicas, elector

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture
def replicas(product: Product, tmp_path: Path) -> Iterator[Replicas]:
    product.sandbox.on_this_machine("several operators are started as processes")
    product.sandbox.stop_operator()
    product.sandbox.apply(*elector(install.NAMESPACE))
    made = Replicas(product.sandbox, tmp_path, f"sqlite:///{tmp_path / 'shared.db'}")
    yield made
    made.end()


def test_the_second_follows_when_the_first_is_killed_and_the_ledger_is_exact(
    product: Product, replicas: Replicas, namespace: str, watch: PodWatch
) -> None:
    sandbox = product.sandbox
    first = replicas.start()
    sandbox.wait(lambda: first.leads, what="the first leading")
    second = replicas.start()
    sandbox.wait(lambda: second.stands_by, what="the second standing by")
    status, said = second.get("/api/v1/report")
    assert status == 503
    assert "stands by" in said

    since = int(time.time()) * 1000
    fleet = Fleet(product, namespace, watch)
    across = [fleet.create(index, 30) for index in range(len(LISTED))]
    before = [fleet.create(0, 1), fleet.create(3, 2)]
    for name in before:
        fleet.wait(name, "finished")
    for name in across:
        fleet.wait(name, "running")
    processes.kill(first.process)
    # Born and gone while nobody leads.
    for name in [fleet.create(1, 1), fleet.create(4, 1)]:
        fleet.wait(name, "finished")
    sandbox.wait(lambda: second.leads, what="the second leading", timeout=90)
    third = replicas.start()
    sandbox.wait(lambda: third.stands_by, what="a third standing by")
    for name in fleet.asked:
        fleet.wait(name, "finished")
    to = max(finished(seen.last) or 0 for seen in watch.pods.values()) + 1000
    for _ in until(to + 1000):
        pass

    def figures() -> dict[str, tuple[str, str]]:
        query = f"by=namespace,pod&namespace={namespace}&from={moment(since)}&to={moment(to)}"
        rows = second.report(query)
        return {row["key"]["pod"]: (row["cost"], row["gpuHours"]) for row in rows}

    want = fleet.by_hand()
    settle(figures, want)

    # It goes in peace, and the third need not wait for the Lease to end.
    processes.stop([second.process], 20.0)
    began = time.monotonic()
    sandbox.wait(lambda: third.leads, what="the third leading")
    assert time.monotonic() - began < 12
    query = f"by=namespace&namespace={namespace}&from={moment(since)}&to={moment(to)}"
    (row,) = third.report(query)
    assert row["cost"] == money(sum(nanos(cost) for cost, _ in want.values()))
