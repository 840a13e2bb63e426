"""The form of a role: which verbs on which resources of the API, and why.

Decides nothing; `permissions` holds the table. Turns a role into RBAC's own words.
"""

from dataclasses import dataclass
from enum import StrEnum

from bursar.admission.manifests import Manifest


class Scope(StrEnum):
    """Where a role holds."""

    CLUSTER = "the whole cluster, bound to the operator"
    OWN = "the operator's own namespace, bound to it"
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
        replicated: whether it exists only where several replicas run.
        aggregate_to: built-in roles that take these rights in.
        note: who it is for, and why it is no part of other roles.
    """

    name: str
    scope: Scope
    rights: tuple[Right, ...]
    enforcing: bool = False
    replicated: bool = False
    aggregate_to: tuple[str, ...] = ()
    note: str = ""


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
