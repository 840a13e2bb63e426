"""What a budget's status says, and when it is worth writing.

From the standing, the circumstances of enforcement and the status that stands there now (for the
transition times of its conditions and its history). Figures have six decimals. A status is written
when something has changed that a reader or the API server needs, and otherwise at most once a
minute while figures move: etcd is no time series.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from bursar.domain.budget import Amounts, Budget, Limits, Measure, Rejected, Standing, Window
from bursar.domain.money import NANO, format_fraction, format_nano
from bursar.domain.time import HOUR, MINUTE, Ms, format_time
from bursar.enforce.conditions import (
    Aspect,
    Circumstances,
    aspects,
    idle_aspects,
    rejected_aspects,
    set_all,
    unreadable_aspects,
)
from bursar.enforce.history import history, said

LONGEST_PAUSE = MINUTE
"""While money is being spent, a status is not older than this."""
MOST_NAMESPACES = 256
"""Namespaces that the status of a PerNamespace budget lists; the API's own bound."""

_UNITS = {Measure.GPU_HOURS: "GPUh", Measure.NORMALIZED_GPU_HOURS: "normalized GPUh"}


def status(
    budget: Budget,
    standing: Standing,
    previous: Mapping[str, Any] | None,
    circumstances: Circumstances,
) -> dict[str, Any]:
    """Write the status of a budget with one purse.

    Args:
        budget: an AIBudget or a shared ClusterAIBudget.
        standing: where it stands.
        previous: `.status` of the object now; None where there is none.
        circumstances: what else there is to say.

    Returns:
        The whole status as the API takes it.
    """
    written = _figures(budget, standing)
    written["held"] = circumstances.held
    written["admission"] = [_window(each) for each in standing.windows]
    if standing.warning is not None:
        since = format_time(standing.warning.since)
        written["warning"] = {"since": since, "message": standing.warning.message}
    _put_history(written, history(budget, standing, previous))
    judged = aspects([(budget, standing)], circumstances)
    return _finish(written, previous, judged, budget.generation, standing.now)


def status_of_purses(
    purses: Sequence[tuple[Budget, Standing]],
    previous: Mapping[str, Any] | None,
    circumstances: Circumstances,
    held: Mapping[str, int],
) -> dict[str, Any]:
    """Write the status of a ClusterAIBudget of scope PerNamespace.

    Args:
        purses: each namespace's purse of it, at least one.
        previous: `.status` of the object now; None where there is none.
        circumstances: what else there is to say.
        held: workloads that wait, by namespace.

    Returns:
        Sums of what was spent and burns, the nearest purse as the summary, and each namespace's own
        standing and windows.
    """
    nearest = sorted(purses, key=lambda each: _nearness(*each))
    budget, first = nearest[0]
    total = sum((standing.spent for _, standing in purses), Amounts())
    written: dict[str, Any] = {
        "observedThrough": format_time(first.now),
        "period": _period(first),
        "currency": budget.currency,
        "spent": {**_amounts(total), "estimatedCost": format_nano(total.estimated)},
        "summary": _summary(budget, first),
        "burnRate": {
            "costPerHour": _money(sum((s.cost_per_hour for _, s in purses), Fraction(0))),
            "devices": format_fraction(sum((s.devices for _, s in purses), Fraction(0))),
        },
        "held": circumstances.held,
        "namespaces": [_namespace(b, s, held) for b, s in nearest[:MOST_NAMESPACES]],
        "namespaceCount": len(purses),
    }
    _put_history(written, history(budget, first, previous))
    judged = aspects(nearest, circumstances)
    return _finish(written, previous, judged, budget.generation, first.now)


def status_of_rejected(
    rejected: Rejected, previous: Mapping[str, Any] | None, now: Ms
) -> dict[str, Any]:
    """Write the status of a budget that can't be read: only the history of its money stays."""
    written: dict[str, Any] = {}
    _put_history(written, said(previous))
    judged = rejected_aspects(rejected.field, rejected.problem)
    return _finish(written, previous, judged, rejected.generation, now)


def status_of_no_purses(
    generation: int, previous: Mapping[str, Any] | None, now: Ms
) -> dict[str, Any]:
    """Write the status of a ClusterAIBudget of scope PerNamespace that selects no namespace."""
    written: dict[str, Any] = {"held": 0, "namespaces": [], "namespaceCount": 0}
    _put_history(written, said(previous))
    return _finish(written, previous, idle_aspects(), generation, now)


def status_of_unreadable(
    budget: Budget, previous: Mapping[str, Any] | None, reason: str, now: Ms
) -> dict[str, Any]:
    """Write the status of a budget whose spending can't be told: all that was said last stays."""
    generation = (previous or {}).get("observedGeneration")
    known = generation if isinstance(generation, int) else budget.generation
    return _finish(dict(previous or {}), previous, unreadable_aspects(reason), known, now)


def needs_write(
    old: Mapping[str, Any] | None, new: Mapping[str, Any], last_written: Ms | None, now: Ms
) -> bool:
    """Tell whether a status is worth a write.

    Args:
        old: the status that stands there now; None where there is none.
        new: the status that could be written.
        last_written: when one was written last; None where that is not known.
        now: milliseconds since the epoch.

    Returns:
        True where windows, warning, conditions, limits, period, generation, held workloads, the
        burn rate, the moment of exhaustion or the percentage used have changed; or where any figure
        has, and the last write is at least `LONGEST_PAUSE` ago.
    """
    if not old:
        return True
    if _essence(old) != _essence(new):
        return True
    moved = {**old, "observedThrough": None} != {**new, "observedThrough": None}
    return moved and (last_written is None or now - last_written >= LONGEST_PAUSE)


def _essence(written: Mapping[str, Any]) -> dict[str, Any]:
    """What must not be a minute old."""
    # The burn rate moves by events alone, as a pod starts or ends: what runs shows at once.
    kept = (
        *("observedGeneration", "period", "currency", "limit", "admission", "warning", "held"),
        "burnRate",
    )
    forecast = written.get("forecast")
    summary = written.get("summary")
    namespaces = written.get("namespaces")
    conditions = written.get("conditions")
    return {
        **{key: written.get(key) for key in kept},
        "history": written.get("history"),
        "used": summary.get("used") if isinstance(summary, Mapping) else None,
        "exhaustedAt": forecast.get("exhaustedAt") if isinstance(forecast, Mapping) else None,
        "namespaces": {
            each.get("name"): [each.get(key) for key in ("limit", "admission", "held")]
            for each in _mappings(namespaces)
        },
        "conditions": [
            [each.get(key) for key in ("type", "status", "reason", "observedGeneration")]
            for each in _mappings(conditions)
        ],
    }


def _mappings(entries: object) -> list[Mapping[str, Any]]:
    found = entries if isinstance(entries, (list, tuple)) else ()
    return [each for each in found if isinstance(each, Mapping)]


def _finish(
    written: dict[str, Any],
    previous: Mapping[str, Any] | None,
    judged: Iterable[Aspect],
    generation: int,
    now: Ms,
) -> dict[str, Any]:
    conditions = (previous or {}).get("conditions")
    written["conditions"] = set_all(_mappings(conditions), judged, generation, now)
    written["observedGeneration"] = generation
    return written


def _put_history(written: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    if entries:
        written["history"] = entries


def _figures(budget: Budget, standing: Standing) -> dict[str, Any]:
    by_class = sorted(standing.spent_by_class.items())
    return {
        "observedThrough": format_time(standing.now),
        "period": _period(standing),
        "currency": budget.currency,
        "limit": _limits(standing.limits),
        "spent": {
            **_amounts(standing.spent),
            "estimatedCost": format_nano(standing.spent.estimated),
            "byClass": {name.value: _amounts(amounts) for name, amounts in by_class},
        },
        "reserved": {"cost": format_nano(0)},
        "summary": _summary(budget, standing),
        "burnRate": {
            "costPerHour": _money(standing.cost_per_hour),
            "devices": format_fraction(standing.devices),
        },
        "forecast": _forecast(standing),
    }


def _period(standing: Standing) -> dict[str, str]:
    period = {"start": format_time(standing.span.start)}
    return (
        period if standing.span.end is None else {**period, "end": format_time(standing.span.end)}
    )


def _forecast(standing: Standing) -> dict[str, str]:
    forecast: dict[str, str] = {}
    if standing.period_end_cost is not None:
        forecast["periodEndCost"] = _money(standing.period_end_cost)
    if standing.exhausted_at is not None:
        forecast["exhaustedAt"] = format_time(standing.exhausted_at)
    return forecast


def _window(window: Window) -> dict[str, str]:
    written = {"class": window.workload_class, "closesAt": format_time(window.closes_at)}
    if window.reopens_at is not None:
        written["reopensAt"] = format_time(window.reopens_at)
    return {**written, "message": window.message}


def _namespace(budget: Budget, standing: Standing, held: Mapping[str, int]) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": budget.key.member,
        "limit": _limits(standing.limits),
        "spent": _amounts(standing.spent),
        "costPerHour": _money(standing.cost_per_hour),
        "held": held.get(budget.key.member, 0),
        "admission": [_window(each) for each in standing.windows],
    }
    if standing.used is not None:
        written["used"] = _percent(standing.used)
    if standing.exhausted_at is not None:
        written["exhaustedAt"] = format_time(standing.exhausted_at)
    return written


def _nearness(budget: Budget, standing: Standing) -> tuple[bool, Fraction, str]:
    """Sorts the purses nearest to their limit first."""
    used = standing.used
    return used is not None, -used if used is not None else Fraction(0), budget.key.member


def _summary(budget: Budget, standing: Standing) -> dict[str, str]:
    """The limit that is nearest to being reached."""
    limits = standing.limits.items()
    if not limits:
        return {}
    measure, limit = max(
        limits,
        key=lambda each: (
            each[1] <= 0,
            standing.spent.measure(each[0]) / each[1] if each[1] > 0 else Fraction(0),
        ),
    )
    unit = _UNITS.get(measure, budget.currency)
    scale = NANO if measure is Measure.COST else HOUR
    summary = {
        "limit": f"{_short(limit / scale)} {unit}",
        "spent": f"{format_fraction(standing.spent.measure(measure) / scale, 2)} {unit}",
    }
    if limit > 0:
        summary["used"] = _percent(standing.spent.measure(measure) / limit)
    return summary


def _percent(used: Fraction) -> str:
    return f"{min((used * 100).__floor__(), 10**12)}%"


def _short(value: Fraction) -> str:
    text = format_fraction(value, 9).rstrip("0").rstrip(".")
    return text or "0"


def _money(nano: Fraction) -> str:
    return format_fraction(nano / NANO)


def _amounts(amounts: Amounts) -> dict[str, str]:
    return {
        "cost": format_nano(amounts.cost),
        "gpuHours": format_fraction(amounts.gpu_ms / HOUR),
        "normalizedGpuHours": format_fraction(amounts.normalized_ms / HOUR),
    }


def _limits(limits: Limits) -> dict[str, str]:
    names = {
        Measure.COST: NANO,
        Measure.GPU_HOURS: HOUR,
        Measure.NORMALIZED_GPU_HOURS: HOUR,
    }
    return {m.value: format_fraction(value / names[m]) for m, value in limits.items()}
