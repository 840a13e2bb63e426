"""What `helm uninstall` removes beyond the release it knows: policies that a broken upgrade left.

Helm deletes the objects of the last revision. Where an upgrade that drops some (from Enforce to
Observe) fails half way, they stay, and are in no later revision: `helm uninstall` would leave
policies behind that refuse pods. So each of them that a set of values does not install is a hook of
the uninstallation: Helm deletes an object of the hook's name first, puts an inert one there, and
deletes that again. In a mere rendering, which no uninstallation will follow, they are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from bursar.admission.permissions import ROLES
from bursar.admission.policies import all_policies
from generators.admission import CONDITIONS

PATH = "charts/bursar/templates/leftovers.yaml"
NOTE = (
    "{{- /* Made by hack/generate.py: what an upgrade that broke off may have left behind. */}}\n"
)
IN_CLUSTER = '{{- if .Capabilities.APIVersions.Has "apps/v1/Deployment" }}\n'
MUTATING = '(include "bursar.servedMutatingApi" .)'
ENFORCED = '(include "bursar.enforced" .)'
_VARIANTS = (' (include "bursar.stamped" .)', ' (not (include "bursar.stamped" .))')
_HOOK = """\
  annotations:
    helm.sh/hook: post-delete
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
"""
_MATCHES_NOTHING = """\
  failurePolicy: Ignore
  matchConstraints:
    resourceRules:
      - {apiGroups: [bursar.dev], apiVersions: [v1alpha1], resources: [none], operations: [CREATE]}
"""
_BODIES = {
    "ValidatingAdmissionPolicy": (
        f'spec:\n{_MATCHES_NOTHING}  validations: [{{expression: "true"}}]\n'
    ),
    "ValidatingAdmissionPolicyBinding": (
        "spec: {policyName: bursar-none, validationActions: [Audit]}\n"
    ),
    "MutatingAdmissionPolicy": (
        f"spec:\n{_MATCHES_NOTHING}  reinvocationPolicy: Never\n"
        "  mutations:\n    - patchType: ApplyConfiguration\n"
        '      applyConfiguration: {expression: "Object{}"}\n'
    ),
    "MutatingAdmissionPolicyBinding": "spec: {policyName: bursar-none}\n",
}


def template() -> dict[str, str]:
    """The one file, by its path."""
    return {PATH: NOTE + IN_CLUSTER + "".join((*_policies(), *_roles())) + "{{- end }}\n"}


def _policies() -> Iterator[str]:
    for policies in all_policies().values():
        # Of several variants of one policy always one is there, or none.
        first = policies[0]
        condition = CONDITIONS[first.when]
        if len(policies) > 1:
            for variant in _VARIANTS:
                condition = condition.removesuffix(variant)
        absent = f"(not (and .Values.policies.install{condition}))"
        mutating = any(each["kind"].startswith("Mutating") for each in first.manifests)
        yield f"{{{{- if {f'and {MUTATING} {absent}' if mutating else absent} }}}}\n"
        for manifest in first.manifests:
            kind, name = manifest["kind"], manifest["metadata"]["name"]
            api = '{{ include "bursar.servedMutatingApi" . }}'
            version = api if mutating else manifest["apiVersion"]
            yield _object(version, kind, name, _BODIES[kind])
        yield "{{- end }}\n"


def _roles() -> Iterator[str]:
    api = "rbac.authorization.k8s.io/v1"
    for role in ROLES:
        if not role.enforcing:
            continue
        name = f'{{{{ include "bursar.fullname" . }}}}-{role.name}'
        reference = (
            f"roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}"
        )
        yield f"{{{{- if not (and .Values.rbac.create {ENFORCED}) }}}}\n"
        yield _object(api, "ClusterRole", name, "rules: []\n")
        yield _object(api, "ClusterRoleBinding", name, f"{reference}\nsubjects: []\n")
        yield "{{- end }}\n"


def _object(version: str, kind: str, name: str, body: str) -> str:
    return (
        f"---\napiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n"
        '  labels:\n    {{- include "bursar.labels" . | nindent 4 }}\n'
        f"{_HOOK}{body}"
    )
