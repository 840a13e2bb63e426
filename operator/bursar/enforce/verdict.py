"""What the API server must know to say no by itself: the merged verdict of a namespace's budgets.

From the budgets and their standings. One object a namespace and one for the cluster, bounded in
entries and in bytes: what lies farthest in the future is left out first, and a window that is shut
now never is. The same standings always give the same verdict, so that it is written only when
something has changed.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bursar.domain.action import Mode
from bursar.domain.budget import Budget, BudgetKey, Standing, Window
from bursar.domain.selector import Requirement, Selector
from bursar.domain.time import Ms, format_time

MOST_BUDGETS = 1024
MOST_WINDOWS = 64
MOST_EXEMPT_CLASSES = 8
MOST_EXEMPT_PRIORITIES = 16
MOST_REPEATED = 2048
MOST_BYTES = 1_000_000
"""Of a verdict as JSON; etcd takes one and a half million of a request."""

_NEVER: Ms = 1 << 62
_FEWER = (MOST_WINDOWS, 16, 8, 4, 2, 1)
"""Windows of each budget, tried in turn until the verdict is small enough."""

Items = Sequence[tuple[Budget, Standing]]


def verdict(items: Items, mode: Mode = Mode.ENFORCE) -> dict[str, Any]:
    """Write `.verdict` of a namespace's BudgetVerdict.

    Args:
        items: the namespace's AIBudgets and where they stand.
        mode: where it is Observe, budgets are named (they are evaluated), but none is shut and
            none has a notice.

    Returns:
        `{"budgets": […]}` in the order of the budgets' names.
    """
    return _verdict(items, mode, cluster=False)


def cluster_verdict(
    items: Items, mode: Mode = Mode.ENFORCE, repeated_in: Sequence[str] = ()
) -> dict[str, Any]:
    """Write `.verdict` of the ClusterBudgetVerdict.

    Args:
        items: the purses of all ClusterAIBudgets; each entry selects the namespaces that it covers.
        mode: as for `verdict`.
        repeated_in: namespaces whose own verdict has the entries that cover them; the first
            `MOST_REPEATED` are named, and in the others both verdicts say the same.
    """
    written = _verdict(items, mode, cluster=True)
    if repeated_in:
        written["repeatedIn"] = list(repeated_in[:MOST_REPEATED])
    return written


def left_out(items: Items) -> tuple[BudgetKey, ...]:
    """Name the budgets that have no place in their verdict, so that nothing is lost silently."""
    kept = {budget.key for budget, _ in _chosen(items)}
    return tuple(sorted(budget.key for budget, _ in items if budget.key not in kept))


def _verdict(items: Items, mode: Mode, *, cluster: bool) -> dict[str, Any]:
    chosen = _chosen(items)
    entries: list[dict[str, Any]] = []
    for most in _FEWER:
        entries = [_entry(*item, mode, cluster, most) for item in chosen]
        if _size(entries) <= MOST_BYTES:
            return {"budgets": entries}
    return {"budgets": [_without_messages(each) for each in entries]}


def _chosen(items: Items) -> list[tuple[Budget, Standing]]:
    """The budgets that shut soonest, above all those that are shut, in the order of their names."""
    soonest = sorted(items, key=lambda item: (_next_closing(item[1]), item[0].key))
    return sorted(soonest[:MOST_BUDGETS], key=lambda item: item[0].key)


def _next_closing(standing: Standing) -> Ms:
    return min((each.closes_at for each in standing.windows), default=_NEVER)


def _entry(
    budget: Budget, standing: Standing, mode: Mode, cluster: bool, most: int
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "budget": str(budget.key),
        "admission": budget.admission,
        "unknownAs": budget.unknown_as.value,
    }
    if mode is Mode.ENFORCE:
        entry["windows"] = [_window(each) for each in _soonest(standing, most)]
        if standing.warning is not None:
            entry["notice"] = standing.warning.message
    asleep = budget.suspend_until
    if asleep is not None and standing.now < asleep:
        entry["asleepUntil"] = format_time(asleep)
    if budget.exempt_classes:
        entry["exemptTagged"] = sorted(budget.exempt_classes)[:MOST_EXEMPT_CLASSES]
    if budget.exempt_priority_classes:
        entry["exemptPriority"] = sorted(budget.exempt_priority_classes)[:MOST_EXEMPT_PRIORITIES]
    if selector := _selector(budget.selector):
        entry["selector"] = selector
    namespaces = _selector(budget.namespace_selector or Selector()) if cluster else {}
    if namespaces:
        entry["namespaceSelector"] = namespaces
    return entry


def _soonest(standing: Standing, most: int) -> list[Window]:
    """The first windows to close, and in any case those that are shut now."""
    ordered = sorted(standing.windows, key=lambda each: (each.closes_at, each.workload_class))
    shut = sum(each.closes_at <= standing.now for each in ordered)
    return ordered[: min(max(most, shut), MOST_WINDOWS)]


def _window(window: Window) -> dict[str, str]:
    written = {"class": window.workload_class, "closesAt": format_time(window.closes_at)}
    if window.reopens_at is not None:
        written["reopensAt"] = format_time(window.reopens_at)
    return {**written, "message": window.message}


def _selector(selector: Selector) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if selector.match_labels:
        written["matchLabels"] = dict(sorted(selector.match_labels.items()))
    if selector.match_expressions:
        written["matchExpressions"] = [_requirement(each) for each in selector.match_expressions]
    return written


def _requirement(requirement: Requirement) -> dict[str, Any]:
    written: dict[str, Any] = {"key": requirement.key, "operator": requirement.operator}
    return {**written, "values": list(requirement.values)} if requirement.values else written


def _size(entries: Iterable[Mapping[str, Any]]) -> int:
    return len(json.dumps(list(entries), ensure_ascii=False).encode())


def _without_messages(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Leave only what refuses: the policies then say that the budget is shut, and no more."""
    windows = [
        {key: value for key, value in window.items() if key != "message"}
        for window in entry.get("windows", ())
    ]
    lean = {key: value for key, value in entry.items() if key != "notice"}
    return {**lean, "windows": windows} if "windows" in entry else lean
