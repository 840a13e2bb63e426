"""What a report is made of: lines of what pods held, and of what else the nodes cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from bursar.domain.classification import WorkloadClass
from bursar.domain.time import Ms
from bursar.domain.usage import Dimension


class Amounts(NamedTuple):
    """Money in nano-units, accelerator time in 10^-9 ms: whole numbers, so sums are exact.

    A tuple, and so is a line, because a report of a busy month makes a million of them.

    Attributes:
        gpu: accelerator time, in whole accelerators.
        estimated: the part of the cost that rests on an estimated end.
        assumed: the part of the cost for which a default stood in for an unknown price.
        unpriced: the part of `gpu` whose money is not known (the cost holds none of it).
    """

    capex: int = 0
    opex: int = 0
    gpu: int = 0
    estimated: int = 0
    assumed: int = 0
    unpriced: int = 0


class Line(NamedTuple):
    """What pods that a report does not tell apart held in a stretch of its window.

    Attributes:
        since: where the stretch begins; month, day and hour are told by it.
        workload: the root owner as `Kind/name`; empty, as the three below, where no key asks.
        run: the root owner as `Kind/namespace/name`.
        pods: how many pods the stretch counts here; a pod once in each stretch.
        fresh: those of them that no earlier stretch counts.
        uncounted: those of `pods` whose devices are not known (`gpu` holds none of theirs).
        fresh_uncounted: those of `fresh`, likewise.
    """

    dimension: Dimension
    since: Ms
    amounts: Amounts
    node: str = ""
    workload: str = ""
    run: str = ""
    pod: str = ""
    pods: int = 0
    fresh: int = 0
    uncounted: int = 0
    fresh_uncounted: int = 0


class Other(StrEnum):
    """What of the nodes' cost is no pod's. The values are the report's own names."""

    IDLE = "idle"
    """What nobody took of the nodes' devices."""
    RECOVERY = "recovery"
    """What pods took less what they paid, where a utilization is expected of devices."""
    CPU_MEMORY = "cpuMemory"
    """What nodes' CPUs and memory carry of their price."""
    UNUSED_COMMITMENTS = "unusedCommitments"
    """What was committed to and paid for, but paid for no node."""
    CORRECTIONS = "corrections"
    """What was booked in the window for a month that was closed before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherLine:
    """What of one node's cost, or of all, is no pod's, signed."""

    kind: Other
    amounts: Amounts
    use: "Use"


class Use(NamedTuple):
    """What tells what accelerator time weighs, and what electricity it takes.

    Attributes:
        workload_class: None where nobody held it.
    """

    accelerator: str
    region: str = ""
    capacity_type: str = "unknown"
    workload_class: WorkloadClass | None = None

    @classmethod
    def of(cls, dimension: Dimension) -> "Use":
        """How pods of a dimension use their devices."""
        return cls(
            dimension.accelerator,
            dimension.region,
            dimension.capacity_type,
            dimension.workload_class,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """What accelerator time took; None where nothing tells.

    Attributes:
        kwh: electricity.
        kg_co2e: what making it gave off.
        unpowered: accelerator time (10^-9 ms) whose power is unknown, not in `kwh`.
        ungraded_kwh: the part of `kwh` whose grid is unknown, not in `kg_co2e`.
        assumed_kwh: the part of `kwh` that rests on an assumed overhead of the building.
    """

    kwh: Fraction | None
    kg_co2e: Fraction | None
    unpowered: int = 0
    ungraded_kwh: Fraction = Fraction(0)
    assumed_kwh: Fraction = Fraction(0)


EnergyModel = Callable[[Mapping[Use, int]], Energy]
"""From accelerator time (10^-9 ms) by its use."""
