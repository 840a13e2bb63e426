"""What of a node nobody held: what its devices cost less what its pods took of that.

The rest of a node's cost has lines of its own: what its CPU and memory carry, and what pods paid
beyond, or short of, what they took (`lines`).

Decides from the node's segments and its pods' segments over the same periods of its rate. Over
whole lives the difference is never below zero, since C(t) rounds down; in a window cut out of
them it may be a few nano-units below, and stays so: clipping would break the sum.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from bursar.domain.rate import RatePeriod
from bursar.domain.time import Ms
from bursar.domain.unknown import Unknown
from bursar.domain.usage import NODE, Cost, End, Holding, Segment
from bursar.meter.segments import cost_between, plain_between, segments


def node_segments(
    start: Ms, end: End | None, devices: Fraction | Unknown, periods: Sequence[RatePeriod]
) -> tuple[Segment, ...]:
    """What a node costs, whoever uses it.

    Its price does not depend on its devices: the share is 1 even where these are unknown.
    """
    count = devices if isinstance(devices, Fraction) and devices >= 0 else None
    one = Fraction(1)
    whole = Holding(resource=NODE, devices=one, node_devices=one, start=start, end=end)
    return tuple(replace(part, devices=count) for part in segments(whole, periods))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A node's cost in lines; what its pods paid and these four add up to it.

    Attributes:
        node: what it costs, whoever uses it.
        paid: what its pods pay.
        idle: what nobody took of its devices, signed.
        recovery: what pods took less what they pay: below zero where more is asked of them than
            the plain rate, because devices are not expected to be held all the time.
        cpu_memory: what its CPU and memory carry of its price.
    """

    node: Cost
    paid: Cost
    idle: Cost
    recovery: Cost
    cpu_memory: Cost


def lines(node: Sequence[Segment], pods: Iterable[Segment], frm: Ms, to: Ms) -> Lines:
    """Split what a node costs in [frm, to): paid + idle + recovery + cpu_memory = node.

    Args:
        node: as `node_segments` gives them.
        pods: all segments of all pods of that node; one with unknown share takes nothing off.
        frm: included.
        to: excluded; not later than `now` where anything is open.

    Returns:
        The lines, to the nano-unit; idle device time is 0 where the node's devices are unknown.
    """
    whole, devices, paid, taken = Cost(), Cost(), Cost(), Cost()
    for part in node:
        whole += cost_between(part, frm, to)
        devices += plain_between(part, frm, to)
    for part in pods:
        paid += cost_between(part, frm, to)
        taken += plain_between(part, frm, to)
    rest = devices - taken
    if any(part.devices is None for part in node):
        rest = replace(rest, device_ms=Fraction(0))
    return Lines(
        node=whole, paid=paid, idle=rest, recovery=taken - paid, cpu_memory=whole - devices
    )


def idle(node: Sequence[Segment], pods: Iterable[Segment], frm: Ms, to: Ms) -> Cost:
    """Idle money and idle device time of a node in [frm, to), signed (see `lines`)."""
    return lines(node, pods, frm, to).idle
