"""Keeps the accounts of nodes: what they have, what they cost, from when to when."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from fractions import Fraction

from bursar import meter
from bursar.domain.rate import Rate, RatePeriod
from bursar.domain.time import DAY, Ms, floor_second
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Basis, End, Segment
from bursar.domain.workload import NodeFacts
from bursar.domain.world import World
from bursar.meter import machines
from bursar.price.books import capacity_type, ties
from bursar.price.catalog import age_days
from bursar.price.commitments import assign
from bursar.price.rates import Tried, rates, trace
from bursar.price.sources import OPENCOST_SERIES
from bursar.recognize.claims import Device
from bursar.recognize.node import capacity, higher, node_facts
from bursar.recognize.tables import AcceleratorTables
from bursar.runtime.accounting.commitments import Commitments
from bursar.runtime.cluster.gateway import JSON
from bursar.runtime.configuring.catalog import Bundle
from bursar.runtime.configuring.prices import Prices
from bursar.runtime.configuring.prometheus import Measured
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import LIFE, NodeIntervalRows, NodeRow, RateRows, Row

NO_ENDS: Mapping[str, End] = {}
HORIZON: Ms = 800 * DAY
"""How far ahead rates are computed: past the end of the next period of a yearly budget."""


class Nodes:
    """The nodes of one cluster, those with accelerators.

    Attributes:
        commitments: what is paid for, whichever nodes hold it.
        on_new_rates: told of a node whose rate has changed; gives rows of what that changes.
        published: what ResourceSlices describe of a node, by its name.
    """

    def __init__(self, world: World, ledger: Ledger, bundle: Bundle, prices: Prices) -> None:
        self._world = world
        self._ledger = ledger
        self._bundle = bundle
        self._prices = prices
        self._books = self._begun = prices.books
        self._capacity: dict[str, dict[str, Fraction]] = {}
        self.commitments = Commitments(ledger)
        self.on_new_rates: Callable[[str, Ms], list[Row]] = lambda *_: []
        self.published: Callable[[str], Iterable[Device]] = lambda _: ()
        self._unclear: dict[str, JSON] = {}

    @property
    def tables(self) -> AcceleratorTables:
        """The device tables."""
        return self._bundle.tables

    def restore(self) -> None:
        """Take up the nodes, rates and commitments that the ledger remembers."""
        for uid, facts in self._ledger.reader.nodes().items():
            asked = self._prices.opencost
            self._world.nodes[uid] = facts if asked else replace(facts, opencost_price=None)
        for uid, rows in self._ledger.reader.rates().items():
            self._world.rates[uid] = rows.periods
        self.commitments.restore()

    def present(self) -> set[str]:
        """Uids of nodes that are there, as far as is known."""
        return {uid for uid, facts in self._world.nodes.items() if facts.until is None}

    def offers(self) -> Iterator[tuple[NodeFacts, AbstractSet[str]]]:
        """The nodes that are there, each with the names of its extended resources."""
        for uid in self.present():
            yield self._world.nodes[uid], self._capacity.get(uid, {}).keys()

    def apply(self, obj: JSON, now: Ms, *, deleted: bool, end: End | None = None) -> None:
        """Take in a node's state; nodes without accelerators are passed over.

        Args:
            obj: the state.
            now: milliseconds since the epoch.
            deleted: it is gone from the API.
            end: when its machine was gone, where witnesses tell that.
        """
        facts = self._facts(obj, now, deleted=deleted, end=end)
        if facts is not None:
            self._take([facts], now)

    def relist(self, objs: Sequence[JSON], now: Ms, ends: Mapping[str, End] = NO_ENDS) -> None:
        """Take in all nodes there are; what is missing went away unseen.

        Args:
            objs: the nodes.
            now: milliseconds since the epoch.
            ends: when some of them ended, there or missing, by uid, as witnesses tell it.
        """
        there = {str(obj["metadata"]["uid"]): obj for obj in objs}
        found = (
            self._facts(obj, now, deleted=False, end=ends.get(uid)) for uid, obj in there.items()
        )
        known = [facts for facts in found if facts is not None]
        gone = [
            _ended(self._world.nodes[uid], now, ends.get(uid))
            for uid in self.present() - there.keys()
        ]
        self._take([*known, *gone], now)

    def look_again(self, names: Iterable[str], now: Ms) -> None:
        """Take in nodes anew whose devices could not be told before."""
        for obj in [self._unclear[name] for name in names if name in self._unclear]:
            self.apply(obj, now, deleted=False)

    def reprice(self, now: Ms) -> None:
        """Compute all rates anew: a PriceBook changed, or a day has gone by."""
        self._begun = self.commitments.revise(self._prices.books, self._prices.defaults, now)
        present = [self._world.nodes[uid] for uid in self.present()]
        bought = [self._bought(facts, now) for facts in present]
        for before, facts in zip(present, bought, strict=True):
            self._world.nodes[facts.uid] = facts
            if facts != before:
                self._ledger.submit([NodeRow(facts=facts)])
        self._assign(now)
        for facts in bought:
            self._price(facts, now)

    def measured(self, prices: Mapping[str, Measured], now: Ms) -> None:
        """Take in what OpenCost says that nodes cost, by their names.

        What it does not name keeps what it was said to cost last.
        """
        changed = []
        for name, told in prices.items():
            facts = self._world.nodes.get(self._world.node_uids.get(name, ""))
            if facts is None or facts.opencost_price == told.price:
                continue
            if told.instance_type in ("", facts.instance_type):  # else another's of the same name
                changed.append(replace(facts, opencost_price=told.price))
        self._take(changed, now)

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
        end = machines.end_of(facts)
        periods = self._world.rates.get(facts.uid, ())
        return meter.node_segments(facts.created, end, facts.devices, periods)

    def checkpoint(self, now: Ms) -> Iterator[Row]:
        """Rows that bring the ledger up to now."""
        for uid in self.present():
            yield self._interval(self._world.nodes[uid], now)
        yield from self.commitments.checkpoint(now)

    def corrected(self, frm: Ms, to: Ms) -> dict[str, tuple[RatePeriod, ...]]:
        """Rates as they should have been in [frm, to), by what is configured now.

        Returns:
            All periods of those nodes whose rate was another, by uid.
        """
        # Commitments pay from when they were first seen on: their own rows begin there, too.
        books = assign(self._begun, self._world.nodes.values(), frm)
        found = {}
        for uid, facts in self._world.nodes.items():
            since, until = max(frm, facts.created), min(to, facts.until or to)
            if since >= until:
                continue
            computed = rates(facts, books, self._bundle.prices, self._prices.defaults, since, until)
            periods = known = self._world.rates.get(uid, ())
            for period in computed:
                if not _is_measured(period):  # what OpenCost says now, it did not say then
                    end = until if period.until is None else period.until
                    periods = meter.splice(periods, (period,), period.since, end)
            if _paid(periods) != _paid(known):
                found[uid] = periods
        return found

    def correct(self, uid: str, periods: tuple[RatePeriod, ...], now: Ms) -> list[Row]:
        """Take corrected rates of a node; gives rows of what goes on, by them."""
        self._world.rates[uid] = periods
        return self.on_new_rates(uid, now)

    def conflicts(self, now: Ms) -> list[str]:
        """Entries of price books of which the name alone decided which counts, in words."""
        found = {
            tie for uid in self.present() for tie in ties(self._books, self._world.nodes[uid], now)
        }
        return sorted(found.union(self._books.conflicts))

    def trace(self, facts: NodeFacts, now: Ms) -> tuple[Tried, ...]:
        """How the price of a node is found by what is configured now, source by source."""
        return trace(facts, self._books, self._bundle.prices, self._prices.defaults, now)

    def catalog(self, now: Ms) -> tuple[bool, str]:
        """Whether the bundled catalog is current, and what there is to say of its age."""
        day, age = self._bundle.prices.as_of, age_days(self._bundle.prices, now)
        if age < self._prices.stale_days:
            return True, f"the catalog's list prices are of {day}"
        return False, (
            f"the catalog's list prices are of {day}, {self._prices.stale_days} days old or more: "
            "a newer version of Bursar has newer ones, and a PriceBook goes before them"
        )

    def _facts(
        self, obj: JSON, now: Ms, *, deleted: bool, end: End | None = None
    ) -> NodeFacts | None:
        """What a node's state says; None where it has no accelerators."""
        uid = str(obj["metadata"]["uid"])
        before = self._world.nodes.get(uid)
        tables = self._bundle.tables
        kept = before.capacity if before is not None else {}
        seen = higher(
            higher(self._capacity.get(uid, {}), capacity(obj, tables.further)),
            {name: Fraction(units) for name, units in kept.items()},
        )
        name = str(obj["metadata"].get("name", ""))
        published = tuple(self.published(name))
        facts = node_facts(obj, tables, seen, published)
        self._unclear.pop(name, None)
        if not deleted and isinstance(facts.devices, Unknown):
            self._unclear[name] = _lean(obj)
        nothing = not seen and not published and facts.accelerator == "unknown"
        if nothing and before is None:
            return None
        self._capacity[uid] = seen
        if before is not None:
            devices = before.devices if isinstance(before.devices, Fraction) else facts.devices
            # The number of devices is fixed for a node's uid.
            facts = replace(facts, devices=devices, opencost_price=before.opencost_price)
            facts = machines.carried_on(facts, before, obj, deleted=deleted)
        if facts.until is None and (deleted or end is not None):
            facts = _ended(facts, now, end, listed=not deleted)
        return self._bought(facts, now)

    def _bought(self, facts: NodeFacts, now: Ms) -> NodeFacts:
        return replace(facts, capacity_type=capacity_type(facts, self._prices.books, now))

    def _take(self, found: Sequence[NodeFacts], now: Ms) -> None:
        """Take in nodes all at once: who holds a commitment depends on all of them."""
        changed, since = [], now
        for facts in found:
            before = self._world.nodes.get(facts.uid)
            self._world.nodes[facts.uid] = facts
            self._name(facts)
            if before != facts:
                changed.append(facts)
                self._ledger.submit([NodeRow(facts=facts)])
            if not self._world.rates.get(facts.uid):
                since = min(since, facts.created)
        if not changed:
            return
        moved = self._assign(now, since)
        for facts in changed:
            if facts.until is not None and self._world.rates.get(facts.uid):
                self._ledger.submit([self._interval(facts, now)])
            else:
                self._price(facts, now)
        for uid in moved - {facts.uid for facts in changed}:
            self._price(self._world.nodes[uid], now)

    def _assign(self, now: Ms, since: Ms | None = None) -> set[str]:
        """Say anew which nodes hold commitments, and of which this has changed."""
        begin = now if since is None else since
        fleet = (
            facts
            for facts in self._world.nodes.values()
            if facts.until is None or facts.until > begin
        )
        before = self._held(now)
        self._books = assign(self._begun, fleet, begin)
        after = self._held(now)
        return {
            uid
            for uid in before.keys() | after.keys()
            if before.get(uid) != after.get(uid) and self._world.nodes[uid].until is None
        }

    def _held(self, now: Ms) -> dict[str, str]:
        """The commitment that a node holds now, by uid."""
        return {
            uid: tenure.rule.origin
            for uid, tenures in self._books.tenures.items()
            for tenure in tenures
            if tenure.since <= now < tenure.until
        }

    def _name(self, facts: NodeFacts) -> None:
        if facts.until is None:
            self._world.node_uids[facts.name] = facts.uid
        elif self._world.node_uids.get(facts.name) == facts.uid:
            del self._world.node_uids[facts.name]

    def _price(self, facts: NodeFacts, now: Ms) -> None:
        known = self._world.rates.get(facts.uid, ())
        computed = rates(
            facts,
            self._books,
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
        return NodeIntervalRows(
            node_uid=facts.uid,
            segments=self.segments(facts),
            known=now,
            generation=facts.returned * LIFE,
        )


def _lean(obj: JSON) -> JSON:
    """What is kept of a node until it is clear what devices it has."""
    metadata = {k: v for k, v in (obj.get("metadata") or {}).items() if k != "managedFields"}
    status = {k: v for k, v in (obj.get("status") or {}).items() if k != "images"}
    return {"metadata": metadata, "spec": obj.get("spec") or {}, "status": status}


def _ended(facts: NodeFacts, now: Ms, end: End | None, *, listed: bool = False) -> NodeFacts:
    """Facts of a node that is gone, or whose machine is: since now, where nothing tells better."""
    if end is None:
        end = End(at=floor_second(now), basis=Basis.OBSERVED, witness="observed")
    return machines.ended(facts, end, listed=listed)


def _is_measured(period: RatePeriod) -> bool:
    return isinstance(period.rate, Rate) and OPENCOST_SERIES in period.rate.origin


def _steps(periods: Sequence[RatePeriod]) -> list[tuple[Ms, object]]:
    return [(period.since, period.rate) for period in periods]


def _paid(periods: Sequence[RatePeriod]) -> list[tuple[Ms, object]]:
    """From when on what is paid, whoever says so."""
    found: list[tuple[Ms, object]] = []
    for period in periods:
        rate = replace(period.rate, origin="") if isinstance(period.rate, Rate) else None
        if not found or found[-1][1] != rate:
            found.append((period.since, rate))
    return found


def hourly(period: RatePeriod | None) -> Rate | None:
    """The rate of a period, None where it is unpriced or there is none."""
    return period.rate if period is not None and isinstance(period.rate, Rate) else None
