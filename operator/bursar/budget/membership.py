"""Which budgets a pod counts in, and as which class it pays there.

From the labels of the pod and of its namespace, at the moment when it is bound: the answer is then
kept in the ledger, so that no relabelling moves spending. The admission policies ask the same
question of a pod at birth and must get the same answer.
"""

from collections.abc import Mapping

from bursar.domain.budget import Budget
from bursar.domain.classification import WorkloadClass


def matches(
    budget: Budget,
    namespace: str,
    namespace_labels: Mapping[str, str],
    pod_labels: Mapping[str, str],
) -> bool:
    """Tell whether a pod with accelerators counts in a budget.

    Args:
        budget: an AIBudget, a shared ClusterAIBudget, or one namespace's part of one.
        namespace: the pod's.
        namespace_labels: of that namespace.
        pod_labels: of the pod.
    """
    home = budget.key.namespace or budget.key.member
    if home:
        if home != namespace:
            return False
    elif budget.namespace_selector is not None and not budget.namespace_selector.matches(
        namespace_labels
    ):
        return False
    return budget.selector.matches(pod_labels)


def paying_class(budget: Budget, workload_class: WorkloadClass) -> WorkloadClass:
    """The class whose sub-limit a workload pays from: an unknown one as the budget says."""
    if workload_class is WorkloadClass.UNKNOWN:
        return budget.unknown_as
    return workload_class
