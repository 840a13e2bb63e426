"""What pods and nodes must have cost, computed anew from the API server's own facts.

Nothing of the operator's path is used: a price list, plain fractions, and the times that stand in
the objects. So an error of the meter cannot hide here. Only the demo's own fleet is known.

    cost = floor(capex x share x time) + floor(opex x share x time)     nano-units
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

JSON = Mapping[str, Any]

NANO = 10**9
HOUR = 3_600_000
_SPOT_LABEL = "karpenter.sh/capacity-type"
_INSTANCE = "node.kubernetes.io/instance-type"
_REGION = "topology.kubernetes.io/region"

SLICES = {
    "nvidia.com/mig-1g.5gb": (Fraction(1, 7) + Fraction(1, 8)) / 2,
    "nvidia.com/mig-3g.20gb": (Fraction(3, 7) + Fraction(4, 8)) / 2,
}
"""Devices that a MIG slice of an A100 holds: the mean of its sevenths of the compute and its
eighths of the memory."""


@dataclass(frozen=True, slots=True)
class Price:
    """A node's price an hour, in units of the currency."""

    capex: Fraction
    opex: Fraction

    @property
    def total(self) -> Fraction:
        """CapEx and OpEx together."""
        return self.capex + self.opex

    def cost(self, share: Fraction, elapsed: int) -> int:
        """Nano-units for a share of the node over so many milliseconds, each part rounded down."""
        hours = share * Fraction(elapsed, HOUR)
        return (self.capex * hours * NANO).__floor__() + (self.opex * hours * NANO).__floor__()


@dataclass(frozen=True, slots=True)
class Life:
    """What one pod held, and from when to when (ms)."""

    namespace: str
    name: str
    node: str
    share: Fraction
    start: int
    end: int
    ended: bool


def price(node: JSON, book: JSON, catalog: str) -> Price | None:
    """A node's price: the list's, or what owned hardware comes to, times the book's multiplier.

    Args:
        node: as the API server holds it.
        book: the PriceBook, likewise, with one multiplier for all nodes.
        catalog: text of the bundled price list.

    Returns:
        None for a node that the list does not name and nobody owns: it has no GPUs.
    """
    labels = node["metadata"]["labels"]
    factor = Fraction(book["spec"]["rates"][0]["multiplier"])
    for own in book["spec"]["ownedHardware"]:
        if own["nodeSelector"].items() <= labels.items():
            hours = _hours_of_month(node["metadata"]["creationTimestamp"])
            return _owned(own, hours, factor)
    for row in json.loads(catalog)["prices"]:
        if row[0] == labels.get(_INSTANCE) and row[1] == labels.get(_REGION):
            spot = labels.get(_SPOT_LABEL) == "spot"
            return Price(Fraction(0), Fraction(row[3] if spot else row[2]) * factor)
    return None


def _owned(own: JSON, hours: int, factor: Fraction) -> Price:
    lost = Fraction(own["purchasePrice"]) - Fraction(own["residualValue"])
    by_month = lost / own["depreciationMonths"] / hours
    running = sum((Fraction(each) for each in own["perMonth"].values()), Fraction(0)) / hours
    power = Fraction(own["watts"], 1000) * Fraction(own["pue"]) * Fraction(own["pricePerKWh"])
    return Price(by_month * factor, (running + power) * factor)


def share(pod: JSON, node: JSON) -> Fraction:
    """The share of its node that a pod holds."""
    labels, room = node["metadata"]["labels"], node["status"]["capacity"]
    devices = int(labels.get("nvidia.com/gpu.count") or room["amd.com/gpu"])
    return (
        sum((_devices(name, count, labels) for name, count in _asked(pod)), Fraction(0)) / devices
    )


def _asked(pod: JSON) -> Iterator[tuple[str, int]]:
    for container in pod["spec"]["containers"]:
        for name, count in container["resources"]["limits"].items():
            if "/" in name:
                yield name, int(count)


def _devices(name: str, count: int, labels: Mapping[str, str]) -> Fraction:
    if name in SLICES:
        return count * SLICES[name]
    replicas = int(labels.get("nvidia.com/gpu.replicas") or 1)
    return Fraction(count, max(1, replicas) if name == "nvidia.com/gpu" else 1)


def life(pod: JSON, node: JSON, until: int) -> Life:
    """A pod's life up to `until` (ms): from its binding to its last container's end."""
    status = pod["status"]
    bound = next(
        condition["lastTransitionTime"]
        for condition in status["conditions"]
        if condition["type"] == "PodScheduled" and condition["status"] == "True"
    )
    ended = status["phase"] in {"Succeeded", "Failed"}
    ends = [
        moment(container["state"]["terminated"]["finishedAt"])
        for container in status["containerStatuses"]
        if ended
    ]
    return Life(
        namespace=pod["metadata"]["namespace"],
        name=pod["metadata"]["name"],
        node=node["metadata"]["name"],
        share=share(pod, node),
        start=moment(bound),
        end=min(until, max(ends, default=until)),
        ended=ended,
    )


def moment(text: str) -> int:
    """Milliseconds of an RFC 3339 moment with whole seconds."""
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def nano(text: str) -> int:
    """Nano-units of a decimal string, exactly."""
    return int(Fraction(text) * NANO)


def _hours_of_month(text: str) -> int:
    first = datetime.fromisoformat(text).replace(day=1, hour=0, minute=0, second=0)
    months = first.year * 12 + first.month
    following = first.replace(year=months // 12, month=months % 12 + 1)
    return (following - first).days * 24
