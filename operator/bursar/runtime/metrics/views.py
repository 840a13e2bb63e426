"""What watches the operator sees of it: metrics' samples and probes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from fractions import Fraction
from functools import cached_property

from bursar import __version__
from bursar.domain.budget import WHOLE, Amounts, Budget, Standing
from bursar.domain.classification import KNOWN_CLASSES
from bursar.domain.money import NANO
from bursar.domain.time import HOUR, SECOND, Ms, parse_time
from bursar.runtime import clock
from bursar.runtime.accounting.nodes import hourly
from bursar.runtime.configuring.energy import Energy
from bursar.runtime.controller import Controller
from bursar.runtime.metrics.counters import Counters
from bursar.runtime.metrics.families import Labels, Sample

Value = tuple[Labels, float]
STALLED: Ms = 120 * SECOND
"""Without an assessment for this long the process is stuck, and should be restarted."""


class _Scrape:
    """What the families of one scrape read: of one moment, and a look at each pod once."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self.now = clock.now()

    @cached_property
    def standings(self) -> list[tuple[Budget, Standing]]:
        return list(self._controller.budgets.standings_near(self.now))


class Views:
    """Views over a controller; nothing here changes anything."""

    def __init__(
        self,
        controller: Controller,
        currency: str,
        catalog_day: str,
        settle: Ms = 0,
        energy: Energy | None = None,
    ) -> None:
        self._controller = controller
        self._counters = Counters(controller, currency, settle, energy)
        self._currency = currency
        self._catalog_day = catalog_day
        self._scrape = _Scrape(controller)
        self._started = self._scrape.now
        self._exact = self._counters.readers()
        self._readers: Mapping[str, Callable[[], Iterable[Value]]] = {
            "bursar_node_hourly_cost": self._node_hourly_cost,
            "bursar_accelerators": self._accelerators,
            "bursar_budget_limit": lambda: self._budget(_limits),
            "bursar_budget_spent": lambda: self._budget(_spent),
            "bursar_budget_burn_rate_per_hour": lambda: self._budget(_burn_rate),
            "bursar_budget_used_ratio": lambda: self._budget(_used),
            "bursar_budget_exhaustion_timestamp_seconds": lambda: self._budget(_exhaustion),
            "bursar_budget_admission_open": lambda: self._budget(_admission),
            "bursar_budget_held_workloads": self._held,
            "bursar_classifications": self._classifications,
            "bursar_api_requests": self._api_requests,
            "bursar_actions": self._actions,
            "bursar_observed_refusals": self._observed_refusals,
            "bursar_event_errors": self._event_errors,
            "bursar_unstamped_pods": lambda: [((), float(controller.sweep.found))],
            "bursar_untold_pods": lambda: [((), float(controller.untold))],
            "bursar_ledger_pending_rows": lambda: [((), float(controller.ledger.pending))],
            "bursar_ledger_healthy": lambda: [((), float(controller.ledger.healthy))],
            "bursar_catalog_timestamp_seconds": self._catalog_timestamp,
            "bursar_catalog_stale": self._catalog_stale,
            "bursar_opencost_up": self._opencost_up,
        }

    # --- probes ------------------------------------------------------------------------------

    def health(self) -> Mapping[str, str]:
        """Reasons why the process should be restarted."""
        silent = clock.now() - self._controller.assessed
        if self._controller.assessed and silent > STALLED:
            return {"assess": f"nothing has been assessed for {silent // SECOND} s"}
        return {}

    def readiness(self) -> Mapping[str, str]:
        """What is not ready yet."""
        problems = {
            name: f"the watch has not caught up yet{stream.trouble and f': {stream.trouble}'}"
            for name, stream in self._controller.streams.items()
            if not stream.synced.is_set()
        }
        problems.update(self._controller.missing)
        if not self._controller.assessed:
            problems["assess"] = "no budget has been assessed yet"
        if not self._controller.ledger.healthy:
            problems["ledger"] = self._controller.ledger.last_error or "cannot be written"
        return problems

    # --- metrics -----------------------------------------------------------------------------

    def refresh(self, scraper: str | None = None) -> "Future[None] | None":
        """A scrape begins; what is returned ends when the ledger has what may be shown."""
        self._scrape = _Scrape(self._controller)
        return self._counters.take(self._scrape.now, scraper)

    def shown(self) -> None:
        """A scrape has been answered."""
        self._counters.shown()

    def samples(self, family: str) -> Iterable[Sample]:
        """Samples of a metric family."""
        if family in self._exact:
            yield from self._exact[family]()
            return
        for labels, value in self._readers[family]():
            yield labels, value, self._started

    def build(self) -> dict[str, str]:
        """Version of the program."""
        return {"version": __version__, "currency": self._currency}

    def _node_hourly_cost(self) -> Iterator[Value]:
        nodes, now = self._controller.nodes, self._scrape.now
        for uid in nodes.present():
            facts = self._controller.world.nodes[uid]
            rate = hourly(nodes.rate(uid, now))
            if rate is not None:
                labels = (
                    facts.name,
                    facts.instance_type,
                    facts.accelerator,
                    facts.capacity_type,
                    rate.currency,
                )
                yield labels, float(rate.total / NANO)

    def _accelerators(self) -> Iterator[Value]:
        there: defaultdict[str, Fraction] = defaultdict(Fraction)
        held: defaultdict[str, Fraction] = defaultdict(Fraction)
        alike: Counter[tuple[str, int, int]] = Counter()
        for uid in self._controller.nodes.present():
            facts = self._controller.world.nodes[uid]
            if isinstance(facts.devices, Fraction):
                there[facts.accelerator] += facts.devices
        for pod in self._controller.world.pods.values():
            for holding in pod.holdings:
                if isinstance(holding.latest, Fraction):
                    devices = holding.latest
                    alike[pod.accelerator, devices.numerator, devices.denominator] += 1
        for (accelerator, above, below), count in alike.items():
            held[accelerator] += Fraction(above * count, below)
        for accelerator, whole in there.items():
            yield (accelerator, "allocated"), float(held[accelerator])
            yield (accelerator, "idle"), float(whole - held[accelerator])

    def _budget(self, read: Callable[[Budget, Standing], Iterator[Value]]) -> Iterator[Value]:
        for budget, found in self._scrape.standings:
            labels = (budget.key.namespace or budget.key.member, budget.key.name)
            for more, value in read(budget, found):
                yield (*labels, *more), value

    def _held(self) -> Iterator[Value]:
        for budget, _ in self._controller.budgets.standings():
            key = budget.key
            held = self._controller.jobs.held(key, key.member)
            yield (key.namespace or key.member, key.name), float(held)

    def _classifications(self) -> Iterator[Value]:
        for labels, count in self._controller.accounts.classified.items():
            yield labels, float(count)

    def _api_requests(self) -> Iterator[Value]:
        for (verb, resource, code), count in self._controller.gateway.requests.items():
            yield (verb, resource, str(code)), float(count)

    def _actions(self) -> Iterator[Value]:
        for labels, count in self._controller.executor.outcomes.items():
            yield labels, float(count)

    def _observed_refusals(self) -> Iterator[Value]:
        observed = self._controller.observed
        for namespace, count in observed.refusals.items() if observed is not None else ():
            yield (namespace,), float(count)

    def _event_errors(self) -> Iterator[Value]:
        for name in self._controller.streams:
            yield (name,), float(self._controller.errors[name])

    def _catalog_timestamp(self) -> Iterator[Value]:
        moment = parse_time(f"{self._catalog_day}T00:00:00Z")
        if moment is not None:
            yield (), moment / SECOND

    def _catalog_stale(self) -> Iterator[Value]:
        current, _ = self._controller.nodes.catalog(self._scrape.now)
        yield (), float(not current)

    def _opencost_up(self) -> Iterator[Value]:
        opencost = self._controller.opencost
        if opencost is not None and opencost.up is not None:
            yield (), float(opencost.up)


def _limits(_: Budget, found: Standing) -> Iterator[Value]:
    for measure, value in found.limits.items():
        unit = NANO if measure.value == "cost" else HOUR
        yield (measure.value,), float(value / unit)


def _spent(_: Budget, found: Standing) -> Iterator[Value]:
    spent: Amounts = found.spent
    yield ("cost",), spent.cost / NANO
    yield ("gpuHours",), float(spent.gpu_ms / HOUR)
    yield ("normalizedGpuHours",), float(spent.normalized_ms / HOUR)


def _burn_rate(_: Budget, found: Standing) -> Iterator[Value]:
    yield (), float(found.cost_per_hour / NANO)


def _used(_: Budget, found: Standing) -> Iterator[Value]:
    if found.used is not None:
        yield (), float(found.used)


def _exhaustion(_: Budget, found: Standing) -> Iterator[Value]:
    if found.exhausted_at is not None:
        yield (), found.exhausted_at / SECOND


def _admission(_: Budget, found: Standing) -> Iterator[Value]:
    for name in (WHOLE, *(each.value for each in KNOWN_CLASSES)):
        shut = any(
            window.workload_class in (WHOLE, name)
            and window.closes_at <= found.now
            and (window.reopens_at is None or found.now < window.reopens_at)
            for window in found.windows
        )
        yield (name,), float(not shut)
