"""AIBudget and ClusterAIBudget: how much AI may cost, and what happens when it does.

A ClusterAIBudget is the same spec with a selector of namespaces and a scope. A workload must fit
every budget that selects it.
"""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import ConfigDict, Field

from bursar.api.budgetstatus import (
    AdmissionWindow,
    AIBudgetStatus,
    Amounts,
    BurnRate,
    ClusterAIBudgetStatus,
    Forecast,
    HistoryEntry,
    NamespaceStanding,
    PeriodStatus,
    Spent,
    Summary,
    Warned,
)
from bursar.api.common import (
    AGE_COLUMN,
    LIST_ATOMIC,
    LIST_SET,
    NULLABLE,
    READY_COLUMN,
    ApiModel,
    Currency,
    Decimal,
    Duration,
    LabelSelector,
    LabelValue,
    Money,
    Name,
    PercentText,
    PositiveMoney,
    Resource,
    Timestamp,
    WorkloadClass,
    ZoneName,
    cel,
    column,
    list_map,
)

__all__ = [
    "AIBudget",
    "AIBudgetSpec",
    "AIBudgetStatus",
    "AdmissionWindow",
    "Amounts",
    "BurnRate",
    "ClusterAIBudget",
    "ClusterAIBudgetSpec",
    "ClusterAIBudgetStatus",
    "Forecast",
    "Grant",
    "HistoryEntry",
    "Limits",
    "NamespaceStanding",
    "PeriodStatus",
    "Spent",
    "Summary",
    "Threshold",
    "Warned",
]

Period = Literal["Daily", "Weekly", "Monthly", "Quarterly", "Yearly", "Once"]
Action = Literal["Notify", "Warn", "Hold", "Stop"]


class Limits(ApiModel):
    """Upper bounds for one period; the tightest governs."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.cost) || has(self.gpuHours) || has(self.normalizedGpuHours)",
                "at least one limit must be set: cost, gpuHours or normalizedGpuHours",
            )
        )
    )

    cost: Money | None = None
    """Money, in units of the currency."""
    gpu_hours: Decimal | None = None
    """Hours times physical devices held."""
    normalized_gpu_hours: Decimal | None = None
    """GPU-hours weighted by accelerator, with the weights of the price books."""


class WorkloadLimits(ApiModel):
    """Upper bounds for each single workload."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("has(self.cost) || has(self.duration)", "set cost, duration or both")
        )
    )

    cost: Money | None = None
    """Money that one workload may cost."""
    duration: Duration | None = None
    """How long one workload may run."""


class Threshold(ApiModel):
    """What happens from a share of the limit on."""

    percent: Annotated[int, Field(ge=1, le=1000)]
    """Percent of any limit."""
    actions: Annotated[tuple[Action, ...], Field(min_length=1, max_length=4), LIST_SET]
    """Notify: an Event and the configured channels. Warn: whoever creates a workload is told. Hold:
    nothing new starts. Stop: what runs is stopped after its grace period."""


class Exempt(ApiModel):
    """Who is never held; the spending still counts."""

    classes: Annotated[tuple[WorkloadClass, ...], Field(max_length=8), LIST_SET] = ()
    """Classes, honored only where the class was tagged under guard."""
    priority_class_names: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=253)], ...],
        Field(max_length=16),
        LIST_SET,
    ] = ()
    """Names of PriorityClasses."""


class Idle(ApiModel):
    """What counts as idle, and what happens then."""

    below: PercentText
    """Utilization under which a device counts as idle."""
    for_: Annotated[Duration, Field(alias="for")]
    """How long it must have been so."""
    classes: Annotated[tuple[WorkloadClass, ...], Field(max_length=4), LIST_SET] = ()
    """Classes that this applies to; none named: all."""
    action: Literal["Notify", "Stop"] = "Notify"
    """What happens."""


class AllocationDefaults(ApiModel):
    """Whose cost it is where neither pod nor namespace says."""

    team: LabelValue | None = None
    """The team that pays."""
    cost_center: LabelValue | None = None
    """The cost center that pays."""
    project: LabelValue | None = None
    """The project that pays."""
    environment: LabelValue | None = None
    """Such as production or development."""
    criticality: LabelValue | None = None
    """How much depends on it."""
    shutdown_eligible: LabelValue | None = None
    """`true` where it may be shut down to save money."""


class Stop(ApiModel):
    """How a Stop is done."""

    grace_period: Duration | None = None
    """Time between the announcement and the stop, for a checkpoint."""
    order: Annotated[tuple[WorkloadClass, ...], Field(max_length=4), LIST_SET] = ()
    """Classes in the order in which they are stopped."""


class Unused(ApiModel):
    """How much of what was not spent moves on."""

    max_percent: Annotated[int, Field(ge=0, le=100)]
    """At most this percentage of the base limit."""


class CarryOver(ApiModel):
    """What moves from one period into the next."""

    unused: Unused | None = None
    """Unused base, not compounding."""
    debt: bool = False
    """Whether what was overspent lowers the next period's limit."""


class Grant(ApiModel):
    """A top-up of the cost limit for a time, consumed after the base."""

    name: Name | None = None
    """Tells this grant from others of the same sum."""
    amount: PositiveMoney
    """One sum for one period, in units of the currency."""
    until: Timestamp
    """When what is left of it expires."""
    reason: Annotated[str, Field(max_length=512)] | None = None
    """What it is for."""
    granted_by: Annotated[str, Field(max_length=253)] | None = None
    """Who granted it; must be the user who writes the entry."""


class SecretKeyRef(ApiModel):
    """A key of a Secret in the budget's namespace (for a cluster budget, the operator's)."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the Secret."""
    key: Annotated[str, Field(min_length=1, max_length=253)]
    """Key in its data."""


Occasions = Annotated[
    tuple[Literal["Threshold", "Held", "Stopped", "Anomaly"], ...],
    Field(min_length=1, max_length=4),
    LIST_SET,
]


class Notification(ApiModel):
    """A channel, and what is sent to it."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("has(self.on) != has(self.__true__)", "on must say what is sent to the channel")
        )
    )

    url_secret_ref: SecretKeyRef
    """Where the channel's Apprise URL is kept."""
    on: Occasions | None = None
    """What is sent."""
    on_as_boolean: Annotated[Occasions | None, Field(alias="true")] = None
    """The same as `on`: YAML 1.1, which kubectl reads, takes an unquoted `on` for `true`."""

    @property
    def occasions(self) -> tuple[str, ...]:
        """What is sent, however it was spelled."""
        return self.on or self.on_as_boolean or ()


DEFAULT_THRESHOLDS = (
    Threshold(percent=80, actions=("Notify", "Warn")),
    Threshold(percent=100, actions=("Hold",)),
)

SPEC_RULES: tuple[tuple[str, str], ...] = (
    (
        "self.period != 'Once' || has(self.until)",
        "period Once needs until: when the budget ends",
    ),
    (
        "self.period == 'Once' || !has(self.until)",
        "until belongs to period Once; other periods end by the calendar",
    ),
    (
        "self.thresholds.map(t, t.percent).isSorted()",
        "thresholds must be in ascending order of percent",
    ),
    (
        f"!has(self.classes) || self.classes.all(c, c in {list(get_args(WorkloadClass))})",
        "classes must be among training, inference, interactive and other",
    ),
)


class AIBudgetSpec(ApiModel):
    """How much may be spent, on what, and what happens at which share of it."""

    model_config = ConfigDict(json_schema_extra=cel(*SPEC_RULES))

    period: Period = "Monthly"
    """How long the money lasts before it is filled again. Weeks are ISO weeks; Once runs from the
    budget's creation to `until`."""
    time_zone: ZoneName = "UTC"
    """Where midnight is; a day of daylight-saving change has 23 or 25 hours, and is billed so."""
    until: Timestamp | None = None
    """For period Once: when the budget ends."""
    currency: Currency | None = None
    """Currency of the limits; default: the installation's reporting currency."""
    limits: Limits
    """Upper bounds for one period."""
    classes: Annotated[dict[WorkloadClass, Limits], Field(max_length=4)] = Field(
        default_factory=dict
    )
    """Sub-limits of classes inside the limits: training, inference, interactive, other."""
    selector: LabelSelector | None = None
    """Pods that count; default: every pod that uses an accelerator."""
    per_workload: WorkloadLimits | None = None
    """Bounds for each single workload, so that one runaway job can't eat the month."""
    thresholds: Annotated[
        tuple[Threshold, ...], Field(min_length=1, max_length=16), list_map("percent")
    ] = DEFAULT_THRESHOLDS
    """What happens at which share of a limit, in ascending order."""
    admission: Literal["Optimistic", "Reserve"] = "Optimistic"
    """Optimistic admits while the budget is open, so a burst may overshoot; Reserve admits only
    what fits to its declared bound."""
    exempt: Exempt | None = None
    """Who is never held."""
    unknown_as: WorkloadClass = "training"
    """The class that a workload of unknown class is treated as."""
    idle: Idle | None = None
    """What happens to devices that are held and not used."""
    allocation: AllocationDefaults | None = None
    """Whose cost it is where neither pod nor namespace says."""
    stop: Stop | None = None
    """How workloads are stopped."""
    carry_over: CarryOver | None = None
    """What moves into the next period."""
    grants: Annotated[tuple[Grant, ...], Field(max_length=32), LIST_ATOMIC] = ()
    """Top-ups for a time; their history stays in the status."""
    suspend_until: Annotated[Timestamp, NULLABLE] | None = None
    """Break glass: enforcement sleeps till then, metering does not."""
    notify: Annotated[tuple[Notification, ...], Field(max_length=16), LIST_ATOMIC] = ()
    """Channels that are told."""


class ClusterAIBudgetSpec(AIBudgetSpec):
    """A budget over namespaces."""

    namespace_selector: LabelSelector | None = None
    """Namespaces that it covers; default: all."""
    scope: Literal["Shared", "PerNamespace"] = "Shared"
    """Shared: one purse for all of them together. PerNamespace: each has a purse of its own, beside
    whatever AIBudget it makes."""


BUDGET_COLUMNS: tuple[dict[str, Any], ...] = (
    column("Limit", ".status.summary.limit"),
    column("Spent", ".status.summary.spent"),
    column("Used", ".status.summary.used"),
    column("Burn/h", ".status.burnRate.costPerHour"),
    column("Exhausts", ".status.forecast.exhaustedAt"),
    column("Held", ".status.held", type="integer"),
    READY_COLUMN,
    column("Period", ".spec.period", priority=1),
    column("Forecast", ".status.forecast.periodEndCost", priority=1),
    column("Within", ".status.conditions[?(@.type=='WithinBudget')].status", priority=1),
    column("Enforced", ".status.conditions[?(@.type=='Enforced')].reason", priority=1),
    AGE_COLUMN,
)


class AIBudget(Resource):
    """A namespace's budget for AI workloads: what may be spent, and what happens when it is."""

    KIND: ClassVar[str] = "AIBudget"
    PLURAL: ClassVar[str] = "aibudgets"
    NAMESPACED: ClassVar[bool] = True
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("aib",)
    COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = BUDGET_COLUMNS

    spec: AIBudgetSpec
    """What is wanted."""
    status: AIBudgetStatus | None = None
    """What the operator found; written by it alone."""


class ClusterAIBudget(Resource):
    """A budget over many namespaces: one purse for all of them, or a default purse for each."""

    KIND: ClassVar[str] = "ClusterAIBudget"
    PLURAL: ClassVar[str] = "clusteraibudgets"
    NAMESPACED: ClassVar[bool] = False
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("caib",)
    COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (
        *BUDGET_COLUMNS[:-1],
        column("Scope", ".spec.scope", priority=1),
        AGE_COLUMN,
    )

    spec: ClusterAIBudgetSpec
    """What is wanted."""
    status: ClusterAIBudgetStatus | None = None
    """What the operator found; written by it alone."""
