"""The verdict on a manifest that nobody submitted yet.

Decided from the pods that it would make and from its own kind, by the same rules as a living pod.
Roles that use accelerators speak for the object; where they leave doubt the others are heard too,
and where one role commands the rest (an MPI launcher, a Ray job's entrypoint) always. Never raises
on odd input; a document that is no workload is `unknown`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from bursar.classify.engine import judge
from bursar.classify.model import model_name
from bursar.classify.parts import Pod, merged, parts
from bursar.classify.rule import Where
from bursar.classify.tag import Tag, tagged
from bursar.classify.texts import mapping, mappings, scalar, strings, texts
from bursar.domain.classification import Classification
from bursar.domain.unknown import Unknown
from bursar.domain.workload import AcceleratorRequest, Owner

Requests = Callable[[Mapping[str, Any]], tuple[AcceleratorRequest, ...]]
"""What a pod asks for: recognition's function, handed in because steps do not know each other."""

_CERTAIN = 0.9
_COMMANDED = frozenset(
    {
        ("kubeflow.org", "MPIJob"),
        ("batch.volcano.sh", "Job"),
        ("ray.io", "RayJob"),
        ("ray.io", "RayCluster"),
        ("ray.io", "RayService"),
    }
)
"""Kinds in which one role commands the others, which have the devices."""
_FACETS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("kaito.sh", "Workspace"): ("tuning", "inference"),
}
"""Kinds that are one thing or another by which section they have: told as `Kind.group/section`."""

_PRESETS = (("inference", "preset", "name"), ("tuning", "preset", "name"))
_URIS = (("spec", "template", "inference", "preset", "name"), ("spec", "modelSource", "modelId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentVerdict:
    """What is said of one manifest.

    Attributes:
        accelerators: what one pod of the object asks for; of several roles the one that asks for
            most of a resource. Empty where the kind or the machine's type only implies them.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    accelerators: tuple[AcceleratorRequest, ...]
    classification: Classification


def classify_document(obj: Mapping[str, Any], requests: Requests) -> DocumentVerdict:
    """Judge one manifest.

    Args:
        obj: one object, not a list.
        requests: recognition's answer to what a pod asks for.
    """
    metadata = mapping(obj.get("metadata"))
    name = scalar(metadata.get("name")) or scalar(metadata.get("generateName"))
    namespace = scalar(metadata.get("namespace"))
    every = parts(obj)
    asked = {index: found for index, pod in enumerate(every) if (found := requests(pod))}
    kind = scalar(obj.get("kind"))
    using = tuple(every[index] for index in asked)
    if not using or (_group(obj), kind) in _COMMANDED:
        using = every
    verdict = _judge(obj, merged(using, name, namespace))
    if verdict.confidence < _CERTAIN and len(using) < len(every):
        second = _judge(obj, merged(every, name, namespace))
        verdict = max(verdict, second, key=lambda one: one.confidence)
    return DocumentVerdict(
        api_version=scalar(obj.get("apiVersion")),
        kind=kind,
        namespace=namespace,
        name=name,
        accelerators=_most(tuple(asked.values())),
        classification=verdict,
    )


def _judge(obj: Mapping[str, Any], pod: Pod) -> Classification:
    owners = _owners(obj)
    looked_at = texts(pod, owners)
    sections = _FACETS.get((_group(obj), scalar(obj.get("kind"))), ())
    spec = mapping(obj.get("spec"))
    for section in sections:
        if section in obj or section in spec:
            looked_at[Where.OWNER] += f" {obj['kind']}.{_group(obj)}/{section}"
    return judge(looked_at, _tag(obj, pod), model_name(pod) or _preset(obj))


def _owners(obj: Mapping[str, Any]) -> tuple[Owner, ...]:
    """A pod's owners as it names them, and an object that makes pods as their owner."""
    metadata = mapping(obj.get("metadata"))
    above: list[Mapping[str, Any]] = (
        [] if scalar(obj.get("kind")) == "Pod" else [{**obj, "name": metadata.get("name")}]
    )
    above += mappings(metadata.get("ownerReferences"))
    return tuple(
        Owner(
            api_version=scalar(one.get("apiVersion")),
            kind=scalar(one.get("kind")),
            namespace=scalar(metadata.get("namespace")),
            name=scalar(one.get("name")),
            uid="",
        )
        for one in above
    )


def _tag(obj: Mapping[str, Any], pod: Pod) -> Tag | None:
    """The override that the template or the pod itself carries, as if its author may set it."""
    labels = strings(mapping(pod.get("metadata")).get("labels"))
    own = strings(mapping(obj.get("metadata")).get("labels"))
    return tagged(labels, (), {}) or tagged(own, (), {})


def _preset(obj: Mapping[str, Any]) -> str:
    """The model that an object names itself, where it has no container that does."""
    for path in (*_PRESETS, *_URIS):
        value: object = obj
        for step in path:
            value = mapping(value).get(step)
        if isinstance(value, str) and value:
            return value[:256]
    return ""


def _group(obj: Mapping[str, Any]) -> str:
    return scalar(obj.get("apiVersion")).rpartition("/")[0]


def _most(asked: tuple[tuple[AcceleratorRequest, ...], ...]) -> tuple[AcceleratorRequest, ...]:
    """Of each resource the largest request; one that cannot be told stays so."""
    most: dict[str, Fraction | Unknown] = {}
    for requests in asked:
        for one in requests:
            before = most.get(one.resource, Fraction(0))
            if isinstance(before, Unknown):
                continue
            most[one.resource] = (
                one.count if isinstance(one.count, Unknown) else max(before, one.count)
            )
    return tuple(AcceleratorRequest(resource=k, count=v) for k, v in sorted(most.items()))
