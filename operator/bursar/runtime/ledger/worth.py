"""What a part of a pod's row is worth to a budget."""

from collections.abc import Mapping
from fractions import Fraction

from bursar.domain.budget import Amounts
from bursar.domain.rate import Unpriced
from bursar.domain.time import Ms
from bursar.domain.usage import Segment
from bursar.meter import cost_between, is_priced, uncertain_between
from bursar.runtime.ledger.rows import StoredInterval

ONE: Mapping[str, Fraction] = {}
"""Weights of 1 for all."""


def worth(entry: StoredInterval, frm: Ms, to: Ms, weights: Mapping[str, Fraction] = ONE) -> Amounts:
    """What lies of a row in [frm, to).

    Args:
        entry: the row.
        frm: included.
        to: excluded.
        weights: normalized devices for one device of an accelerator; 1 where none is given.
    """
    cost = cost_between(entry.segment, frm, to)
    gpu_ms = cost.device_ms * entry.device_fraction
    return Amounts(
        cost=cost.total,
        gpu_ms=gpu_ms,
        normalized_ms=gpu_ms * weights.get(entry.dimension.accelerator, Fraction(1)),
        estimated=uncertain_between(entry.segment, frm, to).total,
    )


def doubt(segment: Segment) -> str:
    """Why the money of a row is not known; empty where it is."""
    if is_priced(segment):
        return ""
    if isinstance(segment.rate, Unpriced):
        return segment.rate.reason
    return f"{segment.resource}: how much of its node a pod held is not known"
