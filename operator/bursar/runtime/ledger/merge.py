"""Which of two accounts of the same hold counts, and what becomes of its dimension.

Decides from rows alone. It makes writing idempotent: the same rows again, or older ones after
newer ones, change nothing, and an end that is known better is never replaced by a worse one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from fractions import Fraction

from bursar.domain.allocation import UNALLOCATED
from bursar.domain.time import Ms
from bursar.domain.usage import Basis, Dimension, Segment
from bursar.meter import started
from bursar.runtime.ledger.rows import StoredInterval, StoredNodeInterval

_UNTOLD = ("", "unknown", UNALLOCATED, ())
_RANK = {Basis.OPEN: 0, Basis.ESTIMATED: 1, Basis.OBSERVED: 2, Basis.EXACT: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """All that is known of one hold: a pod's on a resource, or a node's own life.

    Attributes:
        segments: at least one, in order.
        known: the end of the last, or the moment up to which that is known to go on.
        dimension: None for a node.
    """

    segments: tuple[Segment, ...]
    known: Ms
    generation: int
    dimension: Dimension | None = None
    device_fraction: Fraction = Fraction(1)

    @property
    def closed(self) -> bool:
        """Whether its end is known."""
        return self.segments[-1].end is not None


def told(
    segments: tuple[Segment, ...],
    known: Ms,
    generation: int,
    dimension: Dimension | None = None,
    device_fraction: Fraction = Fraction(1),
) -> Hold:
    """A hold as somebody tells it: of an open one what has begun by `known`, at least one part."""
    known = max(known, segments[0].start)
    last = segments[-1].end
    return Hold(
        segments=segments if last is not None else started(segments, known),
        known=known if last is None else last.at,
        generation=generation,
        dimension=dimension,
        device_fraction=device_fraction,
    )


def kept(entries: Iterable[StoredInterval | StoredNodeInterval]) -> Hold:
    """A hold as its rows tell it."""
    ordered = sorted(entries, key=lambda entry: entry.segment.start)
    first, last = ordered[0], ordered[-1]
    hold = Hold(
        segments=tuple(entry.segment for entry in ordered),
        known=last.known,
        generation=last.generation,
    )
    if isinstance(first, StoredInterval):
        fraction = first.device_fraction
        return replace(hold, dimension=first.dimension, device_fraction=fraction)
    return hold


def merge(old: Hold | None, new: Hold) -> Hold:
    """The hold that counts."""
    if old is None or new.generation > old.generation:
        return new
    if old.dimension is not None and new.dimension is not None:
        dimension = settle(old.dimension, new.dimension)
        old, new = replace(old, dimension=dimension), replace(new, dimension=dimension)
    if new.generation < old.generation:
        return old
    better = replaces(new.segments[-1], new.known, old.segments[-1], old.known)
    return new if better else old


def replaces(new: Segment, new_known: Ms, old: Segment, old_known: Ms) -> bool:
    """Tell whether a hold that ends with `new` replaces one that ends with `old`.

    Args:
        new: the last segment of the newly told hold.
        new_known: its end, or the moment up to which it is known to go on.
        old: the last segment of the stored one.
        old_known: likewise.
    """
    new_rank, old_rank = _rank(new), _rank(old)
    if new_rank != old_rank:
        return new_rank > old_rank
    if new.end is None:
        return new_known >= old_known
    if new.end.basis is Basis.EXACT:
        # Containers end one after another; the pod has ended with the last of them.
        return new_known > old_known
    # Whoever saw the end first saw it best.
    return new_known < old_known


def settle(old: Dimension, new: Dimension) -> Dimension:
    """Keep what was told first, and fill in what was not: relabelling a pod moves no cost."""
    told = {
        field.name: getattr(old if getattr(old, field.name) not in _UNTOLD else new, field.name)
        for field in fields(Dimension)
    }
    return Dimension(**told)


def _rank(segment: Segment) -> tuple[int, bool]:
    if segment.end is None:
        return _RANK[Basis.OPEN], False
    return _RANK[segment.end.basis], segment.end.witness == "finishedAt"
