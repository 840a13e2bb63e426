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
from bursar.domain.budget import Budget, BudgetKey, Span, Worth
from bursar.domain.time import MINUTE, Ms
from bursar.domain.world import Membership, PodAccount, Purse, World
from bursar.price.exchange import worths
from bursar.runtime.configuring.prices import Prices
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import MemberRow, Row

FLUSH_SECONDS = 20.0
NEWS: Ms = MINUTE
"""A budget made so shortly before an operator died may not have been known to it."""


class Purses:
    """The purses of one cluster's budgets."""

    def __init__(
        self, world: World, ledger: Ledger, weights: dict[str, Fraction], prices: Prices
    ) -> None:
        self._world = world
        self._ledger = ledger
        self._weights = weights
        self._prices = prices
        self._payers: dict[str, set[BudgetKey]] = {}

    def payers(self, uid: str) -> Iterable[BudgetKey]:
        """The budgets that an open pod counts in."""
        return self._payers.get(uid, ())

    def paid(self, uids: Iterable[str]) -> set[BudgetKey]:
        """The budgets of now that pods have counted in, ended or not."""
        self._ledger.submit([]).result(FLUSH_SECONDS)
        rows = self._ledger.reader.members(uids)
        return {row.budget for row in rows if row.budget in self._world.budgets}

    def members(self, key: BudgetKey) -> Iterator[tuple[Membership, PodAccount]]:
        """The open pods that a budget pays for, or has paid for in part."""
        for uid, memberships in self._world.members.get(key, {}).items():
            pod = self._world.pods.get(uid)
            if pod is not None:
                yield from ((membership, pod) for membership in memberships)

    def join(
        self, pod: PodAccount, known: Iterable[MemberRow] = (), taken_up: Ms | None = None
    ) -> list[Row]:
        """Say who pays for a pod that is bound, or is taken up again.

        Args:
            pod: its account.
            known: its memberships, as the ledger has them.
            taken_up: where it was bound in an earlier run, the moment up to which that run wrote:
                the budgets of that time are decided, whatever its labels say by now.
        """
        start = pod.start or 0
        decided = set()
        for row in known:
            budget = self._world.budgets.get(row.budget)
            if budget is not None and budget.uid == row.budget_uid:
                decided.add(row.budget)
                self._enter(pod.uid, _membership(row))
        return [
            self._row(pod.uid, budget, self._admit(pod, budget, max(start, budget.created)))
            for key, budget in self._world.budgets.items()
            if key not in decided
            and (taken_up is None or budget.created > taken_up - NEWS)
            and self._counts(budget, pod)
        ]

    def settle(self, pod: PodAccount) -> None:
        """Book what a pod that ended has cost."""
        end = max((part.end.at for part in pod.segments if part.end), default=None)
        for key in self._payers.pop(pod.uid, ()):
            memberships = self._world.members[key].pop(pod.uid)
            budget, purse = self._world.budgets.get(key), self._world.purses.get(key)
            if budget is None or purse is None or end is None:
                continue
            purse = self.roll(budget, purse, end)
            purse.unknown.update(dict.fromkeys(pod.unknown))
            for membership in memberships:
                pipeline.charge(purse, membership, pod, end)

    def roll(self, budget: Budget, purse: Purse, now: Ms) -> Purse:
        """The purse of the period that a moment lies in: a new one is empty."""
        if purse.span.end is None or now < purse.span.end:
            return purse
        fresh = self._empty(budget, now)
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
        for uid, memberships in self._world.members.pop(key, {}).items():
            self._payers.get(uid, set()).discard(key)
            last = memberships[-1]
            if budget is not None and last.until is None:
                rows.append(self._row(uid, budget, replace(last, until=now)))
        self._ledger.submit(rows)

    def recount(self, budget: Budget, now: Ms) -> None:
        """Count what ended pods have spent in the period, from the ledger."""
        self._ledger.submit([]).result(FLUSH_SECONDS)
        purse = self._empty(budget, now)
        for worth in purse.worths or (None,):
            start, end = purse.span.start, purse.span.end
            if worth is not None:
                ends = [each for each in (end, worth.until) if each is not None]
                start, end = max(start, worth.since), min(ends, default=None)
            if end is not None and start >= end:
                continue
            # A price change closes a row of a pod that goes on; such a pod is counted whole, when
            # open. What is remembered of rows that are gone has no time: the first worth is taken.
            spend = self._ledger.reader.budget_spend(
                budget.key,
                start,
                end,
                weights=self._weights,
                uid=budget.uid,
                remembered=start == purse.span.start,
            )
            for workload_class, spent in spend.by_class.items():
                purse.add(workload_class, spent, worth)
            purse.unknown.update(dict.fromkeys(spend.unknown))
        self._world.purses[budget.key] = purse

    def exchange(self, now: Ms) -> Iterator[BudgetKey]:
        """Count anew the budgets in another currency whose exchange rates have changed."""
        for budget in self._world.budgets.values():
            purse = self._world.purses.get(budget.key)
            if purse is not None and purse.worths != self._worths(budget, purse.span):
                self.recount(budget, now)
                yield budget.key

    def _empty(self, budget: Budget, now: Ms) -> Purse:
        span = span_at(budget, now)
        return Purse(span, worths=self._worths(budget, span))

    def _worths(self, budget: Budget, span: Span) -> tuple[Worth, ...]:
        reporting = self._prices.defaults.currency
        return worths(self._prices.books, budget.currency, reporting, span.start)

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
        members = self._world.members.setdefault(membership.budget, {})
        others = (each for each in members.get(uid, ()) if each.since != membership.since)
        members[uid] = (*others, membership)
        self._payers.setdefault(uid, set()).add(membership.budget)

    def _reselect(self, budget: Budget, now: Ms) -> Iterator[Row]:
        members = self._world.members.setdefault(budget.key, {})
        for pod in self._world.pods.values():
            if pod.start is None:
                continue
            last = members[pod.uid][-1] if pod.uid in members else None
            paying, counts = last is not None and last.until is None, self._counts(budget, pod)
            if counts and not paying:
                yield self._row(pod.uid, budget, self._admit(pod, budget, now))
            elif last is not None and paying and not counts:
                left = replace(last, until=now)
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
    return budget.period, budget.time_zone, budget.until, budget.currency


def _selection(budget: Budget) -> tuple[object, ...]:
    return budget.selector, budget.namespace_selector


def _membership(row: MemberRow) -> Membership:
    return Membership(
        budget=row.budget,
        workload_class=row.workload_class,
        since=row.since,
        until=row.until,
    )
