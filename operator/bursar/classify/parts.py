"""The pods that a manifest would make, one for each role.

Found by the table of kinds, which says where a kind keeps its templates; a kind that the table does
not have is searched, within bounds, for anything that looks like a pod template. Some kinds hold a
bare pod spec, a container or only its resources there: each is brought into the form of a pod, so
that recognition and the rules see one shape. Never raises on odd input, and never looks at more
than MOST_PARTS roles or MOST_VISITS values of one document.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bursar.classify.texts import mapping, mappings, scalar
from bursar.domain.kinds import find_kind

Pod = Mapping[str, Any]

MOST_PARTS = 64
MOST_VISITS = 5000
_DEEPEST = 16

_CONTAINER_KEYS = ("image", "command", "args", "resources", "resourcesPerNode", "storageUri", "url")
_WRAPPED_CONTAINERS = ("container", "script", "model")
_ALIASES = {"gpu": "nvidia.com/gpu"}
"""Dynamo's short name of the resource in `services.*.resources`."""


def parts(obj: Mapping[str, Any]) -> tuple[Pod, ...]:
    """The pods of an object's roles, in the order in which it names them."""
    kind, api_version = scalar(obj.get("kind")), scalar(obj.get("apiVersion"))
    row = find_kind(api_version, kind)
    found: list[Pod] = []
    if row is not None:
        for path in (row.template, *row.more_templates):
            found += [pod for value in _at(obj, path) if (pod := _pod(value)) is not None]
    if not found:
        found = list(_searched(obj))
    entrypoint = scalar(mapping(obj.get("spec")).get("entrypoint"))
    if entrypoint and kind == "RayJob":
        found.append(_wrap({"name": "entrypoint", "command": [entrypoint]}))
    return tuple(found[:MOST_PARTS])


def merged(pods: tuple[Pod, ...], name: str, namespace: str) -> Pod:
    """One pod with the containers of several roles, under the object's name."""
    containers: list[Any] = []
    labels: dict[str, Any] = {}
    policy = ""
    for pod in pods:
        spec = mapping(pod.get("spec"))
        containers += mappings(spec.get("containers"))
        labels |= mapping(mapping(pod.get("metadata")).get("labels"))
        policy = policy or scalar(spec.get("restartPolicy"))
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": containers, "restartPolicy": policy},
    }


def _at(value: object, path: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    """The mappings at the end of a path, at most MOST_PARTS of them."""
    here: list[object] = [value]
    for step in path:
        following: list[object] = []
        for item in here:
            if step != "*":
                following += [item[step]] if isinstance(item, Mapping) and step in item else []
            elif isinstance(item, Mapping):
                following += item.values()
            elif isinstance(item, list):
                following += item
        here = following[:MOST_PARTS]
    yield from (item for item in here if isinstance(item, Mapping))


def _searched(obj: Mapping[str, Any]) -> Iterator[Pod]:
    """Whatever below an object has a list of containers, breadth first."""
    queue: list[tuple[object, int]] = [(obj, 0)]
    for value, depth in queue:
        if isinstance(value, Mapping):
            pod = _pod(value) if _looks_like_pod(value) else None
            if pod is not None:
                yield pod
                continue
            children = list(value.values())
        else:
            children = value if isinstance(value, list) else []
        room = MOST_VISITS - len(queue)
        if depth < _DEEPEST and room > 0:
            nested = (child for child in children if isinstance(child, (Mapping, list)))
            queue += [(child, depth + 1) for child, _ in zip(nested, range(room), strict=False)]


def _looks_like_pod(value: Mapping[str, Any]) -> bool:
    templates = (value, mapping(value.get("spec")))
    return any(mappings(one.get("containers")) for one in templates) or (
        isinstance(value.get("image"), str) and bool(mapping(value.get("resources")))
    )


def _pod(value: Mapping[str, Any]) -> Pod | None:
    """Bring what stands where a kind keeps its template into the form of a pod."""
    spec = mapping(value.get("spec"))
    if mappings(spec.get("containers")):
        return value
    if mappings(value.get("containers")):
        return {"metadata": mapping(value.get("metadata")), "spec": value}
    main = mapping(mapping(value.get("extraPodSpec")).get("mainContainer"))
    if main:
        return _wrap({"resources": value.get("resources"), **main})
    for inner in _inner_containers(value):
        return _wrap(inner)
    if any(key in value for key in _CONTAINER_KEYS):
        return _wrap(value)
    return None


def _inner_containers(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Argo's container or script, KServe's model or framework."""
    for key in _WRAPPED_CONTAINERS:
        inner = mapping(value.get(key))
        if any(name in inner for name in _CONTAINER_KEYS):
            yield inner
    for inner in value.values():
        if isinstance(inner, Mapping) and ("storageUri" in inner or "runtimeVersion" in inner):
            yield inner


def _wrap(container: Mapping[str, Any]) -> Pod:
    return {"spec": {"containers": [_container(container)]}}


def _container(value: Mapping[str, Any]) -> Mapping[str, Any]:
    image = value.get("image")
    if isinstance(image, Mapping):
        image = f"{scalar(image.get('repository'))}:{scalar(image.get('tag'))}"
    args = value.get("args")
    source = scalar(value.get("source"))
    env = value.get("env")
    if isinstance(env, Mapping):
        env = [{"name": key, "value": text} for key, text in env.items()]
    uri = scalar(value.get("storageUri")) or scalar(value.get("url"))
    if uri:
        env = [*(env if isinstance(env, list) else []), {"name": "STORAGE_URI", "value": uri}]
    return {
        "name": scalar(value.get("name")) or "main",
        "image": image,
        "command": value.get("command"),
        "args": [*(args if isinstance(args, list) else []), source] if source else args,
        "env": env,
        "ports": value.get("ports"),
        "readinessProbe": value.get("readinessProbe"),
        "resources": _resources(value),
    }


def _resources(value: Mapping[str, Any]) -> Mapping[str, Any]:
    resources = mapping(value.get("resources")) or mapping(value.get("resourcesPerNode"))
    return {
        key: {_ALIASES.get(name, name): count for name, count in mapping(section).items()}
        for key, section in resources.items()
        if key in ("limits", "requests")
    }
