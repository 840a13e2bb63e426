"""Effects as data: what the core decides, and one executor in `runtime` carries out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bursar.domain.fields import mapping, text


class Mode(StrEnum):
    """Whether an installation acts on its verdicts, or only says what it would have done."""

    ENFORCE = "Enforce"
    OBSERVE = "Observe"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """Names one object of the cluster; `namespace` is empty for cluster-scoped ones."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, obj: Mapping[str, Any], api_version: str, kind: str) -> "ObjectRef":
        """Name an object as the API gives it; items of a list do not say their kind."""
        metadata = mapping(obj, "metadata")
        return cls(
            api_version=api_version,
            kind=kind,
            namespace=text(metadata, "namespace"),
            name=text(metadata, "name"),
            uid=text(metadata, "uid"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPod:
    """Write Bursar's own labels and annotations on a pod, by server-side apply."""

    ref: ObjectRef
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteStatus:
    """Replace the status of a custom resource (`AIBudget` or `ClusterAIBudget` …)."""

    ref: ObjectRef
    status: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteVerdict:
    """Write the one parameter object of a namespace; of the cluster where `namespace` is empty."""

    namespace: str
    verdict: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspend:
    """Suspend a Job that waits anyway, so that its pods do not thrash.

    Attributes:
        resource_version: the version that the decision was made on; another version is a conflict.
        held_by: names of the shut budgets, kept on the object to bring it back by.
    """

    ref: ObjectRef
    resource_version: str
    held_by: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Take back what `Suspend` did."""

    ref: ObjectRef
    resource_version: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit:
    """Record an Event about an object.

    Attributes:
        event_type: `Normal` or `Warning`.
    """

    ref: ObjectRef
    event_type: str
    reason: str
    message: str


Action = LabelPod | WriteStatus | WriteVerdict | Suspend | Resume | Emit
