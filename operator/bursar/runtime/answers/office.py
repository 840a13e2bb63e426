"""The accountants' office: what the operator does to its ledger when it is asked to.

It is the one writer, so what changes the ledger while it runs is asked of it. The past is re-rated
node by node, each in one transaction, while the meter goes on; what is open goes on by the same
rates that its past got.
"""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from bursar.domain.time import Ms, format_time
from bursar.report import parse_window
from bursar.runtime import clock
from bursar.runtime.answers.refused import Refused
from bursar.runtime.answers.routes import Attachment, Question
from bursar.runtime.controller import Controller
from bursar.runtime.ledger.admin import files, months, rerate
from bursar.runtime.ledger.admin.verify import verify

FLUSH_SECONDS = 20.0
WRITE_SECONDS = 300.0
PROXY = "through the API server"
"""Who asks where no token says it: RBAC has decided there, and does not tell."""
Answer = Mapping[str, Any] | Attachment


class Office:
    """The office of one operator; it does one thing at a time."""

    def __init__(self, controller: Controller, currency: str, url: str) -> None:
        self._controller = controller
        self._currency = currency
        self._url = url
        self._busy = asyncio.Lock()
        self.pages: Mapping[str, Callable[[Question], Awaitable[Answer]]] = {
            "ledger-verify": self._verify,
            "ledger-months": self._months,
            "ledger-close": self._close,
            "ledger-rerate": self._rerate,
            "ledger-backup": self._backup,
        }

    async def _verify(self, question: Question) -> Answer:
        month = question.query.get("month")
        ledger = self._controller.ledger

        def compare() -> Answer:
            ledger.submit([]).result(FLUSH_SECONDS)
            return verify(ledger.reader, clock.now(), month).document()

        found: Answer = await self._alone(compare)
        return found

    async def _months(self, _: Question) -> Answer:
        reader = self._controller.ledger.reader
        found = await asyncio.to_thread(months.closed_months, reader)
        return {"currency": self._currency, "months": [months.told(each) for each in found]}

    async def _close(self, question: Question) -> Answer:
        query = question.query
        by = query.get("by") or question.who or PROXY
        ledger, force = self._controller.ledger, query.get("force") == "true"
        found = await self._alone(
            lambda: months.close(ledger, _needed(query, "month"), by, clock.now(), force=force)
        )
        return {"currency": self._currency, **months.told(found)}

    async def _backup(self, _: Question) -> Answer:
        handle, name = tempfile.mkstemp(prefix="ledger-", suffix=".db")
        os.close(handle)
        target = Path(name)
        try:
            contents = await self._alone(lambda: files.backup(self._url, target))
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return Attachment(path=target, size=contents.size)

    async def _rerate(self, question: Question) -> Answer:
        query, now = question.query, clock.now()
        window = parse_window(
            month=query.get("month"), since=query.get("from"), until=query.get("to"), now=now
        )
        frm, to = window.since, min(window.until, now)
        if frm >= to:
            raise Refused(400, "only the past is re-rated: the window lies after now")
        if self._busy.locked():
            raise _taken()
        async with self._busy:
            plan = await self._plan(frm, to)
            told = {"currency": self._currency, "preview": query.get("preview") == "true"}
            answer = {**told, **rerate.told(plan)}
            if told["preview"]:
                return answer
            reference = f"rerate-{format_time(now)}"
            await self._carry_out(plan, now, query.get("reason", ""), reference)
            return {**answer, "reference": reference}

    async def _plan(self, frm: Ms, to: Ms) -> rerate.Plan:
        rates = self._controller.nodes.corrected(frm, to)
        ledger = self._controller.ledger

        def make() -> rerate.Plan:
            ledger.submit([]).result(FLUSH_SECONDS)
            return rerate.plan(ledger.reader, rates, frm, to)

        return await asyncio.to_thread(make)

    async def _carry_out(self, plan: rerate.Plan, now: Ms, reason: str, reference: str) -> None:
        """Write a plan. Rates that moved on since it was made are corrected as they are now."""
        controller = self._controller
        latest = controller.nodes.corrected(plan.frm, plan.to)
        plan = replace(plan, rates={uid: latest[uid] for uid in plan.rates if uid in latest})
        written: list[Future[None]] = []
        for row in plan.rows(now, reason, reference):
            written.append(controller.ledger.submit([row]))
            controller.ledger.submit(controller.nodes.correct(row.node_uid, row.periods, now))
        async with asyncio.timeout(WRITE_SECONDS):
            await asyncio.gather(*(asyncio.wrap_future(each) for each in written))
        controller.accounts.recount()
        controller.budgets.recount(clock.now())
        controller.wake()

    async def _alone(self, work: Callable[[], Any]) -> Any:
        """Do something aside, and nothing else meanwhile."""
        if self._busy.locked():
            raise _taken()
        async with self._busy:
            return await asyncio.to_thread(work)


def _needed(query: Mapping[str, str], name: str) -> str:
    value = query.get(name)
    if not value:
        raise Refused(400, f"parameter {name} is missing")
    return value


def _taken() -> Refused:
    return Refused(503, "the ledger is being verified, re-rated, closed or copied: try again later")
