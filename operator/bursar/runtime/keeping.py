"""How long the ledger keeps what single pods held, and sums by the hour."""

from dataclasses import dataclass

from bursar.domain.time import DAY, Ms
from bursar.runtime.ledger.rows import TrimRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Days after which they may be removed; 0: never."""

    intervals_days: int = 0
    hourly_days: int = 0

    def rows(self, now: Ms) -> tuple[TrimRow, ...]:
        """What is to be removed now, for the ledger; whole days, UTC."""
        since = tuple(
            now - now % DAY - days * DAY if days else 0
            for days in (self.intervals_days, self.hourly_days)
        )
        if not any(since):
            return ()
        return (TrimRow(intervals_since=max(0, since[0]), hourly_since=max(0, since[1])),)
