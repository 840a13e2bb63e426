"""What all pods that ended ever cost, by what Prometheus counts it by.

Restored from the ledger at start, so that a counter goes on where it stopped; what is still open is
added at each scrape.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from bursar.domain.money import NANO
from bursar.domain.usage import Cost, Dimension, Segment
from bursar.meter import cost, is_priced
from bursar.runtime.ledger.rows import OpenPod, Total

Series = tuple[str, str, str, str, str]
"""(namespace, class, team, model, accelerator)"""


@dataclass(slots=True)
class Counted:
    """Of one series: nano-units, and milliseconds of whole accelerators."""

    nano: int = 0
    gpu_ms: Fraction = Fraction(0)
    unpriced_gpu_ms: Fraction = Fraction(0)


class Totals:
    """Sums by series."""

    def __init__(self) -> None:
        self._counted: dict[Series, Counted] = {}

    def restore(self, totals: Mapping[Dimension, Total], still_open: Iterable[OpenPod]) -> None:
        """Take over the ledger's totals, less what belongs to pods that are still open.

        A price change closes a row of a pod that goes on; that pod is counted whole at its end.
        """
        for dimension, total in totals.items():
            counted = self.of(dimension)
            counted.nano += total.cost.total
            counted.gpu_ms += total.gpu_ms
            counted.unpriced_gpu_ms += total.unpriced_gpu_ms
        for pod in still_open:
            for row in pod.intervals:
                if row.segment.end is not None:
                    self.count(row.dimension, (row.segment,), row.known, row.device_fraction, -1)

    def count(
        self,
        dimension: Dimension,
        segments: Iterable[Segment],
        until: int,
        gpu_factor: Fraction,
        sign: int = 1,
    ) -> None:
        """Add what segments cost until a moment (ms)."""
        counted = self.of(dimension)
        for segment in segments:
            paid: Cost = cost(segment, until)
            # Rounded as the ledger does: a counter that falls at a restart by a hair is reset.
            nano = (paid.device_ms * gpu_factor * NANO).__floor__()
            gpu_ms = sign * Fraction(nano, NANO)
            counted.nano += sign * paid.total
            counted.gpu_ms += gpu_ms
            if not is_priced(segment):
                counted.unpriced_gpu_ms += gpu_ms

    def of(self, dimension: Dimension) -> Counted:
        """The sums of a dimension's series."""
        series = (
            dimension.namespace,
            dimension.workload_class.value,
            dimension.team,
            dimension.model,
            dimension.accelerator,
        )
        return self._counted.setdefault(series, Counted())

    def copy(self) -> "Totals":
        """A copy to which the open pods can be added."""
        fresh = Totals()
        for series, counted in self._counted.items():
            fresh._counted[series] = Counted(counted.nano, counted.gpu_ms, counted.unpriced_gpu_ms)
        return fresh

    def items(self) -> Iterable[tuple[Series, Counted]]:
        """All series with their sums."""
        return self._counted.items()
