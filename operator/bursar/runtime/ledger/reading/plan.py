"""Which part of a report's window is read from which table. Pure.

Whole UTC days are read from the sums by day, whole hours from those by hour as far back as they are
kept, and the edges from pods' own rows, cut to the millisecond. A day of a closed month that was
corrected since is told by its sum only whole: cut, it is read from the rows, as it is known now.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum

from bursar.domain.time import DAY, HOUR, Ms
from bursar.report import Window


class Grain(Enum):
    """What a piece of a window is read from."""

    ROWS = 1
    HOURS = HOUR
    DAYS = DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of one stretch of a window, read from one kind of table.

    Attributes:
        stretch: index of the stretch that it is part of.
        first: the stretch begins with it: what reached into it from before is counted there.
        opens: the window begins with it.
    """

    since: Ms
    until: Ms
    grain: Grain
    stretch: int
    first: bool
    opens: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a ledger still has.

    Attributes:
        rows_since: pods that ended before have no rows any more.
        hours_since: the UTC day from which on there are sums by hour.
        corrected: beginnings of the days that were corrected after their month was closed.
    """

    rows_since: Ms = 0
    hours_since: Ms = 0
    corrected: AbstractSet[Ms] = frozenset()


def plan(stretches: Sequence[Window], kept: Kept) -> tuple[Piece, ...]:
    """Cut stretches, which follow each other without gaps, into pieces."""
    found: list[Piece] = []
    for index, stretch in enumerate(stretches):
        first = True
        for since, until, grain in _merged(_cut(stretch.since, stretch.until, kept)):
            piece = Piece(
                since=since,
                until=until,
                grain=grain,
                stretch=index,
                first=first,
                opens=not found,
            )
            found.append(piece)
            first = False
    return tuple(found)


def rows_only(stretches: Sequence[Window]) -> tuple[Piece, ...]:
    """Pieces that read each stretch from pods' rows."""
    return tuple(
        Piece(
            since=stretch.since,
            until=stretch.until,
            grain=Grain.ROWS,
            stretch=index,
            first=True,
            opens=not index,
        )
        for index, stretch in enumerate(stretches)
    )


def summed(pieces: Iterable[Piece], closed: Sequence[tuple[Ms, Ms]]) -> tuple[Piece, ...]:
    """Where the sums hold what is held still, too: what of their pieces lies in closed spans."""
    found: list[Piece] = []
    for piece in pieces:
        if piece.grain is Grain.ROWS:
            continue
        for since, until in closed:
            frm, to = max(since, piece.since), min(until, piece.until)
            if frm < to:
                begins = frm == piece.since
                first, opens = piece.first and begins, piece.opens and begins
                found.append(replace(piece, since=frm, until=to, first=first, opens=opens))
    return tuple(found)


def outside(stretches: Sequence[Window], told: Sequence[Piece]) -> tuple[Piece, ...]:
    """Pieces of stretches that lie outside those that are told already, read from rows.

    Args:
        stretches: of a window.
        told: in order.
    """
    found: list[Piece] = []
    for index, stretch in enumerate(stretches):
        at = stretch.since
        spans = [(piece.since, piece.until) for piece in told]
        for since, until in (*spans, (stretch.until, stretch.until)):
            upto = min(since, stretch.until)
            if at < upto:
                found.append(
                    Piece(
                        since=at,
                        until=upto,
                        grain=Grain.ROWS,
                        stretch=index,
                        first=at == stretch.since,
                        opens=not index and at == stretch.since,
                    )
                )
            at = max(at, until)
    return tuple(found)


_Part = tuple[Ms, Ms, Grain]


def _cut(since: Ms, until: Ms, kept: Kept) -> Iterator[_Part]:
    day, last = _ceil(since, DAY), _floor(until, DAY)
    if day > last:
        yield from _within_day(since, until, kept)
        return
    yield from _within_day(since, day, kept)
    yield day, last, Grain.DAYS
    yield from _within_day(last, until, kept)


def _within_day(since: Ms, until: Ms, kept: Kept) -> Iterator[_Part]:
    today = _floor(since, DAY)
    hour, last = _ceil(since, HOUR), _floor(until, HOUR)
    if today < kept.hours_since or today in kept.corrected or hour >= last:
        yield since, until, Grain.ROWS
        return
    yield since, hour, Grain.ROWS
    yield hour, last, Grain.HOURS
    yield last, until, Grain.ROWS


def _merged(parts: Iterable[_Part]) -> Iterator[_Part]:
    """Those that are not empty, neighbors of one kind as one."""
    held: _Part | None = None
    for part in parts:
        if part[0] >= part[1]:
            continue
        if held is not None and held[2] is part[2]:
            held = held[0], part[1], part[2]
            continue
        if held is not None:
            yield held
        held = part
    if held is not None:
        yield held


def _floor(moment: Ms, unit: Ms) -> Ms:
    return moment - moment % unit


def _ceil(moment: Ms, unit: Ms) -> Ms:
    return -(-moment // unit) * unit
