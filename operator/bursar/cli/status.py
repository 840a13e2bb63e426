"""`bursar status`: where every budget stands, read from the API server alone.

What waits is the operator's to tell: it is shown where it can be asked, and missed where not.
"""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NoReturn, Self

from bursar.cli.output import Block, Format, Page
from bursar.cli.reach import connected
from bursar.cli.server import Api, Where
from bursar.cli.views import QUEUE, queue
from bursar.cli.watch import show as show_page
from bursar.errors import BursarError

if TYPE_CHECKING:
    from bursar.runtime.cluster.gateway import ApiError, Gateway

COLUMNS = {
    "namespace": "NAMESPACE",
    "name": "BUDGET",
    "limit": "LIMIT",
    "spent": "SPENT",
    "used": "USED",
    "burnPerHour": "BURN/H",
    "exhaustsAt": "EXHAUSTS",
    "shutFor": "SHUT FOR",
    "reopensAt": "REOPENS",
    "held": "HELD",
    "ready": "READY",
}


QUEUE_SECONDS = 5.0
"""How long `status` waits for the operator: budgets are shown without it."""


def show(
    where: Where, namespace: str | None, output: Format, *, every: float | None = None
) -> None:
    """Print one row a budget, and in a table what waits.

    Args:
        where: the cluster and, where it is known, the operator.
        namespace: of the budgets; None: all.
        output: the form.
        every: seconds between two looks; None: look once.

    Raises:
        BursarError: the API server does not tell.
    """
    with Budgets(where, namespace) as budgets, ExitStack() as stack:
        waiting = Waiting(where, namespace, stack)

        def read() -> Page:
            rows = budgets.read()
            first = Block(rows=rows, columns=COLUMNS)
            if output is not Format.TABLE:
                return Page(document=rows, blocks=[first])
            queue, notes = waiting.read()
            blocks = (
                [first, Block(rows=queue, columns=QUEUE, title="waiting")] if queue else [first]
            )
            return Page(document=[rows, queue], blocks=blocks, notes=notes)

        show_page(read, output, every=every)


class Budgets:
    """The budgets, read from the API server over one connection."""

    def __init__(self, where: Where, namespace: str | None) -> None:
        self._where = where
        self._namespace = namespace
        self._runner = asyncio.Runner()
        self._gateway: Gateway | None = None

    def __enter__(self) -> Self:
        """Nothing is asked yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        if self._gateway is not None:
            self._runner.run(self._gateway.close())
        self._runner.close()

    def read(self) -> list[dict[str, Any]]:
        """One row a budget, as of now."""
        from bursar.domain.time import format_time
        from bursar.runtime.clock import now

        moment = format_time(now())
        return [row(obj, moment) for obj in self._runner.run(self._objects())]

    async def _objects(self) -> list[dict[str, Any]]:
        from bursar.runtime.cluster.gateway import ApiError, Gateway, object_path

        if self._gateway is None:
            self._gateway = await Gateway.connect(self._where.kubeconfig, self._where.context)
        api = "bursar.dev/v1alpha1"
        own_path = object_path(api, "aibudgets", self._namespace or "")
        try:
            own, _ = await self._gateway.collection(own_path)
            if self._namespace:
                return own
            shared, _ = await self._gateway.collection(object_path(api, "clusteraibudgets"))
        except ApiError as error:
            self._fail(error)
        return own + shared

    def _fail(self, error: "ApiError") -> NoReturn:
        from bursar.cli.proxied import VIEWER, fail, not_installed
        from bursar.runtime.cluster.credentials import context_name

        cluster = f"context {context_name(self._where.kubeconfig, self._where.context)}"
        if error.status == 404:
            raise BursarError(not_installed(cluster)) from error
        if error.status == 403:
            place = f"namespace {self._namespace}" if self._namespace else "all namespaces"
            step = (
                "ask for ClusterRole view in it"
                if self._namespace
                else f"name a namespace of yours with -n, or {VIEWER}"
            )
            raise BursarError(
                f"you may not list budgets in {place} of {cluster}: {step}"
            ) from error
        fail(error, cluster)


class Waiting:
    """What waits, where the operator can be asked."""

    def __init__(self, where: Where, namespace: str | None, stack: ExitStack) -> None:
        self._where = where
        self._query = {"namespace": namespace} if namespace else {}
        self._stack = stack
        self._api: Api | None = None

    def read(self) -> tuple[list[dict[str, Any]], list[str]]:
        """Rows of the queue; none, and a note why, where it cannot be asked."""
        try:
            if self._api is None:
                self._api = self._stack.enter_context(connected(self._where))
            answer = self._api.get("queue", self._query, QUEUE_SECONDS)
        except BursarError as error:
            return [], [f"what waits is not known: {error}"]
        return [dict(each) for each in queue(answer).blocks[0].rows], []


def row(obj: Mapping[str, Any], now: str) -> dict[str, Any]:
    """What the table shows of one budget.

    Args:
        obj: an AIBudget or ClusterAIBudget.
        now: `YYYY-MM-DDTHH:MM:SSZ`; windows are compared with it as text, which is exact.
    """
    status = obj.get("status") or {}
    summary = status.get("summary") or {}
    shut = [
        window
        for window in status.get("admission") or []
        if window["closesAt"] <= now < window.get("reopensAt", "9999")
    ]
    ready = next(
        (c["status"] for c in status.get("conditions") or [] if c["type"] == "Ready"), "Unknown"
    )
    return {
        "namespace": obj["metadata"].get("namespace", ""),
        "name": obj["metadata"]["name"],
        "limit": summary.get("limit"),
        "spent": summary.get("spent"),
        "used": summary.get("used"),
        "burnPerHour": (status.get("burnRate") or {}).get("costPerHour"),
        "exhaustsAt": (status.get("forecast") or {}).get("exhaustedAt"),
        "shutFor": ", ".join(sorted({window["class"] for window in shut})) or None,
        "reopensAt": max((w.get("reopensAt", "never") for w in shut), default=None),
        "held": status.get("held"),
        "ready": ready,
    }
