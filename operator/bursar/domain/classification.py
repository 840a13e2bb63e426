"""What a workload is, how sure that is, and the evidence that says so."""

from dataclasses import dataclass
from enum import StrEnum


class WorkloadClass(StrEnum):
    """The class that budgets and reports speak of."""

    TRAINING = "training"
    INFERENCE = "inference"
    INTERACTIVE = "interactive"
    OTHER = "other"
    UNKNOWN = "unknown"


KNOWN_CLASSES = (
    WorkloadClass.TRAINING,
    WorkloadClass.INFERENCE,
    WorkloadClass.INTERACTIVE,
    WorkloadClass.OTHER,
)


class DecidedBy(StrEnum):
    """Which of the FinOps Foundation's three ways of finding AI workloads decided."""

    TAGGED = "tagged"
    KNOWN = "known"
    DISCOVERED = "discovered"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One named reason for a class.

    Attributes:
        rule: the name of the rule in its table.
        weight: log-odds that the rule adds to its class.
        found: the very text or fact that matched, at most 200 characters.
    """

    rule: str
    workload_class: WorkloadClass
    weight: float
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """The verdict on one workload.

    Attributes:
        activity: the finer word (`fine-tuning`, `online-serving` …), empty where none is told.
        confidence: 0 to 1: how often a verdict with this much evidence is right.
        model: the model's name as found, empty where none is told.
    """

    workload_class: WorkloadClass
    activity: str
    confidence: float
    decided_by: DecidedBy
    evidence: tuple[Evidence, ...]
    model: str
