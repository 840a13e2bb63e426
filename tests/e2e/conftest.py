"""One operator for all end-to-end tests, under the chart's ServiceAccount; tests may kill it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from support.closedform import PodWatch
from support.cluster import Sandbox
from support.product import Product

Watching = Callable[[str], PodWatch]


@pytest.fixture(scope="session")
def _started(sandbox: Sandbox) -> Iterator[Product]:
    started = Product(sandbox=sandbox)
    started.start()
    yield started
    sandbox.stop_operator()


@pytest.fixture
def product(_started: Product) -> Product:
    """The sandbox with a running operator, started again where a test before killed it."""
    _started.start()
    return _started


@pytest.fixture
def watch(product: Product, namespace: str) -> Iterator[PodWatch]:
    """A watch of the test's namespace."""
    state = product.sandbox.state
    with PodWatch(state.kubectl, state.kubeconfig, namespace) as watching:
        yield watching
