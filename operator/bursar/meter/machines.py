"""When a node's machine was gone, told from the node object and from who saw it last.

A node that is not ready keeps costing: the cloud bills it, too. It has ended where it was deleted,
or where somebody who knows (the cloud's controller, an administrator) tainted it as shut down or
reclaimed and its kubelet is silent. Then its last sign of life counts, however late it is noticed:
the last renewal of its Lease. Decides from the object and from moments; it never reads a clock, and
never ends a node of which the kubelet still reports.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bursar.domain.fields import mapping, text
from bursar.domain.time import Ms, floor_second, parse_time
from bursar.domain.usage import Basis, End
from bursar.domain.workload import NodeFacts
from bursar.meter.witness import HEARTBEAT, LEASE, Testimony, estimate

OFF_TAINTS = (
    "node.kubernetes.io/out-of-service",
    "node.cloudprovider.kubernetes.io/shutdown",
    "aws-node-termination-handler/spot-itn",
    "cloud.google.com/impending-node-termination",
    "karpenter.sh/disrupted",
)
"""Taints that say that a machine is shut down, or is being taken back."""


def is_silent(node: Mapping[str, Any]) -> bool:
    """Whether the kubelet of a node has stopped reporting."""
    return text(_ready(node), "status") == "Unknown"


def is_off(node: Mapping[str, Any]) -> bool:
    """Whether a node is tainted as shut down or reclaimed, and its kubelet is not ready."""
    taints = mapping(node, "spec").get("taints")
    tainted = any(
        text(taint, "key") in OFF_TAINTS for taint in (taints if isinstance(taints, list) else ())
    )
    return tainted and text(_ready(node), "status") != "True"


def is_back(node: Mapping[str, Any], off: Ms) -> bool:
    """Whether the kubelet of a node that was taken for gone at a moment (ms) reports again.

    A state from before that, which a replay brings, is no return.
    """
    ready = _ready(node)
    since = parse_time(ready.get("lastTransitionTime"))
    return text(ready, "status") == "True" and since is not None and since > off


def last_sign(node: Mapping[str, Any], renewal: Ms | None) -> tuple[Ms, str] | None:
    """The last sign of life of a node whose kubelet is silent, and its witness.

    Args:
        node: the object.
        renewal: when its Lease was renewed last (ms); None: it cannot be read.

    Returns:
        The Lease's renewal, else the last heartbeat in the object; None where neither tells.
    """
    if renewal is not None and renewal > 0:
        return renewal, LEASE
    beat = parse_time(_ready(node).get("lastHeartbeatTime"))
    return (beat, HEARTBEAT) if beat is not None and beat > 0 else None


def silenced(sign: tuple[Ms, str], created: Ms, noticed: Ms) -> End:
    """The end of a machine that was noticed to be off: its last sign of life.

    Args:
        sign: as `last_sign` gives it.
        created: when the node was made (ms).
        noticed: when it was found deleted, or tainted (ms).
    """
    moment, witness = sign
    at = min(max(created, floor_second(moment)), max(created, noticed))
    return End(at=at, basis=Basis.ESTIMATED, witness=witness, low=at, high=max(at, noticed))


def vanished(
    created: Ms, known: Ms, noticed: Ms, heard: Iterable[Testimony], namesake: Ms | None
) -> End:
    """The end of a node that was deleted while nobody watched.

    Args:
        created: when it was made (ms).
        known: when it was last known to be there (ms).
        noticed: when it was missed (ms).
        heard: what Events say of its removal.
        namesake: when a node of the same name was made after it (ms); None: there is none.
    """
    told = [*heard] if namesake is None else [Testimony(witness="node", high=namesake), *heard]
    return estimate(max(created, known), max(created, noticed), told)


def ended(facts: NodeFacts, end: End, *, listed: bool) -> NodeFacts:
    """Facts of a node that has ended.

    Args:
        facts: what is known of it.
        end: of its machine.
        listed: whether the node is still there.
    """
    return replace(
        facts,
        until=max(facts.created, end.at),
        until_low=end.low,
        until_high=end.high,
        until_witness=end.witness,
        off=listed,
    )


def carried_on(
    facts: NodeFacts, before: NodeFacts, node: Mapping[str, Any], *, deleted: bool
) -> NodeFacts:
    """Facts of a node that are told anew, with its end as it was told before.

    Args:
        facts: as its object tells them now.
        before: what was known of it.
        node: the object.
        deleted: it is gone from the API.
    """
    if before.until is None:
        return replace(facts, returned=before.returned)
    if before.off and not deleted and is_back(node, before.until):
        return replace(facts, returned=before.returned + 1)
    return replace(
        facts,
        until=before.until,
        until_low=before.until_low,
        until_high=before.until_high,
        until_witness=before.until_witness,
        off=before.off and not deleted,
        returned=before.returned,
    )


def end_of(facts: NodeFacts) -> End | None:
    """A node's end as its facts tell it; None while it is there."""
    if facts.until is None:
        return None
    estimated = facts.until_low is not None or facts.until_high is not None
    return End(
        at=max(facts.created, facts.until),
        basis=Basis.ESTIMATED if estimated else Basis.OBSERVED,
        witness=facts.until_witness,
        low=facts.until_low,
        high=facts.until_high,
    )


def _ready(node: Mapping[str, Any]) -> Mapping[str, Any]:
    conditions = mapping(node, "status").get("conditions")
    for entry in conditions if isinstance(conditions, list) else ():
        if text(entry, "type") == "Ready":
            found: Mapping[str, Any] = entry
            return found
    return {}
