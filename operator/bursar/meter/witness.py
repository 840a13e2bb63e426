"""The end of a pod that nobody saw, from what others witnessed of it: a moment with its bounds.

Decides from the last moment at which a pod was known to hold its devices, the moment it was missed,
and testimonies, the most trusted first. Each may only narrow what is known already: one that
contradicts it is not believed. So whoever forges a testimony moves an end within these bounds, and
never to before the pod was last known to be there. It never reads a clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bursar.domain.time import SECOND, Ms
from bursar.domain.usage import Basis, End
from bursar.domain.workload import NodeFacts

HEARTBEAT = "heartbeat"
"""Witness of an end of which only the ledger knows something: when the pod was there last."""
NODE_GONE = "node"
LEASE = "lease"
JOB = "job"
BINDING = "binding"
"""Witness of an end that must lie before another pod got the devices."""

ENDING: Ms = 10 * SECOND
"""How long after its grace period a pod may be seen to go: the kubelet gives containers of which a
hook used it up two seconds more, looks once a second whether they ended, and then reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """What one witness says of a pod's end.

    Attributes:
        witness: as the ledger names it (`event:Killing`, `job`, `node`, …).
        low: the end is not before (ms); None: nothing is said of that.
        high: the end is not after (ms); None likewise.
        sharp: the end is at `high`, as far as this witness can tell.
    """

    witness: str
    low: Ms | None = None
    high: Ms | None = None
    sharp: bool = False


def estimate(
    known: Ms, missed: Ms, heard: Iterable[Testimony] = (), *, untold: str = HEARTBEAT
) -> End:
    """Close what nobody saw end.

    The middle of what is left between the bounds counts, so that the truth is at most what lies
    after the lower bound away from it; or the upper bound, where a sharp witness set it.

    Args:
        known: when it was last known to hold its devices (ms).
        missed: when it was found gone (ms).
        heard: testimonies, the most trusted first.
        untold: the witness named where no testimony narrowed anything.

    Returns:
        An estimated end with bounds, named by the witness of the upper bound, else of the lower.
    """
    low, high = min(known, missed), missed
    of_low = of_high = ""
    sharp = False
    for said in heard:
        lower = low if said.low is None else max(low, said.low)
        upper = high if said.high is None else min(high, said.high)
        if lower > upper:
            continue
        if lower > low:
            low, of_low = lower, said.witness
        if upper < high:
            high, of_high, sharp = upper, said.witness, said.sharp
    return End(
        at=high if sharp else (low + high) // 2,
        basis=Basis.ESTIMATED,
        witness=of_high or of_low or untold,
        low=low,
        high=high,
    )


def node_end(node: NodeFacts, start: Ms) -> End | None:
    """The end of a pod whose node went away; None while the node is there.

    Nothing runs on a machine that is gone, however long its pods are still listed.
    """
    if node.until is None:
        return None
    at = max(start, node.until)
    if node.until_low is None and node.until_high is None:
        return End(at=at, basis=Basis.OBSERVED, witness=NODE_GONE)
    return End(
        at=at,
        basis=Basis.ESTIMATED,
        witness=NODE_GONE if node.until_witness == HEARTBEAT else node.until_witness,
        low=max(start, node.until if node.until_low is None else node.until_low),
        high=max(start, node.until if node.until_high is None else node.until_high),
    )


def terminating(
    witness: str, begun: Ms, grace: Ms | None, low: Ms | None = None
) -> tuple[Testimony, ...]:
    """What it says of a pod's end that it was told to end at a moment.

    Args:
        witness: who says so.
        begun: when it was told (ms).
        grace: how long it may take then (ms); None: that is not known, and bounds nothing above.
        low: the earliest end (ms); None: `begun`.
    """
    high = None if grace is None else begun + grace + ENDING
    return (Testimony(witness=witness, low=begun if low is None else low, high=high),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Devices of one node held by one pod, from its binding on.

    Attributes:
        until: to when it surely held them (ms); None: it still does.
    """

    uid: str
    start: Ms
    until: Ms | None
    devices: Fraction


def displaced(
    uid: str, devices: Fraction, after: Ms, of_node: Fraction, holds: Sequence[Hold]
) -> Ms | None:
    """When other pods' bindings left no room any more for what a pod held.

    Args:
        uid: the pod whose end is sought.
        devices: that it held.
        after: only bindings after this moment tell (ms).
        of_node: physical devices of the node.
        holds: what surely was held on the node.

    Returns:
        The first such binding (ms): the pod had let go by then; None where there was always room.
    """
    others = [hold for hold in holds if hold.uid != uid]
    for binding in sorted({hold.start for hold in others if hold.start > after}):
        held = sum(
            (
                hold.devices
                for hold in others
                if hold.start <= binding and (hold.until is None or hold.until > binding)
            ),
            Fraction(0),
        )
        if held <= of_node < held + devices:
            return binding
    return None


def of_job(
    status: Mapping[str, object], moments: Mapping[str, Ms], grace: Ms | None
) -> list[Testimony]:
    """What a Job's end says of its pods' ends.

    A Job is complete when its pods have ended. Where it had one pod only, which succeeded, that
    pod's end is what completed it. A failed or suspended Job's pods are deleted at that moment.

    Args:
        status: of the Job; its counts are read.
        moments: when which of its conditions came true (ms): `Complete`, `Failed`, `Suspended`.
        grace: of its pods (ms); None: not known.
    """
    heard = []
    complete = moments.get("Complete")
    if complete is not None:
        alone = status.get("succeeded") == 1 and not status.get("failed")
        heard.append(Testimony(witness=JOB, high=complete, sharp=alone))
    for condition in ("Failed", "Suspended"):
        at = moments.get(condition)
        if at is not None and grace is not None:
            heard.append(Testimony(witness=JOB, high=at + grace + ENDING))
    return heard
