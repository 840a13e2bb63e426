"""Which conditions a budget has, and why.

From its standings and the circumstances of enforcement. Messages carry what a person needs to act
(which limit, until when, which field), but no figure that moves by the second.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bursar.api import meta
from bursar.api.conditions import Condition, Status, remove_condition, set_condition
from bursar.domain import wording
from bursar.domain.action import Mode
from bursar.domain.budget import WHOLE, Budget, Crossing, Measure, Standing, ThresholdAction
from bursar.domain.time import Ms

_MOST_NAMED = 5
"""Things that a message names before it only counts the rest."""

Purses = Sequence[tuple[Budget, Standing]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a status says beside the standing.

    Attributes:
        mode: whether the installation enforces.
        held: workloads that wait for this budget.
        not_in_force: fields that are set and not acted upon.
        assumed: what has an assumed price, one phrase each (`3 pods on l4-24gb`).
        policies: whether the admission policies are installed.
        stale: what is to be said of a catalog that is too old and prices something here; else
            empty.
    """

    mode: Mode
    held: int = 0
    not_in_force: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    policies: bool = True
    stale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect:
    """One condition to be; status None: the condition is to be absent."""

    type: str
    status: Status | None
    reason: str = ""
    message: str = ""


def aspects(purses: Purses, circumstances: Circumstances) -> Iterator[Aspect]:
    """Judge a budget.

    Args:
        purses: its one purse; of scope PerNamespace all of them, the nearest to its limit first.
        circumstances: of enforcement.
    """
    unknown = tuple(dict.fromkeys(each for _, standing in purses for each in standing.unknown))
    yield Aspect(
        type=meta.CONDITION_READY,
        status="True",
        reason=meta.REASON_EVALUATED,
        message="the budget is in use",
    )
    yield _within(purses, unknown)
    yield _forecast(purses, unknown)
    yield _enforced(purses, circumstances)
    yield _priced(unknown, circumstances.assumed)
    yield Aspect(
        type=meta.CONDITION_CATALOG_CURRENT,
        status="False" if circumstances.stale else None,
        reason=meta.REASON_CATALOG_STALE,
        message=circumstances.stale,
    )
    fields = circumstances.not_in_force
    yield Aspect(
        type=meta.CONDITION_NOT_IN_FORCE,
        status="True" if fields else None,
        reason=meta.REASON_FIELDS_NOT_IN_FORCE,
        message=f"set, but not acted upon by this release: {', '.join(fields)}",
    )


def rejected_aspects(field: str, problem: str) -> Iterator[Aspect]:
    """Judge a budget that can't be read: nothing is held by it."""
    message = f"{field}: {problem}" if field else problem
    yield Aspect(
        type=meta.CONDITION_READY, status="False", reason=meta.REASON_INVALID, message=message
    )
    for name in (meta.CONDITION_WITHIN_BUDGET, meta.CONDITION_FORECAST_WITHIN_BUDGET):
        yield Aspect(type=name, status="Unknown", reason=meta.REASON_NOT_EVALUATED, message=message)
    yield Aspect(
        type=meta.CONDITION_ENFORCED, status="False", reason=meta.REASON_INVALID, message=message
    )


def idle_aspects() -> Iterator[Aspect]:
    """Judge a budget that has no purse because it selects no namespace."""
    message = "no namespace is selected"
    reasons = {
        meta.CONDITION_READY: meta.REASON_EVALUATED,
        meta.CONDITION_WITHIN_BUDGET: meta.REASON_BELOW_LIMIT,
        meta.CONDITION_FORECAST_WITHIN_BUDGET: meta.REASON_FORECAST_BELOW_LIMIT,
        meta.CONDITION_PRICED: meta.REASON_ALL_PRICED,
    }
    for name, reason in reasons.items():
        yield Aspect(type=name, status="True", reason=reason, message=message)
    yield Aspect(
        type=meta.CONDITION_ENFORCED,
        status="Unknown",
        reason=meta.REASON_NOT_EVALUATED,
        message=message,
    )


def unreadable_aspects(reason: str) -> Iterator[Aspect]:
    """Judge a budget whose spending can't be read: the last verdict stays in force."""
    message = f"{reason}; the last verdict stays in force"
    for name in (
        meta.CONDITION_READY,
        meta.CONDITION_WITHIN_BUDGET,
        meta.CONDITION_FORECAST_WITHIN_BUDGET,
    ):
        yield Aspect(
            type=name, status="Unknown", reason=meta.REASON_LEDGER_UNAVAILABLE, message=message
        )


def set_all(
    conditions: Iterable[Mapping[str, Any]], said: Iterable[Aspect], generation: int, now: Ms
) -> list[Condition]:
    """Set or remove each condition, keeping transition times of those that stay as they are."""
    result: list[Condition] = [dict(each) for each in conditions]
    for aspect in said:
        if aspect.status is None:
            result = remove_condition(result, aspect.type)
            continue
        result = set_condition(
            result,
            aspect.type,
            aspect.status,
            reason=aspect.reason,
            message=aspect.message,
            now_ms=now,
            observed_generation=generation,
        )
    return result


def _within(purses: Purses, unknown: tuple[str, ...]) -> Aspect:
    kind = meta.CONDITION_WITHIN_BUDGET
    reached = [
        _limit(budget, standing, each) for budget, standing in purses for each in standing.reached
    ]
    if reached:
        message = f"reached: {_some(reached)}"
        return Aspect(type=kind, status="False", reason=meta.REASON_LIMIT_REACHED, message=message)
    if unknown:
        return Aspect(
            type=kind, status="Unknown", reason=meta.REASON_UNPRICED, message=_some(unknown)
        )
    return Aspect(
        type=kind,
        status="True",
        reason=meta.REASON_BELOW_LIMIT,
        message="less is spent than any limit allows",
    )


def _forecast(purses: Purses, unknown: tuple[str, ...]) -> Aspect:
    kind = meta.CONDITION_FORECAST_WITHIN_BUDGET
    exceeded = [text for budget, standing in purses for text in _exceeded(budget, standing)]
    if exceeded:
        return Aspect(
            type=kind,
            status="False",
            reason=meta.REASON_FORECAST_EXCEEDS_LIMIT,
            message=f"if what runs goes on running: {_some(exceeded)}",
        )
    if unknown:
        return Aspect(
            type=kind, status="Unknown", reason=meta.REASON_UNPRICED, message=_some(unknown)
        )
    return Aspect(
        type=kind,
        status="True",
        reason=meta.REASON_FORECAST_BELOW_LIMIT,
        message="if what runs goes on running, no limit is reached in this period",
    )


def _exceeded(budget: Budget, standing: Standing) -> Iterator[str]:
    """What reaches its limit in the current period, and when."""
    whole = {each.workload_class for each in standing.reached}
    for each in standing.reached:
        yield f"{_limit(budget, standing, each)} is reached"
    if standing.exhausted_at is not None and WHOLE not in whole:
        yield f"{_who(budget, WHOLE)} is used up on {_when(budget, standing.exhausted_at)}"
    end = standing.span.end
    for window in standing.windows:
        name = window.workload_class
        if name in whole or name == WHOLE or window.closes_at <= standing.now:
            continue
        if end is None or window.closes_at < end:
            yield f"{_who(budget, name)} closes on {_when(budget, window.closes_at)}"


def _enforced(purses: Purses, circumstances: Circumstances) -> Aspect:
    kind = meta.CONDITION_ENFORCED
    budget, standing = purses[0]
    asleep = budget.suspend_until
    reason, message = meta.REASON_VERDICT_WRITTEN, "the API server has the verdict"
    if circumstances.mode is Mode.OBSERVE:
        reason, message = meta.REASON_OBSERVE_ONLY, "this installation observes only"
    elif not circumstances.policies:
        reason, message = meta.REASON_POLICIES_MISSING, "the admission policies are not installed"
    elif asleep is not None and standing.now < asleep:
        reason, message = meta.REASON_SUSPENDED, f"asleep until {_when(budget, asleep)}"
    elif budget.percent(ThresholdAction.HOLD) is None:
        reason, message = meta.REASON_NO_HOLD_THRESHOLD, "no threshold has the action Hold"
    status: Status = "True" if reason == meta.REASON_VERDICT_WRITTEN else "False"
    return Aspect(type=kind, status=status, reason=reason, message=message)


def _priced(unknown: tuple[str, ...], assumed: tuple[str, ...]) -> Aspect:
    kind = meta.CONDITION_PRICED
    if unknown:
        return Aspect(
            type=kind, status="Unknown", reason=meta.REASON_UNPRICED, message=_some(unknown)
        )
    if assumed:
        return Aspect(
            type=kind, status="False", reason=meta.REASON_ASSUMED_PRICE, message=_some(assumed)
        )
    message = "all that counts here has a known price"
    return Aspect(type=kind, status="True", reason=meta.REASON_ALL_PRICED, message=message)


def _limit(budget: Budget, standing: Standing, reached: Crossing) -> str:
    """Name a limit, such as `$8,000 for training`."""
    limits = standing.limits
    for name, own in budget.classes.items():
        if name.value == reached.workload_class:
            limits = own
    values: Mapping[Measure, Any] = dict(limits.items())
    text = wording.amount(values[reached.measure], reached.measure, budget.currency)
    place = f" in {budget.key.member}" if budget.key.member else ""
    own_class = "" if reached.workload_class == WHOLE else f" for {reached.workload_class}"
    return f"{text}{own_class}{place}"


def _who(budget: Budget, name: str) -> str:
    subject = "the budget" if name == WHOLE else name
    return f"{subject} in {budget.key.member}" if budget.key.member else subject


def _when(budget: Budget, moment: Ms) -> str:
    return wording.minute(moment, budget.time_zone, beside=moment)


def _some(phrases: Sequence[str]) -> str:
    """Join phrases, counting those that are too many to name."""
    more = len(phrases) - _MOST_NAMED
    named = "; ".join(phrases[:_MOST_NAMED])
    return f"{named}; and {more} more" if more > 0 else named
