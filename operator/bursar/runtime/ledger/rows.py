"""What is written to the ledger and what is read back: frozen rows, in the core's own terms.

Writing a row again, or an older one after a newer, changes nothing (see `merge`): whoever is not
sure whether a row was written writes it once more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from bursar.domain.budget import Amounts, BudgetKey
from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import RatePeriod
from bursar.domain.time import Ms
from bursar.domain.usage import Cost, Dimension, Segment
from bursar.domain.workload import NodeFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """What is known of a node; the newest row counts."""

    facts: NodeFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRows:
    """All periods of a node's rate, past ones included.

    Attributes:
        revised: the `now` at which they were computed; an older set never replaces a newer one.
    """

    node_uid: str
    periods: tuple[RatePeriod, ...]
    revised: Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The root owner of a pod; a bare pod is its own."""

    uid: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRow:
    """Who a pod is. What was written first stays; what was empty is filled in.

    Attributes:
        node_uid: empty where the node was never seen.
        labels: the configured keys only.
        grace: how long its containers may take to end once it is deleted (ms); None: untold.
    """

    uid: str
    namespace: str
    name: str
    node_uid: str = ""
    run: Run | None = None
    priority_class: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    grace: Ms | None = None


CURRENT = -1
"""The generation that is stored; 0 where none is."""
NEXT = -2
"""The one after it, where what is told differs: a correction of a hold that has ended."""
LIFE = 10_000
"""Generations of one life of a node, which may come back: the first stands for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalRows:
    """One pod's whole hold on one resource.

    Attributes:
        segments: all of one resource, in order; what begins after `known` is left out.
        known: while the hold is open, the moment up to which it is known to have gone on.
        device_fraction: what one device is of a whole accelerator, for GPU-hours.
        generation: a higher one replaces all rows of a lower one (a re-rating).
        reason: why, for the corrections that it makes where a month is closed.
        reference: what people look it up by, likewise.
    """

    pod_uid: str
    segments: tuple[Segment, ...]
    known: Ms
    dimension: Dimension
    device_fraction: Fraction = Fraction(1)
    generation: int = CURRENT
    reason: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeIntervalRows:
    """What a node costs over its life, whoever uses it (as `meter.node_segments` gives it).

    Attributes:
        generation: `LIFE` for each time that it came back; or one of a re-rating.
    """

    node_uid: str
    segments: tuple[Segment, ...]
    known: Ms
    generation: int = CURRENT


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentRows:
    """What a commitment costs, used or not.

    Attributes:
        name: `BOOK/NAME`.
        segments: all of them, in order; what begins after `known` is left out.
        known: the moment up to which the last is known to go on.
    """

    name: str
    segments: tuple[Segment, ...]
    known: Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """A pod counts in a budget, as one class, from `since` to `until` (None: to its end).

    The class that was written first stays, and so does an `until` once it is set.
    """

    pod_uid: str
    budget: BudgetKey
    budget_uid: str
    workload_class: WorkloadClass
    since: Ms
    until: Ms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRow:
    """Everything of a stream up to `resource_version` is in the ledger.

    It is committed with, or after, all that was submitted before it.

    Attributes:
        observed: when the watch was last known to be up to date.
    """

    stream: str
    resource_version: str
    observed: Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """A series of metrics as it was shown; the newest row of a rank counts.

    Attributes:
        rank: order of first appearance, from 1 on; never used again.
        kind: what it counts by.
        created: when it was zero (ms).
        marks: the highest value shown of each of its counters, and what else must be remembered.
    """

    rank: int
    kind: str
    labels: tuple[str, ...]
    created: Ms
    marks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesGone:
    """A series is shown no more."""

    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRow:
    """Sum some of the pods that were written before there were sums by hour and day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimRow:
    """Remove some of what is older than what is kept; days and totals stay.

    Attributes:
        intervals_since: beginning of a UTC day (ms); pods that ended before it are removed.
        hourly_since: likewise, of the sums by hour.
    """

    intervals_since: Ms
    hourly_since: Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class RerateRow:
    """Other rates for a node's past: a new generation of what it and its pods held.

    Attributes:
        periods: all periods of its rate, past ones included.
        revised: when they were computed.
        pods: ids of its pods that may be touched.
        newest: the highest id of any pod when these were looked for.
        reason: why, for whoever reads the corrections of closed months.
        reference: what people look it up by.
    """

    node_uid: str
    periods: tuple[RatePeriod, ...]
    revised: Ms
    pods: tuple[int, ...]
    newest: int
    reason: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRow:
    """Close a month (`YYYY-MM`, UTC) in somebody's name; nothing happens where it can't be."""

    month: str
    by: str


Row = (
    NodeRow
    | RateRows
    | PodRow
    | IntervalRows
    | NodeIntervalRows
    | CommitmentRows
    | MemberRow
    | CheckpointRow
    | SeriesRow
    | SeriesGone
    | FillRow
    | TrimRow
    | RerateRow
    | CloseRow
)
ALONE = (RerateRow, CloseRow)
"""Rows that stand for themselves: what was submitted before is written before, what came later
after them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInterval:
    """One row as the ledger keeps it.

    Attributes:
        segment: open ones have no end.
        known: end of the row; of an open one, the moment up to which it was known to go on.
        cost: up to `known`.
        run: None where no owner is known.
        grace: of the pod (see `PodRow`).
    """

    pod_uid: str
    namespace: str
    name: str
    node_uid: str
    node_name: str
    run: Run | None
    segment: Segment
    known: Ms
    cost: Cost
    dimension: Dimension
    device_fraction: Fraction
    generation: int = 0
    grace: Ms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNodeInterval:
    """One row of what a node costs."""

    node_uid: str
    node_name: str
    facts: NodeFacts | None
    segment: Segment
    known: Ms
    cost: Cost
    generation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCommitment:
    """One row of what a commitment costs.

    Attributes:
        known: end of the row; of an open one, the moment up to which it was known to go on.
    """

    name: str
    segment: Segment
    known: Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPod:
    """A pod that held devices when the ledger was last written.

    Attributes:
        intervals: its rows on all resources, those that a price change closed included.
        known: the latest moment at which it is known to have held them.
    """

    uid: str
    namespace: str
    name: str
    node_uid: str
    intervals: tuple[StoredInterval, ...]
    known: Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All that closed rows of one dimension ever cost.

    Attributes:
        cost: CapEx and OpEx in nano-units; device time of each row rounded down to 10^-9 ms.
        gpu_ms: the same device time in whole accelerators.
        unpriced_gpu_ms: the part of it whose money is not known.
    """

    cost: Cost = field(default_factory=Cost)
    gpu_ms: Fraction = Fraction(0)
    unpriced_gpu_ms: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What closed rows cost a budget in a window.

    Attributes:
        by_class: as the budget counts them.
        unpriced_gpu_ms: accelerator time whose money is not known and not in there.
        unknown: why money is missing there.
    """

    by_class: Mapping[WorkloadClass, Amounts]
    unpriced_gpu_ms: Fraction
    unknown: tuple[str, ...] = ()
