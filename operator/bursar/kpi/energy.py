"""Energy and carbon of accelerators, modeled: nobody measured them.

    joules = time held x board power x utilization x PUE        kgCO2e = kWh x intensity of the grid

Decides from device time and stated factors, exactly. What has no board power in the tables is
counted apart as time, and what has no known grid as energy: neither is zero.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from bursar.domain.classification import WorkloadClass
from bursar.domain.money import parse_decimal
from bursar.kpi.grid import Grid

MODELED = "modelled"
"""Source of every figure of this module, as reports and metrics spell it."""
OWNED = "owned"
JOULES_PER_KWH = 3_600_000
MS = 1_000

DEFAULT_UTILIZATION: Mapping[WorkloadClass, Fraction] = {
    WorkloadClass.TRAINING: Fraction(1),
    WorkloadClass.INFERENCE: Fraction(1, 2),
    WorkloadClass.INTERACTIVE: Fraction(1, 2),
    WorkloadClass.OTHER: Fraction(1, 2),
    WorkloadClass.UNKNOWN: Fraction(1, 2),
}
"""Part of the board power that is drawn on average while a device is held. Training: all of it, as
the ML CO2 Impact calculator takes it (Lacoste et al., 2019). Else a half, the average that Cloud
Carbon Footprint takes where no use is measured. Both are assumptions: set your own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What device time is modeled by: fields of a report's dimension.

    Attributes:
        region: of the node, empty where unknown.
        capacity_type: `owned` for machines of one's own, whose building no cloud runs.
    """

    accelerator: str
    region: str
    workload_class: WorkloadClass
    capacity_type: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The factors.

    Attributes:
        watts: board power of one whole accelerator (W), by its name; absent where unknown.
        utilization: part of that which is drawn, by class; a class that is absent has the default.
        owned_pue: what price books state of owned hardware, by accelerator.
    """

    watts: Mapping[str, Fraction]
    grid: Grid
    utilization: Mapping[WorkloadClass, Fraction] = field(default_factory=dict)
    owned_pue: Mapping[str, Fraction] = field(default_factory=dict)

    def pue(self, use: Use) -> tuple[Fraction, bool]:
        """PUE of a use, and whether it is the table's assumption for want of a stated one."""
        stated: Fraction | None = None
        if use.capacity_type == OWNED:
            stated = self.owned_pue.get(use.accelerator)
        else:
            stated = self.grid.site(use.region).pue
        return (self.grid.assumed_pue, True) if stated is None else (stated, False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """What some device time came to.

    Attributes:
        joules: of the accelerators whose board power is known.
        kg_co2e: of that part of it whose grid is known.
        unpowered_ms: milliseconds of whole accelerators whose board power is unknown, not in
            `joules`.
        ungraded_joules: the part of `joules` whose grid is unknown, not in `kg_co2e`.
        assumed_joules: the part of `joules` that rests on an assumed PUE.
    """

    joules: Fraction = Fraction(0)
    kg_co2e: Fraction = Fraction(0)
    unpowered_ms: Fraction = Fraction(0)
    ungraded_joules: Fraction = Fraction(0)
    assumed_joules: Fraction = Fraction(0)

    @property
    def kwh(self) -> Fraction:
        """Kilowatt-hours."""
        return self.joules / JOULES_PER_KWH

    @property
    def known(self) -> bool:
        """Tell whether any energy could be told, or there was no time to tell it of."""
        return bool(self.joules) or not self.unpowered_ms

    @property
    def graded(self) -> bool:
        """Tell whether any carbon could be told, or there was no energy to tell it of."""
        return self.known and (self.joules > self.ungraded_joules or not self.joules)

    def __add__(self, other: "Energy") -> "Energy":
        """Add two."""
        return Energy(
            joules=self.joules + other.joules,
            kg_co2e=self.kg_co2e + other.kg_co2e,
            unpowered_ms=self.unpowered_ms + other.unpowered_ms,
            ungraded_joules=self.ungraded_joules + other.ungraded_joules,
            assumed_joules=self.assumed_joules + other.assumed_joules,
        )


def joules_per_ms(use: Use, model: Model) -> Fraction | None:
    """Joules for each millisecond of one whole accelerator; None where its power is unknown."""
    watts = model.watts.get(use.accelerator)
    if watts is None:
        return None
    default = DEFAULT_UTILIZATION.get(use.workload_class, Fraction(1, 2))
    drawn = model.utilization.get(use.workload_class, default)
    return watts * drawn * model.pue(use)[0] / MS


def energy_of(held: Iterable[tuple[Use, Fraction]], model: Model) -> Energy:
    """Energy and carbon of device time.

    Args:
        held: milliseconds of whole accelerators (the ledger's `gpu_ms`), by use.
        model: the factors.
    """
    joules = kg = unpowered = ungraded = assumed = Fraction(0)
    for use, gpu_ms in held:
        rate = joules_per_ms(use, model)
        if rate is None:
            unpowered += gpu_ms
            continue
        drawn = gpu_ms * rate
        joules += drawn
        assumed += drawn if model.pue(use)[1] else 0
        intensity = model.grid.site(use.region).intensity
        if intensity is None:
            ungraded += drawn
        else:
            kg += drawn / JOULES_PER_KWH * intensity
    return Energy(
        joules=joules,
        kg_co2e=kg,
        unpowered_ms=unpowered,
        ungraded_joules=ungraded,
        assumed_joules=assumed,
    )


def parse_utilization(text: str) -> dict[WorkloadClass, Fraction]:
    """Read `training=0.9,inference=0.4`: parts of the board power by class.

    Raises:
        ValueError: a class or a part that is none, in words.
    """
    parts: dict[WorkloadClass, Fraction] = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (word.strip() for word in each.partition("="))
        known = [workload_class.value for workload_class in WorkloadClass]
        if name not in known:
            raise ValueError(f"{name[:60]!r} is no class: there are {', '.join(known)}")
        value = parse_decimal(number)
        if value is None or not 0 <= value <= 1:
            raise ValueError(f"{number[:60]!r} of {name} is no part: write 0 to 1, such as 0.5")
        parts[WorkloadClass(name)] = value
    return parts
