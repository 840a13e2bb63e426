"""Which accelerators a pod that waits may get: those of the nodes that it could be bound to.

Decided from the pod's requests and node selector and from the nodes there are. It is only asked so
that the series that the pod will be counted in exist beforehand; its binding tells what it gets.
"""

from collections.abc import Mapping

from bursar.domain.fields import mapping, texts
from bursar.domain.world import PodAccount
from bursar.recognize.tables import UNKNOWN_ACCELERATOR
from bursar.runtime import clock
from bursar.runtime.accounting.nodes import Nodes
from bursar.runtime.cluster.gateway import JSON

MOST = 8
"""Accelerators that one waiting pod may announce: beyond that nothing is known of where it goes."""
MOST_KEPT = 1_000
FRESH_SECONDS = 10.0
"""For how long an answer holds: nodes come and go, and many pods ask alike."""
_Key = tuple[frozenset[str], frozenset[tuple[str, str]]]


class Expected:
    """Answers for pods of one cluster."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._kept: dict[_Key, tuple[str, ...]] = {}
        self._since = 0.0

    def of(self, pod: PodAccount, obj: JSON) -> tuple[str, ...]:
        """Names of accelerators, in order; none where nothing tells."""
        selector = texts(mapping(obj, "spec"), "nodeSelector")
        # A claim or an annotation asks by no resource that nodes name.
        named = frozenset(ask.resource for ask in pod.requests if ":" not in ask.resource)
        key = named, frozenset(selector.items())
        now = clock.monotonic()
        if now - self._since > FRESH_SECONDS or len(self._kept) > MOST_KEPT:
            self._kept.clear()
            self._since = now
        if key not in self._kept:
            self._kept[key] = self._look(named, selector)
        return self._kept[key]

    def _look(self, named: frozenset[str], selector: Mapping[str, str]) -> tuple[str, ...]:
        found = {
            facts.accelerator
            for facts, resources in self._nodes.offers()
            if (not named or named & resources)
            and all(facts.labels.get(key) == value for key, value in selector.items())
        } - {UNKNOWN_ACCELERATOR}
        return tuple(sorted(found)) if len(found) <= MOST else ()
