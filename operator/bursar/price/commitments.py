"""Which nodes hold a commitment, from when to when, and what it costs whoever holds it.

A commitment is paid for in any case, so it comes before every other price. Of the nodes that match
it the oldest hold it (by creation, ties by uid), as many as it covers; a node holds one at most,
the more specific first. Spot capacity is bought apart and holds none. Decided from the books and
the fleet alone; it must never let the order in which nodes are listed choose among them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from bursar.domain.time import Ms
from bursar.domain.workload import NodeFacts
from bursar.price.books import Books, Committed, Rule, Tenure

SPOT = "spot"


def seen_since(books: Books, seen: Mapping[str, Ms]) -> Books:
    """The books with commitments that begin when they were first seen, where that is later.

    Args:
        books: all price books, merged.
        seen: when a commitment was first seen (ms), by `BOOK/NAME`.
    """
    return replace(books, commitments=tuple(_begun(rule, seen) for rule in books.commitments))


def assign(books: Books, fleet: Iterable[NodeFacts], since: Ms) -> Books:
    """The books with the tenures of a fleet's nodes from a moment on.

    Args:
        books: all price books, merged.
        fleet: every node that is known; those that are gone hold what they held until then.
        since: the first moment (ms) for which it is asked.
    """
    rules = [rule for rule in books.commitments if isinstance(rule.what, Committed)]
    if not rules:
        return replace(books, tenures={})
    queue = sorted(fleet, key=lambda facts: (facts.created, facts.uid))
    matching = [
        [facts for facts in queue if facts.capacity_type != SPOT and rule.matches(facts)]
        for rule in rules
    ]
    moments = sorted({since, *_moments(rules, matching, since)})
    found: defaultdict[str, list[Tenure]] = defaultdict(list)
    for start, end in pairwise(moments):
        for uid, rule in _holders(rules, matching, start):
            held = found[uid]
            goes_on = bool(held) and held[-1].rule is rule and held[-1].until == start
            begun = held.pop().since if goes_on else start
            held.append(Tenure(since=begun, until=end, rule=rule))
    return replace(books, tenures={uid: tuple(held) for uid, held in found.items()})


def _begun(rule: Rule, seen: Mapping[str, Ms]) -> Rule:
    if not isinstance(rule.what, Committed) or rule.since is None:
        return rule
    return replace(rule, since=max(rule.since, seen.get(rule.what.name, rule.since)))


def _moments(
    rules: Iterable[Rule], matching: Iterable[Sequence[NodeFacts]], since: Ms
) -> Iterator[Ms]:
    """When holders may change: a term's edges, nodes that come and go."""
    bounds = [bound for rule in rules for bound in (rule.since, rule.until)]
    bounds += [bound for nodes in matching for facts in nodes for bound in _life(facts)]
    return (bound for bound in bounds if bound is not None and bound > since)


def _life(facts: NodeFacts) -> tuple[Ms, Ms | None]:
    return facts.created, facts.until


def _holders(
    rules: Sequence[Rule], matching: Sequence[Sequence[NodeFacts]], at: Ms
) -> Iterator[tuple[str, Rule]]:
    taken: set[str] = set()
    for rule, nodes in zip(rules, matching, strict=True):
        if not isinstance(rule.what, Committed) or not rule.holds(at):
            continue
        free = rule.what.count
        for facts in nodes:
            if not free:
                break
            there = facts.created <= at and (facts.until is None or at < facts.until)
            if there and facts.uid not in taken:
                taken.add(facts.uid)
                free -= 1
                yield facts.uid, rule
