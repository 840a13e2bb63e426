"""Who held what, from when to when, and what that cost: the rows of the ledger.

A *holding* is one pod's hold on one resource of one node. Cut at the moments where the node's rate
changes it falls into *segments*, and a segment's cost up to t is a closed form::

    C(t) = floor(rate x share x (t - start) / one hour)        nano-units, CapEx and OpEx apart

so that splitting a segment anywhere telescopes exactly (metering.md, "Money is integers").
"""

from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

from bursar.domain.allocation import UNALLOCATED
from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import Rate, Unpriced
from bursar.domain.time import Ms
from bursar.domain.unknown import Unknown

NODE = "node"
"""Resource of the segments that stand for a whole node: no pod can ask for it by this name."""

COMMITMENT = "commitment"
"""Resource of the segments that stand for a commitment; their share is how many nodes it covers."""


class Basis(IntEnum):
    """How the end of a holding is known. The numbers are the ledger's."""

    OPEN = 0
    EXACT = 1
    OBSERVED = 2
    ESTIMATED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """When a pod let go of its devices.

    Attributes:
        at: the moment counted.
        low: where estimated, the earliest possible end; else None.
        high: where estimated, the latest possible end; else None.
        witness: what told the moment (`finishedAt`, `DisruptionTarget`, `observed`, `heartbeat`).
    """

    at: Ms
    basis: Basis
    witness: str
    low: Ms | None = None
    high: Ms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of something that several pods may hold together.

    Attributes:
        key: what it is a part of: a shared device of one node, or a claim.
        devices: physical devices that the pod asks for of it.
        of: physical devices that there are of it, which all pods together never exceed.
    """

    key: str
    devices: Fraction
    of: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One pod's hold on one resource.

    Attributes:
        devices: physical devices held (3/14 for a MIG slice …), or why that cannot be told.
        node_devices: physical devices of the node, the denominator.
        start: when the pod was bound to its node.
        end: None while it holds them.
        parts: what of `devices` others may hold, too.
        steps: from when on it holds how many devices, where that changes in its life, in order;
            before the first it holds `devices`.
    """

    resource: str
    devices: Fraction | Unknown
    node_devices: Fraction | Unknown
    start: Ms
    end: End | None
    parts: tuple[Part, ...] = ()
    steps: tuple[tuple[Ms, Fraction], ...] = ()

    @property
    def latest(self) -> Fraction | Unknown:
        """Devices held since the last change: now, of one that is open."""
        return self.steps[-1][1] if self.steps else self.devices


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a holding over which the rate is constant: one row of the ledger.

    Attributes:
        start: the moment t0 from which C(t) counts, part of the row's key.
        end: None while it is open.
        share: devices held / devices of the node; None where either is unknown.
        devices: physical devices held; None where unknown.
    """

    resource: str
    start: Ms
    end: End | None
    rate: Rate | Unpriced
    share: Fraction | None
    devices: Fraction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """What a row of the ledger is reported by. Fields that nothing told keep their default.

    Attributes:
        model: the model's name as found, empty where none is told.
        accelerator: canonical name in lower case.
        capacity_type: on-demand, spot, reserved, owned or unknown.
        infrastructure: self-managed or partially-managed, empty where unknown.
        region: of the node, empty where unknown.
        labels: the pod's, of the installation's configured keys only, in order of their keys.
    """

    namespace: str
    workload_class: WorkloadClass = WorkloadClass.UNKNOWN
    activity: str = ""
    team: str = UNALLOCATED
    cost_center: str = UNALLOCATED
    project: str = UNALLOCATED
    environment: str = UNALLOCATED
    model: str = ""
    accelerator: str = "unknown"
    capacity_type: str = "unknown"
    infrastructure: str = ""
    region: str = ""
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """An amount of money and of device time.

    Attributes:
        capex: nano-units.
        opex: nano-units.
        device_ms: device-milliseconds, exact.
    """

    capex: int = 0
    opex: int = 0
    device_ms: Fraction = Fraction(0)

    @property
    def total(self) -> int:
        """Nano-units, CapEx and OpEx together."""
        return self.capex + self.opex

    def __add__(self, other: "Cost") -> "Cost":
        """Add two amounts."""
        return Cost(
            capex=self.capex + other.capex,
            opex=self.opex + other.opex,
            device_ms=self.device_ms + other.device_ms,
        )

    def __sub__(self, other: "Cost") -> "Cost":
        """Take one amount from another."""
        return Cost(
            capex=self.capex - other.capex,
            opex=self.opex - other.opex,
            device_ms=self.device_ms - other.device_ms,
        )
