"""What each budget has spent: memberships of open pods, and what ended pods have paid.

The ledger is the truth; here stands what is asked all the time. A membership is fixed when a pod is
bound, and no relabelling moves it; an edited selector counts from the edit on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

from bursar import pipeline
from bursar.budget.membership import matches, paying_class
from bursar.budget.period import span_at
from bursar.domain.budget import Amounts, Budget, BudgetKey
from bursar.domain.time import Ms
from bursar.domain.world import Membership, PodAccount, Purse, World
from bursar.meter import cost_between
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import MemberRow, OpenPod, Row

FLUSH_SECONDS = 20.0


class Purses:
    """The purses of one cluster's budgets."""

    def __init__(self, world: World, ledger: Ledger, weights: dict[str, Fraction]) -> None:
        self._world = world
        self._ledger = ledger
        self._weights = weights
        self._payers: dict[str, set[BudgetKey]] = {}

    def payers(self, uid: str) -> Iterable[BudgetKey]:
        """The budgets that an open pod counts in."""
        return self._payers.get(uid, ())

    def members(self, key: BudgetKey) -> Iterator[tuple[Membership, PodAccount]]:
        """The open pods that a budget pays for, or has paid for in part."""
        for uid, membership in self._world.members.get(key, {}).items():
            pod = self._world.pods.get(uid)
            if pod is not None:
                yield membership, pod

    def join(self, pod: PodAccount, known: Iterable[Membership]) -> list[Row]:
        """Say who pays for a pod that is bound, or is taken up again with what the ledger knows."""
        start = pod.start or 0
        decided = set()
        for membership in known:
            decided.add(membership.budget)
            self._enter(pod.uid, membership)
        return [
            self._row(pod.uid, budget, self._admit(pod, budget, max(start, budget.created)))
            for key, budget in self._world.budgets.items()
            if key not in decided and self._counts(budget, pod)
        ]

    def settle(self, pod: PodAccount) -> None:
        """Book what a pod that ended has cost."""
        end = max((part.end.at for part in pod.segments if part.end), default=None)
        for key in self._payers.pop(pod.uid, ()):
            membership = self._world.members[key].pop(pod.uid)
            budget, purse = self._world.budgets.get(key), self._world.purses.get(key)
            if budget is None or purse is None or end is None:
                continue
            purse = self.roll(budget, purse, end)
            until = end if membership.until is None else min(end, membership.until)
            since = max(membership.since, purse.span.start)
            purse.add(membership.workload_class, pipeline.amounts(pod, since, until))

    def roll(self, budget: Budget, purse: Purse, now: Ms) -> Purse:
        """The purse of the period that a moment lies in: a new one is empty."""
        if purse.span.end is None or now < purse.span.end:
            return purse
        fresh = Purse(span_at(budget, now))
        self._world.purses[budget.key] = fresh
        return fresh

    def open(self, budget: Budget, now: Ms) -> None:
        """Take up a budget: what it has spent in its period, and who counts in it now."""
        self._world.budgets[budget.key] = budget
        self._world.members.setdefault(budget.key, {})
        self.recount(budget, now)
        rows: list[Row] = []
        for pod in self._world.pods.values():
            if pod.start is None or budget.key in self._payers.get(pod.uid, ()):
                continue
            if self._counts(budget, pod):
                since = max(pod.start, budget.created)
                rows.append(self._row(pod.uid, budget, self._admit(pod, budget, since)))
        self._ledger.submit(rows)

    def change(self, before: Budget, budget: Budget, now: Ms) -> None:
        """Take up an edit: a new selector counts from now on, a new period is counted anew."""
        self._world.budgets[budget.key] = budget
        if _period(before) != _period(budget):
            self.recount(budget, now)
        if _selection(before) != _selection(budget):
            self._ledger.submit(list(self._reselect(budget, now)))

    def close(self, key: BudgetKey, now: Ms) -> None:
        """Forget a budget that was deleted; what it paid for stays in the ledger."""
        budget = self._world.budgets.pop(key, None)
        self._world.purses.pop(key, None)
        self._world.standings.pop(key, None)
        rows: list[Row] = []
        for uid, membership in self._world.members.pop(key, {}).items():
            self._payers.get(uid, set()).discard(key)
            if budget is not None and membership.until is None:
                rows.append(self._row(uid, budget, replace(membership, until=now)))
        self._ledger.submit(rows)

    def recount(self, budget: Budget, now: Ms) -> None:
        """Count what ended pods have spent in the period, from the ledger."""
        self._ledger.submit([]).result(FLUSH_SECONDS)
        span = span_at(budget, now)
        spend = self._ledger.reader.budget_spend(
            budget.key, span.start, span.end, weights=self._weights
        )
        purse = Purse(span, dict(spend.by_class))
        # A price change closes a row of a pod that goes on; such a pod is counted whole, when open.
        for stored in self._ledger.reader.open_pods():
            for membership in self._stored_memberships(stored.uid, budget.key):
                self._take_out(purse, stored, membership)
        self._world.purses[budget.key] = purse

    def _stored_memberships(self, uid: str, key: BudgetKey) -> Iterator[Membership]:
        for row in self._ledger.reader.members([uid]):
            if row.budget == key:
                yield Membership(
                    budget=key,
                    workload_class=row.workload_class,
                    since=row.since,
                    until=row.until,
                )

    def _take_out(self, purse: Purse, stored: OpenPod, membership: Membership) -> None:
        for row in stored.intervals:
            if row.segment.end is None:
                continue
            since = max(membership.since, purse.span.start)
            until = row.known if membership.until is None else min(row.known, membership.until)
            until = until if purse.span.end is None else min(until, purse.span.end)
            paid = cost_between(row.segment, since, until)
            gpu_ms = paid.device_ms * row.device_fraction
            weight = self._weights.get(row.dimension.accelerator, Fraction(1))
            purse.add(
                membership.workload_class,
                Amounts(cost=-paid.total, gpu_ms=-gpu_ms, normalized_ms=-gpu_ms * weight),
            )

    def _counts(self, budget: Budget, pod: PodAccount) -> bool:
        labels = self._world.namespaces.get(pod.namespace, {})
        return matches(budget, pod.namespace, labels, pod.labels)

    def _admit(self, pod: PodAccount, budget: Budget, since: Ms) -> Membership:
        membership = Membership(
            budget=budget.key,
            workload_class=paying_class(budget, pod.classification.workload_class),
            since=since,
        )
        self._enter(pod.uid, membership)
        return membership

    def _enter(self, uid: str, membership: Membership) -> None:
        self._world.members.setdefault(membership.budget, {})[uid] = membership
        self._payers.setdefault(uid, set()).add(membership.budget)

    def _reselect(self, budget: Budget, now: Ms) -> Iterator[Row]:
        members = self._world.members.setdefault(budget.key, {})
        for pod in self._world.pods.values():
            if pod.start is None:
                continue
            membership, counts = members.get(pod.uid), self._counts(budget, pod)
            if membership is None and counts:
                yield self._row(pod.uid, budget, self._admit(pod, budget, now))
            elif membership is not None and membership.until is None and not counts:
                left = replace(membership, until=now)
                self._enter(pod.uid, left)
                yield self._row(pod.uid, budget, left)

    @staticmethod
    def _row(uid: str, budget: Budget, membership: Membership) -> MemberRow:
        return MemberRow(
            pod_uid=uid,
            budget=budget.key,
            budget_uid=budget.uid,
            workload_class=membership.workload_class,
            since=membership.since,
            until=membership.until,
        )


def _period(budget: Budget) -> tuple[object, ...]:
    return budget.period, budget.time_zone, budget.until


def _selection(budget: Budget) -> tuple[object, ...]:
    return budget.selector, budget.namespace_selector
