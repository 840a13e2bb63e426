"""The operator's own state over a real ledger, without a cluster: world, accounts, budgets.

`HeldLedger` is the real ledger with a hand on the writer's queue: what was submitted is committed
in order, but only when somebody waits for it or the test says so, and a crash loses the rest. So a
test can put a `kill -9` between any two commits.
"""

import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from bursar.api.meta import ANNOTATION_HELD
from bursar.api.pricebook import PriceBook
from bursar.domain.action import Mode
from bursar.domain.budget import BudgetKey
from bursar.domain.money import parse_decimal
from bursar.domain.time import Ms, format_time
from bursar.domain.world import PodAccount, World
from bursar.pipeline import Sighting
from bursar.price.books import merge
from bursar.price.rates import Defaults
from bursar.runtime.accounting.accounts import Accounts
from bursar.runtime.accounting.nodes import Nodes
from bursar.runtime.accounting.sweep import Sweep
from bursar.runtime.budgeting.budgets import Budgets
from bursar.runtime.budgeting.jobs import Jobs
from bursar.runtime.budgeting.purses import Purses
from bursar.runtime.cluster.executor import Executor
from bursar.runtime.cluster.gateway import Credentials, Gateway
from bursar.runtime.cluster.owners import Owners
from bursar.runtime.configuring import catalog
from bursar.runtime.configuring.configuration import Configuration
from bursar.runtime.configuring.prices import Prices
from bursar.runtime.controller import Controller
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import CheckpointRow, Row
from support.purses import at

JSON = dict[str, Any]

T0 = at("2026-11-24T08:00:00Z")
"""When the nodes were made."""
CLUSTER = "test"
_TLS = ssl.PROTOCOL_TLS_CLIENT


class HeldLedger:
    """A ledger whose writes are committed in order, but not before they have to be."""

    def __init__(self, url: str, *, eager: bool = True) -> None:
        self.url = url
        self._real = Ledger.open(url, CLUSTER)
        self._queue: list[tuple[Sequence[Row], _Waited]] = []
        self._eager = eager
        self.reader = self._real.reader

    def submit(self, batch: Sequence[Row]) -> "Future[None]":
        waited = _Waited(self)
        self._queue.append((tuple(batch), waited))
        if self._eager:
            self.commit()
        return waited

    @property
    def pending(self) -> int:
        """Rows that a crash would lose."""
        return sum(len(batch) for batch, _ in self._queue)

    healthy, last_error = True, None

    def commit(self, batches: int | None = None) -> None:
        due = self._queue[:batches]
        del self._queue[: len(due)]
        rows = [row for batch, _ in due for row in batch]
        self._real.submit(rows).result(30)
        for _, waited in due:
            waited.set_result(None)

    def crash(self, committed: int = 0) -> None:
        """Lose what is queued, but for the first batches of it."""
        self.commit(committed)
        self._queue.clear()
        self._real.close()

    def close(self) -> None:
        self.commit()
        self._real.close()


class _Waited(Future[None]):
    """Waiting for a batch commits it, and all before it."""

    def __init__(self, ledger: HeldLedger) -> None:
        super().__init__()
        self._ledger = ledger

    def result(self, timeout: float | None = None) -> None:
        if not self.done():
            self._ledger.commit()


@dataclass
class Operator:
    """What `runtime.operator` wires, without its loops and its gateway."""

    ledger: HeldLedger
    world: World
    nodes: Nodes
    accounts: Accounts
    purses: Purses
    budgets: Budgets
    jobs: Jobs
    prices: Prices
    down_since: Ms | None = None
    version: int = 0
    weights: dict[str, Fraction] = field(default_factory=dict)

    @classmethod
    def start(
        cls,
        path: Path,
        *,
        books: Sequence[JSON] = (),
        budgets: Sequence[JSON] = (),
        namespaces: Mapping[str, Mapping[str, str]] | None = None,
        now: Ms = T0,
        eager: bool = True,
        mode: Mode = Mode.ENFORCE,
        default_rate: str | None = None,
    ) -> "Operator":
        """Open the ledger and take up what it remembers, as the controller does at its start."""
        ledger = HeldLedger(str(path), eager=eager)
        world, bundle = World(), catalog.load()
        prices = Prices(merge([]), Defaults(per_device_hour=parse_decimal(default_rate)))
        real = cast("Ledger", ledger)
        nodes = Nodes(world, real, bundle, prices)
        jobs = Jobs(world, mode)
        weights: dict[str, Fraction] = {}
        purses = Purses(world, real, weights, prices)
        found = Budgets(world, purses, jobs, mode, "USD")
        accounts = Accounts(world, real, bundle, nodes, found)
        accounts.vocabulary.weights = weights
        made = cls(ledger, world, nodes, accounts, purses, found, jobs, prices, weights=weights)
        nodes.restore()
        accounts.restore()
        checkpoint = ledger.reader.checkpoint("pods")
        if checkpoint is not None:
            made.down_since = checkpoint.observed
            made.version = int(checkpoint.resource_version)
        world.namespaces.update(namespaces or {})
        for obj in budgets:
            found.apply(obj, now, gone=False)
        made.price(books, now)
        return made

    def price(self, books: Sequence[JSON], now: Ms) -> None:
        """Take up all price books there are."""
        self.prices.books = merge([PriceBook.parse(book) for book in books])
        self.weights.clear()
        self.weights.update(self.prices.books.weights)
        self.nodes.reprice(now)
        self.budgets.prices_changed(now)

    def see(
        self,
        obj: JSON,
        now: Ms,
        *,
        deleted: bool = False,
        replayed: bool = False,
        version: int | None = None,
    ) -> PodAccount | None:
        """One event of the stream of pods, and its checkpoint."""
        sighting = Sighting(
            now=now, deleted=deleted, watched_since=self.down_since if replayed else None
        )
        found = self.accounts.apply(obj, (), sighting)
        if version is not None:
            watched = self.down_since if replayed and self.down_since is not None else now
            self.see_version(version, watched)
        return found

    def see_version(self, version: int, watched: Ms) -> None:
        """Everything up to there has been applied, and somebody watched until that moment."""
        row = CheckpointRow(stream="pods", resource_version=str(version), observed=watched)
        self.ledger.submit([row])

    def relist(self, objs: Sequence[JSON], now: Ms, *, gap: bool) -> None:
        self.accounts.relist([(obj, ()) for obj in objs], now, gap=gap)

    def checkpoint(self, now: Ms) -> None:
        self.ledger.submit([*self.accounts.checkpoint(now), *self.nodes.checkpoint(now)])

    def spent(self, key: BudgetKey, now: Ms) -> int:
        """Nano-units that a budget has spent in its period by now."""
        self.budgets.touch_all()
        self.budgets._due.keys.add(key)
        self.budgets.assess(now)
        return self.world.standings[key].spent.cost

    def counted(self, now: Ms) -> dict[tuple[str, ...], int]:
        """Nano-units by series, as `bursar_cost_total` counts them; series at zero left out."""
        accounts = self.accounts
        usage = accounts.totals.read(self.world.pods, accounts.dimension, now).usage
        return {series.labels: sums.cost for series, sums in usage.items() if sums.cost}

    def close(self) -> None:
        self.ledger.close()

    def controller(self) -> Controller:
        """The whole of the operator's state; its gateway is never used."""
        credentials = Credentials(server="https://localhost", ssl_context=ssl.SSLContext(_TLS))
        gateway = Gateway(credentials)
        executor, owners = Executor(gateway), Owners(gateway)
        return Controller(
            gateway=gateway,
            ledger=cast("Ledger", self.ledger),
            world=self.world,
            nodes=self.nodes,
            accounts=self.accounts,
            budgets=self.budgets,
            jobs=self.jobs,
            prices=self.prices,
            configuration=Configuration(),
            executor=executor,
            owners=owners,
            sweep=Sweep(gateway, owners, self.accounts, executor),
            checkpoint_seconds=30,
        )


def node(
    name: str = "gpu-1",
    *,
    uid: str | None = None,
    created: Ms = T0,
    gpus: int = 8,
    labels: Mapping[str, str] | None = None,
    **annotations: str,
) -> JSON:
    """A p5.48xlarge of us-east-1, unless its labels say otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "uid": uid or f"uid-{name}",
            "creationTimestamp": format_time(created),
            "labels": {
                "node.kubernetes.io/instance-type": "p5.48xlarge",
                "topology.kubernetes.io/region": "us-east-1",
                "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
                **(labels or {}),
            },
            "annotations": annotations,
        },
        "spec": {"providerID": f"aws:///us-east-1a/{name}"},
        "status": {"capacity": {"nvidia.com/gpu": str(gpus)}},
    }


def pod(
    name: str = "p",
    *,
    uid: str | None = None,
    namespace: str = "vision",
    gpus: int | str = 4,
    labels: Mapping[str, str] | None = None,
    created: Ms = T0,
    on: str = "gpu-1",
    bound: Ms | None = None,
    finished: Ms | None = None,
    phase: str | None = None,
) -> JSON:
    """A pod as the API shows it: waiting, bound at a moment, or ended at another."""
    status: JSON = {"phase": phase or ("Pending" if bound is None else "Running")}
    spec: JSON = {
        "containers": [
            {"name": "main", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}},
        ]
    }
    if bound is not None:
        spec["nodeName"] = on
        status["conditions"] = [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": format_time(bound)}
        ]
    if finished is not None:
        status["phase"] = phase or "Succeeded"
        state = {"terminated": {"exitCode": 0, "finishedAt": format_time(finished)}}
        status["containerStatuses"] = [{"name": "main", "state": state}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-{name}",
            "creationTimestamp": format_time(created),
            "labels": dict(labels or {}),
        },
        "spec": spec,
        "status": status,
    }


def job(
    name: str = "train",
    *,
    namespace: str = "vision",
    gpus: int | str = 4,
    labels: Mapping[str, str] | None = None,
    suspend: bool = False,
    held: str | None = None,
    **status: Any,
) -> JSON:
    """A Job of one pod that asks for GPUs."""
    template = pod(gpus=gpus, labels=labels)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-job-{name}",
            "resourceVersion": "7",
            "creationTimestamp": format_time(T0),
            "annotations": {ANNOTATION_HELD: held} if held else {},
        },
        "spec": {
            "suspend": suspend,
            "template": {
                "metadata": {"labels": dict(labels or {})},
                "spec": template["spec"],
            },
        },
        "status": status,
    }


def book(*rules: JSON, name: str = "list") -> JSON:
    """A PriceBook of these rates."""
    return {
        "apiVersion": "bursar.dev/v1alpha1",
        "kind": "PriceBook",
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": 1},
        "spec": {"rates": list(rules)},
    }


def flat(price: str, name: str = "flat", **more: Any) -> JSON:
    """A rate of so much an hour for the whole node."""
    return {"name": name, "perHour": price, **more}


def budget(
    name: str = "gpu",
    *,
    namespace: str = "vision",
    created: Ms = T0,
    uid: str | None = None,
    generation: int = 1,
    cluster: bool = False,
    **spec: Any,
) -> JSON:
    """An AIBudget of a day, or a ClusterAIBudget."""
    return {
        "apiVersion": "bursar.dev/v1alpha1",
        "kind": "ClusterAIBudget" if cluster else "AIBudget",
        "metadata": {
            "name": name,
            **({} if cluster else {"namespace": namespace}),
            "uid": uid or f"uid-budget-{name}",
            "generation": generation,
            "creationTimestamp": format_time(created),
        },
        "spec": {"period": "Daily", "limits": {"cost": "100000"}, **spec},
    }


def cost(nano_per_hour: int, gpus: int, of: int, milliseconds: Ms) -> int:
    """The closed form of one segment, in nano-units: floor(rate x share x time)."""
    return nano_per_hour * gpus * milliseconds // (of * 3_600_000)
