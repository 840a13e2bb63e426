"""Where a budget stands: the status of AIBudget and ClusterAIBudget, written by the operator alone.

Amounts are plain decimal strings with any number of digits: what was found must always be
writable, however absurd it is.
"""

from typing import Annotated, Literal

from pydantic import Field

from bursar.api.common import (
    LIST_ATOMIC,
    Amount,
    ApiModel,
    Currency,
    ReportedClass,
    Status,
    Text,
    Timestamp,
    WindowClass,
    list_map,
)


class PeriodStatus(ApiModel):
    """The period that the figures belong to."""

    start: Timestamp
    """Its first moment."""
    end: Timestamp | None = None
    """Its end; the first moment that no longer belongs to it."""


class Amounts(ApiModel):
    """Money and device time."""

    cost: Amount | None = None
    """Units of the currency."""
    gpu_hours: Amount | None = None
    """Hours times physical devices."""
    normalized_gpu_hours: Amount | None = None
    """The same, weighted by accelerator."""


class Spent(Amounts):
    """What this period has cost so far."""

    estimated_cost: Amount | None = None
    """The part of cost that rests on an estimated end of a pod."""
    assumed_cost: Amount | None = None
    """The part of cost that rests on an assumed price."""
    by_class: Annotated[dict[ReportedClass, Amounts], Field(max_length=8)] | None = None
    """The same figures for each class."""


class BurnRate(ApiModel):
    """What runs now."""

    cost_per_hour: Amount | None = None
    """Units of the currency an hour."""
    devices: Amount | None = None
    """Physical devices held."""


class Forecast(ApiModel):
    """Where it goes if what runs goes on running."""

    period_end_cost: Amount | None = None
    """Cost at the period's end."""
    exhausted_at: Timestamp | None = None
    """When the tightest limit of the whole budget is reached; absent: not before the period's
    end."""


class AdmissionWindow(ApiModel):
    """A time in which nothing of a class starts."""

    class_: Annotated[WindowClass, Field(alias="class")]
    """A class; `*`: any."""
    closes_at: Timestamp
    """From then on."""
    reopens_at: Timestamp | None = None
    """Until then; absent: until somebody changes the budget."""
    message: Text = ""
    """What is told to whoever is refused."""


class Warned(ApiModel):
    """Something to be warned of now."""

    since: Timestamp
    """Since when."""
    message: Text
    """What is told to whoever creates a workload."""


class Summary(ApiModel):
    """The limit that is nearest to being reached, written for the columns of `kubectl get`."""

    limit: Annotated[str, Field(max_length=64)] | None = None
    """The effective limit with its unit, such as `12000 USD` or `4000 GPUh`."""
    spent: Annotated[str, Field(max_length=64)] | None = None
    """What is spent of it, in the same unit."""
    used: Annotated[str, Field(max_length=16)] | None = None
    """The same as a percentage, such as `83%`; absent where the limit is zero or less."""


class HistoryEntry(ApiModel):
    """Something that happened to the money of this budget, kept for audit."""

    time: Timestamp
    """When it was seen."""
    type: Literal[
        "Granted", "GrantChanged", "GrantExpired", "Suspended", "Resumed", "LimitsChanged"
    ]
    """What happened."""
    amount: Amount | None = None
    """The sum concerned."""
    until: Timestamp | None = None
    """How long it holds."""
    reason: Annotated[str, Field(max_length=512)] | None = None
    """What its author gave as reason."""
    granted_by: Annotated[str, Field(max_length=253)] | None = None
    """Who did it, as far as the object says."""


class NamespaceStanding(ApiModel):
    """Where one namespace's purse of a PerNamespace budget stands."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """The namespace."""
    limit: Amounts | None = None
    """Its effective limits."""
    spent: Amounts | None = None
    """What it has spent in this period."""
    used: Annotated[str, Field(max_length=16)] | None = None
    """The nearest limit's use as a percentage."""
    cost_per_hour: Amount | None = None
    """Units of the currency an hour."""
    exhausted_at: Timestamp | None = None
    """When its tightest limit is reached."""
    held: Annotated[int, Field(ge=0)] | None = None
    """Workloads that wait."""
    admission: Annotated[tuple[AdmissionWindow, ...], Field(max_length=64), LIST_ATOMIC] = ()
    """Windows in which nothing of that class starts there."""


class AIBudgetStatus(Status):
    """Where the budget stands."""

    observed_through: Timestamp | None = None
    """The moment up to which the figures count."""
    period: PeriodStatus | None = None
    """The period that they belong to."""
    currency: Currency | None = None
    """The currency of all money here."""
    limit: Amounts | None = None
    """Effective limits of this period: base, grants and what was carried over."""
    spent: Spent | None = None
    """What this period has cost so far."""
    reserved: Amounts | None = None
    """What admitted workloads may still cost up to their bounds."""
    summary: Summary | None = None
    """The nearest limit in words, for the columns of `kubectl get`."""
    burn_rate: BurnRate | None = None
    """What runs now."""
    forecast: Forecast | None = None
    """Where it goes if what runs goes on running."""
    admission: Annotated[tuple[AdmissionWindow, ...], Field(max_length=64), LIST_ATOMIC] = ()
    """Windows in which nothing of that class starts, as far as the horizon; none: open."""
    warning: Warned | None = None
    """Absent: nothing to warn of."""
    held: Annotated[int, Field(ge=0)] | None = None
    """Workloads that wait."""
    history: Annotated[tuple[HistoryEntry, ...], Field(max_length=64), LIST_ATOMIC] = ()
    """The last changes to this budget's money, oldest first."""


class ClusterAIBudgetStatus(AIBudgetStatus):
    """Where the budget stands, and of a PerNamespace one, where each namespace does."""

    namespaces: Annotated[
        tuple[NamespaceStanding, ...], Field(max_length=256), list_map("name")
    ] = ()
    """Of scope PerNamespace: the purses nearest to their limit first, at most 256."""
    namespace_count: Annotated[int, Field(ge=0)] | None = None
    """Of scope PerNamespace: how many purses there are."""
