"""BudgetVerdict and ClusterBudgetVerdict: what the API server must know to say no by itself.

One object named `bursar` a namespace and one for the cluster, written by the operator alone, read
by the admission policies as their parameter. No field is required, because the policies' CEL takes
each as optional: a verdict of another version must never turn into an evaluation error.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from bursar.api.common import (
    AGE_COLUMN,
    LIST_ATOMIC,
    ApiModel,
    Resource,
    Timestamp,
    WindowClass,
)

VerdictText = Annotated[str, Field(max_length=2048)]
_Label = Annotated[str, Field(max_length=317)]


class VerdictRequirement(ApiModel):
    """One requirement on a label."""

    key: _Label
    """Key of the label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label's value relates to `values`."""
    values: Annotated[tuple[_Label, ...], Field(max_length=32), LIST_ATOMIC] | None = None
    """Values for In and NotIn."""


class VerdictSelector(ApiModel):
    """A label selector in the bounds that the policies can afford to evaluate."""

    match_expressions: (
        Annotated[tuple[VerdictRequirement, ...], Field(max_length=16), LIST_ATOMIC] | None
    ) = None
    """Requirements that must all hold."""
    match_labels: Annotated[dict[str, _Label], Field(max_length=16)] | None = None
    """Labels that must have exactly these values."""


class VerdictWindow(ApiModel):
    """A time in which no pod of a class is let in."""

    class_: Annotated[WindowClass | None, Field(alias="class")] = None
    """A class; `*` or absent: any."""
    closes_at: Timestamp | None = None
    """From then on, `YYYY-MM-DDTHH:MM:SSZ`, rounded down."""
    message: VerdictText | None = None
    """What the refused are told."""
    reopens_at: Timestamp | None = None
    """Until then, rounded up; absent: until the verdict changes."""


class VerdictBudget(ApiModel):
    """One budget that has something to say in this namespace."""

    admission: Literal["Optimistic", "Reserve"] | None = None
    """How the budget admits."""
    asleep_until: Timestamp | None = None
    """Break glass: before then it refuses nothing."""
    budget: VerdictText | None = None
    """How messages name it."""
    exempt_priority: Annotated[tuple[_Label, ...], Field(max_length=16), LIST_ATOMIC] | None = None
    """Priority classes that it lets through."""
    exempt_tagged: Annotated[tuple[_Label, ...], Field(max_length=8), LIST_ATOMIC] | None = None
    """Classes that it lets through where they were tagged under guard."""
    namespace_selector: VerdictSelector | None = None
    """Of cluster budgets: the namespaces that it covers; absent: all."""
    notice: VerdictText | None = None
    """What whoever creates a workload is told; absent: nothing."""
    selector: VerdictSelector | None = None
    """Pods that it counts; absent: all with accelerators."""
    unknown_as: _Label | None = None
    """The class that an unknown workload is treated as."""
    windows: Annotated[tuple[VerdictWindow, ...], Field(max_length=64), LIST_ATOMIC] | None = None
    """When it is shut, as far as the horizon; none: open."""


class Verdict(ApiModel):
    """What all budgets of this place say."""

    budgets: Annotated[tuple[VerdictBudget, ...], Field(max_length=1024), LIST_ATOMIC] | None = None
    """One entry a budget."""
    repeated_in: Annotated[tuple[_Label, ...], Field(max_length=2048), LIST_ATOMIC] | None = None
    """Of the cluster's verdict: namespaces whose own has the entries that cover them."""


class BudgetVerdict(Resource):
    """What a namespace's budgets say to the API server. Written by the operator alone."""

    KIND: ClassVar[str] = "BudgetVerdict"
    PLURAL: ClassVar[str] = "budgetverdicts"
    NAMESPACED: ClassVar[bool] = True
    COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (AGE_COLUMN,)

    verdict: Verdict | None = None
    """What they say."""


class ClusterBudgetVerdict(Resource):
    """What cluster budgets say to the API server. Written by the operator alone."""

    KIND: ClassVar[str] = "ClusterBudgetVerdict"
    PLURAL: ClassVar[str] = "clusterbudgetverdicts"
    NAMESPACED: ClassVar[bool] = False
    COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (AGE_COLUMN,)

    verdict: Verdict | None = None
    """What they say."""
