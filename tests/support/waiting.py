"""Waiting for what another thread or process does."""

import threading
import time
from collections.abc import Callable


def until(condition: Callable[[], object], what: str = "it", seconds: float = 30.0) -> None:
    """Wait until a condition holds; fails naming `what` after a while."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        threading.Event().wait(0.01)
