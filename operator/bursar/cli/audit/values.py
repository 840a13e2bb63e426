"""What an audit found: plain values that `render`, `document` and `starters` write down.

Money is exact: nano-units (10^-9 of the currency), `Fraction` where it is a rate an hour. None is
"not known", never zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from bursar.cli.audit.snapshot import Gap, Place
from bursar.domain.allocation import Allocation
from bursar.domain.classification import Classification, WorkloadClass
from bursar.domain.time import Ms

MONTH_HOURS = 730
"""Hours of an average month (365 × 24 ÷ 12): what the clouds' price lists multiply by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Money an hour, of which some may not be known.

    Attributes:
        per_hour: nano-units an hour of those that are priced.
        priced: how many are.
        unpriced: how many are not.
    """

    per_hour: Fraction = Fraction(0)
    priced: int = 0
    unpriced: int = 0

    @property
    def known(self) -> Fraction | None:
        """Nano-units an hour; None where nothing of it is priced."""
        return self.per_hour if self.priced or not self.unpriced else None

    def __add__(self, other: "Sum") -> "Sum":
        """Add two sums."""
        return Sum(
            per_hour=self.per_hour + other.per_hour,
            priced=self.priced + other.priced,
            unpriced=self.unpriced + other.unpriced,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Pods of one top owner that have one class and one payer.

    Attributes:
        kind: of the top owner; `Pod` where nothing is above it.
        classification: of the pod that is least sure.
        classes: the pods' classes; one, unless what is shown was added up.
        pods: that hold devices.
        waiting: that wait for a node.
        devices: physical devices held, by accelerator.
        untold: pods whose devices can't be told.
        asked: units asked for by all its pods, by resource; None where a count can't be told.
        since: when the first of its pods was bound (ms); None while all wait.
        created: when the first of its pods was created (ms).
        cost: of what runs now.
        so_far: nano-units that what runs now has cost since it was bound, as far as it was priced;
            None where nothing of it was.
        origins: where its prices come from.
        assumed: whether a price stands in for one that is not known.
        unknown: reasons why something of it can't be told.
        trouble: what is wrong with some of its pods; blank where nothing is.
        troubled: what these cost.
    """

    kind: str
    namespace: str
    name: str
    classification: Classification
    allocation: Allocation
    submitted_by: str
    pods: int
    waiting: int
    devices: Mapping[str, Fraction]
    untold: int
    asked: Mapping[str, Fraction | None]
    since: Ms | None
    created: Ms
    cost: Sum
    so_far: int | None
    origins: tuple[str, ...]
    assumed: bool
    unknown: tuple[str, ...]
    trouble: str = ""
    troubled: Sum = field(default_factory=Sum)

    @property
    def workload_class(self) -> WorkloadClass:
        """Its class."""
        return self.classification.workload_class


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleNode:
    """A node with devices that nobody holds.

    Attributes:
        per_hour: nano-units an hour of these; None where the node is unpriced.
        fit: blank, or why nothing new is placed there.
    """

    name: str
    idle: Fraction
    devices: Fraction
    per_hour: Fraction | None
    fit: str

    @property
    def whole(self) -> bool:
        """Whether nobody holds anything of it."""
        return self.idle == self.devices


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Nodes of one kind with one price.

    Attributes:
        instance_type: blank where the nodes have none; region likewise.
        hosts: the nodes' host names, as their label has them.
        per_hour: nano-units an hour for one node; None: unpriced.
        origin: where the price comes from, or why there is none.
    """

    instance_type: str
    region: str
    capacity_type: str
    hosts: tuple[str, ...]
    per_hour: Fraction | None
    origin: str
    assumed: bool

    @property
    def nodes(self) -> int:
        """How many there are."""
        return len(self.hosts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """All devices of one model.

    Attributes:
        devices: physical devices of the nodes whose number is known.
        uncounted: nodes whose number of devices is not known.
        held: devices that pods hold, as far as it can be told.
        idle: devices that nobody holds; None where pods could not all be read.
        untold: devices of nodes on which some pod's share can't be told: neither held nor idle.
        cost: of all its nodes.
        idle_cost: of the idle devices, one count a node.
    """

    accelerator: str
    nodes: int
    devices: Fraction
    uncounted: int
    held: Fraction
    idle: Fraction | None
    untold: Fraction
    cost: Sum
    idle_cost: Sum
    idle_nodes: tuple[IdleNode, ...]
    tariffs: tuple[Tariff, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A pod that waits for a node.

    Attributes:
        since: when it was created (ms).
        reason: the scheduler's words; blank where it has said nothing.
    """

    namespace: str
    name: str
    asked: Mapping[str, Fraction | None]
    since: Ms
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How much of what there is has a label.

    Attributes:
        field: `team`, `costCenter`, `project`, `environment`, or `class`.
        pods: that have it.
        per_hour: nano-units an hour of these.
    """

    field: str
    pods: int
    per_hour: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to do.

    Attributes:
        code: stable name of its kind.
        title: what is so, in a few words.
        detail: the same with figures and names.
        per_hour: nano-units an hour that it is about; None where it is not about money.
        next: what to do next, in words.
        command: a command for that; blank where there is none.
    """

    code: str
    title: str
    detail: str
    per_hour: Fraction | None
    next: str
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All of it.

    Attributes:
        namespaces: whose pods were read; None: all there are.
        pods_read: how many pods were looked at.
        nodes_known: whether nodes could be read.
        pods: that hold devices.
        workloads: by cost an hour, the dearest first.
        onlookers: pods that see devices which they did not ask the scheduler for.
        shares: how much of what there is is labelled.
        held: money an hour of what pods hold.
        so_far: nano-units since their binding, as far as it was priced; None: none of it was.
        waiting: the longest first.
        findings: what to do, the dearest first.
        budgets: names of the AIBudgets by namespace, where Bursar is installed.
    """

    now: Ms
    place: Place
    currency: str
    namespaces: tuple[str, ...] | None
    installed: bool
    pods_read: int
    nodes_known: bool
    pods: int
    workloads: tuple[Workload, ...]
    onlookers: int
    pools: tuple[Pool, ...]
    shares: tuple[Share, ...]
    held: Sum
    so_far: int | None
    waiting: tuple[Waiting, ...]
    findings: tuple[Finding, ...]
    budgets: Mapping[str, tuple[str, ...]]
    gaps: tuple[Gap, ...]
