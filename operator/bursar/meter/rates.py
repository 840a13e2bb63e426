"""How a node's known rates take in newly computed ones without rewriting the past.

Decides from the periods in force so far, the periods that price books and catalog give now, and
the present moment. What has been in force stays: correcting it is an explicit re-rating, never a
side effect of an edited PriceBook.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bursar.domain.rate import RatePeriod
from bursar.domain.time import Ms


def revise(
    known: Sequence[RatePeriod], computed: Sequence[RatePeriod], now: Ms
) -> tuple[RatePeriod, ...]:
    """Keep what was in force up to `now`, and take what is computed from then on.

    Args:
        known: in order of `since`; empty (or not yet in force): `computed` is taken whole.
        computed: in order of `since`, from the node's beginning on.
        now: milliseconds since the epoch.

    Returns:
        The periods in order, equal neighbours merged. A changed price thus applies from `now`, a
        dated one from its date when that is later.
    """
    past = [_until(period, now) for period in known if period.since < now]
    if not past:
        return _merge(computed)
    future = [
        replace(period, since=max(period.since, now))
        for period in computed
        if period.until is None or period.until > now
    ]
    # Only the seam and the future are merged: a change that has happened is the start of rows
    # that are written already.
    if future and past[-1].until == future[0].since and past[-1].rate == future[0].rate:
        future[0] = replace(future[0], since=past.pop().since)
    return (*past, *_merge(future))


def _until(period: RatePeriod, now: Ms) -> RatePeriod:
    if period.until is not None and period.until <= now:
        return period
    return replace(period, until=now)


def _merge(periods: Iterable[RatePeriod]) -> tuple[RatePeriod, ...]:
    merged: list[RatePeriod] = []
    for period in periods:
        last = merged[-1] if merged else None
        if last is not None and last.until == period.since and last.rate == period.rate:
            merged[-1] = replace(last, until=period.until)
        else:
            merged.append(period)
    return tuple(merged)
