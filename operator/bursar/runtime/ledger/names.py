"""Interned values: rates, dimensions, resources, runs and budgets by their id, and the way back.

Rows of these tables never change, so what was read once is kept. After a failed transaction a
cache may hold ids that were never committed: it is thrown away then.
"""

import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from threading import Lock
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Table, select

from bursar.domain.budget import BudgetKey
from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import Rate, Unpriced
from bursar.domain.usage import Dimension
from bursar.runtime.ledger import schema
from bursar.runtime.ledger.codec import clean, digest, encode_labels
from bursar.runtime.ledger.rows import Run
from bursar.runtime.ledger.sql import chunks, insert_missing

V = TypeVar("V", bound=Hashable)

_LARGEST = 20_000
"""Values kept of one kind; beyond that they are read again."""

Purse = tuple[BudgetKey, str]
"""A budget's key and the uid of the object."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[V]):
    """How one kind of value becomes columns, and columns the value.

    Attributes:
        later: columns that a later schema added, with the value that rows of before have: a digest
            leaves them out as long as they have it, so that these rows are still found.
    """

    table: Table
    encode: Callable[[V, int], dict[str, Any]]
    decode: Callable[[Any], V]
    later: Mapping[str, object] = field(default_factory=dict)

    def digest(self, columns: Mapping[str, Any]) -> str:
        """The key of what these columns hold."""
        later = self.later
        first = [value for name, value in columns.items() if name not in later]
        added = [(name, columns[name]) for name, plain in later.items() if columns[name] != plain]
        return digest(self.table.name, *first, *added)


class Interned(Generic[V]):
    """The values of one kind."""

    def __init__(self, kind: Kind[V], cluster_id: int) -> None:
        self._kind = kind
        self._cluster_id = cluster_id
        self._ids: dict[V, int] = {}
        self._values: dict[int, V] = {}
        self._reading = Lock()

    def id(self, value: V) -> int:
        """The id of a value that `remember` has seen."""
        return self._ids[value]

    def remember(self, connection: Connection, values: Iterable[V]) -> None:
        """Give each value an id, in the caller's transaction."""
        if len(self._ids) > _LARGEST:
            self.forget()
        rows = {}
        for value in {value: None for value in values if value not in self._ids}:
            columns = self._kind.encode(value, self._cluster_id)
            rows[value] = {**columns, "digest": self._kind.digest(columns)}
        if not rows:
            return
        table = self._kind.table
        insert_missing(connection, table, list(rows.values()))
        found: dict[str, int] = {}
        for part in chunks([row["digest"] for row in rows.values()]):
            query = select(table.c.digest, table.c.id).where(table.c.digest.in_(part))
            found.update((entry.digest, entry.id) for entry in connection.execute(query))
        self._ids.update((value, found[row["digest"]]) for value, row in rows.items())

    def value(self, connection: Connection, key: int) -> V:
        """The value with an id; reads what came since the last time at once."""
        known = self._values.get(key)
        if known is not None:
            return known
        table = self._kind.table
        with self._reading:
            last = max(self._values, default=0)
            query = select(table).where(table.c.id > last) if key > last else select(table)
            for row in connection.execute(query):
                self._values[row.id] = self._kind.decode(row)
            return self._values[key]

    def forget(self) -> None:
        """Throw the cache away."""
        self._ids.clear()
        self._values.clear()


class Names:
    """All interned values of one cluster."""

    def __init__(self, cluster_id: int) -> None:
        self.rates = Interned(_RATE, cluster_id)
        self.dimensions = Interned(_DIMENSION, cluster_id)
        self.resources = Interned(_RESOURCE, cluster_id)
        self.runs = Interned(_RUN, cluster_id)
        self.budgets = Interned(_BUDGET, cluster_id)

    def forget(self) -> None:
        """Throw all caches away."""
        for kind in (self.rates, self.dimensions, self.resources, self.runs, self.budgets):
            kind.forget()


_PLAIN_RATE = {"devices_part": Fraction(1), "utilization": Fraction(1), "commitment": ""}
_PLAIN_DIMENSION = {"region": "", "labels": "{}"}


def _encode_rate(value: Rate | Unpriced, _cluster: int) -> dict[str, Any]:
    if isinstance(value, Unpriced):
        return {
            "currency": "",
            "capex": Fraction(0),
            "opex": Fraction(0),
            "origin": "",
            "assumed": 0,
            "unpriced": value.reason.replace("\x00", "\ufffd"),
            **_PLAIN_RATE,
        }
    return {
        "currency": clean(value.currency),
        "capex": value.capex,
        "opex": value.opex,
        "origin": value.origin.replace("\x00", "\ufffd"),
        "assumed": int(value.assumed),
        "unpriced": None,
        "devices_part": value.devices_part,
        "utilization": value.utilization,
        "commitment": clean(value.commitment),
    }


def _decode_rate(row: Any) -> Rate | Unpriced:
    if row.unpriced is not None:
        return Unpriced(row.unpriced)
    return Rate(
        capex=row.capex,
        opex=row.opex,
        currency=row.currency,
        origin=row.origin,
        assumed=bool(row.assumed),
        devices_part=row.devices_part,
        utilization=row.utilization,
        commitment=row.commitment,
    )


def _encode_dimension(value: Dimension, _cluster: int) -> dict[str, Any]:
    return {
        "namespace": clean(value.namespace),
        "class": value.workload_class.value,
        "activity": clean(value.activity),
        "team": clean(value.team),
        "cost_center": clean(value.cost_center),
        "project": clean(value.project),
        "environment": clean(value.environment),
        "model": clean(value.model),
        "accelerator": clean(value.accelerator),
        "capacity_type": clean(value.capacity_type),
        "infrastructure": clean(value.infrastructure),
        "region": clean(value.region),
        "labels": encode_labels(dict(value.labels)),
    }


def _decode_dimension(row: Any) -> Dimension:
    columns = dict(row._mapping)  # noqa: SLF001 - public in spite of its name, says SQLAlchemy
    del columns["id"], columns["digest"]
    labels = tuple(json.loads(columns.pop("labels")).items())
    workload_class = WorkloadClass(columns.pop("class"))
    return Dimension(workload_class=workload_class, labels=labels, **columns)


def _encode_run(value: Run, cluster: int) -> dict[str, Any]:
    return {
        "cluster_id": cluster,
        "uid": clean(value.uid),
        "kind": clean(value.kind),
        "namespace": clean(value.namespace),
        "name": clean(value.name),
    }


def decode_run(row: Any) -> Run:
    """Decode a row of runs."""
    return Run(uid=row.uid, kind=row.kind, namespace=row.namespace, name=row.name)


def _encode_budget(value: Purse, cluster: int) -> dict[str, Any]:
    key, uid = value
    return {
        "cluster_id": cluster,
        "namespace": key.namespace,
        "name": key.name,
        "member": key.member,
        "uid": uid,
    }


def decode_budget(row: Any) -> Purse:
    """Decode a row of budgets."""
    return BudgetKey(namespace=row.namespace, name=row.name, member=row.member), row.uid


_RATE: Kind[Rate | Unpriced] = Kind(schema.RATE, _encode_rate, _decode_rate, _PLAIN_RATE)
_DIMENSION: Kind[Dimension] = Kind(
    schema.DIMENSION, _encode_dimension, _decode_dimension, _PLAIN_DIMENSION
)
_RESOURCE: Kind[str] = Kind(
    schema.RESOURCE, lambda value, _cluster: {"name": clean(value)}, lambda row: str(row.name)
)
_RUN: Kind[Run] = Kind(schema.RUN, _encode_run, decode_run)
_BUDGET: Kind[Purse] = Kind(schema.BUDGET, _encode_budget, decode_budget)
