"""Reads an AIBudget or a ClusterAIBudget into purses.

From the object as the API server returns it and the namespaces that exist. A ClusterAIBudget of
scope PerNamespace is one purse for each namespace that it selects. What can't be read is `Rejected`
with the field and the reason, never an exception and never a budget without limits.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from bursar.api import aibudget as api
from bursar.api.common import LabelSelector
from bursar.domain import wording
from bursar.domain.allocation import Allocation
from bursar.domain.budget import (
    Budget,
    BudgetKey,
    Grant,
    Limits,
    PeriodKind,
    Rejected,
    Threshold,
    ThresholdAction,
)
from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO, parse_decimal
from bursar.domain.selector import Requirement, Selector
from bursar.domain.time import HOUR, Ms, floor_second, parse_time
from bursar.errors import InvalidObject

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""The label that the API server itself puts on each namespace, so that no one can take it off."""

_LATEST: Ms = 253_370_764_800_000
"""9999-01-01T00:00:00Z: what lies later is taken as this, so that it can still be written."""


class _Unreadable(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field
        self.problem = problem


def budgets(
    obj: Mapping[str, Any],
    namespaces: Mapping[str, Mapping[str, str]],
    *,
    currency: str = "USD",
) -> tuple[Budget, ...] | Rejected:
    """Read one object.

    Args:
        obj: an AIBudget or a ClusterAIBudget.
        namespaces: labels of each namespace that exists, by name; only a ClusterAIBudget of scope
            PerNamespace asks.
        currency: the installation's reporting currency.

    Returns:
        One purse; for scope PerNamespace one for each selected namespace, in the order of their
        names (none where it selects none); or why the object can't be read.
    """
    resource: api.AIBudget | api.ClusterAIBudget
    try:
        if obj.get("kind") == api.ClusterAIBudget.KIND:
            resource = api.ClusterAIBudget.parse(obj)
        else:
            resource = api.AIBudget.parse(obj)
        return tuple(_purses(resource, namespaces, currency))
    except InvalidObject as error:
        key = BudgetKey(namespace=error.namespace, name=error.name)
        return _rejected(key, obj, error.field, error.problem)
    except _Unreadable as error:
        key = BudgetKey(namespace=resource.metadata.namespace, name=resource.metadata.name)
        return _rejected(key, obj, error.field, error.problem)


def _rejected(key: BudgetKey, obj: Mapping[str, Any], field: str, problem: str) -> Rejected:
    metadata = obj.get("metadata")
    generation = metadata.get("generation") if isinstance(metadata, Mapping) else None
    known = generation if isinstance(generation, int) and generation > 0 else 0
    return Rejected(key=key, generation=known, field=field, problem=problem)


def _purses(
    resource: api.AIBudget | api.ClusterAIBudget,
    namespaces: Mapping[str, Mapping[str, str]],
    currency: str,
) -> Iterable[Budget]:
    name = resource.metadata.name
    if isinstance(resource, api.AIBudget):
        key = BudgetKey(namespace=resource.metadata.namespace, name=name)
        if not key.namespace:
            raise _Unreadable("metadata.namespace", "an AIBudget belongs to a namespace")
        yield _budget(resource, key, None, currency)
        return
    selector = _selector(resource.spec.namespace_selector)
    if resource.spec.scope == "Shared":
        yield _budget(resource, BudgetKey(namespace="", name=name), selector, currency)
        return
    for member in sorted(namespaces):
        if selector.matches(namespaces[member]):
            key = BudgetKey(namespace="", name=name, member=member)
            own = Selector(match_labels={NAMESPACE_NAME: member})
            yield _budget(resource, key, own, currency)


def _budget(
    resource: api.AIBudget | api.ClusterAIBudget,
    key: BudgetKey,
    namespace_selector: Selector | None,
    currency: str,
) -> Budget:
    spec = resource.spec
    created = parse_time(resource.metadata.creation_timestamp)
    if wording.zone(spec.time_zone) is None:
        raise _Unreadable("spec.timeZone", f"no time zone is named {spec.time_zone[:64]!r}")
    until = _until(spec, created)
    exempt = spec.exempt or api.Exempt()
    return Budget(
        key=key,
        uid=resource.metadata.uid,
        created=created or 0,
        generation=resource.metadata.generation,
        period=PeriodKind(spec.period),
        time_zone=spec.time_zone,
        until=until,
        limits=_limits(spec.limits, "spec.limits"),
        classes={
            WorkloadClass(name): _limits(limits, f"spec.classes.{name}")
            for name, limits in sorted(spec.classes.items())
        },
        selector=_selector(spec.selector),
        namespace_selector=namespace_selector,
        thresholds=_thresholds(spec.thresholds),
        exempt_classes=frozenset(WorkloadClass(each) for each in exempt.classes),
        exempt_priority_classes=frozenset(exempt.priority_class_names),
        unknown_as=WorkloadClass(spec.unknown_as),
        allocation=_allocation(spec.allocation, key),
        grants=_grants(resource),
        suspend_until=_moment(spec.suspend_until),
        currency=spec.currency or currency,
        admission=spec.admission,
    )


def _until(spec: api.AIBudgetSpec, created: Ms | None) -> Ms | None:
    if PeriodKind(spec.period) is not PeriodKind.ONCE:
        return None
    until = _moment(spec.until)
    if until is None:
        raise _Unreadable("spec.until", "period Once needs until: when the budget ends")
    if created is None:
        raise _Unreadable("metadata.creationTimestamp", "period Once runs from the creation")
    return max(until, created)


def _moment(text: str | None) -> Ms | None:
    moment = parse_time(text)
    return None if moment is None else min(max(moment, 0), _LATEST)


def _limits(limits: api.Limits, path: str) -> Limits:
    given = {
        "cost": (limits.cost, "cost", NANO),
        "gpu_ms": (limits.gpu_hours, "gpuHours", HOUR),
        "normalized_ms": (limits.normalized_gpu_hours, "normalizedGpuHours", HOUR),
    }
    amounts = {
        field: _decimal(text, f"{path}.{name}") * unit
        for field, (text, name, unit) in given.items()
        if text is not None
    }
    if not amounts:
        problem = "at least one limit must be set: cost, gpuHours or normalizedGpuHours"
        raise _Unreadable(path, problem)
    return Limits(**amounts)


def _decimal(text: str, path: str) -> Fraction:
    amount = parse_decimal(text)
    if amount is None:
        raise _Unreadable(path, "must be a decimal number")
    return amount


def _selector(selector: LabelSelector | None) -> Selector:
    if selector is None:
        return Selector()
    return Selector(
        match_labels=dict(selector.match_labels),
        match_expressions=tuple(
            Requirement(key=each.key, operator=each.operator, values=each.values)
            for each in selector.match_expressions
        ),
    )


def _thresholds(thresholds: Iterable[api.Threshold]) -> tuple[Threshold, ...]:
    read = (
        Threshold(
            percent=Fraction(each.percent),
            actions=frozenset(ThresholdAction(action) for action in each.actions),
        )
        for each in thresholds
    )
    return tuple(sorted(read, key=lambda each: each.percent))


def _allocation(defaults: api.AllocationDefaults | None, key: BudgetKey) -> Allocation:
    if defaults is None:
        return Allocation()
    named = {
        field: value
        for field in ("team", "cost_center", "project", "environment")
        if (value := getattr(defaults, field))
    }
    return Allocation(**named, sources=tuple((field, str(key)) for field in named))


def _grants(resource: api.AIBudget | api.ClusterAIBudget) -> tuple[Grant, ...]:
    history = resource.status.history if resource.status else ()
    return tuple(
        Grant(
            amount=_decimal(grant.amount, f"spec.grants[{index}].amount") * NANO,
            until=_moment(grant.until),
            reason=grant.reason or "",
            granted_by=grant.granted_by or "",
            since=_seen(history, grant),
            paid=_paid(history, grant),
        )
        for index, grant in enumerate(resource.spec.grants)
    )


def _seen(history: Iterable[api.HistoryEntry], grant: api.Grant) -> Ms | None:
    """When the history first speaks of a grant."""
    return next((parse_time(each.time) for each in _entries(history, grant, "Granted")), None)


def _paid(history: Iterable[api.HistoryEntry], grant: api.Grant) -> Fraction | None:
    """What the history says that a grant had paid when it expired."""
    for each in _entries(history, grant, "GrantExpired"):
        amount = parse_decimal(each.amount)
        return None if amount is None else amount * NANO
    return None


def _entries(
    history: Iterable[api.HistoryEntry], grant: api.Grant, kind: str
) -> Iterable[api.HistoryEntry]:
    """Entries about a grant, told by what does not change when it expires."""
    until = _moment(grant.until)
    second = None if until is None else floor_second(until)
    return (
        each
        for each in history
        if each.type == kind
        and parse_time(each.until) == second
        and (each.reason or "") == (grant.reason or "")
        and (each.granted_by or "") == (grant.granted_by or "")
    )
