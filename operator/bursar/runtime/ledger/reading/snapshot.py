"""One consistent state of a ledger, for answers that take several queries."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from bursar.domain.time import Ms
from bursar.domain.usage import Dimension
from bursar.runtime.ledger import schema
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.reading.plan import Kept
from bursar.runtime.ledger.rollups import month_span

_BATCH = 2_000
"""Rows that are fetched at a time."""


@dataclass(frozen=True, slots=True)
class Unfilled:
    """Pods whose rows are not in the sums yet, by their ids: above the first, up to the second."""

    after: int = 0
    upto: int = 0

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return self.upto > self.after

    def __contains__(self, pod_id: int) -> bool:
        """Tell whether a pod is one of them."""
        return self.after < pod_id <= self.upto

    def condition(self, column: ColumnElement[int]) -> ColumnElement[bool]:
        """That a column names one of them."""
        return (column > self.after) & (column <= self.upto)


class Snapshot:
    """A cluster's rows as they are in one transaction.

    Args:
        connection: in that transaction.
        names: of the ledger.
        cluster_id: whose rows.
    """

    def __init__(self, connection: Connection, names: Names, cluster_id: int) -> None:
        self.connection = connection
        self.names = names
        self.cluster_id = cluster_id

    def stream(self, query: Select[Any]) -> Iterator[Any]:
        """Rows of a query, fetched as they are used."""
        options = {"yield_per": _BATCH}
        with self.connection.execute(query, execution_options=options) as found:
            yield from found

    def dimension(self, key: int) -> Dimension:
        """The dimension with an id."""
        return self.names.dimensions.value(self.connection, key)

    @cached_property
    def kept(self) -> Kept:
        """What the ledger still has, and what was corrected."""
        row = self._kept
        if row is None:
            return Kept()
        return Kept(
            rows_since=row.intervals_since_ms,
            hours_since=row.hourly_since_ms,
            corrected=frozenset(self._corrected()),
        )

    @cached_property
    def unfilled(self) -> Unfilled:
        """Pods that the sums do not know yet."""
        row = self._kept
        return Unfilled(row.unfilled_after or 0, row.unfilled_upto or 0) if row else Unfilled()

    @cached_property
    def closed_spans(self) -> tuple[tuple[Ms, Ms], ...]:
        """Beginnings and ends of the months whose figures are final, in order."""
        closed = schema.CLOSED_MONTH.c
        query = select(closed.month).where(closed.cluster_id == self.cluster_id)
        return tuple(sorted(map(month_span, self.connection.execute(query).scalars())))

    @cached_property
    def node_names(self) -> Mapping[int, str]:
        """Names of all nodes that ever were, by their ids."""
        node = schema.NODE.c
        query = select(node.id, node.name).where(node.cluster_id == self.cluster_id)
        return {key: str(name) for key, name in self.connection.execute(query)}

    def labels(self) -> frozenset[str]:
        """Keys of the labels that pods are reported by."""
        table = schema.DIMENSION.c
        query = select(table.id).where(table.labels != "{}")
        found = self.connection.execute(query).scalars().all()
        return frozenset(key for each in found for key, _ in self.dimension(each).labels)

    def currency(self) -> str | None:
        """The currency of the cluster's rates; None where it has none."""
        node, of_node, rate = schema.NODE.c, schema.NODE_RATE.c, schema.RATE.c
        query = (
            select(rate.currency)
            .select_from(
                schema.NODE_RATE.join(schema.NODE, of_node.node_id == node.id).join(
                    schema.RATE, of_node.rate_id == rate.id
                )
            )
            .where(node.cluster_id == self.cluster_id, rate.unpriced.is_(None))
            .limit(1)
        )
        return self.connection.execute(query).scalar()

    @cached_property
    def _kept(self) -> Any:
        kept = schema.KEPT.c
        query = select(schema.KEPT).where(kept.cluster_id == self.cluster_id)
        return self.connection.execute(query).one_or_none()

    def _corrected(self) -> Iterable[Ms]:
        table = schema.CORRECTION.c
        query = select(table.day_ms).where(table.cluster_id == self.cluster_id).distinct()
        return self.connection.execute(query).scalars()
