"""Keeps the accounts of nodes: what they have, what they cost, from when to when."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from bursar import meter
from bursar.domain.rate import Rate, RatePeriod
from bursar.domain.time import DAY, Ms, floor_second
from bursar.domain.usage import Basis, End, Segment
from bursar.domain.workload import NodeFacts
from bursar.domain.world import World
from bursar.price.books import Books, ties
from bursar.price.rates import Defaults, rates
from bursar.recognize.node import capacity, higher, node_facts
from bursar.runtime.catalog import Bundle
from bursar.runtime.gateway import JSON
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import NodeIntervalRows, NodeRow, RateRows, Row

HORIZON: Ms = 800 * DAY
"""How far ahead rates are computed: past the end of the next period of a yearly budget."""


@dataclass(slots=True)
class Prices:
    """What the price path takes besides a node: what the cluster's configuration has now."""

    books: Books
    defaults: Defaults


class Nodes:
    """The nodes of one cluster, those with accelerators.

    Attributes:
        on_new_rates: told of a node whose rate has changed; gives rows of what that changes.
    """

    def __init__(self, world: World, ledger: Ledger, bundle: Bundle, prices: Prices) -> None:
        self._world = world
        self._ledger = ledger
        self._bundle = bundle
        self._prices = prices
        self._capacity: dict[str, dict[str, Fraction]] = {}
        self.on_new_rates: Callable[[str, Ms], list[Row]] = lambda *_: []

    def restore(self) -> None:
        """Take up the nodes and rates that the ledger remembers."""
        self._world.nodes.update(self._ledger.reader.nodes())
        for uid, rows in self._ledger.reader.rates().items():
            self._world.rates[uid] = rows.periods

    def present(self) -> set[str]:
        """Uids of nodes that are there, as far as is known."""
        return {uid for uid, facts in self._world.nodes.items() if facts.until is None}

    def apply(self, obj: JSON, now: Ms, *, deleted: bool) -> None:
        """Take in a node's state; nodes without accelerators are passed over."""
        uid = str(obj["metadata"]["uid"])
        seen = higher(self._capacity.get(uid, {}), capacity(obj))
        facts = node_facts(obj, self._bundle.tables, seen)
        before = self._world.nodes.get(uid)
        if not seen and before is None and facts.accelerator == "unknown":
            return
        self._capacity[uid] = seen
        if before is not None and isinstance(before.devices, Fraction):
            facts = replace(facts, devices=before.devices)  # fixed for a node's uid
        if deleted:
            facts = replace(facts, until=floor_second(now))
        self._world.nodes[uid] = facts
        self._name(facts)
        if before != facts:
            self._ledger.submit([NodeRow(facts=facts)])
            self._price(facts, now)

    def relist(self, objs: Sequence[JSON], now: Ms) -> None:
        """Take in all nodes there are; what is missing went away unseen."""
        present = {str(obj["metadata"]["uid"]) for obj in objs}
        for obj in objs:
            self.apply(obj, now, deleted=False)
        for uid in self.present() - present:
            facts = replace(self._world.nodes[uid], until=floor_second(now))
            self._world.nodes[uid] = facts
            self._name(facts)
            self._ledger.submit([NodeRow(facts=facts), self._interval(facts, now)])

    def reprice(self, now: Ms) -> None:
        """Compute all rates anew: a PriceBook changed, or a day has gone by."""
        for uid in self.present():
            self._price(self._world.nodes[uid], now)

    def find(self, name: str, start: Ms) -> NodeFacts | None:
        """The node that had this name when a pod was bound: names are used again."""
        current = self._world.nodes.get(self._world.node_uids.get(name, ""))
        if current is not None and current.created <= start:
            return current
        namesakes = [facts for facts in self._world.nodes.values() if facts.name == name]
        older = [facts for facts in namesakes if facts.created <= start]
        return max(older or namesakes, key=lambda facts: facts.created, default=None)

    def rate(self, uid: str, now: Ms) -> RatePeriod | None:
        """The period of a node's rate in which a moment lies."""
        for period in self._world.rates.get(uid, ()):
            if period.since <= now and (period.until is None or now < period.until):
                return period
        return None

    def segments(self, facts: NodeFacts) -> tuple[Segment, ...]:
        """What a node costs over its life, whoever uses it."""
        end = None
        if facts.until is not None:
            at = max(facts.created, facts.until)
            end = End(at=at, basis=Basis.OBSERVED, witness="observed")
        periods = self._world.rates.get(facts.uid, ())
        return meter.node_segments(facts.created, end, facts.devices, periods)

    def checkpoint(self, now: Ms) -> Iterator[Row]:
        """Rows that bring the ledger up to now."""
        for uid in self.present():
            yield self._interval(self._world.nodes[uid], now)

    def conflicts(self, now: Ms) -> list[str]:
        """Ties between price book rules that change a price, in words."""
        return sorted(
            {
                tie
                for uid in self.present()
                for tie in ties(self._prices.books, self._world.nodes[uid], now)
            }
        )

    def _name(self, facts: NodeFacts) -> None:
        if facts.until is None:
            self._world.node_uids[facts.name] = facts.uid
        elif self._world.node_uids.get(facts.name) == facts.uid:
            del self._world.node_uids[facts.name]

    def _price(self, facts: NodeFacts, now: Ms) -> None:
        known = self._world.rates.get(facts.uid, ())
        computed = rates(
            facts,
            self._prices.books,
            self._bundle.prices,
            self._prices.defaults,
            facts.created,
            max(now, facts.created) + HORIZON,
        )
        # Past the horizon the last rate goes on, until it is computed anew.
        computed = (*computed[:-1], replace(computed[-1], until=None))
        periods = meter.revise(known, computed, now)
        self._world.rates[facts.uid] = periods
        rows: list[Row] = []
        if _steps(periods) != _steps(known):
            rows.append(RateRows(node_uid=facts.uid, periods=periods, revised=now))
            rows += self.on_new_rates(facts.uid, now)
        self._ledger.submit([*rows, self._interval(facts, now)])

    def _interval(self, facts: NodeFacts, now: Ms) -> NodeIntervalRows:
        return NodeIntervalRows(node_uid=facts.uid, segments=self.segments(facts), known=now)


def _steps(periods: Sequence[RatePeriod]) -> list[tuple[Ms, object]]:
    return [(period.since, period.rate) for period in periods]


def hourly(period: RatePeriod | None) -> Rate | None:
    """The rate of a period, None where it is unpriced or there is none."""
    return period.rate if period is not None and isinstance(period.rate, Rate) else None
