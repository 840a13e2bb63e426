"""The ledger as reports read it: sums by hour and day where they are, pods' rows where they must.

Decides from one consistent state of the tables. Whatever a line is read from, it says the same to
the nano-unit.
"""

from bursar.runtime.ledger.reading.asked import Asked
from bursar.runtime.ledger.reading.lines import Lines
from bursar.runtime.ledger.reading.runlines import names, runs
from bursar.runtime.ledger.reading.snapshot import Snapshot
from bursar.runtime.ledger.reading.tally import Tally

__all__ = ["Asked", "Lines", "Snapshot", "Tally", "names", "runs"]
