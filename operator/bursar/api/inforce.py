"""Which fields this release acts upon, so that none is ever silently ignored.

A table: one row a field (or a value of one) that is stored but not acted upon yet. What an object
sets of it is named by its condition `NotInForce`, and the reference of the resources is made from
the same rows. Bringing a field into force means deleting its row.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bursar.api.aibudget import AIBudgetSpec, ClusterAIBudgetSpec
from bursar.api.aimodel import AIModelSpec
from bursar.api.classificationpolicy import ClassificationPolicySpec
from bursar.api.common import ApiModel
from bursar.api.pricebook import PriceBookSpec

Applies = Callable[[Any], bool]
"""Tells from a set value whether the row concerns it."""


def _any(value: object) -> bool:
    """Whatever was set: an empty list or map is as good as absent."""
    return value not in (None, [], {})


def _is(wanted: str) -> Applies:
    return lambda value: value == wanted or (isinstance(value, list) and wanted in value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A field that is not in force.

    Attributes:
        path: the field; `[]` steps into a list's items, `.*` into a map's values.
        applies: whether a set value is meant.
        only: in words, the values that are meant; empty: all.
    """

    path: str
    applies: Applies = _any
    only: str = ""

    @property
    def name(self) -> str:
        """How the condition names it."""
        return f"{self.path}={self.only}" if self.only else self.path


BUDGET_ROWS = (
    Row(path="spec.perWorkload"),
    Row(path="spec.thresholds[].actions", applies=_is("Stop"), only="Stop"),
    Row(path="spec.admission", applies=_is("Reserve"), only="Reserve"),
    Row(path="spec.idle"),
    Row(path="spec.allocation.criticality"),
    Row(path="spec.allocation.shutdownEligible"),
    Row(path="spec.stop"),
    Row(path="spec.carryOver"),
    Row(path="spec.notify"),
)
PRICE_BOOK_ROWS: tuple[Row, ...] = ()
CLASSIFICATION_POLICY_ROWS = (Row(path="spec.rules"),)
AI_MODEL_ROWS = tuple(
    Row(path=f"spec.{field.alias}") for field in AIModelSpec.model_fields.values()
)

TABLE: Mapping[str, tuple[type[ApiModel], tuple[Row, ...]]] = {
    "AIBudget": (AIBudgetSpec, BUDGET_ROWS),
    "ClusterAIBudget": (ClusterAIBudgetSpec, BUDGET_ROWS),
    "PriceBook": (PriceBookSpec, PRICE_BOOK_ROWS),
    "ClassificationPolicy": (ClassificationPolicySpec, CLASSIFICATION_POLICY_ROWS),
    "AIModel": (AIModelSpec, AI_MODEL_ROWS),
}
"""Each kind's spec and the rows that concern it."""


def not_in_force(spec: ApiModel) -> tuple[str, ...]:
    """Name what an object sets that this release does not act upon yet.

    Args:
        spec: the spec of one of our kinds.

    Returns:
        Paths of fields in the order of the table, each with the values that are meant where others
        of the same field are in force: `("spec.perWorkload", "spec.admission=Reserve")`. Empty
        where all that is set is in force.
    """
    rows = next((rows for kind, rows in TABLE.values() if type(spec) is kind), ())
    values = {"spec": spec.dump()}
    return tuple(
        row.name
        for row in rows
        if any(row.applies(value) for value in _at(values, row.path.split(".")))
    )


def _at(value: object, steps: list[str]) -> Iterator[Any]:
    """Yield each value that stands at a path."""
    if not steps:
        yield value
        return
    key, rest = steps[0], steps[1:]
    if not isinstance(value, Mapping):
        return
    if key == "*":
        for each in value.values():
            yield from _at(each, rest)
    elif key.endswith("[]"):
        for each in value.get(key.removesuffix("[]"), ()):
            yield from _at(each, rest)
    elif key in value:
        yield from _at(value[key], rest)


def note(kind: str, path: str) -> str | None:
    """Tell whether a field is in force, for the reference.

    Args:
        kind: one of our kinds.
        path: the field, as in `Row.path`.

    Returns:
        None where it is; else the values that are not, empty where none is.
    """
    _, rows = TABLE.get(kind, (None, ()))
    for row in rows:
        if path == row.path:
            return row.only
        if not row.only and path.startswith((f"{row.path}.", f"{row.path}[]", f"{row.path}.*")):
            return ""
    return None
