"""The class that people said, before any evidence is looked at.

Decided from labels alone, narrowest first: the pod, then its owners, then its namespace. At each
level Bursar's own override comes before the labels that an organisation mapped. An override that
nothing guards is no tag: it is a tenant's word about its own bill.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bursar.api.meta import LABEL_CLASS_OVERRIDE
from bursar.domain.classification import KNOWN_CLASSES, WorkloadClass
from bursar.domain.workload import Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMapping:
    """One label of an organisation and what its values mean (ClassificationPolicy `mappings`).

    Attributes:
        key: the label's key, such as `workload-type`.
        values: the label's value to the class's name; a name that is no class means nothing.
    """

    key: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A class that a label set.

    Attributes:
        source: whose label and which (`pod bursar.dev/class-override=training`).
    """

    workload_class: WorkloadClass
    source: str


def tagged(
    pod_labels: Mapping[str, str],
    owners: Sequence[Owner],
    namespace_labels: Mapping[str, str],
    mappings: Iterable[LabelMapping] = (),
    *,
    guarded: bool = True,
) -> Tag | None:
    """Find the tag that decides, if any.

    Args:
        pod_labels: the pod's own.
        owners: nearest first. Their override is not read: it counts on the template, which the
            pod has copied; metadata of owners is guarded by nothing.
        namespace_labels: what holds unless somebody nearer says otherwise.
        mappings: what an organisation's own labels mean.
        guarded: whether admission policies keep unauthorised people from setting the override.
    """
    table = tuple(mappings)
    levels = [("pod", pod_labels, guarded)]
    levels += [(f"owner {owner.kind}/{owner.name}", owner.labels, False) for owner in owners]
    levels += [("namespace", namespace_labels, guarded)]
    for source, labels, override in levels:
        found = _override(labels) if override else None
        found = found or _mapped(labels, table)
        if found is not None:
            workload_class, text = found
            return Tag(workload_class=workload_class, source=f"{source} {text}")
    return None


def _override(labels: Mapping[str, str]) -> tuple[WorkloadClass, str] | None:
    value = labels.get(LABEL_CLASS_OVERRIDE)
    known = _class(value)
    return None if known is None else (known, f"{LABEL_CLASS_OVERRIDE}={value}")


def _mapped(
    labels: Mapping[str, str], table: tuple[LabelMapping, ...]
) -> tuple[WorkloadClass, str] | None:
    for row in table:
        value = labels.get(row.key)
        known = _class(row.values.get(value)) if isinstance(value, str) else None
        if known is not None:
            return known, f"{row.key}={value}"
    return None


def _class(value: object) -> WorkloadClass | None:
    return next((known for known in KNOWN_CLASSES if known == value), None)
