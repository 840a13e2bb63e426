"""Compares the sums by hour and day with what the intervals add up to.

They are equal at all times: sums and corrections together on the one side, the rows of pods on the
other. Days from which rows were removed can't be counted again and are left out, and so are the
hours of closed months, whose corrections are kept by the day.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import add
from typing import Any

from sqlalchemy import Connection, Table, select

from bursar.domain.time import Ms
from bursar.domain.usage import Dimension
from bursar.runtime.ledger import schema, stored, sums
from bursar.runtime.ledger.holds import by_pod, pod_holds
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.rollups import Sums, contribution
from bursar.runtime.ledger.sums import FIGURES, State

PODS = 5_000
"""Pods that are read at once."""

Span = tuple[Ms, Ms]
Key = tuple[Ms, Dimension | int]
Counted = dict[Key, list[int]]
"""Figures by the beginning of the hour or day, and dimension or id of a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A sum that is not what its pods add up to.

    Attributes:
        table: hourly, daily, hourly_node or daily_node.
        moment: beginning of the hour or day (ms).
        of: whose sum it is; a node by its id.
        figure: column.
        kept: what the row and corrections say.
        counted: what the intervals say.
    """

    table: str
    moment: Ms
    of: Dimension | int
    figure: str
    kept: int
    counted: int


def differences(
    connection: Connection,
    names: Names,
    cluster_id: int,
    now: Ms,
    span: Span | None = None,
    count: Callable[[int], None] = lambda _: None,
) -> Iterator[Difference]:
    """All sums that are not what they should be; the connection must see one state throughout.

    Args:
        connection: to read by.
        names: interned values.
        cluster_id: whose.
        now: only for a ledger that was never written.
        span: beginning and end (ms) of what is compared; None: all.
        count: told of each figures that were compared.
    """
    state = sums.state(connection, cluster_id, now)
    counted = _count(connection, names, cluster_id, state, span)
    corrected = _corrections(connection, names, cluster_id)
    for table in (schema.HOURLY, schema.DAILY, schema.HOURLY_NODE, schema.DAILY_NODE):
        kept = _rows(connection, names, cluster_id, table, span)
        for key, figures in corrected.get(table.name, {}).items():
            _plus(kept, key, figures)
        should = counted[table.name]
        figures_of = [name for name in FIGURES if name in table.c]
        for key in sorted({**kept, **should}, key=repr):
            if not _countable(state, key[0], hourly=table in (schema.HOURLY, schema.HOURLY_NODE)):
                continue
            if span is not None and not span[0] <= key[0] < span[1]:
                continue
            count(len(figures_of))
            pairs = zip(kept.get(key, _NONE), should.get(key, _NONE), strict=False)
            for figure, (one, other) in zip(figures_of, pairs, strict=False):
                if one != other:
                    yield Difference(
                        table=table.name,
                        moment=key[0],
                        of=key[1],
                        figure=figure,
                        kept=one,
                        counted=other,
                    )


_NONE = [0] * len(FIGURES)


def _countable(state: State, moment: Ms, *, hourly: bool) -> bool:
    if moment < state.intervals_since:
        return False
    return not hourly or not (moment < state.scope.hourly_since or state.scope.is_closed(moment))


def _count(
    connection: Connection, names: Names, cluster_id: int, state: State, span: Span | None
) -> dict[str, Counted]:
    """What all pods add up to, by table."""
    found: dict[str, Counted] = {
        table.name: {}
        for table in (schema.HOURLY, schema.DAILY, schema.HOURLY_NODE, schema.DAILY_NODE)
    }
    numbers: dict[Dimension, int] = {}

    def number(dimension: Dimension) -> int:
        return numbers.setdefault(dimension, len(numbers))

    for nodes in _pods(connection, cluster_id, span):
        holds = by_pod(pod_holds(connection, names, cluster_id, nodes), nodes)
        for pod_id, node in nodes.items():
            if state.filled(pod_id):
                adds = contribution(holds[pod_id], state.scope, number)
                _take(found["hourly"], found["hourly_node"], adds.hourly, node)
                _take(found["daily"], found["daily_node"], adds.daily, node)
    dimensions = list(numbers)
    for name in ("hourly", "daily"):
        found[name] = {
            (moment, dimensions[index]): figures
            for (moment, index), figures in found[name].items()
            if isinstance(index, int)
        }
    return found


def _pods(
    connection: Connection, cluster_id: int, span: Span | None
) -> Iterator[dict[int, int | None]]:
    """All pods, or those that reach into a span, with their nodes, some at a time."""
    pod, last = schema.POD.c, 0
    query = select(pod.id, pod.node_id).where(pod.cluster_id == cluster_id)
    if span is not None:
        reaching = select(schema.POD_INTERVAL.c.pod_id).where(
            stored.reaches(schema.POD_INTERVAL, *span)
        )
        query = query.where(pod.id.in_(reaching))
    while True:
        part = query.where(pod.id > last).order_by(pod.id).limit(PODS)
        nodes = {row.id: row.node_id for row in connection.execute(part)}
        if not nodes:
            return
        yield nodes
        last = max(nodes)


def _take(by_dimension: Counted, by_node: Counted, adds: Sums, node: int | None) -> None:
    for (moment, dimension), figures in adds.items():
        _plus(by_dimension, (moment, dimension), figures)
        if node is not None:
            _plus(by_node, (moment, node), figures)


def _rows(
    connection: Connection, names: Names, cluster_id: int, table: Table, span: Span | None
) -> Counted:
    found: Counted = {}
    query = select(table).where(table.c.cluster_id == cluster_id)
    if span is not None:
        moment = table.c["hour_ms" if "hour_ms" in table.c else "day_ms"]
        query = query.where(moment >= span[0], moment < span[1])
    for _, moment, key, *figures in connection.execute(query):
        of = key
        if "dimension_id" in table.c:
            of = names.dimensions.value(connection, key)
        _plus(found, (moment, of), figures)
    return found


def _corrections(connection: Connection, names: Names, cluster_id: int) -> dict[str, Counted]:
    """What was corrected, by the table of days that it would have changed."""
    by_dimension: Counted = {}
    by_node: Counted = {}
    table = schema.CORRECTION
    for row in connection.execute(select(table).where(table.c.cluster_id == cluster_id)):
        figures = [getattr(row, name) for name in FIGURES]
        dimension = names.dimensions.value(connection, row.dimension_id)
        _plus(by_dimension, (row.day_ms, dimension), figures)
        if row.node_id is not None:
            _plus(by_node, (row.day_ms, row.node_id), figures)
    return {"daily": by_dimension, "daily_node": by_node}


def _plus(found: Counted, key: Key, figures: Iterable[Any]) -> None:
    old = found.get(key)
    found[key] = list(figures) if old is None else list(map(add, old, figures))
