"""The answers of the read API, over a controller; what changes the ledger is the office's."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import TimeoutError as NotWritten
from typing import Any

from bursar.domain.time import Ms
from bursar.errors import LedgerError
from bursar.kpi import MODELED
from bursar.report import Rules
from bursar.runtime import clock
from bursar.runtime.answers import explain, inventory, sums, waiting
from bursar.runtime.answers.office import Office
from bursar.runtime.answers.refused import Refused
from bursar.runtime.answers.reporting import Terms, models_of, parse_zone, report_of, runs_of
from bursar.runtime.answers.routes import Attachment, Question
from bursar.runtime.configuring.energy import Energy
from bursar.runtime.controller import Controller
from bursar.runtime.ledger import Reader

FLUSH_SECONDS = 20.0
READING = 2
"""Answers that are read from the ledger at a time; they take a processor each."""
WAITING = 50
Answer = Mapping[str, Any]


class Pages:
    """The pages of one operator."""

    def __init__(
        self, controller: Controller, currency: str, ledger: str = "", energy: Energy | None = None
    ) -> None:
        self._controller = controller
        self._currency = currency
        self._energy = energy
        self._office = Office(controller, currency, ledger)
        self._reading = asyncio.Semaphore(READING)
        self._waiting = 0
        self._pages: Mapping[str, Callable[[Question], Awaitable[Answer | Attachment]]] = {
            "report": self._report,
            "budgets": self._budgets,
            "explain": self._explain,
            "runs": self._runs,
            "models": self._models,
            "nodes": self._nodes,
            "queue": self._queue,
            **self._office.pages,
        }

    def read(self, name: str, question: Question) -> Awaitable[Answer | Attachment]:
        """The answer of the route with this name."""
        return self._pages[name](question)

    async def _report(self, question: Question) -> Answer:
        terms = self._terms()
        return await self._from_ledger(
            lambda reader, now: report_of(reader, question.query, terms, now)
        )

    async def _runs(self, question: Question) -> Answer:
        return await self._from_ledger(
            lambda reader, now: runs_of(reader, question.query, self._terms(), now)
        )

    async def _models(self, question: Question) -> Answer:
        return await self._from_ledger(
            lambda reader, now: models_of(reader, question.query, self._terms(), now)
        )

    def _terms(self) -> Terms:
        accounts = self._controller.accounts
        energy = self._energy
        return Terms(
            rules=Rules(
                currency=self._currency,
                weights=dict(accounts.vocabulary.weights),
                energy=energy.model_of_reports() if energy is not None else None,
                source=MODELED if energy is not None else "",
            ),
            labels=accounts.report_labels,
        )

    async def _budgets(self, question: Question) -> Answer:
        now, only = clock.now(), question.namespace
        return {
            "currency": self._currency,
            "budgets": [
                explain.budget(budget, found)
                for budget, found in self._controller.budgets.standings_at(now)
                if only in (None, budget.key.namespace or budget.key.member)
            ],
        }

    async def _explain(self, question: Question) -> Answer:
        kind, place = question.place["kind"].lower(), question.place
        namespace, name, uid = place["namespace"], place["name"], question.query.get("uid")
        found: Answer | None = None
        if kind == "pod":
            found = explain.pod(self._controller, namespace, name, clock.now(), uid)
        elif kind == "job":
            found = explain.job(self._controller, namespace, name, clock.now())
        told = await self._sum(question, kind, steps=found is not None)
        if found is None and told.get("sum") is None:
            what = f"{kind[:60]} {namespace[:253]}/{name[:253]}"
            raise Refused(404, f"no {what} that asks for an accelerator is known")
        path = found or {"kind": kind, "namespace": namespace, "name": name, "steps": []}
        return {**path, "currency": self._currency, **told}

    async def _sum(self, question: Question, kind: str, *, steps: bool) -> Answer:
        """What the ledger says; where it is away, the steps are shown without."""
        zone, uid = parse_zone(question.query.get("timezone")), question.query.get("uid")

        def read(reader: Reader, now: Ms) -> Answer:
            if kind != "pod":
                return {"sum": sums.of_owner(reader, kind, question.place, now, zone)}
            found = sums.of_pod(reader, question.place, now, zone, uid)
            if found is None:
                return {"sum": None}
            answer, rows = found
            if steps:
                return {"sum": answer}
            members = reader.members([answer["uid"]])
            return {**explain.ended(rows, members, now), "sum": answer}

        try:
            return await self._from_ledger(read)
        except (Refused, LedgerError) as error:
            if not steps:
                raise
            return {"sum": None, "limits": [str(error)]}

    async def _nodes(self, question: Question) -> Answer:
        accelerator = question.query.get("accelerator")
        return inventory.nodes(self._controller, self._currency, clock.now(), accelerator)

    async def _queue(self, question: Question) -> Answer:
        return waiting.queue(self._controller, clock.now(), question.namespace)

    async def _from_ledger(self, read: Callable[[Reader, Ms], Answer]) -> Answer:
        """Read from the ledger once all that is known is written there."""
        if self._waiting >= WAITING:
            raise Refused(503, "too many reports are being made: try again")
        self._waiting += 1
        try:
            async with self._reading:
                ledger, now = self._controller.ledger, clock.now()
                written = ledger.submit([])

                def answer() -> Answer:
                    try:
                        written.result(FLUSH_SECONDS)
                    except NotWritten as error:
                        said = f"the ledger takes no rows: {ledger.last_error or 'it is busy'}"
                        raise Refused(503, said) from error
                    return read(ledger.reader, now)

                return await asyncio.to_thread(answer)
        finally:
            self._waiting -= 1
