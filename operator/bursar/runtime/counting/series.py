"""Which series Prometheus was shown: since when, how high, and in which order they appeared.

Kept in the ledger, because a restart must change nothing of it: a series that had its own name must
have it again, a counter must not fall below what was scraped, and whoever scrapes must see a new
series at zero before he sees what it has counted. Nothing that is not written is shown: what a
crash could forget was never scraped.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from bursar.domain.time import Ms
from bursar.runtime.ledger.rows import Row, SeriesGone, SeriesRow

Labels = tuple[str, ...]

USAGE: Final = "usage"
WORKLOAD: Final = "workload"
IDLE: Final = "idle"
SCRAPER: Final = "scraper"
"""Not shown: who scrapes, and the newest series that he has been shown (`SHOWN`)."""
SHOWN: Final = "shown"
SEEN: Final = "seen"
MOST_SCRAPERS: Final = 20
"""Scrapers that are remembered; beyond that the one that has not come for longest is forgotten."""


@dataclass(slots=True, eq=False)
class Series:
    """One series, or one group of counters with the same labels.

    Attributes:
        rank: order of first appearance.
        created: when it was zero (ms).
        marks: the highest value of each counter, and what else must be remembered.
        written: the marks that the ledger has; None: not even the series itself.
    """

    rank: int
    kind: str
    labels: Labels
    created: Ms
    marks: dict[str, int] = field(default_factory=dict)
    written: Mapping[str, int] | None = None

    def reach(self, name: str, value: int) -> None:
        """A counter has come to a value; where it was higher before, it stays there."""
        if value > self.marks.get(name, 0):
            self.marks[name] = value

    def row(self) -> SeriesRow:
        """Its row of the ledger."""
        return SeriesRow(
            rank=self.rank,
            kind=self.kind,
            labels=self.labels,
            created=self.created,
            marks=dict(self.marks),
        )


class Roster:
    """All series of one operator."""

    def __init__(self) -> None:
        self._kinds: defaultdict[str, dict[Labels, Series]] = defaultdict(dict)
        self._newest = 0
        self._gone: list[int] = []
        self._saving: Future[None] | None = None

    def restore(self, rows: Iterable[SeriesRow]) -> None:
        """Take up what the ledger remembers."""
        for row in rows:
            found = Series(row.rank, row.kind, row.labels, row.created, dict(row.marks), row.marks)
            self._kinds[row.kind][row.labels] = found
            self._newest = max(self._newest, row.rank)

    def find(self, kind: str, labels: Labels) -> Series | None:
        """A series that there is."""
        return self._kinds[kind].get(labels)

    def open(self, kind: str, labels: Labels, created: Ms) -> Series:
        """The series with these labels; a new one where there is none."""
        found = self._kinds[kind].get(labels)
        if found is None:
            self._newest += 1
            found = self._kinds[kind][labels] = Series(self._newest, kind, labels, created)
        return found

    def close(self, series: Series) -> None:
        """Show a series no more; one that gets its labels later is another."""
        if self._kinds[series.kind].pop(series.labels, None) is not None:
            self._gone.append(series.rank)

    def of(self, kind: str) -> tuple[Series, ...]:
        """All series of a kind, in order of first appearance."""
        return tuple(self._kinds[kind].values())

    def count(self, kind: str) -> int:
        """How many there are of a kind."""
        return len(self._kinds[kind])

    def _all(self) -> Iterator[Series]:
        for kind in self._kinds.values():
            yield from kind.values()

    # --- what is written -------------------------------------------------------------------------

    @property
    def saving(self) -> bool:
        """Whether rows are still on their way to the ledger."""
        return self._saving is not None and not self._saving.done()

    def unsaved(self) -> list[Row]:
        """Rows of all that has changed since it was last written."""
        gone = [SeriesGone(rank=rank) for rank in self._gone]
        changed = [each.row() for each in self._all() if each.written != each.marks]
        return [*gone, *changed]

    def saved(self, rows: Iterable[Row], done: "Future[None]") -> None:
        """Remember rows as written once they are; called from the writer's thread.

        Args:
            rows: as `unsaved` gave them.
            done: ends when they are committed, or with an error.
        """
        self._saving = done
        written = {row.rank: row.marks for row in rows if isinstance(row, SeriesRow)}
        series = [each for each in self._all() if each.rank in written]
        gone = {row.rank for row in rows if isinstance(row, SeriesGone)}

        def note(ended: "Future[None]") -> None:
            if ended.cancelled() or ended.exception() is not None:
                return
            for each in series:
                each.written = written[each.rank]
            self._gone = [rank for rank in self._gone if rank not in gone]

        done.add_done_callback(note)

    # --- who scrapes -----------------------------------------------------------------------------

    def meet(self, name: str, now: Ms) -> Series:
        """Whoever scrapes under this name.

        A stranger is shown everything as it stands: he may well be an old friend with another
        address, for whom a zero would be a reset.
        """
        known = self.find(SCRAPER, (name,))
        if known is None:
            others = sorted(self.of(SCRAPER), key=lambda each: each.marks.get(SEEN, 0))
            for each in others[: max(0, len(others) - MOST_SCRAPERS + 1)]:
                self.close(each)
            known = self.open(SCRAPER, (name,), now)
            known.marks[SHOWN] = self._newest
        known.marks[SEEN] = now
        return known
