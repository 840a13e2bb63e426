"""A budget as its owner wrote it, and where it stands.

Amounts of money are nano-units of the budget's currency; device time is exact
device-milliseconds, plain (`gpu_ms`) and weighted by accelerator (`normalized_ms`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from bursar.domain.allocation import Allocation
from bursar.domain.classification import WorkloadClass
from bursar.domain.selector import Selector
from bursar.domain.time import Ms

WHOLE = "*"
"""How windows and crossings name the whole budget, where they might name a class."""


class PeriodKind(StrEnum):
    """How long a budget's money lasts before it is filled again."""

    DAILY = "Daily"
    WEEKLY = "Weekly"
    MONTHLY = "Monthly"
    QUARTERLY = "Quarterly"
    YEARLY = "Yearly"
    ONCE = "Once"


class ThresholdAction(StrEnum):
    """What happens at a threshold."""

    NOTIFY = "Notify"
    WARN = "Warn"
    HOLD = "Hold"
    STOP = "Stop"


class Measure(StrEnum):
    """What a limit limits."""

    COST = "cost"
    GPU_HOURS = "gpuHours"
    NORMALIZED_GPU_HOURS = "normalizedGpuHours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What was, or may be, spent.

    Attributes:
        cost: nano-units.
        gpu_ms: device-milliseconds.
        normalized_ms: device-milliseconds weighted by accelerator.
        estimated: the part of `cost` that rests on an estimated end, nano-units.
    """

    cost: int = 0
    gpu_ms: Fraction = Fraction(0)
    normalized_ms: Fraction = Fraction(0)
    estimated: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        """Add two amounts."""
        return Amounts(
            cost=self.cost + other.cost,
            gpu_ms=self.gpu_ms + other.gpu_ms,
            normalized_ms=self.normalized_ms + other.normalized_ms,
            estimated=self.estimated + other.estimated,
        )

    def measure(self, measure: Measure) -> Fraction:
        """The amount in one measure: nano-units, or device-milliseconds."""
        match measure:
            case Measure.COST:
                return Fraction(self.cost)
            case Measure.GPU_HOURS:
                return self.gpu_ms
            case Measure.NORMALIZED_GPU_HOURS:
                return self.normalized_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds, each absent (None) or set: nano-units and device-milliseconds."""

    cost: Fraction | None = None
    gpu_ms: Fraction | None = None
    normalized_ms: Fraction | None = None

    def items(self) -> tuple[tuple[Measure, Fraction], ...]:
        """The limits that are set."""
        pairs = (
            (Measure.COST, self.cost),
            (Measure.GPU_HOURS, self.gpu_ms),
            (Measure.NORMALIZED_GPU_HOURS, self.normalized_ms),
        )
        return tuple((measure, value) for measure, value in pairs if value is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Actions that are due from `percent` of a limit on."""

    percent: Fraction
    actions: frozenset[ThresholdAction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A one-off top-up of the cost limit for the period in which it was granted.

    Attributes:
        amount: nano-units.
        until: when what is left of it expires; None: with the period.
        since: when it was first seen, which tells the one period that it is for; None: it is new.
        paid: nano-units that it had paid when it expired; None: it has not, or nobody saw it.
    """

    amount: Fraction
    until: Ms | None
    reason: str
    granted_by: str
    since: Ms | None = None
    paid: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class BudgetKey:
    """Names one purse.

    Attributes:
        namespace: of an AIBudget; empty for a ClusterAIBudget.
        name: the object's name.
        member: for a ClusterAIBudget of scope PerNamespace, the namespace whose purse this is.
    """

    namespace: str
    name: str
    member: str = ""

    def __str__(self) -> str:
        """Write as people name it in messages."""
        if self.namespace:
            return f"AIBudget {self.name}"
        return f"ClusterAIBudget {self.name}" + (f" for {self.member}" if self.member else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One purse's rules: an AIBudget, a shared ClusterAIBudget, or one namespace's part of one.

    Attributes:
        created: when the object was made; spending counts from then on.
        until: for `Once`, when it ends; nothing starts afterwards.
        namespace_selector: for cluster budgets; None: the own namespace only.
        suspend_until: enforcement sleeps until then; metering does not.
        currency: ISO 4217 code of its limits, and of all that is said of it.
        admission: `Optimistic` or `Reserve`.
    """

    key: BudgetKey
    uid: str
    created: Ms
    generation: int
    period: PeriodKind
    time_zone: str
    until: Ms | None
    limits: Limits
    classes: Mapping[WorkloadClass, Limits]
    selector: Selector
    namespace_selector: Selector | None
    thresholds: tuple[Threshold, ...]
    exempt_classes: frozenset[WorkloadClass]
    exempt_priority_classes: frozenset[str]
    unknown_as: WorkloadClass
    allocation: Allocation
    grants: tuple[Grant, ...] = ()
    suspend_until: Ms | None = None
    currency: str = "USD"
    admission: str = "Optimistic"

    def percent(self, action: ThresholdAction) -> Fraction | None:
        """The lowest percentage at which an action is due; None: at none."""
        due = [each.percent for each in self.thresholds if action in each.actions]
        return min(due, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A budget that can't be read: its author must act.

    Attributes:
        field: path of the offending field, such as `spec.timeZone`; empty for the whole object.
        problem: what is wrong with it, one line.
    """

    key: BudgetKey
    generation: int
    field: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A constant rate of spending of one class from `since` (included) to `until` (None: on).

    Attributes:
        cost: nano-units a millisecond.
        devices: physical devices held: device-milliseconds a millisecond.
        normalized: weighted devices.
    """

    since: Ms
    until: Ms | None
    workload_class: WorkloadClass
    cost: Fraction
    devices: Fraction
    normalized: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One period of a budget, from `start` (included) to `end` (excluded; None: never)."""

    start: Ms
    end: Ms | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What the reporting currency is worth in another, from `since` to `until` (None: on and on).

    Attributes:
        currency: the other, ISO 4217.
        rate: units of it for one unit of the reporting currency; None where
            nobody tells.
    """

    currency: str
    since: Ms
    until: Ms | None
    rate: Fraction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time in which nothing of a class may start.

    Attributes:
        workload_class: a class, or `*` for any.
        closes_at: whole seconds, rounded down.
        reopens_at: whole seconds, rounded up; None: not before somebody changes the budget.
        message: what the API server tells whoever is refused.
    """

    workload_class: str
    closes_at: Ms
    reopens_at: Ms | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A standing warning, shown by kubectl to whoever creates a workload."""

    since: Ms
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A threshold that has been reached.

    Attributes:
        workload_class: a class, or `*` for the whole budget.
    """

    percent: Fraction
    workload_class: str
    measure: Measure
    actions: frozenset[ThresholdAction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What was said of a budget last, which the next standing carries on from.

    Attributes:
        generation: of the spec that it judged.
        span: the period that it spoke of; None: nothing was ever said.
        crossed: thresholds that had been reached then.
    """

    generation: int = 0
    span: Span | None = None
    windows: tuple[Window, ...] = ()
    warning: Warned | None = None
    crossed: tuple[Crossing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a budget stands at `now`, and when it will shut.

    Attributes:
        limits: effective limits of this period, grants included.
        used: the highest of spent / limit over all limits of the whole budget; None where the
            effective limit is zero or less.
        cost_per_hour: nano-units an hour at `now`.
        devices: devices held at `now`.
        normalized: the same, weighted by accelerator.
        period_end_cost: nano-units at the end of the period if what runs goes on; None for a
            period without an end.
        exhausted_at: first moment at which the whole budget's tightest limit is reached.
        windows: as far as the horizon, in the order in which they close.
        crossed: thresholds that are reached.
        reached: limits that are reached in full, whatever the thresholds are.
        next_change: earliest moment after `now` at which any of this changes with nothing done.
        unknown: reasons why the standing is not complete (an unpriced accelerator …).
    """

    key: BudgetKey
    now: Ms
    span: Span
    limits: Limits
    spent: Amounts
    spent_by_class: Mapping[WorkloadClass, Amounts]
    used: Fraction | None
    cost_per_hour: Fraction
    devices: Fraction
    period_end_cost: Fraction | None
    exhausted_at: Ms | None
    windows: tuple[Window, ...]
    warning: Warned | None
    crossed: tuple[Crossing, ...]
    next_change: Ms | None
    reached: tuple[Crossing, ...] = ()
    unknown: tuple[str, ...] = ()
    normalized: Fraction = Fraction(0)
