"""Where a budget stands: what is spent of what, when it will be used up, and when it shuts.

From what the ledger says was spent in the current period and from what flows now. Never reads a
clock, and never takes an unknown for zero: reasons for doubt are carried along, and while there
are any, the last windows stay.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import floor

from bursar.budget import words
from bursar.budget.limits import effective
from bursar.budget.period import span_at
from bursar.budget.target import Target, crossings, targets
from bursar.budget.windows import shut, tighten, windows
from bursar.domain.budget import (
    WHOLE,
    Amounts,
    Budget,
    Flow,
    Measure,
    Remembered,
    Span,
    Standing,
    Threshold,
    ThresholdAction,
    Warned,
    Window,
)
from bursar.domain.classification import WorkloadClass
from bursar.domain.time import HOUR, Ms, floor_second

_FULL = Threshold(percent=Fraction(100), actions=frozenset())


def standing(
    budget: Budget,
    spent_by_class: Mapping[WorkloadClass, Amounts],
    flows: Sequence[Flow],
    now: Ms,
    remembered: Remembered,
    unknown: tuple[str, ...] = (),
) -> Standing:
    """Work out where a budget stands.

    Args:
        budget: the purse.
        spent_by_class: amounts of the period that contains `now`, up to `now`.
        flows: what flows from `now` on; earlier parts are ignored.
        now: milliseconds since the epoch.
        remembered: what was said last; `Remembered()` where nothing was.
        unknown: why the figures may be incomplete.

    Returns:
        The standing at `now`, and what of it will change by itself.
    """
    span = span_at(budget, now)
    found = targets(budget, span, spent_by_class, flows, now)
    whole = found[0]
    shutting = windows(budget, span, found, now, remembered)
    if unknown and remembered.generation == budget.generation:
        shutting = tighten(shutting, remembered.windows, now)
    exhausted = _exhausted(budget, span, whole, now, shutting)
    return Standing(
        key=budget.key,
        now=now,
        span=span,
        limits=effective(budget, whole.steps.get(Measure.COST, ())),
        spent=sum(spent_by_class.values(), Amounts()),
        spent_by_class=dict(spent_by_class),
        used=_used(whole, now),
        cost_per_hour=_rate(whole, Measure.COST, now) * HOUR,
        devices=_rate(whole, Measure.GPU_HOURS, now),
        period_end_cost=None
        if span.end is None
        else whole.lines[Measure.COST].at(max(now, span.end)),
        exhausted_at=exhausted,
        windows=shutting,
        warning=_warning(budget, span, found, now, (shutting, exhausted, remembered)),
        crossed=crossings(found, budget.thresholds, now),
        reached=crossings(found, (_FULL,), now),
        next_change=min((each for each in _changes(budget, span, found) if each > now),
                        default=None),
        unknown=unknown,
        normalized=_rate(whole, Measure.NORMALIZED_GPU_HOURS, now),
    )  # fmt: skip


def carried(known: Standing, now: Ms) -> Standing | None:
    """A standing a little later, if nothing has happened but that time went by.

    Its sums grow by what flowed when it was worked out, so that money may be off by a nano-unit for
    each pod; windows and moments stay.

    Args:
        known: as it was worked out last.
        now: milliseconds since the epoch, not before.

    Returns:
        None where something of it changes by itself meanwhile.
    """
    changes = [each for each in (known.next_change, known.span.end) if each is not None]
    if now < known.now or any(now >= each for each in changes):
        return None
    elapsed = now - known.now
    spent = Amounts(
        cost=known.spent.cost + floor(known.cost_per_hour * elapsed / HOUR),
        gpu_ms=known.spent.gpu_ms + known.devices * elapsed,
        normalized_ms=known.spent.normalized_ms + known.normalized * elapsed,
        estimated=known.spent.estimated,
    )
    limits = known.limits
    used = None
    if known.used is not None:
        used = max(spent.measure(measure) / limit for measure, limit in limits.items())
    return replace(known, now=now, spent=spent, used=used)


def _rate(target: Target, measure: Measure, now: Ms) -> Fraction:
    pieces = target.lines[measure].pieces
    return next((each.rate for each in reversed(pieces) if each.since <= now), Fraction(0))


def _used(target: Target, now: Ms) -> Fraction | None:
    """The highest of spent / limit; None where a limit is zero or less."""
    ratios: list[Fraction] = []
    for measure, steps in target.steps.items():
        if steps[0].limit <= 0:
            return None
        ratios.append(target.lines[measure].at(now) / steps[0].limit)
    return max(ratios, default=None)


def _exhausted(
    budget: Budget, span: Span, whole: Target, now: Ms, shutting: tuple[Window, ...]
) -> Ms | None:
    """When the first limit of the whole budget is reached, in whole seconds.

    Where that lies behind, the moment at which the budget shut for it; None where it has no such.
    """
    if span.end is not None and now >= span.end:
        return None
    first = min((at for at, _, _ in whole.reached(Fraction(100), span)), default=None)
    if first is None:
        return None
    if first > now:
        return floor_second(first.__floor__())
    window = shut(shutting, WHOLE, now)
    at_limit = budget.percent(ThresholdAction.HOLD) == 100
    return window.closes_at if window is not None and at_limit else None


def _changes(budget: Budget, span: Span, found: Sequence[Target]) -> Iterator[Ms]:
    """Moments at which something of a standing changes with nothing done, in no order."""
    if span.end is not None:
        yield span.end
    if budget.suspend_until is not None:
        yield budget.suspend_until
    yield from (grant.until for grant in budget.grants if grant.until is not None)
    for target in found:
        for line in target.lines.values():
            yield from (piece.since for piece in line.pieces)
        for threshold in budget.thresholds:
            for at, _, _ in target.reached(threshold.percent, span):
                yield at.__ceil__()


def _warning(
    budget: Budget,
    span: Span,
    found: Sequence[Target],
    now: Ms,
    known: tuple[tuple[Window, ...], Ms | None, Remembered],
) -> Warned | None:
    """The warning of the whole budget, or else of the first class that has reached its share."""
    percent = budget.percent(ThresholdAction.WARN)
    shutting, exhausted, remembered = known
    for target in found:
        nearest = _nearest(target, now)
        if percent is None or nearest is None:
            continue
        value, limit, measure = nearest
        if limit > 0 and value < limit * percent / 100:
            continue
        shut_now = shut(shutting, target.workload_class, now)
        if shut_now is not None:
            message = shut_now.message
        else:
            reached = _reached(target.workload_class, span, now, shutting, exhausted)
            pace = _rate(target, measure, now) * (HOUR if measure is Measure.COST else 1)
            outlook = words.outlook(budget, span, (pace, measure), reached)
            message = words.warning(budget, target.workload_class, nearest, outlook)
        return Warned(since=_since(span, now, remembered), message=message)
    return None


def _since(span: Span, now: Ms, remembered: Remembered) -> Ms:
    """Since when there is a warning: as long as one stands within a period, it is the same."""
    if remembered.warning is not None and remembered.span == span:
        return remembered.warning.since
    return floor_second(now)


def _nearest(target: Target, now: Ms) -> tuple[Fraction, Fraction, Measure] | None:
    """Sum, limit and measure of the limit that is nearest to being reached."""
    found = [
        (target.lines[measure].at(now), steps[0].limit, measure)
        for measure, steps in target.steps.items()
    ]
    return max(
        found,
        default=None,
        key=lambda each: (each[1] <= 0, each[0] / each[1] if each[1] > 0 else Fraction(0)),
    )


def _reached(
    workload_class: str,
    span: Span,
    now: Ms,
    shutting: tuple[Window, ...],
    exhausted: Ms | None,
) -> tuple[str, Ms] | None:
    """What happens in this period to a class, or to the whole budget, that is open now."""
    for window in shutting:
        concerns = window.workload_class in (WHOLE, workload_class)
        if (
            concerns
            and window.closes_at > now
            and (span.end is None or window.closes_at < span.end)
        ):
            return "it closes", window.closes_at
    if exhausted is not None and exhausted > now and workload_class == WHOLE:
        return "it is used up", exhausted
    return None
