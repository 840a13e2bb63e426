"""Keeps the verdicts that the API server reads: one object a namespace, and one for the cluster.

The API server shows people the refusal of one policy only, so a namespace that has AIBudgets gets
the cluster's entries into its own verdict too: one refusal then names every shut budget. The
cluster's verdict says which namespaces those are (`repeatedIn`), only after their own has been
written, and no longer before it goes: so at no moment is an entry in neither.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from bursar.budget.parse import NAMESPACE_NAME
from bursar.domain.action import Action, Mode, WriteVerdict
from bursar.domain.budget import Budget, BudgetKey, Standing
from bursar.domain.world import World
from bursar.enforce.verdict import cluster_verdict, left_out, verdict

logger = logging.getLogger(__name__)

CLUSTER = ""
"""The namespace of what belongs to the whole cluster."""

Items = list[tuple[Budget, Standing]]


class Verdicts:
    """What has been written, and what is due."""

    def __init__(self, world: World, mode: Mode) -> None:
        self._world = world
        self._mode = mode
        self._written: dict[str, Mapping[str, Any]] = {}
        self._due: set[str] = set()

    def adopt(self, namespace: str, written: Mapping[str, Any]) -> None:
        """Take up a verdict that stands in the cluster, whoever's budgets it was made from."""
        self._written[namespace] = written
        self._due.add(namespace)

    def mark(self, key: BudgetKey) -> None:
        """A budget has changed, or is gone."""
        self._due.add(key.namespace)
        if not key.namespace:
            self._due |= self._own()

    def mark_all(self) -> None:
        """Labels of namespaces have changed, by which cluster budgets select."""
        self._due |= self._own() | {CLUSTER}

    def actions(self) -> Iterator[Action]:
        """What must be written, in an order that leaves no entry out at any moment."""
        leaving = []
        for namespace in sorted(self._due - {CLUSTER}):
            found = self._of_namespace(namespace)
            if found == self._written.get(namespace, {}):
                self._due.discard(namespace)
            elif found:
                yield WriteVerdict(namespace=namespace, verdict=found)
            else:
                leaving.append(namespace)
        if CLUSTER in self._due or leaving:
            found = self._of_cluster()
            if found != self._written.get(CLUSTER, {}):
                yield WriteVerdict(namespace=CLUSTER, verdict=found)
            self._due.discard(CLUSTER)
        repeated = self._written.get(CLUSTER, {}).get("repeatedIn", ())
        for namespace in leaving:
            if namespace not in repeated:
                yield WriteVerdict(namespace=namespace, verdict={})

    def done(self, action: WriteVerdict) -> None:
        """Remember that a verdict stands."""
        self._written[action.namespace] = action.verdict
        if action.namespace != CLUSTER:
            self._due.discard(action.namespace)
            self._due.add(CLUSTER)  # which may now say that its entries are repeated there

    def failed(self, action: WriteVerdict) -> None:
        """Try again what did not take effect."""
        self._due.add(action.namespace)

    def _own(self) -> set[str]:
        """Namespaces with budgets of their own."""
        return {key.namespace for key in self._world.standings if key.namespace}

    def _of_namespace(self, namespace: str) -> dict[str, Any]:
        own = self._items(namespace)
        if not own:
            return {}
        return self._said(verdict([*own, *self._shared(namespace)], self._mode), own)

    def _of_cluster(self) -> dict[str, Any]:
        items = self._items(CLUSTER)
        if not items:
            return {}
        standing = self._own() & {n for n, written in self._written.items() if written}
        repeated = [each for each in sorted(standing) if self._repeats(each)]
        return self._said(cluster_verdict(items, self._mode, repeated), items)

    def _repeats(self, namespace: str) -> bool:
        """Whether the namespace's verdict has a place for all of the cluster's entries.

        Its own budgets may be so many that some are left out: then both verdicts are asked, so that
        nobody can push the cluster's budgets out by making many of his own.
        """
        shared = self._shared(namespace)
        out = set(left_out([*self._items(namespace), *shared]))
        return bool(shared) and not any(budget.key in out for budget, _ in shared)

    @staticmethod
    def _said(written: dict[str, Any], items: Items) -> dict[str, Any]:
        for key in left_out(items):
            logger.error("budget=%s has no place in its verdict", key)
        return written

    def _items(self, namespace: str) -> Items:
        return [
            (self._world.budgets[key], found)
            for key, found in self._world.standings.items()
            if key.namespace == namespace
        ]

    def _shared(self, namespace: str) -> Items:
        """The cluster's budgets that cover a namespace."""
        labels = {NAMESPACE_NAME: namespace, **self._world.namespaces.get(namespace, {})}
        return [
            (budget, found)
            for budget, found in self._items(CLUSTER)
            if budget.namespace_selector is None or budget.namespace_selector.matches(labels)
        ]
