"""What somebody may do, as a real API server says it, and as the table of rights says it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from bursar.admission.placeholders import PROXIED_SERVICE
from bursar.admission.rights import Role
from support.cluster import Sandbox
from support.policies import impersonation


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One verb on one resource; `name` is empty where all objects are meant."""

    verb: str
    group: str
    resource: str
    name: str = ""

    def __str__(self) -> str:
        at = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {at}" + (f" {self.name!r}" if self.name else "")


def of_roles(roles: Iterable[Role], proxied: str = "http:bursar:http") -> set[Grant]:
    """What roles of the table give, in an installation of the usual name."""
    return {
        Grant(verb, right.group, resource, name.replace(PROXIED_SERVICE, proxied))
        for role in roles
        for right in role.rights
        for verb, resource, name in product(right.verbs, right.resources, right.names or ("",))
    }


def reviewed(sandbox: Sandbox, user: str, namespace: str) -> set[Grant]:
    """All that the API server lets a user do in a namespace and in the whole cluster.

    Without what everybody may: to ask about oneself.
    """
    everybody = "system:serviceaccount:default:nobody-in-particular"
    return _reviewed(sandbox, user, namespace) - _reviewed(sandbox, everybody, namespace)


def _reviewed(sandbox: Sandbox, user: str, namespace: str) -> set[Grant]:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    done = sandbox.kubectl(
        *("create", "--validate=false", "-f", "-", "-o", "json", *impersonation(user)),
        input=json.dumps(review),
    )
    status = json.loads(done.stdout)["status"]
    assert not status.get("incomplete"), status.get("evaluationError")
    return set(_grants(status["resourceRules"]))


def _grants(rules: Iterable[dict[str, list[str]]]) -> Iterator[Grant]:
    for rule in rules:
        for each in product(
            rule["verbs"],
            rule.get("apiGroups") or [""],
            rule.get("resources") or [""],
            rule.get("resourceNames") or [""],
        ):
            yield Grant(*each)
