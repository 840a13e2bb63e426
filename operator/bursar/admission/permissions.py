"""The one table of rights: what the operator may do, and the roles that people are given.

The operator's rights are split by what they are for, so that an installation that only observes has
none to act. There are no wildcards, no secrets, and no right on admission policies but to see the
one: who may write those is as good as an administrator. The chart's roles and the reference page
are made from this table, and tests hold it against what a running operator asks for.
"""

from collections.abc import Iterator

from bursar.admission import placeholders
from bursar.admission.rights import Right, Role, Scope
from bursar.api import meta
from bursar.domain.kinds import KINDS

READ = ("get", "list", "watch")
FOLLOW = ("list", "watch")
"""For what is only ever followed as a whole, never read by its name."""
WRITE = ("create", "update", "patch", "delete")

BUDGET_KINDS = ("aibudgets", "clusteraibudgets")
OWN_KINDS = (*BUDGET_KINDS, "pricebooks", "classificationpolicies", "aimodels")
VERDICT_KINDS = ("budgetverdicts", "clusterbudgetverdicts")


_READ_ALREADY = (("", "pods"), ("batch", "jobs"))
"""Kinds of owners whose reading has a row of its own."""


def _owners() -> Iterator[Right]:
    groups: dict[str, set[str]] = {}
    for kind in KINDS:
        if (kind.group, kind.plural) not in _READ_ALREADY:
            groups.setdefault(kind.group, set()).add(kind.plural)
    for group, plurals in sorted(groups.items()):
        yield Right(
            group=group,
            resources=tuple(sorted(plurals)),
            verbs=("get",),
            why="an owner of a pod, by its name: its kind, its labels and what owns it",
        )


OPERATOR_ROLES: tuple[Role, ...] = (
    Role(
        name="reader",
        scope=Scope.CLUSTER,
        rights=(
            Right(
                group="",
                resources=("pods",),
                verbs=READ,
                why="what uses accelerators, and pods that own others",
            ),
            Right(
                group="",
                resources=("nodes",),
                verbs=FOLLOW,
                why="what accelerators there are and what they cost",
            ),
            Right(
                group="",
                resources=("namespaces",),
                verbs=FOLLOW,
                why="labels by which budgets select, and whose cost it is",
            ),
            Right(
                group="batch",
                resources=("jobs",),
                verbs=READ,
                why="what waits, in which order, and what owns pods",
            ),
            *_owners(),
            Right(
                group="resource.k8s.io",
                resources=("resourceclaims", "resourceslices"),
                verbs=FOLLOW,
                why="which devices a pod was given by Dynamic Resource Allocation",
            ),
            Right(
                group="",
                resources=("events",),
                verbs=("list",),
                why="when pods ended that nobody saw end, and which came and went unseen",
            ),
            Right(
                group="coordination.k8s.io",
                resources=("leases",),
                verbs=("get",),
                why="when the kubelet of a node that is gone was there last",
            ),
            Right(
                group="admissionregistration.k8s.io",
                resources=("validatingadmissionpolicies",),
                names=("bursar-budget",),
                verbs=("get",),
                why="whether anything refuses what budgets shut out",
            ),
        ),
    ),
    Role(
        name="labeler",
        scope=Scope.CLUSTER,
        rights=(
            Right(
                group="",
                resources=("pods",),
                verbs=("patch",),
                why="Bursar's labels and annotations; a policy refuses it any other change",
            ),
        ),
    ),
    Role(
        name="enforcer",
        scope=Scope.CLUSTER,
        enforcing=True,
        rights=(
            Right(
                group="batch",
                resources=("jobs",),
                verbs=("patch",),
                why="suspend and resume; a policy refuses it any other change",
            ),
        ),
    ),
    Role(
        name="budgets",
        scope=Scope.CLUSTER,
        rights=(
            Right(group=meta.GROUP, resources=OWN_KINDS, verbs=FOLLOW, why="what people wrote"),
            Right(
                group=meta.GROUP,
                resources=tuple(f"{kind}/status" for kind in OWN_KINDS),
                verbs=("patch",),
                why="where each stands, and what of it is not in force",
            ),
            Right(
                group=meta.GROUP,
                resources=VERDICT_KINDS,
                verbs=("list",),
                why="which verdicts stand at the start",
            ),
            Right(
                group=meta.GROUP,
                resources=VERDICT_KINDS,
                names=(meta.VERDICT_NAME,),
                verbs=("create", "patch", "delete"),
                why="what the API server is to refuse: the one object that the policies read",
            ),
            Right(
                group="",
                resources=("events",),
                verbs=("create",),
                why="what was refused, suspended or resumed, told at the object",
            ),
        ),
    ),
    Role(
        name="authenticator",
        scope=Scope.CLUSTER,
        rights=(
            Right(
                group="authentication.k8s.io",
                resources=("tokenreviews",),
                verbs=("create",),
                why="whose token it is that asks the read API",
            ),
            Right(
                group="authorization.k8s.io",
                resources=("subjectaccessreviews",),
                verbs=("create",),
                why="what its owner may see",
            ),
        ),
    ),
)
"""What the operator may do."""

REPLICA_ROLES: tuple[Role, ...] = (
    Role(
        name="elector",
        scope=Scope.OWN,
        replicated=True,
        rights=(
            Right(
                group="coordination.k8s.io",
                resources=("leases",),
                verbs=("create",),
                why="the Lease by which one of several replicas leads",
            ),
            Right(
                group="coordination.k8s.io",
                resources=("leases",),
                names=(placeholders.FULLNAME,),
                verbs=("get", "update"),
                why="the same, renewed and taken over",
            ),
        ),
    ),
)
"""What the operator may do beside that in its own namespace, where several replicas run."""

_SEEN = Right(
    group=meta.GROUP,
    resources=(*OWN_KINDS, *VERDICT_KINDS),
    verbs=READ,
    why="budgets, where they stand, and the verdicts made of them",
)

PEOPLE_ROLES: tuple[Role, ...] = (
    Role(
        name="bursar-aggregate-to-view",
        scope=Scope.PEOPLE,
        aggregate_to=("view",),
        note="Taken into `view`, and so into `edit` and `admin`: who may see a namespace may see"
        " its budgets. The read API is left out: it tells of all namespaces, and `view` in the"
        " operator's own would then be enough to ask it.",
        rights=(_SEEN,),
    ),
    Role(
        name="bursar-viewer",
        scope=Scope.PEOPLE,
        note="For whoever may see everybody's costs: bind it in the whole cluster. Aggregated to"
        " nothing.",
        rights=(
            _SEEN,
            Right(
                group="",
                resources=("services/proxy",),
                names=(placeholders.PROXIED_SERVICE,),
                verbs=("get",),
                why="the read API, through the API server",
            ),
            Right(
                group="apiextensions.k8s.io",
                resources=("customresourcedefinitions",),
                names=tuple(f"{plural}.{meta.GROUP}" for plural in (*OWN_KINDS, *VERDICT_KINDS)),
                verbs=("get",),
                why="their annotation that says where the read API is",
            ),
        ),
    ),
    Role(
        name="bursar-accountant",
        scope=Scope.PEOPLE,
        note="For whoever closes months, corrects the past and takes the whole ledger away: a copy"
        " holds everybody's costs. Beside bursar-viewer, and part of no other role.",
        rights=(
            Right(
                group="",
                resources=("services/proxy",),
                names=(placeholders.PROXIED_SERVICE,),
                verbs=("create",),
                why="what changes the ledger, through the API server or by a token",
            ),
        ),
    ),
    Role(
        name="bursar-budget-editor",
        scope=Scope.PEOPLE,
        note="Not part of `edit` or `admin`: who spends does not set the limit.",
        rights=(
            Right(
                group=meta.GROUP,
                resources=BUDGET_KINDS,
                verbs=(*READ, *WRITE),
                why="limits, thresholds, grants in one's own name",
            ),
        ),
    ),
    Role(
        name="bursar-override",
        scope=Scope.PEOPLE,
        note="Beside another role: it only lets pass what guards refuse everybody else.",
        rights=(
            Right(
                group=meta.GROUP,
                resources=BUDGET_KINDS,
                verbs=(meta.OVERRIDE_VERB,),
                why="class overrides, exempt priority classes, periods, deletion of shut budgets",
            ),
        ),
    ),
)
"""What administrators give to people; the built-in `edit` and `admin` write nothing of ours."""

ROLES: tuple[Role, ...] = (*OPERATOR_ROLES, *REPLICA_ROLES, *PEOPLE_ROLES)
