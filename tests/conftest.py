"""Fixtures that every test may use."""

from __future__ import annotations

import signal

import pytest

# So that a failed comparison in a helper says what differs.
pytest.register_assert_rewrite("support")

# In this order: each imports those before it at most.
pytest_plugins = ["support.cluster", "support.chart", "support.postgres", "support.ledger"]


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: in a background job of a shell it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
