"""Whom the policies trust, as CEL over the request.

The built-in controllers are trusted by name, because the templates that they make pods of are
guarded; whoever may `impersonate` a user may still not become a service account of `kube-system`.
Everybody else is trusted where RBAC gives the verb `override` on `aibudgets`.
"""

from bursar.admission import cel
from bursar.admission.placeholders import OPERATOR
from bursar.api import meta

_KUBE_SYSTEM = "system:serviceaccount:kube-system:"
CONTROLLERS = (
    *(
        f"{_KUBE_SYSTEM}{name}"
        for name in (
            "job-controller",
            "replicaset-controller",
            "statefulset-controller",
            "daemon-set-controller",
            "replication-controller",
            "cronjob-controller",
            "deployment-controller",
        )
    ),
    "system:kube-controller-manager",
)
"""Who makes pods, Jobs and ReplicaSets of templates that people wrote."""

CLEANERS = (
    f"{_KUBE_SYSTEM}namespace-controller",
    f"{_KUBE_SYSTEM}generic-garbage-collector",
)
"""Who deletes what is left of a namespace or an owner."""

_USER = "request.userInfo.username"

IS_OPERATOR = ("the-operator", f"{_USER} == {cel.text(OPERATOR)}")
NOT_OPERATOR = ("not-the-operator", f"{_USER} != {cel.text(OPERATOR)}")
NOT_TRUSTED = (
    "not-a-controller",
    f"!({_USER} in {cel.texts((*CONTROLLERS, OPERATOR))})",
)
NOT_CLEANER = ("not-a-cleaner", f"!({_USER} in {cel.texts(CLEANERS)})")
PEOPLE = (
    "people",
    (
        f"!{_USER}.startsWith({cel.text(_KUBE_SYSTEM)})"
        f" && !({_USER} in {cel.texts(('system:kube-controller-manager', OPERATOR))})"
    ),
)

IS_CONTROLLER = f"{_USER} in {cel.texts(CONTROLLERS)}"


def may_override(namespace: str = "request.namespace") -> str:
    """Whether RBAC gives the requesting user the verb `override` on budgets of a namespace."""
    return (
        f'authorizer.group({cel.text(meta.GROUP)}).resource("aibudgets")'
        f".namespace({namespace}).check({cel.text(meta.OVERRIDE_VERB)}).allowed()"
    )
