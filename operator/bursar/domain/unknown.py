"""Unknown is a value: it carries its reason, and is never zero and never a guess."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unknown:
    """What could not be told, and why.

    Attributes:
        reason: one sentence for a person: what was missing or contradictory, and where.
    """

    reason: str
