"""Wires everything together and keeps it running: the operator's start, loops and end.

start:  ledger, configuration as it stands, nodes and pods replayed from their checkpoints
then:   kopf for configuration and Jobs; streams for nodes and pods; one loop that assesses
end:    a last checkpoint, the queue written out
"""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import kopf

from bursar import __version__
from bursar.api.meta import LABEL_ACCELERATED
from bursar.domain.action import Mode
from bursar.domain.money import parse_decimal
from bursar.domain.time import SECOND
from bursar.domain.world import World
from bursar.errors import BursarError
from bursar.kpi import parse_utilization
from bursar.price.books import merge
from bursar.price.rates import Defaults
from bursar.runtime import clock, http
from bursar.runtime.accounting.accounts import Accounts
from bursar.runtime.accounting.nodes import Nodes
from bursar.runtime.accounting.sweep import Sweep
from bursar.runtime.answers.access import Access
from bursar.runtime.answers.pages import Pages
from bursar.runtime.budgeting.budgets import Budgets
from bursar.runtime.budgeting.jobs import Jobs
from bursar.runtime.budgeting.observed import Observed
from bursar.runtime.budgeting.purses import Purses
from bursar.runtime.cluster import claims, handlers
from bursar.runtime.cluster.election import Election
from bursar.runtime.cluster.executor import Executor
from bursar.runtime.cluster.gateway import Gateway, object_path
from bursar.runtime.cluster.owners import Owners
from bursar.runtime.cluster.stream import Stream
from bursar.runtime.configuring import catalog
from bursar.runtime.configuring.configuration import Configuration
from bursar.runtime.configuring.energy import Energy
from bursar.runtime.configuring.prices import Prices
from bursar.runtime.configuring.prometheus import OpenCost
from bursar.runtime.controller import Controller
from bursar.runtime.counting.totals import Limits, Totals
from bursar.runtime.keeping import Keeping
from bursar.runtime.ledger import Ledger
from bursar.runtime.metrics.exposition import Exposition
from bursar.runtime.metrics.views import Views
from bursar.settings import Settings, WatchPods

logger = logging.getLogger(__name__)

PODS = object_path("v1", "pods")
NODES = object_path("v1", "nodes")
SELECTOR = f"{LABEL_ACCELERATED}=true"


def run(settings: Settings) -> None:
    """Run the operator until it is told to stop (SIGTERM or SIGINT).

    Raises:
        BursarError: it cannot start, or cannot go on: the message says why.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for library in ("kopf", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)
    asyncio.run(Operator(settings).run())


def _limits(settings: Settings) -> Limits:
    return Limits(
        teams=settings.metrics_max_teams,
        models=settings.metrics_max_models,
        workloads=settings.metrics_max_workloads,
        retention=settings.workload_retention,
    )


class _Stopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """The process was told to stop."""


class Operator:
    """One running operator."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Start, run, and end in order."""
        settings = self._settings
        self._handle_signals()
        gateway = await Gateway.connect(settings.kubeconfig)
        gateway.on_date = clock.skew.measure
        election = None
        if settings.leader_elect:
            election = Election(gateway, settings.namespace, settings.service, settings.pod_name)
        try:
            if election is None:
                await self._work(gateway, [])
            elif await self._stand_by(election):
                await self._work(gateway, [asyncio.create_task(election.lead(), name="lease")])
        finally:
            if election is not None:
                await election.resign()
            await gateway.close()
            logger.info("stopped")

    async def _stand_by(self, election: Election) -> bool:
        """Wait until this process leads; False where it is told to stop before."""
        address = self._settings.http_host, self._settings.http_port
        runner, _ = await http.serve(http.standby(lambda: election.lock.holder), *address)
        won = asyncio.create_task(election.win())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({won, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (won, stopped):
                task.cancel()
            await asyncio.gather(won, stopped, return_exceptions=True)
            await runner.cleanup()
        return not self._stop.is_set()

    async def _work(self, gateway: Gateway, tasks: list[asyncio.Task[Any]]) -> None:
        """Open the ledger, which shuts out whoever wrote to it before, and run."""
        settings = self._settings
        # Aside: bringing a large ledger to a new form takes longer than a Lease holds.
        ledger = await asyncio.to_thread(Ledger.open, settings.ledger, settings.cluster_name)
        try:
            await self._run(gateway, ledger, tasks)
        finally:
            ledger.close()

    async def _run(self, gateway: Gateway, ledger: Ledger, tasks: list[asyncio.Task[Any]]) -> None:
        settings = self._settings
        world, bundle = World(), catalog.load(settings.further_resources)
        rate = parse_decimal(settings.default_rate_per_device_hour)
        defaults = Defaults(
            currency=settings.currency,
            per_device_hour=rate,
            opencost_currency=settings.opencost_currency,
        )
        prices = Prices(merge([]), defaults, opencost=bool(settings.prometheus_url))
        prices.stale_days = settings.catalog_stale_days
        nodes = Nodes(world, ledger, bundle, prices)
        current, said = nodes.catalog(clock.now())
        if not current:
            logger.warning("catalog=stale %s", said)
        jobs = Jobs(world, settings.mode, bundle.tables.further)
        weights: dict[str, Any] = {}
        budgets = Budgets(
            world, Purses(world, ledger, weights, prices), jobs, settings.mode, settings.currency
        )
        accounts = Accounts(world, ledger, bundle, nodes, budgets)
        accounts.vocabulary.weights = weights
        accounts.report_labels = settings.reported_labels
        energy = Energy(bundle.tables, parse_utilization(settings.energy_utilization))
        accounts.totals = Totals(_limits(settings), energy.power)
        executor, owners = Executor(gateway), Owners(gateway)
        controller = Controller(
            gateway=gateway,
            ledger=ledger,
            world=world,
            nodes=nodes,
            accounts=accounts,
            budgets=budgets,
            jobs=jobs,
            prices=prices,
            configuration=Configuration(),
            executor=executor,
            owners=owners,
            sweep=Sweep(gateway, owners, accounts, executor, bundle.tables.further),
            checkpoint_seconds=settings.checkpoint_seconds,
            keeping=Keeping(
                intervals_days=settings.ledger_keep_intervals_days,
                hourly_days=settings.ledger_keep_hourly_days,
            ),
            observed=Observed(world) if settings.mode is Mode.OBSERVE else None,
        )
        if settings.prometheus_url:
            controller.opencost = OpenCost(
                settings.prometheus_url, settings.opencost_query, controller.on_measured
            )
        settle = settings.metrics_settle_seconds * SECOND
        views = Views(controller, settings.currency, bundle.prices.as_of, settle, energy)
        exposition = Exposition(views)
        controller.lag = exposition.lag
        access = Access(
            gateway,
            settings.api_networks,
            settings.namespace,
            settings.service,
            writers=settings.write_networks,
        )
        runner, port = await http.serve(
            http.application(
                views,
                Pages(controller, settings.currency, settings.ledger, energy),
                access,
                exposition,
            ),
            settings.http_host,
            settings.http_port,
        )
        logger.info("listening=%s:%d version=%s mode=%s", settings.http_host, port, __version__,
                    settings.mode.value)  # fmt: skip
        try:
            await self._supervise(controller, gateway, tasks)
        except _Stopped:
            logger.info("stopping")
        finally:
            await controller.finish()
            await runner.cleanup()

    async def _supervise(
        self, controller: Controller, gateway: Gateway, tasks: list[asyncio.Task[Any]]
    ) -> None:
        """Run all loops until one fails or the process is told to stop."""
        node_stream = Stream(gateway, NODES, "", controller.node_sink())
        selector = SELECTOR if self._settings.watch_pods is WatchPods.STAMPED else ""
        pod_stream = Stream(gateway, PODS, selector, controller.pod_sink())
        controller.streams = {"nodes": node_stream, "pods": pod_stream}
        controller.accounts.seen_until = lambda now: (
            now if pod_stream.watched is None else pod_stream.watched
        )
        tasks.append(asyncio.create_task(self._stop.wait(), name="stop"))

        def start(name: str, loop: Coroutine[Any, Any, None]) -> None:
            tasks.append(asyncio.create_task(loop, name=name))

        try:
            await self._until_stopped(controller.load(), tasks)
            await self._until_stopped(controller.probe(), tasks)
            await self._until_stopped(controller.claims.find(), tasks)
            controller.streams |= controller.claims.streams
            for plural, stream in controller.claims.streams.items():
                # Slices have no past that matters; of claims also those that are gone are known.
                position = controller.position(plural) if plural == claims.STREAM else (None, None)
                start(plural, stream.run(*position))
                await self._until_stopped(stream.synced.wait(), tasks)
            start("nodes", node_stream.run(*controller.position("nodes")))
            await self._until_stopped(node_stream.synced.wait(), tasks)
            start("pods", pod_stream.run(*controller.position("pods")))
            await self._until_stopped(pod_stream.synced.wait(), tasks)
            gc.freeze()
            start("kopf", self._kopf(controller, gateway))
            start("assess", controller.assess_for_ever())
            start("checkpoint", controller.checkpoint_for_ever())
            start("sweep", controller.sweep_for_ever())
            if controller.opencost is not None:
                start("opencost", controller.opencost.run())
            await self._until_stopped(asyncio.Event().wait(), tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_stopped(
        self, awaited: Coroutine[Any, Any, Any], tasks: list[asyncio.Task[Any]]
    ) -> None:
        """Wait for something, unless a loop ends first: then its error is raised."""
        waiting = asyncio.ensure_future(awaited)
        done, _ = await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        if waiting in done:
            waiting.result()
            return
        waiting.cancel()
        if self._stop.is_set():
            raise _Stopped
        ended = next(task for task in tasks if task in done)
        ended.result()
        raise BursarError(f"the loop {ended.get_name()} has ended")

    async def _kopf(self, controller: Controller, gateway: Gateway) -> None:
        await kopf.operator(
            registry=handlers.registry(controller, gateway),
            clusterwide=True,
            standalone=True,
            stop_flag=self._stop,
        )
        self._stop.set()  # kopf takes the signals over, and returns when one has come

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
