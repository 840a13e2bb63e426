"""The ledger as reports read it: sums by hour and day where they are, pods' rows where they must.

Decides from one consistent state of the tables. Whatever a line is read from, it says the same to
the nano-unit.
"""

from bursar.runtime.ledger.reading.asked import Asked
from bursar.runtime.ledger.reading.lines import Lines, runs
from bursar.runtime.ledger.reading.snapshot import Snapshot

__all__ = ["Asked", "Lines", "Snapshot", "runs"]
