"""Keeps what commitments cost: since when they are seen, from when to when, at which price.

What has been stays as it was booked, over restarts too; an edit of a price book applies from the
moment at which it is known.
"""

from collections.abc import Iterator, Mapping

from bursar import meter
from bursar.domain.time import Ms
from bursar.domain.usage import Segment
from bursar.price.books import Books, Committed
from bursar.price.commitments import seen_since
from bursar.price.rates import Defaults, committed
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import CommitmentRows


class Commitments:
    """The commitments of one cluster, by `BOOK/NAME`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._segments: dict[str, tuple[Segment, ...]] = {}
        self._defined: dict[str, tuple[Segment, ...]] = {}

    def restore(self) -> None:
        """Take up what the ledger remembers."""
        for name, rows in self._ledger.reader.commitments().items():
            self._segments[name] = tuple(row.segment for row in rows)

    def revise(self, books: Books, defaults: Defaults, now: Ms) -> Books:
        """Take up the commitments of these books, and let go those that are no longer there.

        Returns:
            The same books, their commitments in force from when on they were first seen.
        """
        names = {rule.what.name for rule in books.commitments if isinstance(rule.what, Committed)}
        begun = seen_since(books, {name: self._seen(name, now) for name in names})
        computed: dict[str, tuple[Segment, ...]] = dict.fromkeys(self._segments, ())
        for rule in begun.commitments:
            if isinstance(rule.what, Committed):
                periods = committed(rule, books, defaults)
                computed[rule.what.name] = meter.commitment_segments(periods, rule.what.count)
        for name, parts in computed.items():
            if parts == self._defined.get(name):
                continue
            self._defined[name] = parts
            self._segments[name] = meter.revise_commitment(self._segments.get(name, ()), parts, now)
        self._ledger.submit(list(self.checkpoint(now)))
        return begun

    def checkpoint(self, now: Ms) -> Iterator[CommitmentRows]:
        """Rows that bring the ledger up to now."""
        for name, parts in self._segments.items():
            if parts and parts[0].start <= now:
                yield CommitmentRows(name=name, segments=parts, known=now)

    def segments(self) -> Mapping[str, tuple[Segment, ...]]:
        """What each costs over its life, past and future."""
        return self._segments

    def _seen(self, name: str, now: Ms) -> Ms:
        """Since when it has been seen without a break."""
        since: Ms = now
        for part in reversed(self._segments.get(name, ())):
            if part.end is not None and part.end.at < since:
                break
            since = min(since, part.start)
        return since
