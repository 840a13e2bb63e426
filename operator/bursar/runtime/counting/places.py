"""Which series of use a pod is counted in: its own, or `other` where there are too many names.

Decided from the ledger's order of appearance, first come, first served, and never again: a name
that had its own series keeps it, and what was counted in `other` stays there, so that no counter
loses what it had, over restarts too.
"""

from typing import Final

from bursar.domain.allocation import UNALLOCATED
from bursar.domain.time import Ms
from bursar.domain.usage import Dimension
from bursar.runtime.counting.series import USAGE, Labels, Roster, Series

OTHER: Final = "other"
MAX_SERIES: Final = 5_000
"""Series of use; beyond that the labels that tenants write become `other`."""
_FREE = frozenset({"", UNALLOCATED, OTHER})
"""Names that no tenant makes up: they take nobody's place."""
_TENANTS = ("team", "model")


class Places:
    """The series of use of one operator."""

    def __init__(self, roster: Roster, teams: int, models: int) -> None:
        self._roster = roster
        self._most = {"team": teams, "model": models}
        self._names: dict[str, dict[str, str]] = {label: {} for label in _TENANTS}
        self._found: dict[Labels, Series] = {}

    def restore(self) -> bool:
        """Take up the names that have series; says whether there are any."""
        for series in self._roster.of(USAGE):
            for place, label in enumerate(_TENANTS, 2):
                name = series.labels[place]
                self._names[label].setdefault(name, name)
        return bool(self._roster.count(USAGE))

    def of(self, dimension: Dimension, created: Ms, *, late: bool = False) -> Series:
        """The series that a dimension is counted in.

        Args:
            dimension: what a pod is reported by.
            created: when a new one was zero (ms).
            late: it was counted before and had no series of its own, so that it gets none now.
        """
        return self.at(labels_of(dimension), created, late=late)

    def at(self, labels: Labels, created: Ms, *, late: bool = False) -> Series:
        """The same by labels: namespace, class, team, model, accelerator."""
        found = self._found.get(labels)
        if found is None:
            namespace, workload_class, team, model, accelerator = labels
            shown = self._name("team", team, late=late), self._name("model", model, late=late)
            key = namespace, workload_class, *shown, accelerator
            full = self._roster.count(USAGE) >= MAX_SERIES
            if self._roster.find(USAGE, key) is None and (late or full):
                key = namespace, workload_class, OTHER, OTHER, accelerator
            found = self._found[labels] = self._roster.open(USAGE, key, created)
        return found

    def _name(self, label: str, name: str, *, late: bool) -> str:
        names = self._names[label]
        if name not in names:
            own = {shown for shown in names.values() if shown not in _FREE}
            room = not late and len(own) < self._most[label]
            names[name] = name if name in _FREE or room else OTHER
        return names[name]


def labels_of(dimension: Dimension) -> Labels:
    """A dimension's labels."""
    return (
        dimension.namespace,
        dimension.workload_class.value,
        dimension.team,
        dimension.model,
        dimension.accelerator,
    )
