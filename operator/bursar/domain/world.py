"""What is known at one moment: the accounts of pods, the nodes with their rates, the budgets.

`World` is the one table that moves: `runtime` replaces its frozen rows as events come in, and hands
it to the core to be read. Nothing in the core changes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from bursar.domain.allocation import Allocation
from bursar.domain.budget import Amounts, Budget, BudgetKey, Span, Standing, Window, Worth
from bursar.domain.classification import Classification, WorkloadClass
from bursar.domain.rate import RatePeriod
from bursar.domain.time import Ms
from bursar.domain.usage import Holding, Segment
from bursar.domain.workload import AcceleratorRequest, NodeFacts, Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A pod's place in a budget, fixed when the pod was bound: who pays, and as which class.

    Attributes:
        since: from when on the budget pays (the binding, or the budget's own creation).
        until: to when; None: to the pod's end.
    """

    budget: BudgetKey
    workload_class: WorkloadClass
    since: Ms
    until: Ms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAccount:
    """All that the path found out about one pod.

    Attributes:
        owners: controllers above the pod, nearest first; the last is the root of its *run*.
        start: when it was bound to its node; None while it waits.
        holdings: what it holds, one for each resource; empty while it waits.
        segments: the holdings cut where the rate changes.
        gpu_factor: what a physical device of its node is of a whole accelerator.
        weight: of its accelerator, for normalized GPU-hours.
        unknown: reasons why its cost cannot be told in full.
        grace: how long its containers may take to end once it is deleted (ms); None: not told.
    """

    uid: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    created: Ms
    priority_class: str
    priority: int
    owners: tuple[Owner, ...]
    node_uid: str
    node_name: str
    accelerator: str
    requests: tuple[AcceleratorRequest, ...]
    classification: Classification
    allocation: Allocation
    start: Ms | None
    holdings: tuple[Holding, ...]
    segments: tuple[Segment, ...]
    gpu_factor: Fraction
    weight: Fraction
    unknown: tuple[str, ...] = ()
    grace: Ms | None = None

    @property
    def ended(self) -> bool:
        """Tell whether it holds nothing any more (or never will)."""
        return bool(self.holdings) and all(h.end is not None for h in self.holdings)


@dataclass(slots=True)
class Purse:
    """What the pods that ended have spent of one budget in its current span.

    Attributes:
        by_class: in the reporting currency.
        unknown: reasons why that is not all they have spent; a price that comes later does not
            take them away.
        worths: of a budget in another currency, what the reporting currency is worth in it.
        by_worth: of such a budget, the same sums for each of these times apart.
    """

    span: Span
    by_class: dict[WorkloadClass, Amounts] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)
    worths: tuple[Worth, ...] = ()
    by_worth: dict[Worth, dict[WorkloadClass, Amounts]] = field(default_factory=dict)

    def copy(self) -> "Purse":
        """One to count in, which leaves this one as it is."""
        return replace(
            self,
            by_class=dict(self.by_class),
            by_worth={worth: dict(sums) for worth, sums in self.by_worth.items()},
        )

    def add(
        self, workload_class: WorkloadClass, amounts: Amounts, worth: Worth | None = None
    ) -> None:
        """Count an ended pod, or what it spent while the reporting currency had a worth."""
        self.by_class[workload_class] = self.by_class.get(workload_class, Amounts()) + amounts
        if worth is not None:
            sums = self.by_worth.setdefault(worth, {})
            sums[workload_class] = sums.get(workload_class, Amounts()) + amounts


@dataclass(slots=True)
class World:
    """Everything known now.

    Attributes:
        nodes: by uid; those with accelerators only, the ones that are gone while pods need them.
        node_uids: uid of the node that has a name now.
        rates: by node uid, from the first moment known on.
        pods: open accounts by pod uid; a pod that ended leaves.
        members: by budget, the open pods that it pays for or has paid for, by pod uid: one
            membership, or several where an edited selector let a pod go and took it in again.
        purses: what ended pods have spent, by budget.
        namespaces: labels by name.
    """

    nodes: dict[str, NodeFacts] = field(default_factory=dict)
    node_uids: dict[str, str] = field(default_factory=dict)
    rates: dict[str, tuple[RatePeriod, ...]] = field(default_factory=dict)
    pods: dict[str, PodAccount] = field(default_factory=dict)
    members: dict[BudgetKey, dict[str, tuple[Membership, ...]]] = field(default_factory=dict)
    purses: dict[BudgetKey, Purse] = field(default_factory=dict)
    budgets: dict[BudgetKey, Budget] = field(default_factory=dict)
    standings: dict[BudgetKey, Standing] = field(default_factory=dict)
    windows: dict[BudgetKey, tuple[Window, ...]] = field(default_factory=dict)
    namespaces: dict[str, Mapping[str, str]] = field(default_factory=dict)
