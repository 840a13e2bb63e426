"""What a pod asks for: every accelerator resource, claim, annotation and environment variable.

Decided from the pod alone, by the scheduler's own rule for init containers and sidecars. It must
never raise on an odd pod and never take an odd quantity for a number: a count that cannot be told
is `Unknown` with its reason.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from bursar.domain.fields import mapping, text, texts
from bursar.domain.quantity import parse_quantity
from bursar.domain.unknown import Unknown
from bursar.domain.workload import AcceleratorRequest
from bursar.recognize import parts, resources
from bursar.recognize.parts import Count, Totals

MOST_UNITS = 10**6
"""More units than any node offers (a full rack of MIG slices has some hundreds)."""
MOST_OF_PARTS = 10**8
"""The same for memory, whose units may be MiB."""

CLAIM = "claim:"
"""How requests are named by which a pod holds a ResourceClaim."""

_ORDINARY = frozenset({"cpu", "memory", "ephemeral-storage"})
_MAX_SHOWN = 63


def requests(
    pod: Mapping[str, Any], further: Collection[str] = ()
) -> tuple[AcceleratorRequest, ...]:
    """Everything a pod asks for, by name; empty for a pod without accelerators.

    Args:
        pod: the object as the API writes it, or as somebody's manifest has it. Its annotations and
            its status may say what schedulers gave.
        further: resource names that the installation says are accelerators, too.

    Returns:
        One entry a resource, claim, annotation or variable, in the order of the names. What the pod
        does not tell has an `Unknown` count.
    """
    metadata, spec = mapping(pod, "metadata"), mapping(pod, "spec")
    annotations = texts(metadata, "annotations")
    totals = _pod_totals(spec, further)
    served = {each.resource: each for each in _served_by_claims(pod)}
    _one_view_of_neuron(totals)
    found = list(parts.requests(totals, annotations))
    if metadata.get("namespace") in resources.RESERVATION_NAMESPACES:
        return _in_order(replace(each, stands_in=True) for each in found)
    found = [served.pop(each.resource, each) for each in found]
    found += [each for each in served.values() if each.resource not in totals]
    found += _claims(pod)
    # A pod that asks for whole devices, too, gets these, and the annotation means nothing.
    shared = None if totals else parts.fractional(annotations, texts(metadata, "labels"))
    if shared is not None:
        found.append(shared)
    found += _visible_devices(spec, further, given=shared is not None)
    return _in_order(found)


_WHOLE = (resources.Unit.GPU, resources.Unit.AMD_GPU, resources.Unit.DEVICE)


def whole_devices(found: Iterable[AcceleratorRequest]) -> int | None:
    """How many devices a pod asks for, where its requests alone tell; parts need its node.

    Args:
        found: its requests.

    Returns:
        None where not all of them are for whole devices.
    """
    total = Fraction(0)
    for each in found:
        known = resources.resource(each.resource)
        parted = each.slice is not None or each.claim or each.stands_in
        whole = known is not None and known.unit in _WHOLE and not parted
        if not whole or isinstance(each.count, Unknown):
            return None
        total += each.count
    return int(total)


def _in_order(found: Iterable[AcceleratorRequest]) -> tuple[AcceleratorRequest, ...]:
    return tuple(sorted(found, key=lambda each: each.resource))


def _pod_totals(spec: Mapping[str, Any], further: Collection[str]) -> Totals:
    """The larger of what runs together in the end and of the peak while starting.

    A pod's own `resources` are raised in, too: the API takes no accelerators there.
    """
    running: Totals = parts.fold(_limits(spec, "overhead", further))
    for container in _list(spec, "containers"):
        _add(running, _container(container, further))
    sidecars: Totals = {}
    peak: Totals = {}
    for container in _list(spec, "initContainers"):
        asked = _container(container, further)
        if container.get("restartPolicy") == "Always":
            _add(running, asked)
            _add(sidecars, asked)
            _raise(peak, sidecars)
        else:
            _add(asked, sidecars)
            _raise(peak, asked)
    _raise(running, peak)
    _raise(running, _container(spec, further))
    return {name: count for name, count in running.items() if count != 0}


def _container(container: Mapping[str, Any], further: Collection[str]) -> Totals:
    """A container's accelerators; the API sets requests of such resources from the limits."""
    section = mapping(container, "resources")
    asked = _limits(section, "requests", further) | _limits(section, "limits", further)
    return parts.fold(asked) if asked else asked


def _limits(holder: Mapping[str, Any], key: str, further: Collection[str]) -> Totals:
    return {
        name: _units(name, value)
        for name, value in mapping(holder, key).items()
        if name not in _ORDINARY and resources.is_accelerator(name, further)
    }


def _units(name: str, value: object) -> Count:
    most = MOST_UNITS if resources.role(name) is None else MOST_OF_PARTS
    if isinstance(value, int) and abs(value) > most:
        return Unknown(f"{name}: more than any node has, or less than none")
    count = parse_quantity(value)
    if isinstance(count, Unknown):
        return Unknown(f"{name}: {count.reason}")
    if count < 0:
        return Unknown(f"{name}: {str(value)[:_MAX_SHOWN]} is negative")
    if count.denominator != 1:
        return Unknown(f"{name}: {str(value)[:_MAX_SHOWN]} is no whole number of units")
    if count > most:
        return Unknown(f"{name}: {str(value)[:_MAX_SHOWN]} is more than any node has")
    return count


def _add(into: Totals, other: Mapping[str, Count]) -> None:
    for name, count in other.items():
        into[name] = _known_or(into.get(name, Fraction(0)), count, lambda a, b: a + b)


def _raise(into: Totals, other: Mapping[str, Count]) -> None:
    for name, count in other.items():
        into[name] = _known_or(into.get(name, Fraction(0)), count, max)


def _known_or(one: Count, two: Count, combine: Any) -> Count:
    if isinstance(one, Unknown):
        return one
    if isinstance(two, Unknown):
        return two
    result: Fraction = combine(one, two)
    return result


def _one_view_of_neuron(totals: Totals) -> None:
    """A node offers a Neuron device under several names, and its plug-in allots each by itself."""
    devices = {"aws.amazon.com/neuron", "aws.amazon.com/neurondevice"} & totals.keys()
    if devices and (len(devices) > 1 or "aws.amazon.com/neuroncore" in totals):
        why = Unknown("asks for Neuron devices under several names at once")
        totals.pop("aws.amazon.com/neuroncore", None)
        totals.update(dict.fromkeys(devices, why))


def _served_by_claims(pod: Mapping[str, Any]) -> Iterator[AcceleratorRequest]:
    """Resources that the scheduler served by a claim that it made: the claim tells the devices."""
    status = mapping(mapping(pod, "status"), "extendedResourceClaimStatus")
    claim = text(status, "resourceClaimName")
    meant: dict[str, set[str]] = {}
    for entry in _list(status, "requestMappings"):
        if text(entry, "resourceName") and text(entry, "requestName"):
            meant.setdefault(text(entry, "resourceName"), set()).add(text(entry, "requestName"))
    for resource, names in meant.items() if claim else ():
        yield AcceleratorRequest(
            resource=resource, count=Fraction(1), claim=claim, claim_requests=tuple(sorted(names))
        )


def _claims(pod: Mapping[str, Any]) -> Iterator[AcceleratorRequest]:
    """Claims that the pod refers to, by the names of the objects, which may be made for it."""
    made = {
        text(entry, "name"): text(entry, "resourceClaimName")
        for entry in _list(mapping(pod, "status"), "resourceClaimStatuses")
    }
    for entry in _list(mapping(pod, "spec"), "resourceClaims"):
        name = _shown(entry.get("name"))
        claim = text(entry, "resourceClaimName") or made.get(text(entry, "name"), "")
        if claim:
            yield AcceleratorRequest(resource=CLAIM + name, count=Fraction(1), claim=claim)
        else:
            why = f"claim {name}: not made yet from its template"
            yield AcceleratorRequest(resource=CLAIM + name, count=Unknown(why))


def _visible_devices(
    spec: Mapping[str, Any], further: Collection[str], *, given: bool
) -> Iterator[AcceleratorRequest]:
    """Devices that a container sees past the scheduler, and so past any share.

    `given`: a scheduler of fractions sets the variable, from a ConfigMap of its own.
    """
    for container in _containers(spec):
        for variable in _list(container, "env"):
            if variable.get("name") != resources.VISIBLE_DEVICES_ENV:
                continue
            if given and "valueFrom" in variable:
                continue
            if variable.get("value", "all") in resources.NO_DEVICES:
                continue
            if any(count != 0 for count in _container(container, further).values()):
                break  # the device plug-in sets the variable to what was allotted
            name = resources.VISIBLE_DEVICES_ENV
            why = Unknown(f"{name}: sees devices that it does not ask for")
            yield AcceleratorRequest(resource=f"env:{name}", count=why)
            return


def _containers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from _list(spec, key)


def _list(holder: object, key: str) -> Iterable[Mapping[str, Any]]:
    value = holder.get(key) if isinstance(holder, Mapping) else None
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _shown(value: object) -> str:
    """A tenant's text, short enough for a message."""
    return str(value)[:_MAX_SHOWN] if isinstance(value, str) else type(value).__name__
