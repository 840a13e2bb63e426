"""Only on a kind cluster: what needs real kubelets, containers, volumes and Services.

`make kind-e2e` collects these beside the end-to-end tests; elsewhere they skip.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import deployed
from support.closedform import PodWatch
from support.cluster import Sandbox
from support.product import Product
from support.release import Release

ELSEWHERE = "needs a kind cluster with the operator as a Deployment: make kind-e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip before any fixture is made: a cluster would be started for nothing."""
    if not deployed.wanted():
        for item in items:
            if item.get_closest_marker("kind"):
                item.add_marker(pytest.mark.skip(reason=ELSEWHERE))


@pytest.fixture
def operator_pod(sandbox: Sandbox) -> deployed.Deployed:
    """The Deployment, started where a test before ended it."""
    assert sandbox.deployed is not None
    sandbox.start_operator()
    return sandbox.deployed


@pytest.fixture
def product(operator_pod: deployed.Deployed, sandbox: Sandbox) -> Product:
    """The product with a running operator; a request that it may not make fails the test."""
    assert operator_pod is sandbox.deployed
    return Product(sandbox=sandbox)


@pytest.fixture(autouse=True)
def forgiven(sandbox: Sandbox) -> Iterator[list[slice]]:
    """Parts of the operator's log in which it may be refused: its rights were being taken away.

    Anywhere else a request that it may not make fails the test.
    """
    start = len(sandbox.operator_log)
    parts: list[slice] = []
    yield parts
    written = ""
    for part in parts:
        written += sandbox.operator_log[start : part.start]
        start = part.stop
    written += sandbox.operator_log[start:]
    assert "is forbidden" not in written, "the chart's rights do not suffice: " + written[-2000:]


@pytest.fixture
def release(product: Product) -> Release:
    """The chart's release."""
    return Release(sandbox=product.sandbox)


@pytest.fixture
def watch(product: Product, namespace: str) -> Iterator[PodWatch]:
    """A watch of the test's namespace."""
    state = product.sandbox.state
    with PodWatch(state.kubectl, state.kubeconfig, namespace) as watching:
        yield watching
