"""What Prometheus scrapes: a view of the world and the ledger, with no second copy of the truth.

Each family is a row: name, help, type and labels; the source says its samples. Counters
are the ledger's totals, so a restart does not reset them; a counter is never lowered, whatever a
late correction says (that a Prometheus would take for a reset, and count everything twice).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector, CollectorRegistry

Labels = tuple[str, ...]
Sample = tuple[Labels, float]

USAGE_LABELS = ("namespace", "class", "team", "model", "accelerator")
BUDGET_LABELS = ("namespace", "budget")
MAX_SERIES = 5_000
"""Series of one family; what a tenant can multiply (`team`, `model`) ends in one `other` series."""
OTHER = "other"


class Source(Protocol):
    """What the families are read from, computed at the moment of the scrape."""

    def refresh(self) -> None:
        """A scrape begins: all samples that follow are of this moment."""

    def samples(self, family: str) -> Iterable[Sample]:
        """Samples of the family with this name (labels in the family's order)."""

    def build(self) -> dict[str, str]:
        """Version of the program, for `bursar_build_info`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric family.

    Attributes:
        name: without the `_total` of counters, which the exposition adds.
        counter: a counter, else a gauge.
    """

    name: str
    help: str
    counter: bool
    labels: Labels

    @property
    def exposed(self) -> str:
        """The name as it is scraped."""
        return self.name + ("_total" if self.counter else "")


def _counter(name: str, text: str, labels: Labels) -> Family:
    return Family(name=name, help=text, counter=True, labels=labels)


def _gauge(name: str, text: str, labels: Labels) -> Family:
    return Family(name=name, help=text, counter=False, labels=labels)


FAMILIES: tuple[Family, ...] = (
    _counter(
        "bursar_cost",
        "Cost of pods that hold accelerators, in units of the currency.",
        (*USAGE_LABELS, "currency"),
    ),
    _counter(
        "bursar_gpu_seconds",
        "Accelerator time held, in seconds of whole devices.",
        USAGE_LABELS,
    ),
    _counter(
        "bursar_unpriced_gpu_seconds",
        "Accelerator time whose price could not be told, in seconds of whole devices.",
        ("namespace", "accelerator"),
    ),
    _counter(
        "bursar_idle_cost",
        "Cost of accelerators that nobody held, in units of the currency.",
        ("accelerator", "currency"),
    ),
    _gauge(
        "bursar_node_hourly_cost",
        "Price of a node with accelerators, an hour, in units of the currency.",
        ("node", "instance_type", "accelerator", "capacity_type", "currency"),
    ),
    _gauge(
        "bursar_accelerators",
        "Physical accelerators, by whether a pod holds them.",
        ("accelerator", "state"),
    ),
    _gauge(
        "bursar_budget_limit",
        "Effective limit of a budget in its period: units of the currency, or hours.",
        (*BUDGET_LABELS, "measure"),
    ),
    _gauge(
        "bursar_budget_spent",
        "Spent of a budget in its period: units of the currency, or hours.",
        (*BUDGET_LABELS, "measure"),
    ),
    _gauge(
        "bursar_budget_burn_rate_per_hour",
        "What the running workloads of a budget cost an hour, in units of the currency.",
        BUDGET_LABELS,
    ),
    _gauge(
        "bursar_budget_used_ratio",
        "Spent of the tightest limit; absent where the limit is zero or less.",
        BUDGET_LABELS,
    ),
    _gauge(
        "bursar_budget_exhaustion_timestamp_seconds",
        "When a budget is used up if what runs goes on; absent where it will not be.",
        BUDGET_LABELS,
    ),
    _gauge(
        "bursar_budget_admission_open",
        "1 where pods of a class may start now, 0 where the budget is shut for them.",
        (*BUDGET_LABELS, "class"),
    ),
    _gauge(
        "bursar_budget_held_workloads",
        "Jobs that wait for a budget, suspended by Bursar.",
        BUDGET_LABELS,
    ),
    _counter(
        "bursar_classifications",
        "Pods classified, by class and by how sure the verdict was.",
        ("class", "confidence"),
    ),
    _counter(
        "bursar_api_requests",
        "Requests made to the API server; code 0: it could not be reached.",
        ("verb", "resource", "code"),
    ),
    _counter(
        "bursar_actions",
        "Actions carried out on the cluster, by outcome.",
        ("action", "outcome"),
    ),
    _counter(
        "bursar_observed_refusals",
        "Pods that would have been refused for money, where an installation only observes.",
        ("namespace",),
    ),
    _counter(
        "bursar_event_errors",
        "Watch events that could not be applied: each is a defect, and logged in full.",
        ("stream",),
    ),
    _counter(
        "bursar_unstamped_pods",
        "Pods with accelerators that no policy had stamped, met after the first sweep.",
        (),
    ),
    _gauge(
        "bursar_ledger_pending_rows",
        "Rows that wait to be written to the ledger.",
        (),
    ),
    _gauge(
        "bursar_ledger_healthy",
        "1 while the ledger takes what is written to it.",
        (),
    ),
    _gauge(
        "bursar_catalog_timestamp_seconds",
        "Date of the newest fact in the bundled price catalog.",
        (),
    ),
)


EVENT_LAG = (
    "bursar_event_lag_seconds",
    "From a change in the API server to its being applied; its times are whole seconds.",
)
"""Name and help of the one histogram."""
LAG_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class WorldCollector(Collector):
    """Turns the rows above into an exposition at each scrape."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._highest: dict[tuple[str, Labels], float] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield every family, those without samples too."""
        self._source.refresh()
        for family in FAMILIES:
            yield self._family(family)
        yield InfoMetricFamily("bursar_build", "Version of Bursar.", value=self._source.build())

    def _family(self, family: Family) -> Metric:
        make = CounterMetricFamily if family.counter else GaugeMetricFamily
        metric = make(family.name, family.help, labels=family.labels)
        for labels, value in bounded(family.labels, self._source.samples(family.name)):
            shown = self._never_lower(family, labels, value) if family.counter else value
            metric.add_metric(labels, shown)
        return metric

    def _never_lower(self, family: Family, labels: Labels, value: float) -> float:
        key = (family.name, labels)
        self._highest[key] = max(value, self._highest.get(key, value))
        return self._highest[key]


def bounded(names: Labels, samples: Iterable[Sample]) -> list[Sample]:
    """Samples summed by labels; beyond MAX_SERIES what tenants write becomes `other`."""
    totals: dict[Labels, float] = {}
    free = [i for i, name in enumerate(names) if name in ("team", "model")]
    for labels, value in samples:
        key = labels
        if key not in totals and len(totals) >= MAX_SERIES:
            key = tuple(OTHER if i in free else label for i, label in enumerate(labels))
        totals[key] = totals.get(key, 0.0) + value
    return list(totals.items())


def make_registry(source: Source) -> tuple[CollectorRegistry, Histogram]:
    """A registry with all families, and the histogram of event lag for the streams to observe."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WorldCollector(source))
    lag = Histogram(*EVENT_LAG, registry=registry, buckets=LAG_BUCKETS)
    return registry, lag
