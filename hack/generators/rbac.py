"""The chart's roles and bindings, made from the one table of rights."""

from __future__ import annotations

from collections.abc import Iterator

from bursar.admission.permissions import ROLES, Right, Role, Scope

FOLDER = "charts/bursar/templates/rbac"
NOTE = (
    "{{- /* Made by hack/generate.py from operator/bursar/admission/permissions.py;"
    " edit that, not this. */}}\n"
)
_LABELS = '  labels:\n    {{- include "bursar.labels" . | nindent 4 }}\n'
_FULLNAME = '{{ include "bursar.fullname" . }}'
_NAMESPACE = "  namespace: {{ .Release.Namespace }}\n"


def templates() -> dict[str, str]:
    """One file a role."""
    return {f"{FOLDER}/{role.name}.yaml": NOTE + "".join(_file(role)) for role in ROLES}


def _file(role: Role) -> Iterator[str]:
    condition = '(include "bursar.enforced" .)' if role.enforcing else ""
    yield f"{{{{- if and .Values.rbac.create{' ' if condition else ''}{condition} }}}}\n"
    name = role.name if role.scope is Scope.PEOPLE else f"{_FULLNAME}-{role.name}"
    yield "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n"
    yield f"metadata:\n  name: {name}\n"
    yield _LABELS
    for target in role.aggregate_to:
        yield f'    rbac.authorization.k8s.io/aggregate-to-{target}: "true"\n'
    yield "rules:\n"
    for right in role.rights:
        yield from _rule(right)
    if role.scope is not Scope.PEOPLE:
        yield from _binding(name)
    yield "{{- end }}\n"


def _rule(right: Right) -> Iterator[str]:
    yield f"  # {right.why}\n"
    yield f'  - apiGroups: ["{right.group}"]\n'
    yield f"    resources: [{', '.join(right.resources)}]\n"
    if right.names:
        yield f"    resourceNames: [{', '.join(right.names)}]\n"
    yield f"    verbs: [{', '.join(right.verbs)}]\n"


def _binding(name: str) -> Iterator[str]:
    yield "---\napiVersion: rbac.authorization.k8s.io/v1\n"
    yield f"kind: ClusterRoleBinding\nmetadata:\n  name: {name}\n"
    yield _LABELS
    yield f"roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: {name}\n"
    yield "subjects:\n  - kind: ServiceAccount\n"
    yield '    name: {{ include "bursar.serviceAccountName" . }}\n  ' + _NAMESPACE
