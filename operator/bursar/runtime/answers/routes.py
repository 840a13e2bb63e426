"""The read API's table: each route, whose view it is, its parameters and its answer.

The server, its own index, the checks of parameters and the reference page all read this table.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from bursar.runtime.answers.parameters import (
    ACCELERATOR,
    BY,
    CLASS,
    DRY_RUN,
    FORCE,
    LIMIT,
    NAMESPACE,
    OFFSET,
    ONE_MONTH,
    PAGE,
    REASON,
    UID,
    WHERE,
    WHO,
    WINDOW,
    ZONE,
    Parameter,
)

PREFIX = "/api/v1"


class Scope(StrEnum):
    """Whose view an answer is."""

    CLUSTER = "the cluster's"
    """Only who may see everything."""
    NAMESPACE = "a namespace's, where one is named"
    """Who may see everything; where a namespace is named, who may read its budgets, too."""
    ANYONE = "anyone's who is let in"
    """It tells nothing of the cluster."""
    LEDGER = "the ledger's"
    """Only who may change it, or take all of it away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request that was checked.

    Attributes:
        query: its parameters, those only that were given.
        place: what the path names: `kind`, `namespace`, `name`.
        who: the user whose token came with it; empty where none did.
    """

    query: Mapping[str, str] = field(default_factory=dict)
    place: Mapping[str, str] = field(default_factory=dict)
    who: str = ""

    @property
    def namespace(self) -> str | None:
        """The one namespace that it is about; None: all."""
        return self.place.get("namespace") or self.query.get("namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """An answer that is a file; it is removed when it has been sent.

    Attributes:
        size: bytes.
    """

    path: Path
    size: int


class Pages(Protocol):
    """What the read API shows."""

    def read(self, name: str, question: Question) -> Awaitable[Mapping[str, Any] | Attachment]:
        """The answer of the route with this name.

        Raises:
            BursarError: there is none; a `Refused` says with which status.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route.

    Attributes:
        name: which of the pages answers.
        path: below the prefix, with `{…}` for what a path names.
        answer: what comes back, for the reference.
        method: GET reads; POST changes the ledger, or takes all of it.
    """

    name: str
    path: str
    summary: str
    scope: Scope
    parameters: tuple[Parameter, ...] = ()
    answer: str
    method: str = "GET"


ROUTES: tuple[Route, ...] = (
    Route(
        name="index",
        path="",
        summary="What there is to ask.",
        scope=Scope.ANYONE,
        answer="`{version, paths: [{path, summary, scope, parameters: [{name, meaning, legal}]}]}`",
    ),
    Route(
        name="report",
        path="/report",
        summary="What was spent in a window, by any keys, and what idled.",
        scope=Scope.NAMESPACE,
        parameters=(*WINDOW, BY, WHERE, NAMESPACE, LIMIT),
        answer=(
            "`{currency, from, to, by, rows: [{key, cost, capex, opex, gpuHours, "
            "normalizedGpuHours, energyKWh, kgCO2e, estimatedCost, assumedCost, "
            "unpricedGpuHours, pods, uncountedPods}], idle, total}`; rows and `idle` together are "
            "`total`, what the nodes cost. There are besides, with the same figures and in `total`,"
            " where they are not zero: `recovery` (what pods took less what they paid, where a "
            "utilization is expected), `cpuMemory` (what nodes' CPU and memory carry), "
            "`unusedCommitments`, and `corrections` (booked in the window for months that were "
            "closed). Of one namespace, or of some pods (`where`), these are nobody's and `idle` "
            "is null. Days and hours among the keys begin in `timezone`. `energy: {source}` says "
            "how energy is known, `omitted: {rows}` that rows were left out, and `limits` what "
            "cannot be told any more"
        ),
    ),
    Route(
        name="budgets",
        path="/budgets",
        summary="Where every budget stands at this very moment.",
        scope=Scope.NAMESPACE,
        parameters=(NAMESPACE,),
        answer=(
            "`{currency, budgets: [{budget, namespace, name, currency, periodStart, periodEnd, "
            "limits, spent, gpuHours, estimated, costPerHour, exhaustedAt, unknown}]}`, each "
            "budget's money in its own currency"
        ),
    ),
    Route(
        name="explain",
        path="/explain/{kind}/{namespace}/{name}",
        summary="Each step of the path for a `pod` or `job`, and the whole sum of it or of a run.",
        scope=Scope.NAMESPACE,
        parameters=(UID, ZONE),
        answer=(
            "`{kind, namespace, name, currency, steps: [{step, question, answer, details}], sum}`. "
            "Of a pod `sum` is `{uid, from, to, goesOn, cost, capex, opex, estimatedCost, priced, "
            "rows, months: [{month, cost, capex, opex}], superseded, namesakes: [{uid, from}]}` "
            "with `rows: [{resource, node, devices, nodeDevices, share, price, start, "
            "milliseconds, end: {at, basis, witness, earliest, latest}, cost, capex, opex, sum, "
            "generation}]`; `price` has `perHour, capexPerHour, opexPerHour, devicesPart, "
            "utilization, commitment, currency, origin, assumed`, or `unpriced` and why. Shares, "
            "devices and prices are exact fractions (`3/14`). `superseded` has the rows that a "
            "re-rating replaced, `namesakes` other pods that had the name. Of any other kind, "
            "`job`, `deployment` or whatever root owner, `sum` is the newest run's of that name, "
            "with `count` and `pods: [{name, uid, from, to, cost, …}]`, and `steps` is there for "
            "Jobs only. `limits` says what cannot be told; `sum` is null where nothing is written"
        ),
    ),
    Route(
        name="runs",
        path="/runs",
        summary="What each run cost: all pods under one root owner, retries included.",
        scope=Scope.NAMESPACE,
        parameters=(*WINDOW, NAMESPACE, CLASS, PAGE, OFFSET),
        answer=(
            "`{currency, from, to, count, offset, runs: [{kind, namespace, name, uid, class, "
            "activity, model, team, project, accelerators, start, end, cost, costInWindow, capex, "
            "opex, gpuHours, estimatedCost, assumedCost, unpricedGpuHours, pods}]}`: the runs "
            "with some of their life in the window, the dearest first. Figures are those of the "
            "whole run; `costInWindow` is the window's part. `end` is that of its last pod so "
            "far, null while one holds devices"
        ),
    ),
    Route(
        name="models",
        path="/models",
        summary="What each model's workloads cost in a window, by class.",
        scope=Scope.CLUSTER,
        parameters=(*WINDOW, LIMIT),
        answer=(
            "`{currency, from, to, count, models: [{model, cost, gpuHours, unpricedGpuHours, "
            "pods, classes: {CLASS: {cost, gpuHours, unpricedGpuHours, pods}}}]}`, the dearest "
            "first; `model` is null for what names none"
        ),
    ),
    Route(
        name="nodes",
        path="/nodes",
        summary="Each node with accelerators, now: its price and where that is from, what idles.",
        scope=Scope.CLUSTER,
        parameters=(ACCELERATOR,),
        answer=(
            "`{currency, nodes: [{name, uid, instanceType, region, zone, accelerator, "
            "capacityType, infrastructure, devices, allocatedDevices, idleDevices, pods, "
            "costPerHour, allocatedCostPerHour, idleCostPerHour, origin, assumed, unknown}]}`; "
            "what cannot be told is null, and `unknown` says why"
        ),
    ),
    Route(
        name="queue",
        path="/queue",
        summary="What waits for a budget, why, until when, and in which order.",
        scope=Scope.NAMESPACE,
        parameters=(NAMESPACE,),
        answer=(
            "`{mode, count, queue: [{position, kind, namespace, name, class, priority, created, "
            "state, heldBy, reasons, until}]}`; `state` is `Held` (suspended by Bursar), "
            "`Refused` (its pods are refused), `WouldWait` (Bursar only observes) or `LeftHeld` "
            "(suspended by Bursar before it was set to observe). `until` is null where no budget "
            "reopens by itself"
        ),
    ),
    Route(
        name="ledger-verify",
        path="/ledger/verify",
        summary="Recompute what can be recomputed of the ledger, and compare.",
        scope=Scope.CLUSTER,
        parameters=(ONE_MONTH,),
        answer=(
            "`{month, checks: [{check, compared, different}], different, differences: [{check, "
            "where, kept, counted}], omitted, notes}`; of each check 50 differences are listed"
        ),
    ),
    Route(
        name="ledger-months",
        path="/ledger/months",
        summary="The closed months.",
        scope=Scope.CLUSTER,
        answer="`{currency, months: [{month, closed, by, cost, capex, opex, already}]}`",
    ),
    Route(
        name="ledger-close",
        path="/ledger/close",
        summary="Make a month's figures final; what comes later is a correction.",
        scope=Scope.LEDGER,
        parameters=(ONE_MONTH, WHO, FORCE),
        answer=(
            "`{currency, month, closed, by, cost, capex, opex, already}`: what its pods cost; "
            "`already` where it was closed before, which nothing changes"
        ),
        method="POST",
    ),
    Route(
        name="ledger-rerate",
        path="/ledger/rerate",
        summary="Correct the past by today's PriceBooks; both versions stay.",
        scope=Scope.LEDGER,
        parameters=(*WINDOW, REASON, DRY_RUN),
        answer=(
            "`{currency, preview, from, to, namespaces: [{namespace, count, before, after, "
            "difference}], nodes: {count, before, after, difference}, reference}`: what pods and "
            "nodes whose price was another cost in the window; `reference` only where it was done"
        ),
        method="POST",
    ),
    Route(
        name="ledger-backup",
        path="/ledger/backup",
        summary="All of a SQLite ledger, as one file.",
        scope=Scope.LEDGER,
        answer="the file (`application/vnd.sqlite3`), of one state of the database",
        method="POST",
    ),
)
