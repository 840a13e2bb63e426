"""Takes what the watches bring, lets the core decide, and has it carried out.

One event loop, and calls that change the world do not wait in between: so every event is applied
whole, and the loop that assesses always sees a world that fits together.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import Histogram

from bursar.api.meta import API_VERSION, VERDICT_NAME
from bursar.domain.action import Action, Emit, Resume, Suspend, WriteStatus, WriteVerdict
from bursar.domain.time import SECOND, Ms
from bursar.domain.world import World
from bursar.errors import BursarError
from bursar.runtime import clock
from bursar.runtime.accounting.accounts import Accounts
from bursar.runtime.accounting.nodes import Nodes
from bursar.runtime.accounting.sinks import Sinks
from bursar.runtime.accounting.sweep import Sweep
from bursar.runtime.budgeting.budgets import Budgets
from bursar.runtime.budgeting.jobs import Jobs
from bursar.runtime.budgeting.observed import Observed
from bursar.runtime.cluster.claims import Claims
from bursar.runtime.cluster.executor import Executor
from bursar.runtime.cluster.gateway import JSON, Gateway
from bursar.runtime.cluster.handlers import CONFIGURATION
from bursar.runtime.cluster.owners import Owners
from bursar.runtime.cluster.rights import listed
from bursar.runtime.cluster.stream import Sink, Stream
from bursar.runtime.configuring.configuration import Configuration
from bursar.runtime.configuring.prices import Prices
from bursar.runtime.configuring.prometheus import Measured, OpenCost
from bursar.runtime.keeping import Keeping
from bursar.runtime.ledger import Ledger
from bursar.runtime.witness import Machines, Witnesses

logger = logging.getLogger(__name__)

COALESCE_SECONDS = 0.25
"""Changes within this time are assessed together."""
REPRICE_SECONDS = 6 * 3600
"""How often rates are computed anew with nothing changed: their horizon moves on."""
CONFIGURATION_PAUSE: Ms = 60 * SECOND
"""How often the status of price books and the like is looked at with no change of theirs."""
SWEEP_SECONDS = 600
"""How often unstamped pods are looked for."""
POLICY_SECONDS = 60
"""How often it is looked whether the admission policies are there."""
DENY_POLICY = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/bursar-budget"
KINDS = {"aibudgets": "AIBudget", "clusteraibudgets": "ClusterAIBudget"}


@dataclass(slots=True, kw_only=True)
class Controller:
    """The operator's state and its loops.

    Attributes:
        assessed: when budgets were last assessed (ms); 0: not yet.
        missing: what keeps it from starting, by part.
        witnesses: asked of what nobody saw.
        machines: likewise of nodes.
    """

    gateway: Gateway
    ledger: Ledger
    world: World
    nodes: Nodes
    accounts: Accounts
    budgets: Budgets
    jobs: Jobs
    prices: Prices
    configuration: Configuration
    executor: Executor
    owners: Owners
    sweep: Sweep
    checkpoint_seconds: int
    observed: Observed | None = None
    keeping: Keeping = field(default_factory=Keeping)
    opencost: OpenCost | None = None
    streams: dict[str, Stream] = field(default_factory=dict)
    lag: Histogram | None = None
    errors: Counter[str] = field(default_factory=Counter)
    assessed: Ms = 0
    missing: dict[str, str] = field(default_factory=dict)
    witnesses: Witnesses | None = None
    machines: Machines | None = None
    claims: Claims = field(init=False)
    _configured: bool = True
    _told: Ms = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    # --- start and end -----------------------------------------------------------------------

    def __post_init__(self) -> None:
        self.witnesses, self.machines = Sinks.witnesses_of(
            self.gateway, self.world, self.ledger, self.owners
        )
        self.claims = Claims(self.gateway, self.ledger, self.nodes.tables)
        self.claims.on_told = self._claims_told
        self.nodes.published = self.claims.published
        self.accounts.holdings.claims = self.claims

    def _claims_told(self, nodes: Iterable[str]) -> None:
        now = clock.now()
        self.nodes.look_again(nodes, now)
        self.accounts.holdings.look_again(now)
        self.wake()

    async def load(self) -> None:
        """Take up the ledger and the configuration as it stands, before anything is counted."""
        self.nodes.restore()
        self.accounts.restore()
        for obj in await self._list("v1", "namespaces"):
            self._namespace(obj, gone=False)
        kinds = {plural: await self._list(API_VERSION, plural) for plural in CONFIGURATION}
        for obj in kinds["pricebooks"]:
            self.configuration.apply("pricebooks", obj, gone=False)
        # All books at once: between one and the next nodes would have other prices for a moment.
        self._take_prices(clock.now())
        for plural, objs in kinds.items():
            for obj in objs:
                self._configure(plural, obj, gone=False)
        for obj in await self._list("batch/v1", "jobs"):
            self._job(obj, gone=False)
        for plural in ("budgetverdicts", "clusterbudgetverdicts"):
            for obj in await self._list(API_VERSION, plural):
                if obj["metadata"]["name"] == VERDICT_NAME:
                    namespace = obj["metadata"].get("namespace", "")
                    self.budgets.verdicts.adopt(namespace, obj.get("verdict") or {})
        await self._look_for_policies()

    async def probe(self) -> None:
        """Say what witnesses may not be asked: after a gap it would be too late to give rights."""
        if self.witnesses is not None and self.machines is not None:
            await self.witnesses.events.probe()
            await self.machines.probe()

    @property
    def untold(self) -> int:
        """Pods that came and went unseen, and of which nothing tells what they held."""
        return self.witnesses.untold if self.witnesses is not None else 0

    def position(self, name: str) -> tuple[str | None, Ms | None]:
        """Where a stream goes on, and until when it was watched; None, None where it begins."""
        row = self.ledger.reader.checkpoint(name)
        return (row.resource_version, row.observed) if row is not None else (None, None)

    async def finish(self) -> None:
        """Write out what is open, at the end."""
        if self.assessed:
            self.checkpoint(clock.now())

    async def _list(self, api_version: str, plural: str) -> list[JSON]:
        items = await listed(self.gateway, api_version, plural, self.missing)
        kind = KINDS.get(plural)
        for item in items:  # a list leaves the items' own kind out
            if kind:
                item.setdefault("kind", kind)
            item.setdefault("apiVersion", api_version)
        return items

    # --- the streams that money depends on ---------------------------------------------------

    def node_sink(self) -> Sink:
        """Takes the stream of nodes."""
        return self._sinks().of_nodes()

    def pod_sink(self) -> Sink:
        """Takes the stream of pods that ask for accelerators."""
        return self._sinks().of_pods()

    def _sinks(self) -> Sinks:
        assert self.witnesses is not None
        assert self.machines is not None
        return Sinks(
            ledger=self.ledger,
            world=self.world,
            nodes=self.nodes,
            accounts=self.accounts,
            owners=self.owners,
            executor=self.executor,
            observed=self.observed,
            errors=self.errors,
            wake=self.wake,
            lag=self.lag,
            witnesses=self.witnesses,
            machines=self.machines,
            claims=self.claims,
            further=self.nodes.tables.further,
        )

    # --- what kopf brings --------------------------------------------------------------------

    async def on_configuration(self, plural: str, obj: JSON, *, gone: bool) -> None:
        """One of Bursar's own resources."""
        self._configure(plural, obj, gone=gone)
        self.wake()

    async def on_namespace(self, obj: JSON, *, gone: bool) -> None:
        """A namespace."""
        self._namespace(obj, gone=gone)
        self.wake()

    async def on_job(self, obj: JSON, *, gone: bool) -> None:
        """A Job."""
        if self._job(obj, gone=gone):
            self.wake()

    def on_measured(self, prices: Mapping[str, Measured], now: Ms) -> None:
        """What OpenCost says that nodes cost."""
        self.nodes.measured(prices, now)
        self.wake()

    def _configure(self, plural: str, obj: JSON, *, gone: bool) -> None:
        now = clock.now()
        if plural in KINDS:
            self.budgets.apply(obj, now, gone=gone)
            return
        if not self.configuration.apply(plural, obj, gone=gone):
            return
        self._configured = True
        self.accounts.vocabulary.mappings = self.configuration.mappings()
        if plural == "pricebooks":
            self._take_prices(now)

    def _take_prices(self, now: Ms) -> None:
        self.prices.books = self.configuration.books()
        self.accounts.vocabulary.weights.clear()
        self.accounts.vocabulary.weights.update(self.configuration.weights())
        self.nodes.reprice(now)
        self.budgets.prices_changed(now)

    def _namespace(self, obj: JSON, *, gone: bool) -> None:
        name, labels = obj["metadata"]["name"], obj["metadata"].get("labels") or {}
        if gone:
            self.world.namespaces.pop(name, None)
        elif self.world.namespaces.get(name) == labels:
            return
        else:
            self.world.namespaces[name] = labels
        self.budgets.namespaces_changed(clock.now())

    def _job(self, obj: JSON, *, gone: bool) -> bool:
        obj.setdefault("kind", "Job")
        self.owners.learn(obj)
        ours = self.jobs.apply(obj, self.accounts.vocabulary.mappings, gone=gone)
        if ours:
            self.budgets.touch_all()
        return ours

    # --- loops -------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something has changed that may change a verdict."""
        self._wake.set()

    async def assess_for_ever(self) -> None:
        """Assess whenever something has changed, and when a standing changes by itself.

        Raises:
            LedgerError: nothing can be written any more, or another operator has taken over. A
                verdict without a ledger is worth nothing: the process ends, and begins anew.
        """
        while True:
            if self.ledger.fault is not None:
                raise self.ledger.fault
            await self.assess(clock.now())
            now = clock.now()
            pause = min(max(0.0, (self.budgets.next_due(now) - now) / SECOND), 1.0)
            try:
                await asyncio.wait_for(self._wake.wait(), max(pause, COALESCE_SECONDS))
            except TimeoutError:
                continue
            await asyncio.sleep(COALESCE_SECONDS)
            self._wake.clear()

    async def assess(self, now: Ms) -> None:
        """Let the core decide, and carry it out."""
        await self._execute(self.budgets.assess(now), now)
        await self._execute(self.jobs.decide(now), now)
        if self._configured or now - self._told > CONFIGURATION_PAUSE:
            self._configured, self._told = False, now
            current, said = self.nodes.catalog(now)
            self.budgets.stale_catalog = "" if current else said
            conflicts = self.nodes.conflicts(now)
            statuses = self.configuration.statuses(conflicts, (current, said), now)
            await self._execute(tuple(statuses), now)
        self.assessed = now

    async def _execute(self, actions: Sequence[Action], now: Ms) -> None:
        """Carry out actions in order; an Event tells only of what has taken effect."""
        failed: set[str] = set()
        for action in actions:
            if isinstance(action, Emit) and action.ref.uid in failed:
                continue
            if await self.executor.execute(action, now):
                self.budgets.done(action, now)
                self.jobs.done(action)
                if isinstance(action, WriteStatus):
                    self.configuration.done(action)
            elif isinstance(action, Suspend | Resume):
                failed.add(action.ref.uid)
                if action.ref.uid in self.executor.forbidden:
                    await self._put_off(action, now)
            elif isinstance(action, WriteVerdict):
                self.budgets.verdicts.failed(action)
            if isinstance(action, Suspend | Resume):
                self.budgets.touch_all()

    async def _put_off(self, action: Suspend | Resume, now: Ms) -> None:
        """There is no right to change a Job: say so once, and try again only after a while."""
        for said in self.jobs.put_off(action, now):
            logger.warning("job=%s/%s %s", said.ref.namespace, said.ref.name, said.message)
            await self.executor.execute(said, now)

    async def sweep_for_ever(self) -> None:
        """Look for pods that the watches cannot see."""
        while True:
            try:
                await self.sweep.run(clock.now())
            except BursarError as error:
                logger.warning("sweep=failed %s", error)
            await asyncio.sleep(SWEEP_SECONDS)

    async def checkpoint_for_ever(self) -> None:
        """Write what is open to the ledger, renew rates, look for the policies."""
        repriced = looked = clock.monotonic()
        while True:
            await asyncio.sleep(self.checkpoint_seconds)
            self.checkpoint(clock.now())
            if clock.monotonic() - repriced > REPRICE_SECONDS:
                repriced = clock.monotonic()
                self.nodes.reprice(clock.now())
            if clock.monotonic() - looked > POLICY_SECONDS:
                looked = clock.monotonic()
                await self._look_for_policies()

    def checkpoint(self, now: Ms) -> None:
        """Bring the ledger up to now for all that is open.

        While it refuses writes only what happens is kept for it: what goes on is told afterwards.
        """
        self.accounts.holdings.caught_up()
        if not self.ledger.healthy:
            return
        rows = [*self.accounts.checkpoint(now), *self.nodes.checkpoint(now)]
        self.ledger.submit([*rows, *self.keeping.rows(now)])

    async def _look_for_policies(self) -> None:
        try:
            found = await self.gateway.find(DENY_POLICY) is not None
        except BursarError as error:
            logger.warning("policies=unknown %s", error)
            return
        if found != self.budgets.policies:
            self.budgets.policies = found
            self.budgets.touch_all()
