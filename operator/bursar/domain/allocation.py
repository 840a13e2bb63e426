"""Whose cost a workload is."""

from dataclasses import dataclass

UNALLOCATED = "unallocated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The FinOps Foundation's vocabulary for tagging AI spend; `unallocated` where nothing says.

    Attributes:
        sources: for each field that is set, where its value came from (`pod`, `owner Job/a`,
            `namespace`, `AIBudget b`), in the order of the fields.
    """

    team: str = UNALLOCATED
    cost_center: str = UNALLOCATED
    project: str = UNALLOCATED
    environment: str = UNALLOCATED
    sources: tuple[tuple[str, str], ...] = ()
