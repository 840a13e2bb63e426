"""What the ledger keeps of commitments: whole, once, and never an older state over a newer."""

from dataclasses import replace
from fractions import Fraction

from bursar.domain.rate import Rate
from bursar.domain.time import HOUR, Ms
from bursar.domain.usage import Segment
from bursar.meter import commitment_segments
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import CommitmentRows
from support.ledger import NANO, P5, end, period

PLAIN = Rate(
    capex=Fraction(0),
    opex=Fraction(30 * NANO),
    currency="USD",
    origin="PriceBook house/ri (commitment)",
    devices_part=Fraction(4, 5),
    utilization=Fraction(1, 3),
    commitment="house/ri",
)
TWO = commitment_segments([period(PLAIN)], 2)


def tell(ledger: Ledger, known: Ms, segments: tuple[Segment, ...] = TWO, name: str = "a/b") -> None:
    row = CommitmentRows(name=name, segments=segments, known=known)
    ledger.submit([row]).result(30)


def kept(ledger: Ledger) -> list[tuple[str, Ms, Ms, bool]]:
    return [
        (row.name, row.segment.start, row.known, row.segment.end is None)
        for rows in ledger.reader.commitments().values()
        for row in rows
    ]


def test_it_is_read_back_as_it_was_told(ledger: Ledger) -> None:
    tell(ledger, HOUR)
    ((row,),) = ledger.reader.commitments().values()
    assert (row.segment, row.known) == (TWO[0], HOUR)


def test_it_goes_on_and_an_older_state_changes_nothing(ledger: Ledger) -> None:
    for known in (HOUR, 3 * HOUR, 2 * HOUR, 3 * HOUR):
        tell(ledger, known)
    assert kept(ledger) == [("a/b", 0, 3 * HOUR, True)]


def test_what_lies_ahead_is_left_out_until_it_has_begun(ledger: Ledger) -> None:
    parts = commitment_segments([period(PLAIN, 0, 2 * HOUR), period(P5, 2 * HOUR, 4 * HOUR)], 1)
    tell(ledger, HOUR, parts)
    assert kept(ledger) == [("a/b", 0, HOUR, True)]
    tell(ledger, 3 * HOUR, parts)
    assert kept(ledger) == [("a/b", 0, 2 * HOUR, False), ("a/b", 2 * HOUR, 3 * HOUR, True)]
    tell(ledger, 9 * HOUR, parts)
    assert kept(ledger)[-1] == ("a/b", 2 * HOUR, 4 * HOUR, False)


def test_a_segment_that_is_no_more_is_gone(ledger: Ledger) -> None:
    parts = commitment_segments([period(PLAIN, 0, HOUR), period(P5, HOUR)], 1)
    tell(ledger, 2 * HOUR, parts)
    tell(ledger, 3 * HOUR, (replace(parts[0], end=end(2 * HOUR, witness="price change")),))
    assert kept(ledger) == [("a/b", 0, 2 * HOUR, False)]


def test_commitments_are_kept_apart_by_name(ledger: Ledger) -> None:
    tell(ledger, HOUR)
    tell(ledger, 2 * HOUR, name="a/c")
    assert kept(ledger) == [("a/b", 0, HOUR, True), ("a/c", 0, 2 * HOUR, True)]
