"""Whose cost a workload is: the first of pod, owners, namespace and budget that says so.

Decided field by field from labels, and from the budget's own allocation. Values are made legal
label values, because they become labels and report keys. Never raises on odd labels, and never
guesses: where nobody says anything it is `unallocated`.
"""

from collections.abc import Iterator, Mapping, Sequence

from bursar.allocate.keys import FIELDS, SOURCE_KEYS
from bursar.domain.allocation import UNALLOCATED, Allocation
from bursar.domain.label import legal_label_value
from bursar.domain.workload import Owner

__all__ = ["FIELDS", "SOURCE_KEYS", "allocate"]

_Source = tuple[str, Mapping[str, str], bool]


def allocate(
    pod_labels: Mapping[str, str],
    owners: Sequence[Owner],
    namespace_labels: Mapping[str, str],
    budget_allocation: Allocation | None,
    keys: Mapping[str, tuple[str, ...]] = SOURCE_KEYS,
) -> Allocation:
    """Say whose cost a pod is.

    Args:
        pod_labels: the pod's own; Bursar's keys among them are not read (keys.py says why).
        owners: nearest first.
        namespace_labels: of the pod's namespace.
        budget_allocation: what the AIBudget that pays says; its `sources` name the budget.
        keys: label keys for each field, in the order in which they are asked.
    """
    values: dict[str, str] = {}
    sources: list[tuple[str, str]] = []
    for field, own in FIELDS.items():
        found = _from_labels(
            _sources(pod_labels, owners, namespace_labels), keys.get(field, ()), own
        ) or _from_budget(field, budget_allocation)
        if found is not None:
            values[field], source = found
            sources.append((field, source))
    return Allocation(**values, sources=tuple(sources))


def _sources(
    pod_labels: Mapping[str, str], owners: Sequence[Owner], namespace_labels: Mapping[str, str]
) -> Iterator[_Source]:
    """Name, labels, and whether our own key counts there; nearest first."""
    yield "pod", pod_labels, False
    for owner in owners:
        yield f"owner {owner.kind}/{owner.name}", owner.labels, True
    yield "namespace", namespace_labels, True


def _from_labels(
    sources: Iterator[_Source], keys: tuple[str, ...], own: str
) -> tuple[str, str] | None:
    for source, labels, own_counts in sources:
        for key in (own, *keys) if own_counts else keys:
            value = labels.get(key)
            legal = legal_label_value(value) if isinstance(value, str) else ""
            if legal:
                return legal, source
    return None


def _from_budget(field: str, budget: Allocation | None) -> tuple[str, str] | None:
    if budget is None:
        return None
    value = legal_label_value(getattr(budget, field))
    if value in ("", UNALLOCATED):
        return None
    return value, dict(budget.sources).get(field, "AIBudget")
