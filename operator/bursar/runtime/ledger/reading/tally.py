"""What rows of pods' intervals, as they come from the database, amount to between two moments.

A row that ended exactly and lies wholly between them amounts to what is stored with it; any other
is computed anew by the meter's closed form. Rates and shares, which repeat, are decoded once.
"""

from collections.abc import Sequence
from fractions import Fraction
from operator import add
from typing import Any

from sqlalchemy import Connection

from bursar.domain.money import NANO
from bursar.domain.rate import Rate, Unpriced
from bursar.domain.time import Ms
from bursar.domain.usage import Basis, End, Segment
from bursar.meter import cost_between, is_priced, plain_between, uncertain_between
from bursar.report import Amounts
from bursar.runtime.ledger.names import Names

Raw = Any
"""A row with the columns of `held.COLUMNS`, in their order, money and fractions as text."""
(
    POD,
    RESOURCE,
    START,
    END,
    RATE,
    SHARE,
    DEVICES,
    CAPEX,
    OPEX,
    BASIS,
    LOW,
    FRACTION,
    DIMENSION,
    NODE,
) = range(14)

Figures = tuple[int, ...]
"""CapEx, OpEx, recovery, CapEx of recovery, estimated, assumed: nano-units; accelerator time,
unpriced accelerator time: 10^-9 ms."""
WIDTH = 8
OPEN, _ESTIMATED = int(Basis.OPEN), int(Basis.ESTIMATED)


class Tally:
    """Tells what rows amount to.

    Args:
        connection: that the rows are read from.
        names: of the ledger.
        now: up to when open rows count.

    Attributes:
        now: likewise.
    """

    def __init__(self, connection: Connection, names: Names, now: Ms) -> None:
        self._connection = connection
        self._names = names
        self.now = now
        self._rates: dict[int, tuple[Rate | Unpriced, bool, bool]] = {}
        self._ratios: dict[str, Fraction] = {}
        self._speeds: dict[tuple[str | None, str], tuple[int, int]] = {}

    def end(self, row: Raw) -> Ms:
        """When a row ends, so far as is known by now."""
        return max(row[START], self.now) if row[BASIS] == OPEN else int(row[END])

    def reaches(self, row: Raw, since: Ms, until: Ms) -> bool:
        """Tell whether some of a row's life lies in [since, until), or all of it if it has none."""
        start, end = row[START], self.end(row)
        return bool(start < until and (end > since or start == end == since))

    def between(self, row: Raw, frm: Ms, to: Ms) -> Figures:
        """What a row amounts to in [frm, to)."""
        rate, assumed, plain = self._rate(row[RATE])
        start, basis = row[START], row[BASIS]
        if plain and basis not in (OPEN, _ESTIMATED) and frm <= start and row[END] <= to:
            capex, opex = int(row[CAPEX]), int(row[OPEX])
            above, below = self._speed(row[DEVICES], row[FRACTION])
            gpu = above * (row[END] - start) // below
            priced = row[SHARE] is not None and not isinstance(rate, Unpriced)
            return capex, opex, 0, 0, 0, capex + opex if assumed else 0, gpu, 0 if priced else gpu
        return self._cut(row, self.segment(row), frm, to)

    def segment(self, row: Raw) -> Segment:
        """A row as the meter knows it."""
        end = None
        if row[BASIS] != OPEN:
            end = End(at=row[END], basis=Basis(row[BASIS]), witness="", low=row[LOW])
        return Segment(
            resource="",  # the meter asks only whether it is a whole node
            start=row[START],
            end=end,
            rate=self._rate(row[RATE])[0],
            share=self._ratio(row[SHARE]),
            devices=self._ratio(row[DEVICES]),
        )

    def _cut(self, row: Raw, part: Segment, frm: Ms, to: Ms) -> Figures:
        to = min(to, self.now) if part.end is None else min(to, part.end.at)
        frm = max(frm, part.start)
        if to <= frm:
            return (0,) * WIDTH
        rate = part.rate
        paid = cost_between(part, frm, to)
        total = paid.total
        recovery = capex = 0
        if isinstance(rate, Rate) and rate.utilization != 1:
            plain = plain_between(part, frm, to)
            recovery, capex = plain.total - total, plain.capex - paid.capex
        above, below = self._speed(row[DEVICES], row[FRACTION])
        gpu = above * (to - part.start) // below - above * (frm - part.start) // below
        return (
            paid.capex,
            paid.opex,
            recovery,
            capex,
            uncertain_between(part, frm, to).total,
            total if isinstance(rate, Rate) and rate.assumed else 0,
            gpu,
            0 if is_priced(part) else gpu,
        )

    def _rate(self, key: int) -> tuple[Rate | Unpriced, bool, bool]:
        """A rate, whether it is assumed, and whether pods pay it as it is."""
        known = self._rates.get(key)
        if known is None:
            rate = self._names.rates.value(self._connection, key)
            known = rate, False, True
            if isinstance(rate, Rate):
                known = rate, rate.assumed, rate.utilization == 1
            self._rates[key] = known
        return known

    def _ratio(self, text: str | None) -> Fraction | None:
        if text is None:
            return None
        known = self._ratios.get(text)
        if known is None:
            known = self._ratios[text] = Fraction(text)
        return known

    def _speed(self, devices: str | None, fraction: str) -> tuple[int, int]:
        """Accelerator time a millisecond, numerator and denominator; nothing where unknown."""
        known = self._speeds.get((devices, fraction))
        if known is None:
            held = Fraction(devices or 0) * Fraction(fraction) * NANO
            known = self._speeds[devices, fraction] = held.as_integer_ratio()
        return known


def added(one: Figures, other: Figures) -> Figures:
    """The sum of two."""
    return tuple(map(add, one, other))


def amounts(figures: Sequence[int]) -> Amounts:
    """Figures as a report knows them."""
    capex, opex, _, _, estimated, assumed, gpu, unpriced = figures
    return Amounts(capex, opex, gpu, estimated, assumed, unpriced)
