"""Sums of lines by key. Exact: nano-units and device-milliseconds, rounded only on paper."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from bursar.domain.usage import Cost
from bursar.report.keys import KEYS, check_keys
from bursar.report.line import IdleLine, Line
from bursar.report.window import Window

Weights = Mapping[str, Fraction]
"""Normalized devices for one device, by accelerator; 1 where none is given."""


@dataclass(slots=True)
class Figures:
    """Sums of lines.

    Attributes:
        capex: nano-units; `opex`, `estimated` and `assumed` likewise.
        unpriced_ms: the part of `gpu_ms` whose money is not known.
        pods: uids.
        uncounted: uids of pods whose devices, for some time, are not known.
    """

    capex: int = 0
    opex: int = 0
    gpu_ms: Fraction = Fraction(0)
    normalized_ms: Fraction = Fraction(0)
    estimated: int = 0
    assumed: int = 0
    unpriced_ms: Fraction = Fraction(0)
    pods: set[str] = field(default_factory=set)
    uncounted: set[str] = field(default_factory=set)

    @property
    def cost(self) -> int:
        """Nano-units, CapEx and OpEx together."""
        return self.capex + self.opex

    def add(self, line: Line, weights: Weights) -> None:
        """Count a line."""
        self._add(line.cost, line.gpu_ms, weights.get(line.dimension.accelerator))
        self.estimated += line.estimated
        self.assumed += line.cost.total if line.assumed else 0
        if not line.priced:
            self.unpriced_ms += line.gpu_ms
        self.pods.add(line.pod_uid)
        if not line.counted:
            self.uncounted.add(line.pod_uid)

    def add_idle(self, line: IdleLine, weights: Weights) -> None:
        """Count what a node idled."""
        self._add(line.cost, line.gpu_ms, weights.get(line.accelerator))
        self.assumed += line.assumed
        self.unpriced_ms += line.unpriced_gpu_ms

    def merge(self, other: "Figures") -> None:
        """Count all that another sum counts."""
        self.capex += other.capex
        self.opex += other.opex
        self.gpu_ms += other.gpu_ms
        self.normalized_ms += other.normalized_ms
        self.estimated += other.estimated
        self.assumed += other.assumed
        self.unpriced_ms += other.unpriced_ms
        self.pods |= other.pods
        self.uncounted |= other.uncounted

    def _add(self, cost: Cost, gpu_ms: Fraction, weight: Fraction | None) -> None:
        self.capex += cost.capex
        self.opex += cost.opex
        self.gpu_ms += gpu_ms
        self.normalized_ms += gpu_ms if weight is None else gpu_ms * weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One group: the values of the keys, in their order, and its sums."""

    key: tuple[str, ...]
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report.

    Attributes:
        rows: the dearest first.
        total: rows and idle together: what the nodes cost.
    """

    currency: str
    window: Window
    by: tuple[str, ...]
    rows: tuple[Row, ...]
    idle: Figures
    total: Figures


def report(
    lines: Iterable[Line],
    idle_lines: Iterable[IdleLine],
    by: Sequence[str],
    window: Window,
    currency: str,
    weights: Weights,
) -> Report:
    """Sum lines by key.

    Args:
        lines: cut to the window; read to their end before `idle_lines` is begun.
        idle_lines: one a node.
        by: names of keys; none: one row for everything.
        window: as the lines were cut.
        currency: of all money in the lines.
        weights: for normalized GPU-hours.

    Raises:
        UnknownKey: `by` holds a name that is no key.
    """
    names = check_keys(by)
    tell = [KEYS[name] for name in names]
    groups: dict[tuple[str, ...], Figures] = {}
    idle, total = Figures(), Figures()
    for line in lines:
        key = tuple(told(line) for told in tell)
        figures = groups.get(key)
        if figures is None:
            figures = groups[key] = Figures()
        figures.add(line, weights)
    for idle_line in idle_lines:
        idle.add_idle(idle_line, weights)
    for figures in (*groups.values(), idle):
        total.merge(figures)
    ordered = sorted(groups.items(), key=lambda group: (-group[1].cost, group[0]))
    rows = tuple(Row(key=key, figures=figures) for key, figures in ordered)
    return Report(currency=currency, window=window, by=names, rows=rows, idle=idle, total=total)
