"""Open rows cut where the price of their node has changed since they were written.

A row says that a pod goes on only as far as the watch has heard of it, which may be a minute ago;
what has begun since then is in no row yet. The node's rates are in the ledger at once, and tell.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from sqlalchemy import select

from bursar.domain.time import Ms
from bursar.domain.usage import Basis, End
from bursar.meter import PRICE_CHANGE, cost
from bursar.runtime.ledger import schema
from bursar.runtime.ledger.reading.snapshot import Snapshot
from bursar.runtime.ledger.reading.tally import (
    BASIS,
    CAPEX,
    END,
    NODE,
    OPEN,
    OPEX,
    RATE,
    START,
    Raw,
    Tally,
)
from bursar.runtime.ledger.sql import chunks

Change = tuple[Ms, int]
"""From when on (ms) a node has a rate, and the id of that."""


def changes(snapshot: Snapshot, nodes: Iterable[int]) -> Mapping[int, list[Change]]:
    """When the rates of these nodes begin, in order, by the node's id."""
    found: dict[int, list[Change]] = {}
    rate = schema.NODE_RATE.c
    for part in chunks(sorted(nodes)):
        query = select(rate.node_id, rate.since_ms, rate.rate_id).where(rate.node_id.in_(part))
        for node, since, key in snapshot.connection.execute(query.order_by(rate.since_ms)):
            found.setdefault(node, []).append((since, key))
    return found


def recut(row: Raw, of_node: Mapping[int, list[Change]], tally: Tally) -> Iterator[Raw]:
    """A row in pieces, each of one rate; a closed one, or one whose rate stays, as it is."""
    known = of_node.get(row[NODE], []) if row[BASIS] == OPEN else []
    later = known[bisect_right(known, row[START], key=lambda each: each[0]) :]
    piece = list(row)
    for since, rate in later:
        if since > tally.now:
            break
        yield _closed(piece, since, tally)
        piece[START], piece[RATE] = since, rate
        piece[END] = max(piece[END], since)
    yield tuple(piece)


def _closed(piece: Raw, at: Ms, tally: Tally) -> Raw:
    """A piece that the next price ends."""
    part = tally.segment(piece)
    ended = replace(part, end=End(at=at, basis=Basis.EXACT, witness=PRICE_CHANGE))
    spent = cost(ended, at)
    done = list(piece)
    done[END], done[BASIS] = at, int(Basis.EXACT)
    done[CAPEX], done[OPEX] = str(spent.capex), str(spent.opex)
    return tuple(done)
