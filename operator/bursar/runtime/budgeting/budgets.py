"""Keeps the budgets: reads them, asks the core where they stand, and says what to write.

Nothing is written from here: `assess` returns actions, and `done` is told which took effect, so
that what failed is tried again.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bursar import pipeline
from bursar.api import aibudget as api
from bursar.api.inforce import not_in_force
from bursar.api.meta import API_VERSION
from bursar.budget.parse import budgets as parse
from bursar.budget.period import span_at
from bursar.budget.remember import remember, remembered
from bursar.budget.standing import carried, standing
from bursar.domain.action import Action, Mode, ObjectRef, WriteStatus, WriteVerdict
from bursar.domain.allocation import Allocation
from bursar.domain.budget import Budget, BudgetKey, Rejected, Remembered, Standing
from bursar.domain.rate import Rate
from bursar.domain.time import MINUTE, SECOND, Ms
from bursar.domain.world import Membership, PodAccount, Purse, World
from bursar.enforce.conditions import Circumstances
from bursar.enforce.events import crossing_events, sleep_events
from bursar.enforce.status import (
    needs_write,
    status,
    status_of_no_purses,
    status_of_purses,
    status_of_rejected,
)
from bursar.errors import InvalidObject
from bursar.runtime.budgeting.jobs import Jobs
from bursar.runtime.budgeting.purses import Purses
from bursar.runtime.budgeting.verdicts import Verdicts
from bursar.runtime.cluster.gateway import JSON
from bursar.runtime.ledger.rows import MemberRow, Row

logger = logging.getLogger(__name__)

CATALOG = "catalog "
"""In the origin of each price that the bundled catalog states, or states a default by."""

REFRESH: Ms = 5 * SECOND
"""How old a standing may be while money is being spent; its status is written less often."""


@dataclass(slots=True)
class Entry:
    """One AIBudget or ClusterAIBudget.

    Attributes:
        keys: its purses.
        rejected: why it cannot be read, None where it can.
        status: as it was last read, or written since.
        written: when that was (ms), None where not by this process.
    """

    ref: ObjectRef
    keys: tuple[BudgetKey, ...]
    rejected: Rejected | None
    not_in_force: tuple[str, ...]
    status: Mapping[str, Any]
    raw: JSON
    written: Ms | None = None


@dataclass(slots=True)
class Pending:
    """What must be looked at or written again."""

    keys: set[BudgetKey] = field(default_factory=set)
    entries: set[str] = field(default_factory=set)


class Budgets:
    """All budgets of one cluster.

    Attributes:
        mode: whether verdicts are acted upon.
        verdicts: what the API server is told.
        policies: whether the admission policies that refuse are installed.
        stale_catalog: what is to be said of a catalog that is too old; empty while it is not.
    """

    def __init__(self, world: World, purses: Purses, jobs: Jobs, mode: Mode, currency: str) -> None:
        self._world = world
        self._purses = purses
        self._jobs = jobs
        self.mode = mode
        self._currency = currency
        self._entries: dict[str, Entry] = {}
        self._remembered: dict[BudgetKey, Remembered] = {}
        self.verdicts = Verdicts(world, mode)
        self._due = Pending()
        self.policies = True
        self.stale_catalog = ""

    # --- configuration -----------------------------------------------------------------------

    def apply(self, obj: JSON, now: Ms, *, gone: bool) -> None:
        """Take in a budget object's state."""
        uid = str(obj["metadata"]["uid"])
        before = self._entries.get(uid)
        if gone:
            self._drop(uid, now)
            return
        same = before is not None and _spec(before.raw) == _spec(obj)
        found = parse(obj, self._world.namespaces, currency=self._currency)
        budgets = () if isinstance(found, Rejected) else found
        entry = Entry(
            ref=ObjectRef.of(obj, API_VERSION, str(obj.get("kind", "AIBudget"))),
            keys=tuple(budget.key for budget in budgets),
            rejected=found if isinstance(found, Rejected) else None,
            not_in_force=before.not_in_force if before and same else self._not_in_force(obj),
            status=obj.get("status") or {},
            raw=obj,
        )
        if before is not None and before.written is not None:
            entry.status, entry.written = before.status, before.written
        self._entries[uid] = entry
        for key in set(before.keys if before else ()) - set(entry.keys):
            self._close(key, now)
        for budget in budgets:
            self._take(budget, entry, now)
        if before is None or before.keys != entry.keys or not same:
            self._due.entries.add(uid)

    def prices_changed(self, now: Ms) -> None:
        """Exchange rates may have changed: budgets in another currency are counted anew."""
        self._due.keys.update(self._purses.exchange(now))

    def namespaces_changed(self, now: Ms) -> None:
        """Read cluster budgets anew: they select namespaces by label."""
        for entry in list(self._entries.values()):
            if not entry.ref.namespace:
                self.apply(entry.raw, now, gone=False)
        self.verdicts.mark_all()

    def _take(self, budget: Budget, entry: Entry, now: Ms) -> None:
        known = self._world.budgets.get(budget.key)
        if known == budget:
            return
        if known is None:
            self._remembered[budget.key] = remembered(budget, entry.status)
            self._purses.open(budget, now)
        else:
            self._purses.change(known, budget, now)
        self._due.keys.add(budget.key)

    def _drop(self, uid: str, now: Ms) -> None:
        entry = self._entries.pop(uid, None)
        for key in entry.keys if entry else ():
            self._close(key, now)

    def _close(self, key: BudgetKey, now: Ms) -> None:
        self._purses.close(key, now)
        self._remembered.pop(key, None)
        self._due.keys.discard(key)
        self.verdicts.mark(key)

    def _not_in_force(self, obj: JSON) -> tuple[str, ...]:
        model = api.ClusterAIBudget if obj.get("kind") == "ClusterAIBudget" else api.AIBudget
        try:
            spec = model.parse(obj).spec
        except InvalidObject:
            return ()
        return not_in_force(spec)

    # --- what the accounts tell --------------------------------------------------------------

    def join(
        self, pod: PodAccount, known: Iterable[MemberRow] = (), taken_up: Ms | None = None
    ) -> Iterable[Row]:
        """A pod was bound, or is taken up again: who pays for it?"""
        return self._purses.join(pod, known, taken_up)

    def settle(self, pod: PodAccount) -> None:
        """A pod has ended: its cost is final."""
        self._purses.settle(pod)

    def amend(self, uids: Collection[str], now: Ms) -> None:
        """Pods that ended did so earlier than was told: what they paid is counted anew."""
        for key in self._purses.paid(uids):
            self._purses.recount(self._world.budgets[key], now)
            self._due.keys.add(key)

    def touch(self, uid: str) -> None:
        """Something about a pod changed: its budgets must be looked at."""
        self._due.keys.update(self._purses.payers(uid))

    def recount(self, now: Ms) -> None:
        """Count anew what all have spent: the past was corrected in the ledger."""
        for budget in list(self._world.budgets.values()):
            self._purses.recount(budget, now)
        self.touch_all()

    def touch_all(self) -> None:
        """Something about all of them changed: the jobs that wait, the policies."""
        self._due.entries.update(self._entries)

    def allocation(self, namespace: str, labels: Mapping[str, str]) -> Allocation | None:
        """What the namespace's own budget says of whose cost a pod is: the first by name."""
        for key in sorted(self._world.budgets):
            budget = self._world.budgets[key]
            if key.namespace == namespace and budget.selector.matches(labels):
                return budget.allocation
        return None

    # --- assessment --------------------------------------------------------------------------

    def next_due(self, now: Ms) -> Ms:
        """When something must be looked at again with nothing happening (ms)."""
        moments = [each.next_change for each in self._world.standings.values() if each.next_change]
        return min([*moments, now + MINUTE])

    def assess(self, now: Ms) -> tuple[Action, ...]:
        """Look at all budgets that something happened to, and say what is to be done."""
        events: list[Action] = []
        for key in self._keys_due(now):
            budget = self._world.budgets.get(key)
            if budget is not None:
                events.extend(self._stand(budget, now))
        self._due.keys.clear()
        verdicts = list(self.verdicts.actions())
        statuses = list(self._status_actions(now))
        return (*verdicts, *statuses, *events)

    def _keys_due(self, now: Ms) -> set[BudgetKey]:
        due = set(self._due.keys)
        for key, known in self._world.standings.items():
            changes = known.next_change is not None and known.next_change <= now
            burning = known.cost_per_hour or known.devices
            if changes or (burning and now - known.now >= REFRESH):
                due.add(key)
        return due

    def _stand(self, budget: Budget, now: Ms) -> Iterator[Action]:
        purse = self._purses.roll(budget, self._world.purses[budget.key], now)
        if purse.span != span_at(budget, now):
            self._purses.recount(budget, now)
            purse = self._world.purses[budget.key]
        before = self._remembered.get(budget.key, Remembered())
        found = self._standing(budget, purse, now)
        self._world.standings[budget.key] = found
        self._remembered[budget.key] = remember(budget, found)
        self.verdicts.mark(budget.key)
        for uid, entry in self._entries.items():
            if budget.key in entry.keys:
                self._due.entries.add(uid)
                yield from crossing_events(entry.ref, budget, before, found)

    def _standing(self, budget: Budget, purse: Purse, now: Ms) -> Standing:
        spent, flows, unknown = pipeline.spending(purse, self._purses.members(budget.key), now)
        before = self._remembered.get(budget.key, Remembered())
        found = standing(budget, spent, flows, now, before, unknown)
        # What ended pods cost without a price is told for as long as the period lasts. It does not
        # keep windows as what runs unpriced does: nothing more of it will be spent.
        return replace(found, unknown=tuple(dict.fromkeys((*unknown, *purse.unknown))))

    def _status_actions(self, now: Ms) -> Iterator[Action]:
        for uid in sorted(self._due.entries):
            entry = self._entries.get(uid)
            if entry is None:
                self._due.entries.discard(uid)
                continue
            if entry.written is not None and now - entry.written < SECOND:
                continue
            fresh = self._status(entry, now)
            if fresh is None or not needs_write(entry.status, fresh, entry.written, now):
                self._due.entries.discard(uid)
                continue
            yield WriteStatus(ref=entry.ref, status=fresh)
            yield from sleep_events(entry.ref, entry.status, fresh)

    def _status(self, entry: Entry, now: Ms) -> dict[str, Any] | None:
        if entry.rejected is not None:
            return status_of_rejected(entry.rejected, entry.status, now)
        purses = [
            (self._world.budgets[key], self._world.standings[key])
            for key in entry.keys
            if key in self._world.standings
        ]
        if not purses:
            if entry.keys:
                return None
            generation = int(entry.raw["metadata"].get("generation") or 0)
            return status_of_no_purses(generation, entry.status, now)
        about = self._circumstances(entry)
        if len(entry.keys) == 1 and not entry.keys[0].member:
            return status(*purses[0], entry.status, about)
        held = {key.member: self._jobs.held(key, key.member) for key in entry.keys}
        return status_of_purses(purses, entry.status, about, held)

    def _circumstances(self, entry: Entry) -> Circumstances:
        return Circumstances(
            mode=self.mode,
            held=sum(self._jobs.held(key, key.member) for key in entry.keys),
            not_in_force=entry.not_in_force,
            assumed=tuple(self._assumed(entry)),
            policies=self.policies,
            stale=self.stale_catalog if self._listed(entry) else "",
        )

    def _listed(self, entry: Entry) -> bool:
        """Whether something that counts has a price of the bundled catalog."""
        return any(
            CATALOG in part.rate.origin
            for key in entry.keys
            for _, pod in self._purses.members(key)
            for part in pod.segments
            if isinstance(part.rate, Rate)
        )

    def _assumed(self, entry: Entry) -> Iterator[str]:
        counts: defaultdict[str, int] = defaultdict(int)
        for key in entry.keys:
            for _, pod in self._purses.members(key):
                rates = (part.rate for part in pod.segments)
                if any(isinstance(rate, Rate) and rate.assumed for rate in rates):
                    counts[pod.accelerator] += 1
        for accelerator, count in sorted(counts.items()):
            yield f"{count} pod{'s' if count > 1 else ''} on {accelerator}"

    def done(self, action: Action, now: Ms) -> None:
        """Remember that an action took effect; what is not told here is tried again."""
        match action:
            case WriteVerdict():
                self.verdicts.done(action)
            case WriteStatus(ref=ref, status=written):
                entry = self._entries.get(ref.uid)
                if entry is not None:
                    entry.status, entry.written = written, now
                    self._due.entries.discard(ref.uid)
            case _:
                pass

    def memberships(self, uid: str) -> Iterator[tuple[Budget, Membership]]:
        """The budgets that an open pod counts in, and as what."""
        for key in sorted(self._purses.payers(uid)):
            budget = self._world.budgets.get(key)
            if budget is not None:
                yield from ((budget, each) for each in self._world.members[key][uid])

    def standings_at(self, now: Ms) -> Iterator[tuple[Budget, Standing]]:
        """All purses and where they stand at this very moment, not when last assessed."""
        for budget, known in self.standings():
            purse = self._world.purses[budget.key]
            fresh = purse.span == span_at(budget, now)
            yield budget, self._standing(budget, purse, now) if fresh else known

    def standings_near(self, now: Ms) -> Iterator[tuple[Budget, Standing]]:
        """The same for whoever looks often: carried on from when last assessed, where it can be."""
        for budget, known in self.standings():
            found = carried(known, now)
            if found is None:
                purse = self._world.purses[budget.key]
                fresh = purse.span == span_at(budget, now)
                found = self._standing(budget, purse, now) if fresh else known
            yield budget, found

    def standings(self) -> Iterator[tuple[Budget, Standing]]:
        """All purses and where they stand."""
        for key in sorted(self._world.standings):
            yield self._world.budgets[key], self._world.standings[key]


def _spec(obj: JSON) -> tuple[object, object]:
    return obj.get("spec"), obj["metadata"].get("generation")
