"""What a bound pod holds, by its requests: fixed at its binding, whatever is edited afterwards.

Decided from the requests, what was known of the holdings before, and what tells their shares. What
was told once stays: labels of nodes, annotations of pods and claims may be gone or edited since.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from bursar.domain.time import Ms
from bursar.domain.unknown import Unknown
from bursar.domain.usage import End, Holding
from bursar.domain.workload import AcceleratorRequest, ClaimFacts, NodeFacts
from bursar.recognize.share import held
from bursar.recognize.tables import AcceleratorTables

Life = tuple[Ms, End | None]
Booked = tuple[tuple[Ms, Fraction], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What tells how much a pod's requests hold.

    Attributes:
        node: facts of the pod's node; None where it was never seen.
        tables: the bundled device tables.
        claims: what a claim of the pod's allocates, by its name; None where that is not known.
        booked: what the ledger has of the pod, by resource: from when on how many devices.
    """

    node: NodeFacts | None
    tables: AcceleratorTables
    claims: Callable[[str], ClaimFacts | None] = lambda _: None
    booked: Mapping[str, Booked] = field(default_factory=dict)


def hold(
    asked: Iterable[AcceleratorRequest], before: Iterable[Holding], ground: Ground, life: Life
) -> tuple[Holding, ...]:
    """What a pod holds.

    Args:
        asked: its requests.
        before: what was known of its holdings.
        ground: what tells their shares.
        life: when it was bound, and its end; None while it holds them.
    """
    known = {each.resource: each for each in before if isinstance(each.devices, Fraction)}
    return tuple(
        _kept(known[request.resource], ground.node, life)
        if request.resource in known
        else _held(request, ground, life)
        for request in asked
    )


def _kept(before: Holding, node: NodeFacts | None, life: Life) -> Holding:
    told = isinstance(before.node_devices, Fraction) or node is None
    of = before.node_devices if told or node is None else node.devices
    return replace(before, node_devices=of, start=life[0], end=life[1])


def _held(request: AcceleratorRequest, ground: Ground, life: Life) -> Holding:
    start, end = life
    node = ground.node
    if node is None:
        unseen = Unknown("the pod's node was never seen")
        return Holding(
            resource=request.resource, devices=unseen, node_devices=unseen, start=start, end=end
        )
    found = held(request, node, ground.tables, ground.claims)
    holding = Holding(
        resource=request.resource,
        devices=found.devices,
        node_devices=node.devices,
        start=start,
        end=end,
        parts=found.parts,
    )
    booked = ground.booked.get(request.resource, ())
    return _as_booked(holding, booked) if booked else holding


def _as_booked(holding: Holding, booked: Booked) -> Holding:
    """What is shared has the past that the ledger has of it, but may grow again."""
    most = max(count for _, count in booked)
    if not holding.parts or not isinstance(holding.devices, Fraction):
        return replace(holding, devices=booked[0][1], steps=booked[1:], parts=())
    if holding.devices >= most:
        return holding
    parts = tuple(
        replace(part, devices=part.devices * most / holding.devices) for part in holding.parts
    )
    return replace(holding, devices=most, parts=parts)
