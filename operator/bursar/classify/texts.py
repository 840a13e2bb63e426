"""The texts of a pod that rules look at.

Built so that the admission policy can build the very same ones in CEL from the pod at its birth
(rule.py says how each is joined), cut at TEXT_LIMIT. Whatever is missing, of the wrong type or
enormous adds nothing; nothing here raises.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bursar.api.meta import PREFIX
from bursar.classify.rule import TEXT_LIMIT, Where
from bursar.domain.workload import Owner


def texts(pod: Mapping[str, Any], owners: Sequence[Owner] = ()) -> dict[Where, str]:
    """The text of each place, for the rules of that place.

    Args:
        pod: as the API writes it; of its spec only `containers` and `restartPolicy` are read.
        owners: what stands above it, nearest first.
    """
    metadata = mapping(pod.get("metadata"))
    spec = mapping(pod.get("spec"))
    containers = mappings(spec.get("containers"))
    name = scalar(metadata.get("name")) or scalar(metadata.get("generateName"))
    return {
        Where.IMAGE: _join(scalar(c.get("image")) for c in containers),
        Where.COMMAND: _join(_join(command(c)) for c in containers),
        Where.ENV: _join(_join(f"{k}={v}" for k, v in environment(c)) for c in containers),
        Where.OWNER: _join(owner_kind(owner) for owner in owners),
        Where.LABEL: _join(_labels(metadata)),
        Where.SHAPE: _join(_shape(spec, containers)),
        Where.NAME: _join((name, *(owner.name for owner in owners))),
    }


def command(container: Mapping[str, Any]) -> Iterator[str]:
    """The words of a container's command and arguments."""
    for key in ("command", "args"):
        words = container.get(key)
        if isinstance(words, list):
            yield from (scalar(word) for word in words)


def environment(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and literal values; a value that comes from elsewhere is empty."""
    for variable in mappings(container.get("env")):
        yield scalar(variable.get("name")), scalar(variable.get("value"))


def owner_kind(owner: Owner) -> str:
    """`Kind.group`, or `Kind` alone in the core group."""
    group, slash, _ = owner.api_version.partition("/")
    return f"{owner.kind}.{group}" if slash else owner.kind


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> list[Mapping[str, Any]]:
    """Those items of a list that are mappings."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def strings(value: object) -> dict[str, str]:
    """Those entries of a mapping that are text to text."""
    entries: list[tuple[object, object]] = list(mapping(value).items())
    return {k: v for k, v in entries if isinstance(k, str) and isinstance(v, str)}


def scalar(value: object) -> str:
    """Text as it is, whole numbers as YAML wrote them, and nothing of anything else."""
    if isinstance(value, str):
        return value[:TEXT_LIMIT]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        return str(value)
    return ""


def _labels(metadata: Mapping[str, Any]) -> Iterator[str]:
    """All labels but Bursar's own: a verdict must not be evidence for itself."""
    for key, value in sorted(strings(metadata.get("labels")).items()):
        if not key.startswith(PREFIX):
            yield f"{key}={value}"


def _shape(spec: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for container in containers:
        for port in mappings(container.get("ports")):
            yield f"port:{scalar(port.get('containerPort'))}"
        if mapping(container.get("readinessProbe")):
            yield "probe:ready"
    yield f"restart:{scalar(spec.get('restartPolicy')) or 'Always'}"


def _join(pieces: Iterable[str]) -> str:
    """One blank between the pieces, no more of them than the limit lets through."""
    taken: list[str] = []
    room = TEXT_LIMIT
    for piece in pieces:
        taken.append(piece)
        room -= len(piece) + 1
        if room < 0:
            break
    return " ".join(taken)[:TEXT_LIMIT]
