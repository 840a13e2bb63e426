"""Fixtures that every test may use."""

from __future__ import annotations

import signal

# In this order: the second imports the first.
pytest_plugins = ["support.cluster", "support.chart"]


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: in a background job of a shell it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
