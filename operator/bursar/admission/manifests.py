"""Admission policies and their bindings as plain dicts.

Decides only their form. A `Policy` is its manifests and under which circumstances the chart
installs it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bursar.admission import placeholders
from bursar.api import meta

Manifest = dict[str, Any]

VALIDATING_API = "admissionregistration.k8s.io/v1"


class When(StrEnum):
    """What must be so for the chart to install a policy."""

    ALWAYS = "policies are installed at all"
    MUTATING = "the cluster serves mutating policies"
    STAMPED = "the cluster is known to run mutating policies"
    ENFORCED = "verdicts are enforced"
    ENFORCED_STAMPED = "verdicts are enforced and pods are stamped at birth"
    ENFORCED_UNSTAMPED = "verdicts are enforced and pods are not stamped at birth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy with its binding.

    Attributes:
        name: the policy's own name.
        manifests: policy first, then its binding.
    """

    name: str
    when: When
    manifests: tuple[Manifest, ...]


Variables = Sequence[tuple[str, str]]
Named = tuple[str, str]


def validating(name: str, spec: Manifest) -> Manifest:
    """A ValidatingAdmissionPolicy."""
    return _object(VALIDATING_API, "ValidatingAdmissionPolicy", name, spec)


def validating_binding(name: str, policy: str, action: str, **spec: Any) -> Manifest:
    """Its binding; `spec` takes paramRef and matchResources."""
    body = {"policyName": policy, "validationActions": [action], **spec}
    return _object(VALIDATING_API, "ValidatingAdmissionPolicyBinding", name, body)


def mutating(name: str, spec: Manifest) -> tuple[Manifest, Manifest]:
    """A MutatingAdmissionPolicy and its binding to the whole cluster."""
    api = placeholders.MUTATING_API
    return (
        _object(api, "MutatingAdmissionPolicy", name, spec),
        _object(api, "MutatingAdmissionPolicyBinding", name, {"policyName": name}),
    )


def _object(api_version: str, kind: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def rule(group: str, resources: Sequence[str], *operations: str, version: str = "v1") -> Manifest:
    """One entry of `resourceRules`."""
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": list(operations),
        "resources": list(resources),
    }


def named(pairs: Sequence[Named]) -> list[dict[str, str]]:
    """Variables or match conditions, in the order in which they may refer to each other."""
    return [{"name": name, "expression": expression} for name, expression in pairs]


def refusal(expression: str, message: str, message_expression: str | None = None) -> Manifest:
    """One validation; a message expression must not ask the authorizer, or its text is lost."""
    entry = {"expression": expression, "reason": "Forbidden", "message": message}
    return entry | ({"messageExpression": message_expression} if message_expression else {})


def param_kind(kind: str) -> Mapping[str, str]:
    """The kind of the parameter object."""
    return {"apiVersion": meta.API_VERSION, "kind": kind}


def param_ref(if_missing: str) -> Manifest:
    """The one parameter object; `if_missing` is Allow or Deny."""
    return {"name": meta.VERDICT_NAME, "parameterNotFoundAction": if_missing}


POD_CREATE = (rule("", ["pods"], "CREATE"),)

TEMPLATE_RULES = (
    rule(
        "apps",
        ["deployments", "statefulsets", "replicasets", "daemonsets"],
        "CREATE",
        "UPDATE",
    ),
    rule("batch", ["jobs", "cronjobs"], "CREATE", "UPDATE"),
    rule("", ["replicationcontrollers"], "CREATE", "UPDATE"),
)
"""The built-in kinds with a pod template, which whoever may edit a namespace can change."""
