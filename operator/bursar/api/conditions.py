"""Conditions as Kubernetes' API conventions want them: a list with one entry a type.

Decides only how an entry is replaced: its transition time moves when its status changes and stays
otherwise, so that a reader can tell since when it holds. Never reads a clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from bursar.domain.time import Ms, format_time

Status = Literal["True", "False", "Unknown"]
Condition = dict[str, Any]

_LONGEST_MESSAGE = 32768
"""metav1.Condition's own limit for a message."""


def set_condition(  # noqa: PLR0913 - a condition's own five fields
    conditions: Iterable[object],
    type: str,  # noqa: A002 - the API's own word
    status: Status,
    *,
    reason: str,
    message: str,
    now_ms: Ms,
    observed_generation: int | None = None,
) -> list[Condition]:
    """Return the conditions with one of them set.

    Args:
        conditions: those that stand now; entries that are no mappings are dropped.
        type: the condition's type, one of `meta.CONDITION_TYPES`.
        status: what it shall be.
        reason: one CamelCase word, from `meta`.
        message: a sentence with figures and the next step.
        now_ms: milliseconds since the epoch; becomes the transition time if the status changed.
        observed_generation: `metadata.generation` that this judges; None leaves it out.

    Returns:
        A new list in the old order; a new type comes last. The argument is not changed.
    """
    standing = [dict(entry) for entry in conditions if isinstance(entry, Mapping)]
    previous = find_condition(standing, type)
    since = format_time(now_ms)
    if previous and previous.get("status") == status and previous.get("lastTransitionTime"):
        since = previous["lastTransitionTime"]
    entry: Condition = {
        "type": type,
        "status": status,
        "reason": reason,
        "message": message[:_LONGEST_MESSAGE],
        "lastTransitionTime": since,
    }
    if observed_generation is not None:
        entry["observedGeneration"] = observed_generation
    if previous is None:
        return [*standing, entry]
    return [entry if other is previous else other for other in standing]


def remove_condition(
    conditions: Iterable[object],
    type: str,  # noqa: A002 - the API's own word
) -> list[Condition]:
    """Return the conditions without that type: for types whose absence is the good case."""
    return [
        dict(entry)
        for entry in conditions
        if isinstance(entry, Mapping) and entry.get("type") != type
    ]


def find_condition(
    conditions: Sequence[Condition],
    type: str,  # noqa: A002 - the API's own word
) -> Condition | None:
    """Return the first condition of that type, None where there is none."""
    return next((entry for entry in conditions if entry.get("type") == type), None)
