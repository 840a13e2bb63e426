"""Re-rates the past: what it would change, and the rows that change it.

Which rates a node should have had is the price path's answer (an argument here). What they change
is computed from the ledger's rows, and written by its one writer, a node in each transaction. It
can be asked for again at any time: what is as it should be stays.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from bursar.domain.money import format_nano
from bursar.domain.rate import RatePeriod
from bursar.domain.time import Ms, format_time
from bursar.domain.usage import Cost, Segment
from bursar.meter import cost_between, recut
from bursar.runtime.ledger import Reader, schema, stored
from bursar.runtime.ledger.holds import node_holds, pod_holds
from bursar.runtime.ledger.rows import RerateRow
from bursar.runtime.ledger.sql import chunks

PLACES = 9
"""Decimals of money: all that there are."""
NODES = ""
"""Stands for the nodes themselves, which are nobody's namespace."""


@dataclass(slots=True)
class Moved:
    """What becomes of somebody's cost in the span.

    Attributes:
        count: pods, or nodes, whose cost changes.
        before: nano-units.
        after: likewise.
    """

    count: int = 0
    before: int = 0
    after: int = 0


@dataclass(slots=True, kw_only=True)
class Plan:
    """A re-rating.

    Attributes:
        frm: beginning of the span (ms).
        to: its end, not after now.
        rates: of the nodes that it concerns, by uid: all periods, as they shall be.
        pods: ids of the pods that it may touch, by the uid of the node.
        newest: the highest id of any pod when these were looked for.
        moved: by namespace; `NODES` for the nodes.
    """

    frm: Ms
    to: Ms
    rates: Mapping[str, Sequence[RatePeriod]]
    pods: Mapping[str, Sequence[int]] = field(default_factory=dict)
    newest: int = 0
    moved: Mapping[str, Moved] = field(default_factory=dict)

    def rows(self, revised: Ms, reason: str, reference: str) -> Iterator[RerateRow]:
        """What is to be written, each in a transaction of its own."""
        for uid, periods in self.rates.items():
            yield RerateRow(
                node_uid=uid,
                periods=tuple(periods),
                revised=revised,
                pods=tuple(self.pods.get(uid, ())),
                newest=self.newest,
                reason=reason,
                reference=reference,
            )


def plan(reader: Reader, rates: Mapping[str, Sequence[RatePeriod]], frm: Ms, to: Ms) -> Plan:
    """Say what other rates of some nodes change in [frm, to).

    Args:
        reader: of the ledger, in which all that is known is written.
        rates: all periods of each node's rate as they shall be, by the node's uid.
        frm: included.
        to: excluded; not after now.
    """
    with reader.session() as (connection, names, cluster_id):
        there = _nodes(connection, cluster_id, rates)
        uids = {key: uid for uid, key in there.items()}
        pods = _pods(connection, cluster_id, there.values(), (frm, to))
        moved: defaultdict[str, Moved] = defaultdict(Moved)
        touched: defaultdict[str, set[int]] = defaultdict(set)
        for part in chunks(pods):
            for key, hold in pod_holds(connection, names, cluster_id, part).items():
                fresh = recut(hold.segments, rates[uids[pods[key[0]]]])
                if fresh is not None and hold.dimension is not None:
                    mine = moved[hold.dimension.namespace]
                    touched[hold.dimension.namespace].add(key[0])
                    _add(mine, hold.segments, fresh, (frm, to))
        for namespace, ids in touched.items():
            moved[namespace].count = len(ids)
        for (node_id,), hold in node_holds(connection, names, cluster_id, uids).items():
            fresh = recut(hold.segments, rates[uids[node_id]])
            if fresh is not None:
                moved[NODES].count += 1
                _add(moved[NODES], hold.segments, fresh, (frm, to))
        newest = connection.execute(select(func.max(schema.POD.c.id))).scalar() or 0
    by_node: defaultdict[str, list[int]] = defaultdict(list)
    for pod_id, node_id in pods.items():
        by_node[uids[node_id]].append(pod_id)
    return Plan(frm=frm, to=to, rates=rates, pods=by_node, newest=newest, moved=moved)


def told(plan: Plan) -> dict[str, Any]:
    """What a re-rating changes, as JSON."""
    spaces = sorted(name for name in plan.moved if name != NODES)
    return {
        "from": format_time(plan.frm),
        "to": format_time(plan.to),
        "namespaces": [{"namespace": name, **_told(plan.moved[name])} for name in spaces],
        "nodes": _told(plan.moved.get(NODES, Moved())),
    }


def _told(moved: Moved) -> dict[str, Any]:
    return {
        "count": moved.count,
        "before": format_nano(moved.before, PLACES),
        "after": format_nano(moved.after, PLACES),
        "difference": format_nano(moved.after - moved.before, PLACES),
    }


def _nodes(connection: Connection, cluster_id: int, rates: Mapping[str, object]) -> dict[str, int]:
    node = schema.NODE.c
    found: dict[str, int] = {}
    for part in chunks(rates):
        query = select(node.uid, node.id).where(node.cluster_id == cluster_id, node.uid.in_(part))
        found.update((row.uid, row.id) for row in connection.execute(query))
    return found


def _pods(
    connection: Connection, cluster_id: int, nodes: Iterable[int], span: tuple[Ms, Ms]
) -> dict[int, int]:
    """Pods of these nodes that reach into the span, with the node's id."""
    pod, table, wanted = schema.POD.c, schema.POD_INTERVAL, set(nodes)
    query = (
        select(pod.id, pod.node_id)
        .join(table, table.c.pod_id == pod.id)
        .where(
            pod.cluster_id == cluster_id,
            pod.node_id.is_not(None),
            table.c.superseded_by.is_(None),
            stored.reaches(table, *span),
        )
        .distinct()
    )
    return {row.id: row.node_id for row in connection.execute(query) if row.node_id in wanted}


def _add(
    mine: Moved, before: Sequence[Segment], after: Sequence[Segment], span: tuple[Ms, Ms]
) -> None:
    mine.before += _between(before, span)
    mine.after += _between(after, span)


def _between(parts: Sequence[Segment], span: tuple[Ms, Ms]) -> int:
    return sum((cost_between(part, *span) for part in parts), Cost()).total
