"""What a report can be grouped by, and what it can be narrowed to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from functools import cache

from bursar.domain.usage import Dimension
from bursar.errors import BursarError
from bursar.report.calendar import TIMES, label
from bursar.report.line import Line, Use

DIMENSIONS: Mapping[str, Callable[[Dimension], str]] = {
    "namespace": lambda dimension: dimension.namespace,
    "class": lambda dimension: dimension.workload_class.value,
    "activity": lambda dimension: dimension.activity,
    "team": lambda dimension: dimension.team,
    "costCenter": lambda dimension: dimension.cost_center,
    "project": lambda dimension: dimension.project,
    "environment": lambda dimension: dimension.environment,
    "model": lambda dimension: dimension.model,
    "accelerator": lambda dimension: dimension.accelerator,
    "capacityType": lambda dimension: dimension.capacity_type,
    "infrastructure": lambda dimension: dimension.infrastructure,
    "region": lambda dimension: dimension.region,
}
"""Keys that many pods share, by name; empty where nothing told the value."""

PODS: Mapping[str, Callable[[Line], str]] = {
    "node": lambda line: line.node,
    "workload": lambda line: line.workload,
    "run": lambda line: line.run,
    "pod": lambda line: line.pod,
}
"""Keys that are a pod's own, likewise."""

LABEL = "label:"
"""Before the key of one of the labels that the installation reports by."""

KEYS = (*DIMENSIONS, *PODS, *TIMES)
"""All keys but the labels, which each installation names for itself."""

DEFAULT_KEYS = ("namespace",)
_SHOWN = 60


class UnknownKey(BursarError):  # noqa: N818 - named after what is wrong, as callers read it
    """A report was asked for by something it does not know; the message lists what it knows."""

    def __init__(self, name: str, said: str = "") -> None:
        self.name = name
        super().__init__(
            said
            or f"can't report by {name[:_SHOWN]!r}: the keys are {', '.join(KEYS)},"
            f" and {LABEL}KEY for labels that the installation reports by"
        )


class BadFilter(BursarError):  # noqa: N818 - named after what is wrong, as callers read it
    """A report was narrowed to something that can't be read; the message says how to write it."""


def parse_keys(text: str | None) -> tuple[str, ...]:
    """Read `namespace,class`; by namespace where nothing is given.

    Raises:
        UnknownKey: one of them is none.
    """
    if not text:
        return DEFAULT_KEYS
    return check_keys([name.strip() for name in text.split(",")])


def check_keys(names: Sequence[str]) -> tuple[str, ...]:
    """Keep each name once, in order.

    Raises:
        UnknownKey: one of them is none.
    """
    for name in names:
        if name not in KEYS and not _labelled(name):
            raise UnknownKey(name)
    return tuple(dict.fromkeys(names))


def parse_filters(text: str | None) -> tuple[tuple[str, str], ...]:
    """Read `team=vision,class=training`: all must hold; nothing given: all there is.

    Raises:
        BadFilter: one of them is no `KEY=VALUE`, or its key is a time, which a window narrows.
        UnknownKey: one of the keys is none.
    """
    found = []
    for part in text.split(",") if text else ():
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name:
            raise BadFilter(f"{part[:_SHOWN]!r} is not KEY=VALUE: write team=vision")
        if name in TIMES:
            raise BadFilter(f"can't narrow to a {name}: give the report's month, or from and to")
        check_keys([name])
        found.append((name, value))
    return tuple(found)


def check_labels(names: Iterable[str], configured: Iterable[str]) -> None:
    """See that the labels among these keys are some of those that are kept.

    Raises:
        UnknownKey: one is not; the message names those that are.
    """
    kept = sorted(configured)
    for name in names:
        key = name.removeprefix(LABEL)
        if key != name and key not in kept:
            there = f"there are {', '.join(kept)}" if kept else "there is none"
            said = (
                f"can't report by the label {key[:_SHOWN]!r}: it is none of the labels that this"
                f" installation keeps (setting report_labels): {there}"
            )
            raise UnknownKey(name, said)


def accepts(filters: Iterable[tuple[str, str]], dimension: Dimension) -> bool:
    """Tell whether a dimension passes those filters that are about dimensions."""
    return all(
        teller(dimension) == value
        for name, value in filters
        if (teller := of_dimension(name)) is not None
    )


def of_dimension(name: str) -> Callable[[Dimension], str] | None:
    """How a dimension tells the value of a key; None where it does not."""
    if _labelled(name):
        key = name.removeprefix(LABEL)
        return lambda dimension: dict(dimension.labels).get(key, "")
    return DIMENSIONS.get(name)


class Teller:
    """Tells a line's values of some keys, in their order, and how its devices were used.

    Args:
        names: of keys, checked.
        zone: whose wall clock names months, days and hours.
    """

    def __init__(self, names: Sequence[str], zone: tzinfo) -> None:
        self._shared = [of_dimension(name) for name in names]
        tells = [_of_line(name, zone) for name in names]
        self._places = [(place, tell) for place, tell in enumerate(tells) if tell is not None]
        # By identity: the same few objects come again and again, and hashing one is slow.
        self._known: dict[int, tuple[Dimension, Use, tuple[str, ...]]] = {}

    def use(self, dimension: Dimension) -> Use:
        """How pods of a dimension use their devices."""
        return self._of(dimension)[1]

    def key(self, line: Line) -> tuple[str, ...]:
        """Its values."""
        shared = self._of(line.dimension)[2]
        if not self._places:
            return shared
        values = list(shared)
        for place, own in self._places:
            values[place] = own(line)
        return tuple(values)

    def _of(self, dimension: Dimension) -> tuple[Dimension, Use, tuple[str, ...]]:
        known = self._known.get(id(dimension))
        if known is None:
            values = tuple(tell(dimension) if tell else "" for tell in self._shared)
            known = self._known[id(dimension)] = dimension, Use.of(dimension), values
        return known


def _of_line(name: str, zone: tzinfo) -> Callable[[Line], str] | None:
    if name in TIMES:
        named = cache(lambda moment: label(moment, name, zone))
        return lambda line: str(named(line.since))
    return PODS.get(name)


def _labelled(name: str) -> bool:
    return name.startswith(LABEL) and len(name) > len(LABEL)
