"""Reads the ledger's file by plain SQL, and holds each of its rows against the closed form."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from uuid import UUID

from support.churn import fleet
from support.churn.truth import SECOND, Sum, Timeline, Truth, cost

QUERY = """
SELECT pod.uid, resource.name, i.start_ms, i.end_ms, i.capex_nano, i.opex_nano, i.devices,
       i.basis, i.witness, i.low_ms, i.high_ms, rate.unpriced
FROM pod_interval AS i
JOIN pod ON pod.id = i.pod_id
JOIN resource ON resource.id = i.resource_id
JOIN rate ON rate.id = i.rate_id
WHERE i.superseded_by IS NULL
ORDER BY pod.uid, resource.name, i.start_ms
"""
LATE = 15 * SECOND
"""An end that was only observed is the moment at which the operator heard of it: a connection that
has stalled, and an operator that was just starting, may tell it late."""


class Basis(StrEnum):
    """How the ledger knows an end."""

    OPEN = "open"
    EXACT = "exact"
    OBSERVED = "observed"
    ESTIMATED = "estimated"


BASES = tuple(Basis)


@dataclass(slots=True)
class Held:
    """All rows of one pod's hold on one resource."""

    start: int
    end: int = 0
    cost: Sum = field(default_factory=Sum)
    device_ms: Fraction = Fraction(0)
    basis: Basis = Basis.OPEN
    witness: str = ""
    low: int | None = None
    high: int | None = None
    unpriced: bool = False


NODES = """
SELECT node.name, i.start_ms, i.end_ms, i.capex_nano, i.opex_nano
FROM node_interval AS i JOIN node ON node.id = i.node_id
WHERE i.superseded_by IS NULL
ORDER BY node.name, i.start_ms
"""


def read_nodes(ledger: Path) -> dict[str, Held]:
    """What the ledger holds of each node, up to when it was last written."""
    held: dict[str, Held] = {}
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=10)) as connection:
        for name, start, end, capex, opex in connection.execute(NODES):
            each = held.setdefault(name, Held(start=start))
            each.cost += Sum(int(capex), int(opex))
            each.end = end
    return held


def open_nodes(ledger: Path) -> set[str]:
    """Names of the nodes that cost on."""
    query = "SELECT name FROM node JOIN node_interval ON node_id = id WHERE basis = 0"
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=10)) as connection:
        return {name for (name,) in connection.execute(query)}


def read(ledger: Path) -> dict[str, dict[str, Held]]:
    """What the ledger holds, by pod and resource; a row that is not superseded counts."""
    held: defaultdict[str, dict[str, Held]] = defaultdict(dict)
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=10)) as connection:
        for row in connection.execute(QUERY):
            uid, resource, start, end, capex, opex, devices, *known, unpriced = row
            uid = str(UUID(bytes=uid)) if isinstance(uid, bytes) else uid
            each = held[uid].setdefault(resource, Held(start=start))
            each.cost += Sum(int(capex), int(opex))
            each.device_ms += Fraction(devices or 0) * (end - start)
            each.unpriced |= unpriced is not None
            each.end = end
            basis, each.witness, low, high = known
            each.basis = BASES[basis]
            if low is not None:
                each.low = low if each.low is None else min(each.low, low)
            if high is not None:
                each.high = high if each.high is None else max(each.high, high)
    return held


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An end that nobody told, in nano-units.

    Attributes:
        cost: what the ledger counts.
        low: what it would be at the earliest end that the ledger allows.
        high: at the latest.
        true: what it really was: the nearest that fits, since only the second of an end is known.
    """

    witness: str
    cost: int
    low: int
    high: int
    true: int

    @property
    def error(self) -> int:
        return abs(self.cost - self.true)


@dataclass(slots=True)
class Figures:
    """What came of a comparison.

    Attributes:
        bases: pods by how their end is known.
        estimates: those that were estimated.
        wrong: what is not as it must be, in words.
        pending: what the ledger may still write.
        error: largest difference from the closed form at the ledger's own ends (nano-units).
        late: longest time by which an observed end came after the true one (ms).
        unseen: pods that were bound and of which the ledger knows nothing.
        ledger: all that it holds (nano-units).
        closed: the closed form of the same.
        unpriced: holds whose money nobody can tell: their time is counted.
    """

    bases: defaultdict[Basis, int] = field(default_factory=lambda: defaultdict(int))
    estimates: list[Estimate] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    error: int = 0
    late: int = 0
    unseen: list[Truth] = field(default_factory=list)
    ledger: int = 0
    closed: int = 0
    unpriced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Holds pods against the closed form.

    Attributes:
        run: the run's label, part of its nodes' names.
        prices: of each kind of node.
        away: times in which nobody listened: an end in one of them, of which the API tells no
            moment, may be an estimate.
        forgot: times of which the API server forgot what happened before it was asked: any end in
            one may be an estimate, and a life within one may be missing.
    """

    run: str
    prices: Mapping[str, Timeline]
    away: tuple[tuple[int, int], ...]
    forgot: tuple[tuple[int, int], ...]

    def compare(
        self, lives: Mapping[str, Truth], ledger: Mapping[str, Mapping[str, Held]]
    ) -> Figures:
        """All pods."""
        found = Figures()
        for uid, pod in lives.items():
            if not pod.held:
                continue
            rows = ledger.get(uid)
            if rows is None:
                self._missing(pod, found)
                continue
            if set(rows) != set(pod.held):
                found.wrong.append(f"{pod.name}: holds {set(rows)} and not {set(pod.held)}")
                continue
            for resource, devices in pod.held.items():
                self._one(pod, devices, rows[resource], found)
            found.bases[next(iter(rows.values())).basis] += 1
        return found

    def _missing(self, pod: Truth, found: Figures) -> None:
        _, end = pod.bounds
        if any(a <= pod.start + SECOND and end <= b for a, b in self.forgot):
            found.unseen.append(pod)
        else:
            found.pending.append(f"{pod.name} ({pod.uid}) is not in the ledger")

    def _one(self, pod: Truth, devices: Fraction, held: Held, found: Figures) -> None:
        if held.basis is Basis.OPEN:
            found.pending.append(f"{pod.name} ({pod.uid}) is open")
            return
        model = fleet.model_of(pod.node, self.run)
        share = devices / fleet.DEVICES[model]
        must = cost(self.prices[model], share, held.start, held.end)
        found.ledger += held.cost.total
        found.closed += must.total
        found.unpriced += held.unpriced
        error = max(abs(held.cost.capex - must.capex), abs(held.cost.opex - must.opex))
        found.error = max(found.error, error)
        for problem in self._problems(pod, held, found):
            found.wrong.append(f"{pod.name} ({pod.uid}, {held.basis} {held.witness}): {problem}")
        if error:
            found.wrong.append(f"{pod.name} on {model}: {held.cost} and not {must}")
        if held.device_ms != devices * (held.end - held.start):
            found.wrong.append(f"{pod.name}: {held.device_ms} device-ms of {devices}: {held}")
        if held.unpriced != (self.prices[model][0].price is None):
            found.wrong.append(f"{pod.name} on {model}: unpriced {held.unpriced}")
        if held.basis is Basis.ESTIMATED:
            self._weigh(pod, share, held, found)

    def _problems(self, pod: Truth, held: Held, found: Figures) -> Iterator[str]:
        """What is wrong with the times."""
        if held.start != pod.start:
            yield f"begins at {held.start} and not at {pod.start}"
        first, last = pod.bounds
        if held.basis is Basis.EXACT and held.end != pod.told:
            yield f"ended at {pod.told} and not at {held.end}"
        if held.basis is Basis.OBSERVED:
            if pod.told is not None:
                yield f"the API told its end, {pod.told}"
            found.late = max(found.late, held.end - first)
            if not first - SECOND <= held.end <= first + LATE:
                yield f"seen to go at {held.end}, and gone at {first}"
        if held.basis is Basis.ESTIMATED:
            low, high = held.low, held.high
            if low is None or high is None or not low <= held.end <= high:
                yield f"has no bounds: {low}, {held.end}, {high}"
            elif not (low <= last and first <= high):
                yield f"ended at {first} and not between {low} and {high}"
            doubtful = self.forgot if pod.told is not None else self.away + self.forgot
            if not any(a <= last and first <= b for a, b in doubtful):
                yield f"is an estimate, and somebody watched at {first}"

    def _weigh(self, pod: Truth, share: Fraction, held: Held, found: Figures) -> None:
        """How far an estimate is from the truth, and how far it says that it may be."""
        prices = self.prices[fleet.model_of(pod.node, self.run)]

        def at(end: int | None) -> int:
            return cost(prices, share, held.start, max(held.start, end or 0)).total

        first, last = (at(end) for end in pod.bounds)
        found.estimates.append(
            Estimate(
                witness=held.witness,
                cost=held.cost.total,
                low=at(held.low),
                high=at(held.high),
                true=min(max(held.cost.total, first), last),
            )
        )
