"""Starter objects from what runs now: a budget for each namespace, prices for what is assumed.

Written as YAML that `kubectl apply` takes once Bursar is installed, with the figures that each
number comes from as comments. Where nothing tells a figure, no number is made up: the line stands
as a comment.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import yaml

from bursar.api import meta
from bursar.api.aibudget import DEFAULT_THRESHOLDS
from bursar.cli.audit.pools import HOST
from bursar.cli.audit.values import Audit, Pool, Tariff, Workload
from bursar.cli.audit.words import count, fixed, hourly, plain
from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO, format_fraction
from bursar.price.owned import hours_of_month
from bursar.recognize.labels import INSTANCE_TYPES
from bursar.recognize.tables import UNKNOWN_ACCELERATOR

UNKNOWN_AS = WorkloadClass.TRAINING
"""The class as which a budget counts what can't be told apart, unless it says otherwise."""

BUDGETS_OPENING = (
    "Starter budgets: what runs now, for a whole month. Look them through before applying.",
    "They act once Bursar is installed:",
    "  helm install bursar charts/bursar --namespace bursar-system --create-namespace",
)
PRICES_OPENING = (
    "Your prices. Correct them, then: bursar audit --price-book FILE, and once Bursar is",
    "installed: kubectl apply -f FILE",
)

REGION = "topology.kubernetes.io/region"
CAPACITY_TYPES = ("on-demand", "spot", "reserved", "capacity-block", "owned")


@dataclass(slots=True)
class _Running:
    """What runs of one class in one namespace now."""

    per_hour: Fraction = Fraction(0)
    devices: Fraction = Fraction(0)
    unpriced: int = 0

    def add(self, one: Workload) -> None:
        self.per_hour += one.cost.per_hour
        self.unpriced += one.cost.unpriced
        self.devices += sum(one.devices.values(), Fraction(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """One object, with the comments that stand above it."""

    comments: tuple[str, ...]
    body: Mapping[str, Any] | None = field(default=None)


def budgets(audit: Audit) -> tuple[Starter, ...]:
    """One starter AIBudget for each namespace in which pods hold devices and that has none."""
    spaces: defaultdict[str, defaultdict[WorkloadClass, _Running]] = defaultdict(
        lambda: defaultdict(_Running)
    )
    for one in audit.workloads:
        if one.pods:
            known = one.workload_class
            spaces[one.namespace][UNKNOWN_AS if known is WorkloadClass.UNKNOWN else known].add(one)
    if not spaces:
        return (Starter(comments=("No pod holds a device now: there is nothing to begin from.",)),)
    hours = hours_of_month(audit.now)
    return tuple(
        _budget(namespace, classes, audit, hours) for namespace, classes in sorted(spaces.items())
    )


def _budget(
    namespace: str, classes: Mapping[WorkloadClass, _Running], audit: Audit, hours: Fraction
) -> Starter:
    there = audit.budgets.get(namespace)
    if there:
        return Starter(comments=(f"{namespace} has a budget already: {', '.join(there)}.",))
    whole = _Running()
    for part in classes.values():
        whole.per_hour += part.per_hour
        whole.devices += part.devices
        whole.unpriced += part.unpriced
    limits = _limits(whole, hours)
    if limits is None:
        return Starter(comments=(f"{namespace}: neither cost nor devices can be told.",))
    spec: dict[str, Any] = {"period": "Monthly", "limits": limits}
    if len(classes) > 1:
        parts = {known.value: _limits(part, hours) for known, part in sorted(classes.items())}
        spec["classes"] = {name: part for name, part in parts.items() if part is not None}
    spec["thresholds"] = [
        {"percent": each.percent, "actions": list(each.actions)} for each in DEFAULT_THRESHOLDS
    ]
    return Starter(
        comments=tuple(_reasons(namespace, whole, classes, audit, hours)),
        body={
            "apiVersion": meta.API_VERSION,
            "kind": "AIBudget",
            "metadata": {"name": "starter", "namespace": namespace},
            "spec": spec,
        },
    )


def _limits(running: _Running, hours: Fraction) -> dict[str, str] | None:
    """What runs now for a whole month: as money, or as device time where no price is known."""
    if running.per_hour:
        return {"cost": round_up(running.per_hour / NANO * hours)}
    if running.devices:
        return {"gpuHours": round_up(running.devices * hours)}
    return None


def round_up(amount: Fraction) -> str:
    """A decimal not below an amount above zero, with two significant digits (0.01 at least)."""
    exponent = 0
    while amount >= 100 * Fraction(10) ** exponent:
        exponent += 1
    while exponent > -2 and amount < 10 * Fraction(10) ** exponent:
        exponent -= 1
    step = Fraction(10) ** exponent
    rounded = -(-amount // step) * step
    return format_fraction(rounded, max(0, -exponent))


def _reasons(
    namespace: str,
    whole: _Running,
    classes: Mapping[WorkloadClass, _Running],
    audit: Audit,
    hours: Fraction,
) -> Iterator[str]:
    held = f"{count(whole.devices)} devices" if whole.devices else "devices"
    now = hourly(whole.per_hour, audit.currency) if whole.per_hour else "at no known price"
    yield f"{namespace}: {held} held now, {now}; × {count(hours)} hours of this month, rounded up."
    if len(classes) > 1:
        split = (f"{known.value} {fixed(part.per_hour)}" for known, part in sorted(classes.items()))
        yield f"An hour: {', '.join(split)}."
    if whole.unpriced:
        pods = f"{whole.unpriced} pod{'s' * (whole.unpriced != 1)}"
        yield f"{pods} without a known price {'are' if whole.unpriced != 1 else 'is'} not in it."


def prices(audit: Audit) -> Starter:
    """A PriceBook with a rate for each kind of node whose price is assumed or not known."""
    rates: list[dict[str, Any]] = []
    comments = ["Prices to check: what stands here is assumed, from list prices."]
    seen: list[dict[str, Any]] = []
    for pool, tariff in _doubtful(audit.pools):
        for match in _matches(pool, tariff):
            if match in seen:
                continue  # two rates for the same nodes would be a tie
            seen.append(match)
            rate = {"name": f"rate-{len(seen)}", **match}
            if tariff.per_hour is None:
                comments.append(f"No price is known: {tariff.origin}. Fill in, and add to rates:")
                comments.append("  " + json.dumps({**rate, "perHour": "AMOUNT"}))
            else:
                comments.append(f"{rate['name']}: {tariff.origin}")
                amount = format_fraction(tariff.per_hour / NANO, 4)
                rates.append({**rate, "currency": audit.currency, "perHour": amount})
    if not seen:
        return Starter(comments=("No GPU node's price is assumed or unknown: nothing to correct.",))
    body = {
        "apiVersion": meta.API_VERSION,
        "kind": "PriceBook",
        "metadata": {"name": "prices"},
        "spec": {"rates": rates},
    }
    return Starter(comments=tuple(comments), body=body)


def _doubtful(pools: Iterable[Pool]) -> Iterator[tuple[Pool, Tariff]]:
    for pool in pools:
        for tariff in pool.tariffs:
            if tariff.assumed or tariff.per_hour is None:
                yield pool, tariff


def _matches(pool: Pool, tariff: Tariff) -> Iterator[dict[str, Any]]:
    """What a rate is for: these nodes, and none whose price is known."""
    match: dict[str, Any] = {}
    if pool.accelerator != UNKNOWN_ACCELERATOR:
        match["accelerator"] = pool.accelerator
    if tariff.capacity_type in CAPACITY_TYPES:
        match["capacityTypes"] = [tariff.capacity_type]
    if tariff.instance_type:
        selector = {INSTANCE_TYPES[0]: tariff.instance_type, REGION: tariff.region}
        yield {"nodeSelector": {key: text for key, text in selector.items() if text}, **match}
    elif match and len(pool.tariffs) == 1:
        yield match
    else:
        yield from ({"nodeSelector": {HOST: host}, **match} for host in tariff.hosts)


def as_yaml(starters: Sequence[Starter], opening: Sequence[str]) -> str:
    """Several documents with their comments; comments alone where there is nothing to apply."""
    blocks = ["".join(f"# {plain(line)}\n" for line in opening)]
    for starter in starters:
        text = "".join(f"# {plain(line)}\n" for line in starter.comments)
        if starter.body is not None:
            text = "---\n" + text + yaml.safe_dump(dict(starter.body), sort_keys=False)
        blocks.append(text)
    return "".join(blocks)


def as_list(starters: Sequence[Starter]) -> dict[str, Any]:
    """The same as a List, without the comments."""
    items = [starter.body for starter in starters if starter.body is not None]
    return {"apiVersion": "v1", "kind": "List", "items": items}
