"""Which of two accounts of the same hold counts, and what becomes of its dimension.

Decides from rows alone. It makes writing idempotent: the same rows again, or older ones after
newer ones, change nothing, and an end that is known better is never replaced by a worse one.
"""

from dataclasses import fields

from bursar.domain.allocation import UNALLOCATED
from bursar.domain.time import Ms
from bursar.domain.usage import Basis, Dimension, Segment

_UNTOLD = ("", "unknown", UNALLOCATED, ())
_RANK = {Basis.OPEN: 0, Basis.ESTIMATED: 1, Basis.OBSERVED: 2, Basis.EXACT: 3}


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
