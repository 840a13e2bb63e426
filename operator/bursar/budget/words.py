"""What is told to whoever is refused or warned.

A refusal names the budget, what is spent of what, when it reopens and who can raise it. It is made
of the limit and the period alone, so that it stays the same while money flows: it is written into
the verdict ahead of time and must be true when it is read, with no operator running.
"""

from fractions import Fraction

from bursar.domain import wording
from bursar.domain.budget import WHOLE, Budget, Measure, Span
from bursar.domain.time import Ms

LONGEST = 500
"""Characters of a message."""


def refusal(
    budget: Budget,
    workload_class: str,
    spent: tuple[Fraction, Fraction, Measure],
    span: Span,
    reopens: Ms | None,
) -> str:
    """Say that a budget is shut because its limit is reached.

    Args:
        budget: the budget.
        workload_class: which class is shut, or `*`.
        spent: the sum at which it shuts, the limit that this is a part of, and their measure.
        span: the period that the sum was spent in.
        reopens: when something may start again; None: not by itself.
    """
    level, limit, measure = spent
    of = wording.amount(limit, measure, budget.currency)
    if limit <= 0:
        cause = f"its limit is {of}"
    else:
        sum_ = wording.amount(level, measure, budget.currency)
        since = wording.day(span.start, budget.time_zone)
        cause = f"{sum_} of {of} {_verb(measure)} since {since}"
    return _message(f"{_shut(budget, workload_class)}: {cause}", _reopening(budget, span, reopens),
                    f"{_owner(budget)} can raise it")  # fmt: skip


def over(budget: Budget, until: Ms) -> str:
    """Say that a budget for one time has ended."""
    ended = wording.minute(until, budget.time_zone, beside=until)
    return _message(f"{budget.key} is shut: it ended on {ended}", f"{_owner(budget)} can extend it")


def warning(
    budget: Budget,
    workload_class: str,
    spent: tuple[Fraction, Fraction, Measure],
    outlook: str,
) -> str:
    """Say how much of a limit is spent, and what is to be expected.

    Args:
        budget: the budget.
        workload_class: a class, or `*`.
        spent: the sum, the limit that this is a part of, and their measure.
        outlook: a clause, as `outlook` makes it.
    """
    value, limit, measure = spent
    of = wording.amount(limit, measure, budget.currency)
    if limit <= 0:
        return _message(f"{budget.key}{_for(workload_class)}: its limit is {of}")
    percent = (value * 100 / limit).__floor__()
    return _message(
        f"{budget.key}: {percent} % of {of}{_for(workload_class)} {_verb(measure)}", outlook
    )


def outlook(
    budget: Budget, span: Span, pace: tuple[Fraction, Measure], reached: tuple[str, Ms] | None
) -> str:
    """Say what happens if what runs goes on.

    Args:
        budget: the budget.
        span: the current period.
        pace: nano-units an hour, or devices, and which of them it is.
        reached: what happens then (`it closes`) and when; None: nothing in this period.
    """
    rate, measure = pace
    if rate <= 0:
        return "nothing that counts is running"
    at = (
        f"at {wording.rate(rate, budget.currency)}"
        if measure is Measure.COST
        else f"with {wording.number(rate, 2)} devices in use"
    )
    if reached is not None:
        what, when = reached
        return f"{at} {what} on {wording.minute(when, budget.time_zone, beside=span.start)}"
    if span.end is None:
        return f"{at} it lasts"
    return f"{at} it lasts to {wording.minute(span.end, budget.time_zone, beside=span.start)}"


def _message(*parts: str) -> str:
    return wording.clip("; ".join(part for part in parts if part), LONGEST)


def _shut(budget: Budget, workload_class: str) -> str:
    return f"{budget.key} is shut{_for(workload_class)}"


def _for(workload_class: str) -> str:
    return "" if workload_class == WHOLE else f" for {workload_class}"


def _verb(measure: Measure) -> str:
    return "spent" if measure is Measure.COST else "used"


def _reopening(budget: Budget, span: Span, reopens: Ms | None) -> str:
    if reopens is None:
        return "it does not reopen by itself"
    return f"it reopens {wording.minute(reopens, budget.time_zone, beside=span.start)}"


def _owner(budget: Budget) -> str:
    if budget.key.namespace:
        return f"whoever may edit aibudgets in namespace {budget.key.namespace}"
    return "whoever may edit clusteraibudgets"
