"""What will be spent from now on if what runs goes on: few constant flows for many pods.

Decides from the segments of what is held, with their future price changes. Exact rates, not
rounded amounts: the crossing of a limit is computed from them, money is counted by C(t).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bursar.domain.budget import Flow
from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import Unpriced
from bursar.domain.time import HOUR, Ms
from bursar.domain.usage import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One holding that counts in a budget.

    Attributes:
        workload_class: the class it counts in.
        segments: of the holding, future ones included.
        weight: normalized devices for one device of this accelerator.
        device_fraction: what one of its devices is of a whole accelerator.
    """

    workload_class: WorkloadClass
    segments: Sequence[Segment]
    weight: Fraction = Fraction(1)
    device_fraction: Fraction = Fraction(1)


class _Sum:
    """A sum of many fractions with few denominators, which reduces them only at its end."""

    __slots__ = ("_numerators",)

    def __init__(self) -> None:
        self._numerators: defaultdict[int, int] = defaultdict(int)

    def add(self, numerator: int, denominator: int) -> None:
        self._numerators[denominator] += numerator

    def total(self) -> Fraction:
        return sum((Fraction(n, d) for d, n in self._numerators.items()), Fraction(0))


def flows(members: Iterable[Member], now: Ms) -> tuple[Flow, ...]:
    """Spending from `now` on, class by class.

    Returns:
        One flow for each class and each pair of beginning and end, in order of these. An unpriced
        holding flows with its devices and without money: its segments tell.
    """
    sums: defaultdict[tuple[Ms, Ms | None, WorkloadClass], tuple[_Sum, _Sum, _Sum]] = defaultdict(
        lambda: (_Sum(), _Sum(), _Sum())
    )
    for member in members:
        for segment in member.segments:
            until = None if segment.end is None else segment.end.at
            if until is None or until > max(now, segment.start):
                key = max(segment.start, now), until, member.workload_class
                _add(sums[key], segment, member)
    ordered = sorted(sums, key=lambda key: (key[2], key[0], key[1] is None, key[1] or 0))
    return tuple(
        Flow(
            since=since,
            until=until,
            workload_class=workload_class,
            cost=cost.total(),
            devices=devices.total(),
            normalized=normalized.total(),
        )
        for since, until, workload_class in ordered
        for cost, devices, normalized in (sums[since, until, workload_class],)
    )


def _add(sums: tuple[_Sum, _Sum, _Sum], segment: Segment, member: Member) -> None:
    cost, devices, normalized = sums
    rate, share, held = segment.rate, segment.share, segment.devices
    if not isinstance(rate, Unpriced) and share is not None:
        part, use = rate.devices_part, rate.utilization
        above = share.numerator * part.numerator * use.denominator
        below = share.denominator * part.denominator * use.numerator * HOUR
        for kind in (rate.capex, rate.opex):
            cost.add(kind.numerator * above, kind.denominator * below)
    if held is not None:
        part, weight = member.device_fraction, member.weight
        numerator, denominator = (
            held.numerator * part.numerator,
            held.denominator * part.denominator,
        )
        devices.add(numerator, denominator)
        normalized.add(numerator * weight.numerator, denominator * weight.denominator)
