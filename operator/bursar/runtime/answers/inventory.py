"""The nodes with accelerators as they are now: what they have, what that costs, what idles."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from bursar.domain.money import NANO, format_fraction
from bursar.domain.rate import Rate, Unpriced
from bursar.domain.time import Ms
from bursar.domain.unknown import Unknown
from bursar.domain.workload import NodeFacts
from bursar.domain.world import PodAccount
from bursar.report.contract import PLACES

if TYPE_CHECKING:
    from bursar.runtime.controller import Controller

JSON = Mapping[str, Any]


@dataclass(slots=True)
class _Held:
    """What the pods of one node hold.

    Attributes:
        per_hour: nano-units an hour that they pay.
        plain: what of the node's price they take, an hour.
        unknown: why that is not all.
    """

    devices: Fraction = Fraction(0)
    per_hour: Fraction = Fraction(0)
    plain: Fraction = Fraction(0)
    pods: int = 0
    unknown: dict[str, None] = field(default_factory=dict)

    def add(self, pod: PodAccount, now: Ms) -> None:
        """Count a pod that holds something."""
        self.pods += 1
        for holding in pod.holdings:
            if holding.end is not None:
                continue
            if isinstance(holding.latest, Unknown):
                self.unknown[f"{pod.namespace}/{pod.name}: {holding.latest.reason}"] = None
            else:
                self.devices += holding.latest
        for part in pod.segments:
            # There may be one more for each month to come.
            present = part.start <= now and (part.end is None or now < part.end.at)
            if present and isinstance(part.rate, Rate) and part.share is not None:
                taken = part.rate.total * part.rate.devices_part * part.share
                self.plain += taken
                self.per_hour += taken / part.rate.utilization


def nodes(controller: "Controller", currency: str, now: Ms, accelerator: str | None) -> JSON:
    """Every node that is there, by name.

    Args:
        controller: what is known.
        currency: of all money.
        now: milliseconds since the epoch.
        accelerator: only nodes with this one; None: all.
    """
    held: defaultdict[str, _Held] = defaultdict(_Held)
    for pod in controller.world.pods.values():
        if pod.start is not None and not pod.ended:
            held[pod.node_uid].add(pod, now)
    present = (controller.world.nodes[uid] for uid in controller.nodes.present())
    found = sorted(present, key=lambda facts: facts.name)
    return {
        "currency": currency,
        "nodes": [
            _node(facts, held[facts.uid], controller, now)
            for facts in found
            if accelerator in (None, facts.accelerator)
        ],
    }


def _node(facts: NodeFacts, held: _Held, controller: "Controller", now: Ms) -> JSON:
    period = controller.nodes.rate(facts.uid, now)
    rate = period.rate if period is not None else Unpriced("no rate is known yet")
    devices = None if isinstance(facts.devices, Unknown) else facts.devices
    counted = None if held.unknown else held.devices
    idle = None if devices is None or counted is None else devices - counted
    unknown = list(held.unknown)
    if isinstance(facts.devices, Unknown):
        unknown.insert(0, facts.devices.reason)
    if isinstance(rate, Unpriced):
        unknown.append(rate.reason)
    return {
        "name": facts.name,
        "uid": facts.uid,
        "instanceType": facts.instance_type or None,
        "region": facts.region or None,
        "zone": facts.zone or None,
        "accelerator": facts.accelerator,
        "capacityType": facts.capacity_type,
        "infrastructure": facts.infrastructure or None,
        "devices": _amount(devices),
        "allocatedDevices": _amount(counted),
        "idleDevices": _amount(idle),
        "pods": held.pods,
        **_prices(rate, held),
        "unknown": unknown,
    }


def _prices(rate: Rate | Unpriced, held: _Held) -> JSON:
    if isinstance(rate, Unpriced):
        names = ("costPerHour", "allocatedCostPerHour", "idleCostPerHour", "origin", "assumed")
        return dict.fromkeys(names)
    known = not held.unknown
    return {
        "costPerHour": _money(rate.total),
        "allocatedCostPerHour": _money(held.per_hour) if known else None,
        "idleCostPerHour": _money(rate.total * rate.devices_part - held.plain) if known else None,
        "origin": rate.origin,
        "assumed": rate.assumed,
    }


def _money(per_hour: Fraction) -> str:
    return format_fraction(per_hour / NANO, PLACES)


def _amount(devices: Fraction | None) -> str | None:
    return None if devices is None else format_fraction(devices, PLACES)
