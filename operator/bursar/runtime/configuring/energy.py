"""Brings the factors of energy and carbon together: bundled tables, settings, price books."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from importlib.resources import files

from bursar import report
from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO
from bursar.domain.workload import NodeFacts
from bursar.kpi import Grid, Model, Use, energy_of, joules_per_ms, parse_grid
from bursar.price.books import Books
from bursar.price.owned import Owned
from bursar.recognize.tables import AcceleratorTables
from bursar.report import EnergyModel


def modeled(model: Model) -> EnergyModel:
    """How a report tells of energy: what pods held; of what nobody held nothing is modeled."""
    known: dict[report.Use, _Factors | None] = {}

    def factors(use: report.Use) -> _Factors | None:
        if use not in known:
            known[use] = _factors(use, model)
        return known[use]

    def tell(uses: Mapping[report.Use, int]) -> report.Energy:
        kwh = kg = ungraded = assumed = Fraction(0)
        unpowered = 0
        held = {use: time for use, time in uses.items() if use.workload_class is not None}
        for use, time in held.items():
            found = factors(use)
            if found is None:
                unpowered += time
                continue
            taken = found.kwh * time
            kwh += taken
            assumed += taken if found.assumed else 0
            if found.kg is None:
                ungraded += taken
            else:
                kg += found.kg * time
        told = bool(kwh) or (not unpowered and len(held) == len(uses))
        graded = told and (kwh > ungraded or not kwh)
        return report.Energy(
            kwh=kwh if told else None,
            kg_co2e=kg if graded else None,
            unpowered=unpowered,
            ungraded_kwh=ungraded,
            assumed_kwh=assumed,
        )

    return tell


@dataclass(frozen=True, slots=True)
class _Factors:
    """Of one use, for 10^-9 ms of a whole accelerator: kWh, kg CO2e (None: unknown grid)."""

    kwh: Fraction
    kg: Fraction | None
    assumed: bool


def _factors(use: report.Use, model: Model) -> _Factors | None:
    assert use.workload_class is not None
    same = Use(
        accelerator=use.accelerator,
        region=use.region,
        workload_class=use.workload_class,
        capacity_type=use.capacity_type,
    )
    # One unit of a report's time, as the model counts it.
    one = energy_of([(same, Fraction(1, NANO))], model)
    if one.unpowered_ms:
        return None
    kg = None if one.ungraded_joules else one.kg_co2e
    return _Factors(one.kwh, kg, bool(one.assumed_joules))


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

    def model_of_reports(self) -> EnergyModel:
        """What reports' accelerator time took, by the factors as they stand now."""
        return modeled(self.model)

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
