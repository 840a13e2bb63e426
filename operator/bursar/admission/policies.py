"""All policies of this release, in the order in which the API server meets them.

Not among them: holding at birth and the checks of Reserve budgets, which are not in force yet.
"""

from bursar.admission import guard_budgets, guard_operator, guards, stamp, verdicts
from bursar.admission.manifests import Policy


def all_policies() -> dict[str, tuple[Policy, ...]]:
    """The policies by the name of the file that holds them."""
    cluster = verdicts.CLUSTER_KIND
    return {
        "stamp": (stamp.stamp(),),
        "unstamped": (stamp.unstamped(),),
        "ephemeral": (stamp.ephemeral(),),
        "deny": (verdicts.deny(), verdicts.deny(stamped=False)),
        "deny-cluster": (verdicts.deny(cluster), verdicts.deny(cluster, stamped=False)),
        "require": (verdicts.require(), verdicts.require(stamped=False)),
        "notice": (verdicts.notice(),),
        "notice-cluster": (verdicts.notice(cluster),),
        "guard-pods": (guards.guard_pods(),),
        "guard-templates": (guards.guard_templates(),),
        "restore-owners": (guards.restore_owners(),),
        "guard-namespaces": (guards.guard_namespaces(),),
        "guard-exempt": (guard_budgets.guard_exempt(),),
        "guard-exempt-cluster": (guard_budgets.guard_exempt(cluster),),
        "guard-budgets": (guard_budgets.guard_budgets(),),
        "guard-verdicts": (guard_operator.guard_verdicts(),),
        "guard-operator": (guard_operator.guard_operator(),),
    }
