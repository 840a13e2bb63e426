"""What may be spent: the base limits, and what grants add to them for a time.

A grant is one sum for the one period in which it was first seen. It adds to the cost limit of the
whole budget (never to a class's) until it expires, and is consumed after the base; several are
consumed in the order in which they expire. What a grant has paid when it expires stays paid, the
rest of it is gone. Where nobody saw how much an expired grant had paid, it counts as having paid
nothing: the budget is then too tight rather than too wide.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from bursar.budget.project import Line
from bursar.domain.budget import Budget, Grant, Limits, Span
from bursar.domain.time import Ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A limit that holds from `since` on, up to the next step."""

    since: Ms
    limit: Fraction


def grants_in(grants: Iterable[Grant], span: Span, now: Ms) -> tuple[Grant, ...]:
    """The grants of the current period, in the order in which they expire."""
    own = (
        each
        for each in grants
        if span.start <= (now if each.since is None else each.since)
        and (span.end is None or (now if each.since is None else each.since) < span.end)
    )
    return tuple(sorted(own, key=lambda each: (each.until is None, each.until or 0)))


def cost_steps(budget: Budget, span: Span, spent: Line, now: Ms) -> tuple[Step, ...]:
    """The cost limit of the whole budget from `now` to the end of the current period.

    Args:
        budget: its base and its grants.
        span: the period that contains `now`.
        spent: the projected cost of the period.
        now: where the first step begins.

    Returns:
        At least one step where the budget has a cost limit; else none.
    """
    base = budget.limits.cost
    if base is None:
        return ()
    grants = grants_in(budget.grants, span, now)
    expired = [each for each in grants if each.until is not None and each.until <= now]
    active = [each for each in grants if each.until is None or each.until > now]
    kept = base + sum((each.paid or Fraction(0) for each in expired), Fraction(0))
    steps = [Step(since=now, limit=kept + _total(active))]
    while active and (until := active[0].until) is not None:
        paid = min(max(spent.at(until) - kept, Fraction(0)), active[0].amount)
        kept += paid
        active = active[1:]
        steps.append(Step(since=until, limit=kept + _total(active)))
    later = (step for step in steps[1:] if span.end is None or step.since < span.end)
    return (steps[0], *later)


def effective(budget: Budget, steps: tuple[Step, ...]) -> Limits:
    """The limits that hold at the first step."""
    return replace(budget.limits, cost=steps[0].limit) if steps else budget.limits


def _total(grants: Iterable[Grant]) -> Fraction:
    return sum((each.amount for each in grants), Fraction(0))
