"""Sums of lines by key. Exact: whole numbers, rounded only on paper."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from fractions import Fraction

from bursar.errors import BursarError
from bursar.report.calendar import TIMES
from bursar.report.keys import Teller, check_keys
from bursar.report.line import Amounts, EnergyModel, Line, Other, OtherLine, Use
from bursar.report.window import Window

MOST_ROWS = 500_000
"""Rows that one report sums up, shown or not: what they are kept in must not fill the memory."""


class TooMany(BursarError):  # noqa: N818 - named after what is wrong, as callers read it
    """A report would have more rows than can be summed up at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an installation reports by.

    Attributes:
        currency: of all money.
        zone: in which months, days and hours are named.
        weights: normalized devices for one device, by accelerator; 1 where none is given.
        energy: what it takes of electricity; None: nothing tells.
        source: of what `energy` tells, in words: `modeled`.
    """

    currency: str
    zone: tzinfo = UTC
    weights: Mapping[str, Fraction] = field(default_factory=dict)
    energy: EnergyModel | None = None
    source: str = ""

    def normalized(self, uses: Mapping[Use, int]) -> Fraction | int:
        """Accelerator time in normalized accelerators."""
        weights = self.weights
        if not weights:
            return sum(uses.values())
        return sum(time * weights.get(use.accelerator, 1) for use, time in uses.items())


class Figures:
    """Sums of lines: money in nano-units, accelerator time in 10^-9 ms.

    Attributes:
        unpriced: the part of the accelerator time whose money is not known.
        pods: how many, each once.
        uncounted: pods whose devices, for some time, are not known.
    """

    # By hand, since a report by pod holds many: most have one use of devices, and no table.
    __slots__ = (
        "_more",
        "_time",
        "_use",
        "assumed",
        "capex",
        "estimated",
        "opex",
        "pods",
        "uncounted",
        "unpriced",
    )

    def __init__(self) -> None:
        self.capex = self.opex = self.estimated = self.assumed = self.unpriced = 0
        self.pods = self.uncounted = 0
        self._use: Use | None = None
        self._time = 0
        self._more: dict[Use, int] | None = None

    @property
    def cost(self) -> int:
        """Nano-units, CapEx and OpEx together."""
        return self.capex + self.opex

    @property
    def uses(self) -> Mapping[Use, int]:
        """Accelerator time by how it was used."""
        if self._use is None:
            return {}
        return {self._use: self._time, **(self._more or {})}

    @property
    def gpu(self) -> int:
        """Accelerator time, in whole accelerators."""
        return self._time + sum(self._more.values()) if self._more else self._time

    @property
    def empty(self) -> bool:
        """Tell whether all its amounts are zero."""
        amounts = (self.capex, self.opex, self.gpu, self.estimated, self.assumed, self.unpriced)
        return not any(amounts)

    def add(self, amounts: Amounts, use: Use) -> None:
        """Count amounts of one use."""
        capex, opex, gpu, estimated, assumed, unpriced = amounts
        self.capex += capex
        self.opex += opex
        self.estimated += estimated
        self.assumed += assumed
        self.unpriced += unpriced
        if gpu:
            self._spend(use, gpu)

    def merge(self, other: "Figures") -> None:
        """Count the amounts of another sum, but not its pods: both may have counted the same."""
        self.capex += other.capex
        self.opex += other.opex
        self.estimated += other.estimated
        self.assumed += other.assumed
        self.unpriced += other.unpriced
        for use, time in other.uses.items():
            self._spend(use, time)

    def _spend(self, use: Use, time: int) -> None:
        if self._use is None:
            self._use = use
        if use == self._use:
            self._time += time
            return
        if self._more is None:
            self._more = {}
        self._more[use] = self._more.get(use, 0) + time


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One group: the values of the keys, in their order, and its sums."""

    key: tuple[str, ...]
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report.

    Attributes:
        rows: in order of time where they are by that, the dearest first, as many as were asked for.
        omitted: how many more there are.
        others: what else the nodes cost, by its kind; `Other.IDLE` is always there.
        total: rows and others together: what the nodes cost.
    """

    window: Window
    by: tuple[str, ...]
    rows: tuple[Row, ...]
    others: Mapping[Other, Figures]
    total: Figures
    rules: Rules
    omitted: int = 0


def report(
    lines: Iterable[Line],
    others: Iterable[OtherLine],
    by: Sequence[str],
    window: Window,
    rules: Rules,
    most: int | None = None,
) -> Report:
    """Sum lines by key.

    Args:
        lines: cut to the window, and at the times among the keys.
        others: what else the nodes cost in it.
        by: names of keys; none: one row for everything.
        window: as the lines were cut.
        rules: for whatever is not in the lines.
        most: how many rows to show; None: all.

    Raises:
        UnknownKey: `by` holds a name that is no key.
        TooMany: there are more than `MOST_ROWS` rows.
    """
    names, total = check_keys(by), Figures()
    groups = _grouped(lines, names, rules.zone, total)
    kinds = {Other.IDLE: Figures()}
    for other in others:
        kinds.setdefault(other.kind, Figures()).add(other.amounts, other.use)
    for figures in (*groups.values(), *kinds.values()):
        total.merge(figures)
    # By key first: sorting is stable, and needs no tuple for each.
    ordered = sorted(groups)
    ordered.sort(key=lambda key: -groups[key].cost)
    times = [place for place, name in enumerate(names) if name in TIMES]
    if times:
        ordered.sort(key=lambda key: [key[place] for place in times])
    shown = ordered[:most]
    return Report(
        window=window,
        by=names,
        rows=tuple(Row(key=key, figures=groups[key]) for key in shown),
        others=kinds,
        total=total,
        rules=rules,
        omitted=len(ordered) - len(shown),
    )


def _grouped(
    lines: Iterable[Line], names: tuple[str, ...], zone: tzinfo, total: Figures
) -> dict[tuple[str, ...], Figures]:
    """Figures by key; the total gets its pods, each once."""
    teller = Teller(names, zone)
    groups: dict[tuple[str, ...], Figures] = {}
    for line in lines:
        key = teller.key(line)
        figures = groups.get(key)
        if figures is None:
            if len(groups) >= MOST_ROWS:
                raise TooMany(
                    f"by {', '.join(names)} there are more than {MOST_ROWS} rows: ask by fewer"
                    " keys, narrow it, or ask for a shorter window"
                )
            figures = groups[key] = Figures()
        figures.add(line.amounts, teller.use(line.dimension))
        figures.pods += line.pods
        figures.uncounted += line.uncounted
        total.pods += line.fresh
        total.uncounted += line.fresh_uncounted
    return groups
