"""The only place that reads a clock; and keeps it to the API server's, where that is known.

All other times of a pod's life are the cluster's. What is only observed must be on the same scale,
or a wrong clock on the operator's node would be money: so where it is known from the API server's
answers (the `Date` of each) that ours is off, what is read here is corrected by that.
"""

import logging
import time

from bursar.domain.time import SECOND, Ms

logger = logging.getLogger(__name__)

TOLERANCE: Ms = 2 * SECOND
"""Less than this is left alone: a `Date` is a whole second, and clocks drift by milliseconds."""
PROMPT: Ms = 2 * SECOND
"""An answer that took longer than this tells little of what the time was."""


class Skew:
    """By how much the API server's clock is ahead of ours (ms)."""

    def __init__(self) -> None:
        self.ahead: Ms = 0

    def measure(self, date: Ms, asked: Ms, answered: Ms) -> None:
        """Take in what the API server said that the time was.

        Args:
            date: its `Date`, in whole seconds (ms).
            asked: when the request was sent, by our own clock (ms).
            answered: when its head had come (ms).
        """
        least, most = date - answered, date + SECOND - asked
        if answered - asked > PROMPT or least - TOLERANCE <= self.ahead <= most + TOLERANCE:
            return
        # Back to no correction where that is as good, so that nothing is kept of an old fault.
        straight = least - TOLERANCE <= 0 <= most + TOLERANCE
        self.ahead = 0 if straight else (least + most) // 2
        logger.warning(
            "skew=%.1fs the API server's clock is %s this machine's: its time counts",
            abs(self.ahead) / SECOND,
            "ahead of" if self.ahead > 0 else "behind" if self.ahead else "again as",
        )


skew = Skew()
"""Of this process; nothing is measured unless somebody is told to."""


def own() -> Ms:
    """This machine's own wall clock: milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def now() -> Ms:
    """The time as the cluster has it: milliseconds since the epoch, UTC."""
    return own() + skew.ahead


def monotonic() -> float:
    """Seconds on a clock that never goes back, for measuring how long something took."""
    return time.monotonic()
