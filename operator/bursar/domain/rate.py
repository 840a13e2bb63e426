"""What a node costs an hour, from when to when, and who said so."""

from dataclasses import dataclass
from fractions import Fraction

from bursar.domain.time import Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The price of a whole node.

    Attributes:
        capex: nano-units of `currency` an hour that are capital expense (depreciation).
        opex: nano-units an hour that are operating expense (rent, power, staff).
        origin: one line that names the source: `catalog 2026-07-20 aws us-east-1 on-demand`.
        assumed: true where a default stood in for an unknown price.
        devices_part: what of the price the node's devices carry, above 0 and at most 1; the rest
            is its CPU's and memory's, a line of its own.
        utilization: share of the time in which devices are expected to be held, above 0 and at
            most 1: pods pay the rate divided by it.
        commitment: `BOOK/NAME` of the commitment that pays for the node, else empty.
    """

    capex: Fraction
    opex: Fraction
    currency: str
    origin: str
    assumed: bool = False
    devices_part: Fraction = Fraction(1)
    utilization: Fraction = Fraction(1)
    commitment: str = ""

    @property
    def total(self) -> Fraction:
        """Nano-units an hour, CapEx and OpEx together."""
        return self.capex + self.opex


@dataclass(frozen=True, slots=True)
class Unpriced:
    """No price could be told, and why: metered all the same, and never zero."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePeriod:
    """A rate that holds from `since` (included) to `until` (excluded; None: on and on)."""

    since: Ms
    until: Ms | None
    rate: Rate | Unpriced
