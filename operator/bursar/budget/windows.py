"""When nothing of a class may start: the windows that the API server compares with a pod's birth.

From the lines of spending and the limits, as far as the end of the next period or 14 days ahead,
whichever is later, because the operator may be dead by then. A later period begins with nothing
spent and its base limits, and with whatever flows then: what runs on after closing goes on
spending. A window opens no sooner and shuts no later than the second in which the limit is
reached.

Where something about the spending is unknown, the last windows stay as long as the budget's owner
has not changed it, and can only become tighter.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from bursar.budget import words
from bursar.budget.period import next_span
from bursar.budget.target import Target
from bursar.domain.budget import (
    WHOLE,
    Budget,
    Measure,
    PeriodKind,
    Remembered,
    Span,
    ThresholdAction,
    Window,
)
from bursar.domain.time import DAY, Ms, ceil_second, floor_second

HORIZON = 14 * DAY
MOST = 64
"""Windows of one budget; the API's own bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Closing:
    """A stretch in which a limit is reached.

    Attributes:
        spent: the sum at which it shuts, the limit, and their measure; None: the budget is over.
    """

    closes: Ms
    reopens: Ms | None
    span: Span
    spent: tuple[Fraction, Fraction, Measure] | None


def windows(
    budget: Budget,
    span: Span,
    targets: Sequence[Target],
    now: Ms,
    remembered: Remembered,
) -> tuple[Window, ...]:
    """Compute all windows that are not over yet, in the order in which they close.

    Args:
        budget: its thresholds; without a Hold among them there are no windows.
        span: the period that contains `now`.
        targets: the whole budget and its classes.
        now: milliseconds since the epoch.
        remembered: a window that is shut already keeps the moment at which it was said to close.

    Returns:
        At most `MOST` windows, those of one class disjoint; farther ones are left out.
    """
    percent = budget.percent(ThresholdAction.HOLD)
    if percent is None:
        return ()
    found: list[Window] = []
    for target in targets:
        closings = _merge(_closings(budget, span, target, now, percent))
        found.extend(_window(budget, target.workload_class, each) for each in closings)
    kept = (_keep(window, now, remembered.windows) for window in found)
    return _ordered(kept)


def tighten(computed: Iterable[Window], previous: Iterable[Window], now: Ms) -> tuple[Window, ...]:
    """Join windows with the previous ones that are not over: never a sudden release."""
    live = [each for each in previous if each.reopens_at is None or each.reopens_at > now]
    joined: list[Window] = []
    everything = sorted([*computed, *live], key=lambda each: (each.workload_class, each.closes_at))
    for window in everything:
        last = joined[-1] if joined else None
        if last is None or last.workload_class != window.workload_class or not _touch(last, window):
            joined.append(window)
        elif last.reopens_at is not None and (
            window.reopens_at is None or window.reopens_at > last.reopens_at
        ):
            joined[-1] = replace(window, closes_at=last.closes_at)
    return _ordered(joined)


def shut(found: Iterable[Window], workload_class: str, now: Ms) -> Window | None:
    """The window that holds a class at a moment, by its own limit or by the whole budget's."""
    return next(
        (
            each
            for each in found
            if each.workload_class in (WHOLE, workload_class)
            and each.closes_at <= now
            and (each.reopens_at is None or now < each.reopens_at)
        ),
        None,
    )


def _ordered(found: Iterable[Window]) -> tuple[Window, ...]:
    return tuple(sorted(found, key=lambda each: (each.closes_at, each.workload_class))[:MOST])


def _touch(first: Window, second: Window) -> bool:
    return first.reopens_at is None or first.reopens_at >= second.closes_at


def _closings(
    budget: Budget, span: Span, target: Target, now: Ms, percent: Fraction
) -> Iterator[_Closing]:
    once = budget.period is PeriodKind.ONCE
    if span.end is None or now < span.end:
        reached = target.reached(percent, span)
        first = min(reached, default=None, key=lambda each: (each[0], each[2].limit > 0))
        if first is not None:
            at, measure, step = first
            whole_span = step.limit <= 0 and at <= now
            yield _Closing(
                closes=floor_second(span.start if whole_span else at.__floor__()),
                reopens=None if once or span.end is None else ceil_second(span.end),
                span=span,
                spent=(step.limit * percent / 100, step.limit, measure),
            )
    if not once:
        yield from _later(budget, span, target, now, percent)
    elif span.end is not None and target.workload_class == WHOLE:
        yield _Closing(closes=floor_second(span.end), reopens=None, span=span, spent=None)


def _later(
    budget: Budget, span: Span, target: Target, now: Ms, percent: Fraction
) -> Iterator[_Closing]:
    """Closings in the periods after this one."""
    upcoming = next_span(budget, span)
    horizon = now + HORIZON
    if upcoming is not None and upcoming.end is not None:
        horizon = max(horizon, upcoming.end)
    while upcoming is not None and upcoming.start < horizon:
        closing = _closing_in(upcoming, target, percent)
        if closing is not None:
            yield closing
            if closing.reopens is None:
                return
        upcoming = next_span(budget, upcoming)


def _closing_in(span: Span, target: Target, percent: Fraction) -> _Closing | None:
    """The closing in a period that begins with nothing spent; without a limit it never reopens."""
    found: list[tuple[Fraction, Measure, Fraction]] = []
    for measure, limit in target.base.items():
        if limit <= 0:
            found.append((Fraction(span.start), measure, limit))
            continue
        line = target.lines[measure]
        level = line.at(span.start) + limit * percent / 100
        at = line.crossing(level, span.start, span.end)
        if at is not None:
            found.append((at, measure, limit))
    first = min(found, default=None, key=lambda each: (each[2] > 0, each[0]))
    if first is None:
        return None
    at, measure, limit = first
    return _Closing(
        closes=floor_second(at.__floor__()),
        reopens=None if limit <= 0 or span.end is None else ceil_second(span.end),
        span=span,
        spent=(limit * percent / 100, limit, measure),
    )


def _merge(closings: Iterable[_Closing]) -> list[_Closing]:
    """Join those that touch; they come in the order of time."""
    merged: list[_Closing] = []
    for closing in closings:
        last = merged[-1] if merged else None
        if last is None or (last.reopens is not None and last.reopens < closing.closes):
            merged.append(closing)
        elif last.reopens is not None:
            merged[-1] = replace(last, reopens=closing.reopens)
    return merged


def _window(budget: Budget, workload_class: str, closing: _Closing) -> Window:
    return Window(
        workload_class=workload_class,
        closes_at=closing.closes,
        reopens_at=closing.reopens,
        message=words.over(budget, closing.closes)
        if closing.spent is None
        else words.refusal(budget, workload_class, closing.spent, closing.span, closing.reopens),
    )


def _keep(window: Window, now: Ms, previous: Iterable[Window]) -> Window:
    """Let a window that is shut already keep the moment at which it closed."""
    if window.closes_at > now:
        return window
    for each in previous:
        same = each.workload_class == window.workload_class
        if same and each.reopens_at == window.reopens_at and each.closes_at <= now:
            return replace(window, closes_at=each.closes_at)
    return window
