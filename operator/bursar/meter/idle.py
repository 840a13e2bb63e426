"""What of a node nobody held: its own cost less what its pods paid.

Decides from the node's segments and its pods' segments over the same periods of its rate. Over
whole lives the difference is never below zero, since C(t) rounds down; in a window cut out of
them it may be a few nano-units below, and stays so: clipping would break the sum.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from bursar.domain.rate import RatePeriod
from bursar.domain.time import Ms
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Cost, End, Holding, Segment
from bursar.meter.segments import cost_between, segments

NODE = "node"
"""Resource of the segments that stand for a whole node."""


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


def idle(node: Sequence[Segment], pods: Iterable[Segment], frm: Ms, to: Ms) -> Cost:
    """Idle money and idle device time of a node in [frm, to), signed.

    Args:
        node: as `node_segments` gives them.
        pods: all segments of all pods of that node; one with unknown share takes nothing off.
        frm: included.
        to: excluded; not later than `now` where anything is open.

    Returns:
        The difference; its device time is 0 where the node's devices are unknown.
    """
    whole = sum((cost_between(part, frm, to) for part in node), Cost())
    rest = whole - sum((cost_between(part, frm, to) for part in pods), Cost())
    if any(part.devices is None for part in node):
        return replace(rest, device_ms=Fraction(0))
    return rest
