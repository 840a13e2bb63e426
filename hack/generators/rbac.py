"""The chart's roles and bindings, and the page about them, made from the one table of rights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bursar.admission import placeholders
from bursar.admission.permissions import OPERATOR_ROLES, PEOPLE_ROLES, REPLICA_ROLES, ROLES
from bursar.admission.rights import Right, Role, Scope

FOLDER = "charts/bursar/templates/rbac"
PAGE = "docs/reference/rbac.md"
NOTE = (
    "{{- /* Made by hack/generate.py from operator/bursar/admission/permissions.py;"
    " edit that, not this. */}}\n"
)
HEAD = """# Rights

Made by `hack/generate.py` from `operator/bursar/admission/permissions.py`.

Who may do what, verb by verb: the operator as it observes, what it has beside that where verdicts
are enforced, and the roles for people. Nothing else is granted. Tests hold these tables against a
real API server: what it says the operator may do is exactly this, and a running operator asks for
each of these rights, and for nothing beside them.

No role has a wildcard. The operator may read no Secret and no ConfigMap, create no pod, impersonate
nobody, hand out no right, and write no admission policy, role or definition. Where RBAC is too
coarse, admission policies cut further:

- of pods and Jobs the operator may write nothing but Bursar's labels and annotations, and beside
  them Bursar's gate and `suspend` of a Job that uses accelerators, or that it holds
  (`bursar-guard-operator`);
- verdicts and statuses are written by nobody but the operator, whatever RBAC lets others do in a
  namespace (`bursar-guard-verdicts`).
"""
OBSERVE = """
## The operator in Observe

ClusterRoles `<release>-<role>`, bound to the operator's ServiceAccount in the whole cluster.
"""
ENFORCE = """
## The operator in Enforce

All of the above, and:
"""
REPLICAS = """
## The operator, where several replicas run

A Role in its own namespace, with `replicaCount` above 1 only.
"""
PEOPLE = """
## People

ClusterRoles that are bound to nobody until an administrator does so, in a namespace or in the whole
cluster. The built-in `edit` and `admin` write nothing of Bursar's.
"""
_COLUMNS = "| API group | resources | verbs | only those named | why |\n|---|---|---|---|---|\n"
_LABELS = '  labels:\n    {{- include "bursar.labels" . | nindent 4 }}\n'
_FULLNAME = '{{ include "bursar.fullname" . }}'
_NAMESPACE = "  namespace: {{ .Release.Namespace }}\n"
_PROXIED = '{{ include "bursar.proxiedService" . }}'
_SHOWN = {placeholders.PROXIED_SERVICE: "http:bursar:http", placeholders.FULLNAME: "bursar"}
_WRITTEN = {placeholders.PROXIED_SERVICE: _PROXIED, placeholders.FULLNAME: _FULLNAME}


def templates() -> dict[str, str]:
    """One file a role."""
    return {f"{FOLDER}/{role.name}.yaml": NOTE + "".join(_file(role)) for role in ROLES}


def reference() -> dict[str, str]:
    """The page, by its path."""
    observing = [role for role in OPERATOR_ROLES if not role.enforcing]
    enforcing = [role for role in OPERATOR_ROLES if role.enforcing]
    parts = (
        (OBSERVE, observing),
        (ENFORCE, enforcing),
        (REPLICAS, REPLICA_ROLES),
        (PEOPLE, PEOPLE_ROLES),
    )
    return {PAGE: HEAD + "".join(text + "".join(_tables(roles)) for text, roles in parts)}


def _tables(roles: Iterable[Role]) -> Iterator[str]:
    for role in roles:
        yield f"\n### {role.name}\n\n"
        if role.note:
            yield f"{role.note}\n\n"
        yield _COLUMNS + "".join(map(_row, role.rights))


def _row(right: Right) -> str:
    cells = (
        f"`{right.group}`" if right.group else "core",
        _codes(right.resources),
        ", ".join(right.verbs),
        _codes(_filled(right.names, _SHOWN)),
        right.why,
    )
    return f"| {' | '.join(cells)} |\n"


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _filled(names: Iterable[str], values: Mapping[str, str]) -> Iterator[str]:
    for name in names:
        for placeholder, value in values.items():
            name = name.replace(placeholder, value)  # noqa: PLW2901 - one after the other
        yield name


def _file(role: Role) -> Iterator[str]:
    condition = '(include "bursar.enforced" .)' if role.enforcing else ""
    condition = "(gt (int .Values.replicaCount) 1)" if role.replicated else condition
    own = role.scope is Scope.OWN
    yield f"{{{{- if and .Values.rbac.create{' ' if condition else ''}{condition} }}}}\n"
    name = role.name if role.scope is Scope.PEOPLE else f"{_FULLNAME}-{role.name}"
    if role.note:
        yield f"# {role.note}\n"
    yield f"apiVersion: rbac.authorization.k8s.io/v1\nkind: {'Role' if own else 'ClusterRole'}\n"
    yield f"metadata:\n  name: {name}\n"
    yield (_NAMESPACE if own else "") + _LABELS
    for target in role.aggregate_to:
        yield f'    rbac.authorization.k8s.io/aggregate-to-{target}: "true"\n'
    yield "rules:\n"
    for right in role.rights:
        yield from _rule(right)
    if role.scope is not Scope.PEOPLE:
        yield from _binding(name, own)
    yield "{{- end }}\n"


def _rule(right: Right) -> Iterator[str]:
    yield f"  # {right.why}\n"
    yield f'  - apiGroups: ["{right.group}"]\n'
    yield f"    resources: [{', '.join(right.resources)}]\n"
    if right.names:
        names = _filled(right.names, _WRITTEN)
        quoted = (f'"{name}"' if ":" in name or "{" in name else name for name in names)
        yield f"    resourceNames: [{', '.join(quoted)}]\n"
    yield f"    verbs: [{', '.join(right.verbs)}]\n"


def _binding(name: str, own: bool) -> Iterator[str]:
    kind = "Role" if own else "ClusterRole"
    yield "---\napiVersion: rbac.authorization.k8s.io/v1\n"
    yield f"kind: {kind}Binding\nmetadata:\n  name: {name}\n"
    yield (_NAMESPACE if own else "") + _LABELS
    yield f"roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {name}\n"
    yield "subjects:\n  - kind: ServiceAccount\n"
    yield '    name: {{ include "bursar.serviceAccountName" . }}\n  ' + _NAMESPACE
