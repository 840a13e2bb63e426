"""What Prometheus scrapes: a view of the world and the ledger, with no second copy of the truth.

Each family is a row: name, help, type, labels and what is promised of it; the source says its
samples. `exposition` writes them down.
"""

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from bursar.domain.time import Ms

Labels = tuple[str, ...]
Sample = tuple[Labels, float, Ms | None]
"""Labels, value, and of a counter when it was zero (ms)."""

USAGE_LABELS = ("namespace", "class", "team", "model", "accelerator")
WORKLOAD_LABELS = ("namespace", "kind", "name", "class")
BUDGET_LABELS = ("namespace", "budget")


class Source(Protocol):
    """What the families are read from, computed at the moment of the scrape."""

    def refresh(self, scraper: str | None = None) -> "Future[None] | None":
        """A scrape begins: all samples that follow are of this moment.

        Args:
            scraper: who scrapes again and again; None: nobody who does.

        Returns:
            What ends when the ledger has all that may be shown, None where it has.
        """

    def shown(self) -> None:
        """The scrape has been answered."""

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
        promise: what may be relied upon, in the words of `PROMISES`.
    """

    name: str
    help: str
    counter: bool
    labels: Labels
    promise: str

    @property
    def exposed(self) -> str:
        """The name as it is scraped."""
        return self.name + ("_total" if self.counter else "")


EXACT, MODELED, LIMITED, PROCESS, NOW = "exact", "modelled", "for a while", "process", "now"
PROMISES = {
    EXACT: "The ledger's figure. It goes on over restarts where it stopped, is never lowered, and "
    "every series is there at zero before it counts.",
    MODELED: "As exact counters, of figures that are computed from stated assumptions.",
    LIMITED: "As exact counters, until the workload has ended and the retention is over.",
    PROCESS: "Counted by this process: it begins at zero with it.",
    NOW: "True at the moment of the scrape.",
}
"""What may be relied upon."""


def _counter(name: str, text: str, labels: Labels, promise: str = PROCESS) -> Family:
    return Family(name=name, help=text, counter=True, labels=labels, promise=promise)


def _gauge(name: str, text: str, labels: Labels) -> Family:
    return Family(name=name, help=text, counter=False, labels=labels, promise=NOW)


FAMILIES: tuple[Family, ...] = (
    _counter(
        "bursar_cost",
        "Cost of pods that hold accelerators, in units of the currency.",
        (*USAGE_LABELS, "currency"),
        EXACT,
    ),
    _gauge(
        "bursar_cost_corrections",
        "What to take off the counter of cost for the ledger's figure: a counter is never lowered.",
        (*USAGE_LABELS, "currency"),
    ),
    _counter(
        "bursar_gpu_seconds",
        "Accelerator time held, in seconds of whole devices.",
        USAGE_LABELS,
        EXACT,
    ),
    _counter(
        "bursar_unpriced_gpu_seconds",
        "Accelerator time whose price could not be told, in seconds of whole devices.",
        ("namespace", "accelerator"),
        EXACT,
    ),
    _counter(
        "bursar_energy_joules",
        "Energy of accelerators, the data center's overhead included; absent where none is told.",
        (*USAGE_LABELS, "source"),
        MODELED,
    ),
    _counter(
        "bursar_idle_cost",
        "Cost of accelerators that nobody held, in units of the currency.",
        ("accelerator", "currency"),
        EXACT,
    ),
    _counter(
        "bursar_workload_cost",
        "Cost of a workload: all pods under one root owner, in units of the currency.",
        (*WORKLOAD_LABELS, "currency"),
        LIMITED,
    ),
    _counter(
        "bursar_workload_gpu_seconds",
        "Accelerator time that a workload held, in seconds of whole devices.",
        WORKLOAD_LABELS,
        LIMITED,
    ),
    _gauge(
        "bursar_workloads_in_other",
        "Workloads without a series of their own, because as many as may have one.",
        (),
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
    _counter(
        "bursar_untold_pods",
        "Pods that came and went on nodes with accelerators while nobody watched, and of which"
        " nothing tells what they held.",
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
    _gauge(
        "bursar_catalog_stale",
        "1 where the bundled price catalog is older than the installation allows.",
        (),
    ),
    _gauge(
        "bursar_opencost_up",
        "1 where OpenCost's prices were read last time; absent where OpenCost is not asked.",
        (),
    ),
)


EVENT_LAG = (
    "bursar_event_lag_seconds",
    "From a change in the API server to its being applied; its times are whole seconds.",
)
"""Name and help of the one histogram."""
LAG_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
