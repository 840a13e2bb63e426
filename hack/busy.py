"""A busy cluster's life as rows of the ledger: what `month.py` writes and measures.

200 nodes and 200 namespaces of 8 teams; jobs of minutes, training of hours, notebooks, and services
of days, one after another on the same devices, each with its run and the budgets that it counts in.
Nothing is random but by a fixed seed: two clusters have the same rows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from heapq import heapify, heapreplace
from uuid import UUID

from bursar.domain.budget import BudgetKey
from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import Rate, RatePeriod
from bursar.domain.time import DAY, MINUTE, SECOND, Ms
from bursar.domain.usage import Basis, Dimension, End, Holding
from bursar.domain.workload import NodeFacts
from bursar.meter import node_segments, segments
from bursar.runtime.ledger.rows import (
    IntervalRows,
    MemberRow,
    NodeIntervalRows,
    NodeRow,
    PodRow,
    RateRows,
    Row,
    Run,
)

SEED = 7
NAMESPACES, TEAMS = 200, 8


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of node."""

    accelerator: str
    instance: str
    devices: int
    units: tuple[int, ...]
    per_hour: Fraction
    capacity: str
    count: int


MODELS = (
    Model("h100-sxm5-80gb", "p5.48xlarge", 8, (4, 2, 1, 1), Fraction("55.04"), "on-demand", 60),
    Model(
        "a100-sxm4-40gb", "p4d.24xlarge", 8, (2, 2, 1, 1, 1, 1), Fraction("21.96"), "reserved", 60
    ),
    Model("l4-24gb", "g6.12xlarge", 4, (1, 1, 1, 1), Fraction("4.6016"), "on-demand", 50),
    Model("t4-16gb", "g4dn.12xlarge", 4, (1, 1, 2), Fraction("1.1736"), "spot", 30),
)


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of workload: its mean life and the mean pause before the next, in minutes."""

    name: WorkloadClass
    kind: str
    life: float
    pause: float
    share: float


WORK = (
    Work(WorkloadClass.TRAINING, "Job", 45, 46, 0.62),
    Work(WorkloadClass.TRAINING, "PyTorchJob", 360, 60, 0.18),
    Work(WorkloadClass.INTERACTIVE, "Notebook", 180, 90, 0.15),
    Work(WorkloadClass.INFERENCE, "Deployment", 14_400, 10, 0.05),
)


@dataclass(slots=True)
class Unit:
    """Some devices of a node, on which pods follow one another."""

    node: int
    model: Model
    devices: int
    work: Work


class Cluster:
    """Rows of a cluster's life, in the order in which an operator would write them."""

    def __init__(self, begin: Ms, end: Ms) -> None:
        self.begin, self.end = begin, end
        self._random = random.Random(SEED)
        self._models = [model for model in MODELS for _ in range(model.count)]
        weights = [1 / (rank + 1) ** 0.7 for rank in range(NAMESPACES)]
        self._weights = weights
        self._periods = {model.instance: self._prices(model) for model in MODELS}
        self._runs: dict[int, tuple[Run, int, int]] = {}

    def _prices(self, model: Model) -> tuple[RatePeriod, ...]:
        """A price, and another from the middle of the last month on."""
        at = self.end - 15 * DAY
        return tuple(
            RatePeriod(
                since=since,
                until=until,
                rate=Rate(
                    capex=Fraction(0),
                    opex=model.per_hour * 10**9 * factor,
                    currency="USD",
                    origin=f"catalog 2026-07-20 aws us-east-1 {model.capacity}",
                ),
            )
            for since, until, factor in (
                (self.begin, at, Fraction(1)),
                (at, None, Fraction(97, 100)),
            )
        )

    def uid(self) -> str:
        """A UUID."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def nodes(self) -> Iterator[Row]:
        """What is written of nodes."""
        for index, model in enumerate(self._models):
            uid = node_uid(index)
            facts = NodeFacts(
                uid=uid,
                name=f"ip-10-0-{index // 16}-{index % 16}.ec2.internal",
                labels={"topology.kubernetes.io/zone": "us-east-1a"},
                instance_type=model.instance,
                region="us-east-1",
                zone="us-east-1a",
                provider="aws",
                capacity_type=model.capacity,
                infrastructure="self-managed",
                accelerator=model.accelerator,
                memory_mib=81_559,
                devices=Fraction(model.devices),
                device_fraction=Fraction(1),
                replicas=1,
                sharing="",
                mig_strategy="",
                hourly_price=None,
                created=self.begin,
            )
            periods = self._periods[model.instance]
            yield NodeRow(facts=facts)
            yield RateRows(node_uid=uid, periods=periods, revised=self.begin)
            parts = node_segments(self.begin, None, Fraction(model.devices), periods)
            yield NodeIntervalRows(node_uid=uid, segments=parts, known=self.end)

    def pods(self) -> Iterator[tuple[Row, ...]]:
        """What is written of each pod, in order of their beginning."""
        units = [
            Unit(index, model, devices, self._work())
            for index, model in enumerate(self._models)
            for devices in model.units
        ]
        free = [(self.begin + self._pause(unit), place) for place, unit in enumerate(units)]
        heapify(free)
        while free[0][0] < self.end:
            start, place = free[0]
            unit = units[place]
            until = start + self._life(unit)
            yield self._pod(unit, place, start, until)
            heapreplace(free, (until + self._pause(unit), place))

    def _work(self) -> Work:
        return self._random.choices(WORK, [work.share for work in WORK])[0]

    def _pause(self, unit: Unit) -> Ms:
        return int(self._random.expovariate(1 / (unit.work.pause * MINUTE))) // SECOND * SECOND

    def _life(self, unit: Unit) -> Ms:
        """Log-normal, as lives of jobs are: many brief ones, a few that last."""
        scale = unit.work.life * MINUTE / 1.65
        return max(SECOND, int(scale * self._random.lognormvariate(0, 1)) // SECOND * SECOND)

    def _pod(self, unit: Unit, place: int, start: Ms, until: Ms) -> tuple[Row, ...]:
        run, number = self._run(place, unit.work)
        team, namespace = f"team-{number % TEAMS}", run.namespace
        work, uid = unit.work, self.uid()
        ended = until < self.end
        end = End(at=until, basis=Basis.EXACT, witness="finishedAt") if ended else None
        holding = Holding(
            resource="nvidia.com/gpu",
            devices=Fraction(unit.devices),
            node_devices=Fraction(unit.model.devices),
            start=start,
            end=end,
        )
        serving = work.name is WorkloadClass.INFERENCE
        dimension = Dimension(
            namespace=namespace,
            workload_class=work.name,
            activity="serving" if serving else "batch",
            team=team,
            cost_center=f"cc-{number % TEAMS}",
            project=f"project-{number % 40}",
            environment=("production", "staging", "research")[number % 3],
            model=f"llama-{number % 20}" if serving else "",
            accelerator=unit.model.accelerator,
            capacity_type=unit.model.capacity,
            infrastructure="self-managed",
            region="us-east-1",
        )
        pod = PodRow(
            uid=uid,
            namespace=namespace,
            name=f"{run.name}-{uid[:5]}",
            node_uid=node_uid(unit.node),
            run=run,
            priority_class="",
        )
        hold = IntervalRows(
            pod_uid=uid,
            segments=segments(holding, self._periods[unit.model.instance]),
            known=min(until, self.end),
            dimension=dimension,
        )
        members = (
            MemberRow(
                pod_uid=uid,
                budget=BudgetKey(namespace=where, name=name),
                budget_uid=f"00000000-0000-4000-8000-{owner:012}",
                workload_class=work.name,
                since=start,
            )
            for where, name, owner in ((namespace, "gpu", number), ("", team, 900 + number % TEAMS))
        )
        return (pod, hold, *members)

    def _run(self, place: int, work: Work) -> tuple[Run, int]:
        """A run of one to four pods, one after another, and the number of its namespace."""
        run, number, more = self._runs.get(place, (None, 0, 0))
        if run is not None and more:
            self._runs[place] = run, number, more - 1
            return run, number
        number = self._random.choices(range(NAMESPACES), self._weights)[0]
        uid, kind = self.uid(), work.kind
        name, namespace = f"{kind.lower()}-{uid[:8]}", f"ns-{number:03}"
        run = Run(uid=uid, kind=kind, namespace=namespace, name=name)
        self._runs[place] = run, number, self._random.choice((0, 0, 0, 1, 3))
        return run, number


def node_uid(index: int) -> str:
    return f"00000000-0000-4000-9000-{index:012}"
