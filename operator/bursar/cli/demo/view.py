"""What is seen while an act waits: pods, budgets and cost, all of it read back at that moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bursar.api import meta
from bursar.cli.demo.cluster import Cluster
from bursar.cli.status import row
from bursar.domain.time import format_time

if TYPE_CHECKING:
    from rich.table import Table

JSON = dict[str, Any]

PRICES = "prices: list × 60"
"""On every screen: in the demo a minute is billed as an hour."""

POD_COLUMNS = ("NAMESPACE", "POD", "CLASS", "CONF", "TEAM", "PHASE")
BUDGET_COLUMNS = ("NAMESPACE", "BUDGET", "LIMIT", "SPENT", "USED", "BURN/H", "SHUTS", "HELD")
CLUSTER = "(cluster)"
"""Stands for the namespace of a budget that has none."""
SHUT = "is shut"
_OTHER_LINES = 17
_FEWEST = 4


def time_of_day(text: str | None) -> str:
    """Hours, minutes and seconds of an RFC 3339 moment in UTC; empty where there is none."""
    return text[11:] if text else ""


def pod_row(pod: JSON) -> tuple[str, ...]:
    """One pod's row: its labels as the API server holds them."""
    labels = pod["metadata"].get("labels") or {}
    return (
        pod["metadata"]["namespace"],
        pod["metadata"]["name"],
        labels.get(meta.LABEL_CLASS, "-"),
        labels.get(meta.LABEL_CONFIDENCE, "-"),
        labels.get(meta.LABEL_TEAM, "-"),
        pod["status"].get("phase", "-"),
    )


def budget_row(budget: JSON, now: str) -> tuple[str, ...]:
    """One budget's row, from its status; `now` as RFC 3339."""
    told = row(budget, now)
    status = budget.get("status") or {}
    burn = str(told["burnPerHour"] or "")
    shuts = [window["closesAt"] for window in status.get("admission") or []]
    shut = min(shuts, default="")
    # A day other than today's is told by its date.
    when = time_of_day(shut) if shut[:10] == now[:10] else shut[:10]
    return (
        told["namespace"] or CLUSTER,
        told["name"],
        told["limit"] or "",
        (told["spent"] or "").partition(" ")[0],
        told["used"] or "",
        burn[: burn.find(".") + 3] if "." in burn else burn,
        SHUT if told["shutFor"] else when,
        str(told["held"] if told["held"] is not None else ""),
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
    """A narrow table, for 80 columns."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for heading in columns:
        made.add_column(heading, no_wrap=True, overflow="ellipsis")
    for cells in rows:
        made.add_row(*(Text(cell) for cell in cells))
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The cluster at one moment.

    Attributes:
        clock: the API server's, as RFC 3339.
        cost: of all pods, from the metrics endpoint; None where the operator does not answer.
        idle: of all devices that nobody holds, likewise.
    """

    clock: str
    pods: tuple[tuple[str, ...], ...]
    budgets: tuple[tuple[str, ...], ...]
    cost: float | None
    idle: float | None

    @classmethod
    def read(cls, cluster: Cluster) -> "Snapshot":
        """Read everything anew; the youngest pods come first."""
        pods, budgets = cluster.pods(), cluster.budgets()
        pods.sort(key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
        clock = format_time(cluster.clock)
        scraped = cluster.metrics()
        return cls(
            clock=clock,
            pods=tuple(pod_row(pod) for pod in pods),
            budgets=tuple(budget_row(budget, clock) for budget in budgets),
            cost=_sum(scraped, "bursar_cost_total"),
            idle=_sum(scraped, "bursar_idle_cost_total"),
        )

    @property
    def money(self) -> str:
        """What the metrics endpoint says of cost."""
        if self.cost is None:
            return "/metrics: no operator answers"
        return f"/metrics: pods {self.cost:.2f} USD, idle devices {self.idle or 0:.2f} USD"

    def line(self) -> str:
        """One line, for where no terminal is attached."""
        told = [
            f"{name} {spent}/{limit}{_closing(shuts)}"
            for namespace, name, limit, spent, _, _, shuts, _ in self.budgets
            if limit and namespace != CLUSTER
        ]
        return "; ".join([f"{len(self.pods)} pods", *told, self.money])

    def tables(self, height: int) -> "list[Table]":
        """Budgets and as many pods as fit."""
        room = max(_FEWEST, height - _OTHER_LINES)
        pods = [*self.pods[:room]]
        if len(self.pods) > room:
            pods.append(("", f"… {len(self.pods) - room} more", "", "", "", ""))
        found = [table(POD_COLUMNS, pods)]
        if self.budgets:
            found.insert(0, table(BUDGET_COLUMNS, self.budgets))
        return found


def _closing(shuts: str) -> str:
    if not shuts:
        return ""
    return f" ({shuts})" if shuts == SHUT else f" (shuts {shuts})"


def _sum(scraped: dict[str, Any] | None, name: str) -> float | None:
    if scraped is None:
        return None
    return float(sum(value for _, value in scraped.get(name, [])))
