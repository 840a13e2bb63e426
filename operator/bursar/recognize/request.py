"""What a pod asks for: every accelerator resource, claim, annotation and environment variable.

Decided from the pod's spec and metadata alone, by the scheduler's own rule for init containers and
sidecars. It must never raise on an odd pod and never take an odd quantity for a number: a count
that cannot be told is `Unknown` with its reason.
"""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from bursar.domain.fields import mapping
from bursar.domain.quantity import parse_quantity
from bursar.domain.unknown import Unknown
from bursar.domain.workload import AcceleratorRequest
from bursar.recognize import resources

Count = Fraction | Unknown
Totals = dict[str, Count]

MOST_UNITS = 10**6
"""More units than any node offers (a full rack of MIG slices has some hundreds)."""

_MAX_SHOWN = 63


def requests(pod: Mapping[str, Any]) -> tuple[AcceleratorRequest, ...]:
    """Everything a pod asks for, by name; empty for a pod without accelerators.

    Args:
        pod: the object as the API writes it, or as somebody's manifest has it.

    Returns:
        One entry a resource, in the order of the names. Resources that a slicing scheduler's other
        resources make smaller, and claims, annotations and variables whose devices the pod does
        not name, have an `Unknown` count.
    """
    metadata, spec = mapping(pod, "metadata"), mapping(pod, "spec")
    totals = _pod_totals(spec)
    _qualify(totals)
    _doubt(totals, metadata)
    totals.update(_claims(spec))
    totals.update(_annotations(metadata))
    totals.update(_visible_devices(spec))
    return tuple(
        AcceleratorRequest(resource=name, count=count) for name, count in sorted(totals.items())
    )


def _pod_totals(spec: Mapping[str, Any]) -> Totals:
    """The larger of what runs together in the end and of the peak while starting."""
    running: Totals = _limits(spec, "overhead")
    for container in _list(spec, "containers"):
        _add(running, _container(container))
    sidecars: Totals = {}
    peak: Totals = {}
    for container in _list(spec, "initContainers"):
        asked = _container(container)
        if container.get("restartPolicy") == "Always":
            _add(running, asked)
            _add(sidecars, asked)
            _raise(peak, sidecars)
        else:
            _add(asked, sidecars)
            _raise(peak, asked)
    _raise(running, peak)
    return {name: count for name, count in running.items() if count != 0}


def _container(container: Mapping[str, Any]) -> Totals:
    """A container's accelerators; the API sets requests of such resources from the limits."""
    section = mapping(container, "resources")
    return _limits(section, "requests") | _limits(section, "limits")


def _limits(holder: Mapping[str, Any], key: str) -> Totals:
    return {
        name: _units(name, value)
        for name, value in mapping(holder, key).items()
        if resources.is_accelerator(name)
    }


def _units(name: str, value: object) -> Count:
    if isinstance(value, int) and abs(value) > MOST_UNITS:
        return Unknown(f"{name}: more than any node has, or less than none")
    count = parse_quantity(value)
    if isinstance(count, Unknown):
        return Unknown(f"{name}: {count.reason}")
    if count < 0:
        return Unknown(f"{name}: {str(value)[:_MAX_SHOWN]} is negative")
    if count.denominator != 1:
        return Unknown(f"{name}: {str(value)[:_MAX_SHOWN]} is no whole number of units")
    if count > MOST_UNITS:
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


def _qualify(totals: Totals) -> None:
    """Fold resources that only make another one smaller into that one."""
    for name in tuple(totals):
        known = resources.resource(name)
        if known is None or not known.qualifies:
            continue
        whole = f"{name.partition('/')[0]}/{known.qualifies}"
        if whole in totals:
            del totals[name]
        totals[whole if whole in totals else name] = Unknown(f"{name}: {known.reason}")
    devices = {"aws.amazon.com/neuron", "aws.amazon.com/neurondevice"} & totals.keys()
    if devices and (len(devices) > 1 or "aws.amazon.com/neuroncore" in totals):
        # They are views of the same devices, and the plug-in allots each by itself.
        why = Unknown("asks for Neuron devices under several names at once")
        totals.pop("aws.amazon.com/neuroncore", None)
        totals.update(dict.fromkeys(devices, why))


def _doubt(totals: Totals, metadata: Mapping[str, Any]) -> None:
    """Make counts unknown that do not say what the pod was given."""
    annotations = mapping(metadata, "annotations")
    given = next((key for key in resources.ALLOCATION_ANNOTATIONS if key in annotations), None)
    reason = None
    if given is not None:
        reason = f"{given}: given as a slice, which is not read yet"
    elif metadata.get("namespace") in resources.RESERVATION_NAMESPACES:
        reason = (
            "holds a device in place of the fractional pods on it, whose shares are not read yet"
        )
    if reason is not None:
        totals.update(dict.fromkeys(totals, Unknown(reason)))


def _claims(spec: Mapping[str, Any]) -> Totals:
    return {
        f"claim:{name}": Unknown(
            f"claim {name}: devices allocated by Dynamic Resource Allocation are not read yet"
        )
        for name in (_shown(claim.get("name")) for claim in _list(spec, "resourceClaims"))
    }


def _annotations(metadata: Mapping[str, Any]) -> Totals:
    annotations = mapping(metadata, "annotations")
    for key in resources.ANNOTATIONS:
        if key in annotations:
            value = _shown(annotations[key])
            return {
                f"annotation:{key}": Unknown(
                    f"{key}={value}: a part of a GPU by KAI or Run:ai, which is not read yet"
                )
            }
    return {}


def _visible_devices(spec: Mapping[str, Any]) -> Totals:
    """Devices that a container sees past the scheduler, and so past any share."""
    for container in _containers(spec):
        if any(count != 0 for count in _container(container).values()):
            continue  # the device plug-in sets the variable to what was allotted
        for variable in _list(container, "env"):
            if variable.get("name") != resources.VISIBLE_DEVICES_ENV:
                continue
            if variable.get("value", "all") not in resources.NO_DEVICES:
                name = resources.VISIBLE_DEVICES_ENV
                return {f"env:{name}": Unknown(f"{name}: sees devices that it does not ask for")}
    return {}


def _containers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from _list(spec, key)


def _list(holder: object, key: str) -> Iterable[Mapping[str, Any]]:
    value = holder.get(key) if isinstance(holder, Mapping) else None
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _shown(value: object) -> str:
    """A tenant's text, short enough for a message."""
    return str(value)[:_MAX_SHOWN] if isinstance(value, str) else type(value).__name__
