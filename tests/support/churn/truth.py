"""What each pod must cost: a closed form over what etcd held, written apart from the meter.

    cost = sum over the stretches of one price of floor(price x share x time), CapEx and OpEx apart

in nano-units. Where the API tells a pod's end, that counts. Where it does not, the end is a moment
at which somebody saw that it had gone: that is the ledger's to say, and only its bounds are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from support.churn import fleet
from support.churn.lives import holds
from support.churn.recorder import Life
from support.closedform import HOUR_MS, NANO, Price, bound, milliseconds

JSON = dict[str, Any]
SECOND = 1000
Timeline = list[fleet.Since]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One pod as it was.

    Attributes:
        held: devices by resource.
        start: when it was bound (ms).
        told: when it let go, where the API says so.
        gone: else the moment at which that happened, as heard from etcd; None while it is there.
    """

    uid: str
    name: str
    node: str
    held: Mapping[str, Fraction]
    start: int
    told: int | None
    gone: int | None

    @property
    def bounds(self) -> tuple[int, int]:
        """The whole second in which it let go (ms)."""
        end = self.told if self.told is not None else self.gone
        assert end is not None
        first = max(self.start, end - end % SECOND)
        return first, max(first, first + SECOND - 1)


def truth(uid: str, life: Life) -> Truth | None:
    """A pod's life; None for one that was never bound."""
    pod = life.last
    start = bound(pod)
    if start is None:
        return None
    told = told_end(pod)
    moments = [each for each in (life.ended, life.gone) if each is not None]
    return Truth(
        uid=uid,
        name=f"{pod['metadata']['namespace']}/{pod['metadata']['name']}",
        node=pod["spec"]["nodeName"],
        held=holds(pod),
        start=start,
        told=None if told is None else max(start, told),
        gone=min(moments, default=None),
    )


def told_end(pod: Mapping[str, Any]) -> int | None:
    """When the last container ended, else when the pod was disrupted; None where neither is told.

    Containers' ends count where the pod is over or all of its containers are.
    """
    status = pod.get("status", {})
    over = status.get("phase") in ("Succeeded", "Failed")
    main = [each["state"] for each in status.get("containerStatuses", [])]
    init = [each["state"] for each in status.get("initContainerStatuses", [])]
    ends = [
        milliseconds(each["terminated"]["finishedAt"])
        for each in main + init
        if "terminated" in each
    ]
    dead = (
        len(main) == len(pod["spec"]["containers"])
        and all("terminated" in each for each in main)
        and not any("running" in each for each in init)
    )
    if (over or dead) and ends:
        return max(ends)
    for each in status.get("conditions", []):
        if over and each["type"] == "DisruptionTarget" and each["status"] == "True":
            return milliseconds(each["lastTransitionTime"])
    return None


@dataclass(frozen=True, slots=True)
class Sum:
    """Nano-units of the two kinds of expense."""

    capex: int = 0
    opex: int = 0

    @property
    def total(self) -> int:
        return self.capex + self.opex

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.capex + other.capex, self.opex + other.opex)

    def __sub__(self, other: Sum) -> Sum:
        return Sum(self.capex - other.capex, self.opex - other.opex)


def timeline(model: str, changes: list[fleet.Since]) -> Timeline:
    """All prices of a kind of node in their order; the first holds from ever on."""
    return [fleet.Since(0, fleet.base_price(model)), *sorted(changes, key=lambda each: each.at)]


def cost(prices: Timeline, share: Fraction, start: int, end: int) -> Sum:
    """What a share of a node costs from one moment to another."""
    return sum((part(price, share, b - a) for price, a, b in stretches(prices, start, end)), Sum())


def stretches(prices: Timeline, start: int, end: int) -> Iterator[tuple[Price | None, int, int]]:
    """The parts of a time in which one price holds."""
    for index, each in enumerate(prices):
        until = prices[index + 1].at if index + 1 < len(prices) else end
        a, b = max(start, each.at), min(end, until)
        if b > a:
            yield each.price, a, b


def part(price: Price | None, share: Fraction, elapsed: int) -> Sum:
    """One stretch, rounded down; nothing where nobody knows a price."""
    if price is None:
        return Sum()
    nano = NANO * share * elapsed / HOUR_MS
    return Sum((price.capex * nano).__floor__(), (price.opex * nano).__floor__())


def window(prices: Timeline, born: int, start: int, end: int) -> int:
    """What a node that was born then costs in a window, in nano-units."""
    total = 0
    for price, a, b in stretches(prices, born, end):
        upto = part(price, Fraction(1), b - a)
        before = part(price, Fraction(1), min(b, max(a, start)) - a)
        total += (upto - before).total
    return total
