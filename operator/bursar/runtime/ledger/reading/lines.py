"""Reads the ledger as lines of a report."""

from collections.abc import Iterator

from bursar.domain.time import format_time
from bursar.report import Line, OtherLine
from bursar.runtime.ledger.reading.asked import Asked
from bursar.runtime.ledger.reading.held import Still
from bursar.runtime.ledger.reading.nodelines import NodeLines
from bursar.runtime.ledger.reading.plan import Grain
from bursar.runtime.ledger.reading.podlines import PodLines
from bursar.runtime.ledger.reading.snapshot import Snapshot
from bursar.runtime.ledger.reading.tally import Tally
from bursar.runtime.ledger.reading.who import Who


class Lines:
    """The lines of one report.

    Args:
        snapshot: of the ledger.
        asked: the report.
    """

    def __init__(self, snapshot: Snapshot, asked: Asked) -> None:
        tally = Tally(snapshot.connection, snapshot.names, asked.now)
        self._snapshot = snapshot
        who = Who(snapshot, asked)
        still = Still(snapshot, tally, who.columns, runs=who.runs)
        self._pods = PodLines(snapshot, asked, tally, still, who)
        self._others = NodeLines(snapshot, asked, tally, still, self._pods)

    def pods(self) -> Iterator[Line]:
        """What pods held."""
        return iter(self._pods)

    def others(self) -> Iterator[OtherLine]:
        """What else the nodes cost."""
        return iter(self._others)

    def limits(self) -> list[str]:
        """What the answer cannot tell, in words."""
        since = self._snapshot.kept.rows_since
        gone = [
            piece.since
            for piece in self._pods.pieces
            if piece.grain is Grain.ROWS and piece.since < since
        ]
        if not gone:
            return []
        said = (
            f"pods that ended before {format_time(since)} are kept as sums of whole UTC days only:"
            f" what is told pod by pod, or of parts of days, lacks them from {format_time(gone[0])}"
        )
        return [said]
