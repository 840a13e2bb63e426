"""What a report can be grouped by."""

from collections.abc import Callable, Mapping, Sequence

from bursar.errors import BursarError
from bursar.report.line import Line


class UnknownKey(BursarError):  # noqa: N818 - named after what is wrong, as callers read it
    """A report was asked for by something it does not know; the message lists what it knows."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"can't report by {name[:60]!r}: the keys are {', '.join(KEYS)}")


KEYS: Mapping[str, Callable[[Line], str]] = {
    "namespace": lambda line: line.dimension.namespace,
    "class": lambda line: line.dimension.workload_class.value,
    "activity": lambda line: line.dimension.activity,
    "team": lambda line: line.dimension.team,
    "costCenter": lambda line: line.dimension.cost_center,
    "project": lambda line: line.dimension.project,
    "environment": lambda line: line.dimension.environment,
    "model": lambda line: line.dimension.model,
    "accelerator": lambda line: line.dimension.accelerator,
    "capacityType": lambda line: line.dimension.capacity_type,
    "infrastructure": lambda line: line.dimension.infrastructure,
    "node": lambda line: line.node,
    "workload": lambda line: line.workload,
    "pod": lambda line: line.pod,
}
"""By name, how a line's value is told; empty where nothing told it."""

DEFAULT_KEYS = ("namespace",)


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
        if name not in KEYS:
            raise UnknownKey(name)
    return tuple(dict.fromkeys(names))
