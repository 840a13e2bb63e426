"""Verifies rows of pods, nodes and commitments: each one's cost, and that one follows the other.

A row's cost is computed anew from its rate, share and times. The rows of one hold must lie end to
end, and only its last may be open.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from operator import add, sub
from typing import Any

from sqlalchemy import select

from bursar.domain.time import format_time
from bursar.domain.usage import COMMITMENT, NODE, Dimension, Segment
from bursar.meter import cost
from bursar.runtime.ledger import schema, stored
from bursar.runtime.ledger.admin.ground import Ground
from bursar.runtime.ledger.admin.verdict import Tally, Verdict
from bursar.runtime.ledger.holds import AMOUNTS, by_pod, closed_amounts, pod_holds
from bursar.runtime.ledger.rollups import contribution
from bursar.runtime.ledger.sums import FIGURES

BREATH = 0.001
"""Seconds that a running operator gets for itself after so many rows."""
PART = 500
_PLACES = [FIGURES.index(name) for name in AMOUNTS]
_NONE = (0,) * len(AMOUNTS)


class Rows:
    """Verifies rows, and adds up the closed ones for the totals."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._closed: defaultdict[Dimension, list[int]] = defaultdict(lambda: [0] * len(AMOUNTS))
        self._loose: defaultdict[Dimension, list[int]] = defaultdict(lambda: [0] * len(AMOUNTS))

    def pods(self, verdict: Verdict) -> None:
        """Verify what pods held."""
        table, pod, ground = schema.POD_INTERVAL.c, schema.POD.c, self._ground
        query = (
            select(schema.POD_INTERVAL, pod.uid.label("pod_uid"), pod.namespace, pod.name)
            .join(schema.POD, pod.id == table.pod_id)
            .where(pod.cluster_id == ground.cluster_id, table.superseded_by.is_(None))
            .order_by(table.pod_id, table.resource_id, table.start_ms)
        )
        if ground.span is not None:
            query = query.where(stored.reaches(schema.POD_INTERVAL, *ground.span))
        resources = ground.names.resources
        hold: list[tuple[Any, Segment]] = []
        with (
            verdict.check("cost of pods' rows = rate × share × time") as costs,
            verdict.check("rows of a pod's hold lie end to end") as order,
            ground.connection.execution_options(yield_per=1_000).execute(query) as rows,
        ):
            for count, row in enumerate(rows):
                if count % PART == PART - 1:
                    time.sleep(BREATH)
                resource = resources.value(ground.connection, row.resource_id)
                part = stored.segment(ground.connection, ground.names, row, resource)
                self._cost(row, part, costs)
                if hold and hold[0][0][:2] != row[:2]:
                    self._hold(hold, order)
                    hold = []
                hold.append((row, part))
            if hold:
                self._hold(hold, order)

    def nodes(self, verdict: Verdict) -> None:
        """Verify what nodes cost."""
        ground, table = self._ground, schema.NODE_INTERVAL
        query = stored.node_intervals(ground.cluster_id).order_by(table.c.node_id, table.c.start_ms)
        if ground.span is not None:
            query = query.where(stored.reaches(table, *ground.span))
        before: tuple[int, Segment] | None = None
        with (
            verdict.check("cost of nodes' rows = rate × time, and they lie end to end") as tally,
            ground.connection.execution_options(yield_per=1_000).execute(query) as rows,
        ):
            for row in rows:
                part = stored.segment(ground.connection, ground.names, row, NODE)
                self._cost(row, part, tally)
                if before is not None and before[0] == row.node_id:
                    self._follows(_where(row), before[1], part, tally)
                before = row.node_id, part

    def commitments(self, verdict: Verdict) -> None:
        """Verify what commitments cost."""
        ground = self._ground
        table = schema.COMMITMENT_INTERVAL
        query = select(table).where(
            table.c.cluster_id == ground.cluster_id, table.c.superseded_by.is_(None)
        )
        with verdict.check("cost of commitments' rows = rate × count × time") as tally:
            for row in ground.connection.execute(query).all():
                part = stored.segment(ground.connection, ground.names, row, COMMITMENT)
                self._cost(row, part, tally)

    def totals(self, tally: Tally) -> None:
        """Compare the totals with the closed rows, or, where rows were removed, with the days."""
        ground, table = self._ground, schema.TOTAL
        query = select(table).where(table.c.cluster_id == ground.cluster_id)
        kept = {
            self._dimension(row.dimension_id): tuple(getattr(row, name) for name in AMOUNTS)
            for row in ground.connection.execute(query).all()
        }
        counted = self._by_days() if ground.state.intervals_since else self._closed
        for key in {**kept, **counted}:
            pairs = zip(AMOUNTS, kept.get(key, _NONE), counted.get(key, _NONE), strict=True)
            for name, one, other in pairs:
                tally.compare(f"{name} of {told(key)}", one, other)

    def _cost(self, row: Any, part: Segment, tally: Tally) -> None:
        spent = cost(part, row.end_ms)
        tally.mine.compared += 1
        if (spent.capex, spent.opex) != (row.capex_nano, row.opex_nano):
            kept = f"{row.capex_nano} + {row.opex_nano}"
            tally.tell(_where(row), kept, f"{spent.capex} + {spent.opex}")

    def _hold(self, hold: list[tuple[Any, Segment]], tally: Tally) -> None:
        """Verify one hold, and take its closed rows."""
        tally.mine.compared += 1
        for (_, before), (row, part) in pairwise(hold):
            self._follows(_where(row), before, part, tally)
        loose = hold[-1][1].end is None
        for row, part in hold:
            if row.end_ms < part.start:
                tally.tell(
                    _where(row),
                    f"ends {format_time(row.end_ms)}",
                    f"begins {format_time(part.start)}",
                )
            dimension = self._dimension(row.dimension_id)
            amounts = closed_amounts(part, row.device_fraction)
            mine = self._closed[dimension]
            mine[:] = map(add, mine, amounts)
            if loose:
                mine = self._loose[dimension]
                mine[:] = map(add, mine, amounts)

    def _follows(self, where: str, before: Segment, part: Segment, tally: Tally) -> None:
        if before.end is None:
            tally.tell(where, "follows an open row", "only the last row of a hold is open")
        elif before.end.at != part.start:
            tally.tell(
                where,
                f"begins {format_time(part.start)}",
                f"the row before ends {format_time(before.end.at)}",
            )

    def _by_days(self) -> dict[Dimension, list[int]]:
        """What the days and corrections say, with the closed rows of pods that go on."""
        ground = self._ground
        found: defaultdict[Dimension, list[int]] = defaultdict(lambda: [0] * len(AMOUNTS))
        for key, amounts in self._loose.items():
            found[key][:] = map(add, found[key], amounts)
        for table in (schema.DAILY, schema.CORRECTION):
            columns = [table.c.dimension_id, *(table.c[FIGURES[place]] for place in _PLACES)]
            query = select(*columns).where(table.c.cluster_id == ground.cluster_id)
            for dimension_id, *figures in ground.connection.execute(query).all():
                key = self._dimension(dimension_id)
                found[key][:] = map(add, found[key], figures)
        for key, figures in open_days(ground):
            found[key][:] = map(sub, found[key], (figures[place] for place in _PLACES))
        return found

    def _dimension(self, key: int) -> Dimension:
        return self._ground.names.dimensions.value(self._ground.connection, key)


def open_days(ground: Ground) -> Iterator[tuple[Dimension, list[int]]]:
    """What open holds have in the days of closed months, by the id of the dimension."""
    table, pod = schema.POD_INTERVAL, schema.POD.c
    query = (
        select(pod.id)
        .join(table, table.c.pod_id == pod.id)
        .where(
            pod.cluster_id == ground.cluster_id,
            stored.is_open(table),
            table.c.superseded_by.is_(None),
        )
    )
    ids = list(ground.connection.execute(query).scalars())
    numbers: dict[Dimension, int] = {}

    def number(dimension: Dimension) -> int:
        return numbers.setdefault(dimension, len(numbers))

    holds = by_pod(pod_holds(ground.connection, ground.names, ground.cluster_id, ids), ids)
    for held in holds.values():
        still = {key: hold for key, hold in held.items() if not hold.closed}
        adds = contribution(still, ground.state.scope, number).daily
        dimensions = list(numbers)
        for (_, index), figures in adds.items():
            yield dimensions[index], figures


def _where(row: Any) -> str:
    named = row._mapping  # noqa: SLF001 - public in spite of its name, says SQLAlchemy
    if "pod_uid" in named:
        who = f"pod {row.namespace}/{row.name} ({row.pod_uid})"
    elif "node_uid" in named:
        who = f"node {row.node_name} ({row.node_uid})"
    else:
        who = f"commitment {row.name}"
    return f"{who} from {format_time(row.start_ms)}"


def told(dimension: Dimension) -> str:
    """A dimension as people find it again."""
    return (
        f"namespace {dimension.namespace}, class {dimension.workload_class.value}, "
        f"accelerator {dimension.accelerator}, team {dimension.team}"
    )
