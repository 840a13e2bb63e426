"""The only place that reads a clock."""

import time

from bursar.domain.time import Ms


def now() -> Ms:
    """The wall clock: milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Seconds on a clock that never goes back, for measuring how long something took."""
    return time.monotonic()
