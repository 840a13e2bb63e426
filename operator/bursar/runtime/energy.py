"""Brings the factors of energy and carbon together: bundled tables, settings, price books."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache
from importlib.resources import files

from bursar.domain.classification import WorkloadClass
from bursar.domain.workload import NodeFacts
from bursar.kpi import Grid, Model, Use, joules_per_ms, parse_grid
from bursar.price.books import Books
from bursar.price.owned import Owned
from bursar.recognize.tables import AcceleratorTables


@cache
def load() -> Grid:
    """The table of overheads and grids that ships with this version, read once."""
    return parse_grid(files("bursar.kpi").joinpath("data", "grid.json").read_text("utf-8"))


class Energy:
    """The factors of an installation.

    Attributes:
        model: as they stand now.
    """

    def __init__(
        self, tables: AcceleratorTables, utilization: Mapping[WorkloadClass, Fraction]
    ) -> None:
        watts = {
            name: device.watts
            for name, device in tables.accelerators.items()
            if device.watts is not None
        }
        self.model = Model(watts=watts, grid=load(), utilization=utilization)
        self._power: dict[Use, tuple[int, int] | None] = {}

    def power(self, use: Use) -> tuple[int, int] | None:
        """Joules for a millisecond of one whole accelerator; None where its power is unknown."""
        if use not in self._power:
            found = joules_per_ms(use, self.model)
            self._power[use] = None if found is None else found.as_integer_ratio()
        return self._power[use]

    def learn(self, books: Books, nodes: Iterable[NodeFacts]) -> None:
        """Take up what price books say of the buildings that owned nodes stand in."""
        found: dict[str, Fraction] = {}
        for facts in nodes:
            for rule in books.owned:
                what = rule.what
                if isinstance(what, Owned) and what.pue is not None and rule.matches(facts):
                    found.setdefault(facts.accelerator, what.pue)
                    break
        if found != self.model.owned_pue:
            self.model = replace(self.model, owned_pue=found)
            self._power.clear()
