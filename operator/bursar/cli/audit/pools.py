"""Devices by model: how many there are, are held, and idle, and what the idle ones cost.

Decides from nodes and the pods on them. Idle is what the scheduler could still hand out; a node
with a pod whose share can't be told counts neither as held nor as idle, and where pods of some
namespaces could not be read, nothing is called idle at all.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from bursar.cli.audit.accounts import NodeState, PodState
from bursar.cli.audit.values import IdleNode, Pool, Sum, Tariff
from bursar.domain.rate import Rate, Unpriced
from bursar.domain.unknown import Unknown

HOST = "kubernetes.io/hostname"
"""Label by which one node can be told from all others."""


def pools(
    nodes: Mapping[str, NodeState], bound: Iterable[PodState], *, complete: bool
) -> tuple[Pool, ...]:
    """All devices, by model, the dearest first.

    Args:
        nodes: those with accelerators, by name.
        bound: pods that ask the scheduler for devices and have a node.
        complete: whether these are all such pods of the cluster.
    """
    on_node: defaultdict[str, list[PodState]] = defaultdict(list)
    for state in bound:
        on_node[state.account.node_name].append(state)
    models: defaultdict[str, list[NodeState]] = defaultdict(list)
    for node in nodes.values():
        models[node.facts.accelerator].append(node)
    found = (_pool(name, group, on_node, complete=complete) for name, group in models.items())
    return tuple(sorted(found, key=lambda pool: (-pool.cost.per_hour, pool.accelerator)))


def _pool(
    accelerator: str,
    nodes: Sequence[NodeState],
    on_node: Mapping[str, Sequence[PodState]],
    *,
    complete: bool,
) -> Pool:
    devices = held = untold = Fraction(0)
    cost = Sum()
    idle: list[IdleNode] = []
    for node in nodes:
        there = on_node.get(node.facts.name, ())
        held += sum((state.devices or Fraction(0) for state in there), Fraction(0))
        cost += _cost(node)
        if isinstance(node.facts.devices, Unknown):
            continue
        devices += node.facts.devices
        rest = _rest(node.facts.devices, there)
        if any(state.devices is None for state in there):
            untold += rest
        elif rest:
            idle.append(_idle(node, node.facts.devices, rest))
    idle.sort(key=lambda node: (not node.whole, -(node.per_hour or 0), node.name))
    return Pool(
        accelerator=accelerator,
        nodes=len(nodes),
        devices=devices,
        uncounted=sum(isinstance(node.facts.devices, Unknown) for node in nodes),
        held=held,
        idle=sum((node.idle for node in idle), Fraction(0)) if complete else None,
        untold=untold if complete else Fraction(0),
        cost=cost,
        idle_cost=_idle_cost(idle) if complete else Sum(),
        idle_nodes=tuple(idle) if complete else (),
        tariffs=_tariffs(nodes),
    )


def _rest(devices: Fraction, there: Iterable[PodState]) -> Fraction:
    """What known holders leave; never below zero, should a node hold more than it has."""
    return max(Fraction(0), devices - sum((s.devices or Fraction(0) for s in there), Fraction(0)))


def _cost(node: NodeState) -> Sum:
    if isinstance(node.rate, Rate):
        return Sum(per_hour=node.rate.total, priced=1)
    return Sum(unpriced=1)


def _idle(node: NodeState, devices: Fraction, rest: Fraction) -> IdleNode:
    rate = node.rate
    price = rate.total * rate.devices_part * rest / devices if isinstance(rate, Rate) else None
    return IdleNode(name=node.facts.name, idle=rest, devices=devices, per_hour=price, fit=node.fit)


def _idle_cost(idle: Iterable[IdleNode]) -> Sum:
    total = Sum()
    for node in idle:
        known = node.per_hour is not None
        total += Sum(
            per_hour=node.per_hour or Fraction(0), priced=int(known), unpriced=int(not known)
        )
    return total


def _tariffs(nodes: Iterable[NodeState]) -> tuple[Tariff, ...]:
    alike: defaultdict[tuple[str, str, str, Rate | Unpriced], list[str]] = defaultdict(list)
    for node in nodes:
        facts = node.facts
        key = facts.instance_type, facts.region, facts.capacity_type, node.rate
        alike[key].append(facts.labels.get(HOST, facts.name))
    found = (
        Tariff(
            instance_type=instance_type,
            region=region,
            capacity_type=capacity_type,
            hosts=tuple(hosts),
            per_hour=rate.total if isinstance(rate, Rate) else None,
            origin=rate.origin if isinstance(rate, Rate) else rate.reason,
            assumed=isinstance(rate, Rate) and rate.assumed,
        )
        for (instance_type, region, capacity_type, rate), hosts in alike.items()
    )
    return tuple(sorted(found, key=lambda each: (-each.nodes, each.instance_type, each.origin)))
