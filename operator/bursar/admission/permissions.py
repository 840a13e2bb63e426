"""The one table of rights: what the operator may do, and the roles that people are given.

The operator's rights are split by what they are for, so that an installation that only observes has
none to act. There are no wildcards, no secrets, and no right on admission policies: who may write
those is as good as an administrator. The chart's roles are made from this table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bursar.admission.manifests import Manifest
from bursar.api import meta
from bursar.domain.kinds import KINDS

READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete")

BUDGET_KINDS = ("aibudgets", "clusteraibudgets")
OWN_KINDS = (*BUDGET_KINDS, "pricebooks", "classificationpolicies", "aimodels")
VERDICT_KINDS = ("budgetverdicts", "clusterbudgetverdicts")


class Scope(StrEnum):
    """Where a role holds."""

    CLUSTER = "the whole cluster, bound to the operator"
    PEOPLE = "wherever an administrator binds it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Verbs on resources of one API group; `why` becomes a comment in the chart.

    Attributes:
        names: the only objects meant; none: all.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A named set of rights.

    Attributes:
        name: what follows the release's name (operator's roles), or the whole name (people's).
        enforcing: whether the role exists only where verdicts are enforced.
        aggregate_to: built-in roles that take these rights in.
    """

    name: str
    scope: Scope
    rights: tuple[Right, ...]
    enforcing: bool = False
    aggregate_to: tuple[str, ...] = ()


def _owner_kinds() -> Iterator[Right]:
    groups: dict[str, list[str]] = {}
    for kind in KINDS:
        groups.setdefault(kind.group, []).append(kind.plural)
    for group, plurals in sorted(groups.items()):
        yield Right(
            group=group,
            resources=tuple(sorted(set(plurals))),
            verbs=("get",),
            why="owners of pods, for their kind, labels and state",
        )


ROLES: tuple[Role, ...] = (
    Role(
        name="reader",
        scope=Scope.CLUSTER,
        rights=(
            Right(
                group="",
                resources=("pods", "nodes", "namespaces"),
                verbs=READ,
                why="what runs, on what, and whose it is",
            ),
            Right(group="batch", resources=("jobs",), verbs=READ, why="what waits and what ran"),
            *_owner_kinds(),
            Right(
                group="admissionregistration.k8s.io",
                resources=("validatingadmissionpolicies",),
                names=("bursar-budget",),
                verbs=("get",),
                why="whether there is anything that refuses",
            ),
        ),
    ),
    Role(
        name="labeler",
        scope=Scope.CLUSTER,
        rights=(Right(group="", resources=("pods",), verbs=("patch",), why="labels on pods"),),
    ),
    Role(
        name="enforcer",
        scope=Scope.CLUSTER,
        enforcing=True,
        rights=(
            Right(group="batch", resources=("jobs",), verbs=("patch",), why="suspend and resume"),
        ),
    ),
    Role(
        name="budgets",
        scope=Scope.CLUSTER,
        rights=(
            Right(group=meta.GROUP, resources=OWN_KINDS, verbs=READ, why="what people wrote"),
            Right(
                group=meta.GROUP,
                resources=tuple(f"{kind}/status" for kind in OWN_KINDS),
                verbs=("patch",),
                why="where each stands",
            ),
            Right(
                group=meta.GROUP,
                resources=VERDICT_KINDS,
                verbs=("list", "create", "patch", "delete"),
                why="what the API server is to refuse",
            ),
            Right(group="", resources=("events",), verbs=("create",), why="what happened"),
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
    Role(
        name="bursar-viewer",
        scope=Scope.PEOPLE,
        aggregate_to=("view",),
        rights=(
            Right(
                group=meta.GROUP,
                resources=(*OWN_KINDS, *VERDICT_KINDS),
                verbs=READ,
                why="who may see a namespace may see its budgets",
            ),
        ),
    ),
    Role(
        name="bursar-budget-editor",
        scope=Scope.PEOPLE,
        rights=(
            Right(
                group=meta.GROUP,
                resources=BUDGET_KINDS,
                verbs=(*READ, *WRITE),
                why="not part of `edit`: who spends does not set the limit",
            ),
        ),
    ),
    Role(
        name="bursar-override",
        scope=Scope.PEOPLE,
        rights=(
            Right(
                group=meta.GROUP,
                resources=BUDGET_KINDS,
                verbs=(meta.OVERRIDE_VERB,),
                why="guarded labels and fields: class overrides, exemptions, periods",
            ),
        ),
    ),
)


def rules(role: Role) -> list[Manifest]:
    """The role's rules as RBAC writes them."""
    return [
        {
            "apiGroups": [right.group],
            "resources": list(right.resources),
            **({"resourceNames": list(right.names)} if right.names else {}),
            "verbs": list(right.verbs),
        }
        for right in role.rights
    ]
