"""Serves metrics and probes to anybody, the read API to whom it belongs, the ledger to accountants.

An error is a JSON object `{"error": …}` with one line that says what to do; what went wrong inside
stands in the log and nowhere else. A request is bounded in its size and in its time.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from aiohttp import web

from bursar import __version__
from bursar.errors import BursarError, LedgerError
from bursar.runtime.answers.parameters import check, described
from bursar.runtime.answers.refused import Refused
from bursar.runtime.answers.routes import (
    PREFIX,
    ROUTES,
    Attachment,
    Pages,
    Question,
    Route,
    Scope,
)
from bursar.runtime.metrics.exposition import Page

logger = logging.getLogger(__name__)

LONGEST_TARGET = 8_192
"""Bytes of a path and its query."""
LONGEST_LINE = 65_536
"""Bytes of a request's line or header that are read at all, to say that it was too long."""
IDLE_SECONDS = 60.0
"""A connection without a whole request for this long is closed, however slowly it goes on."""
ANSWER_SECONDS = 55.0
"""An answer that takes longer is given up."""
SCRAPE_TIMEOUT = "X-Prometheus-Scrape-Timeout-Seconds"
WRITE_SECONDS = 600.0
"""The same of what changes the ledger, or goes through all of it."""
PART = 2**18
"""Bytes of a file that are sent at a time."""
SQLITE = "application/vnd.sqlite3"
_GUARDED = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Probes(Protocol):
    """What kubelets ask."""

    def health(self) -> Mapping[str, str]:
        """Reasons why the process should be restarted; empty while it lives."""

    def readiness(self) -> Mapping[str, str]:
        """What is not ready yet, by part; empty where all is."""


class Guard(Protocol):
    """Who may see what."""

    async def admit(
        self, authorization: str | None, source: str | None, scope: Scope, namespace: str | None
    ) -> str | None:
        """Let a request pass.

        Returns:
            The user whose token it was; None where there was none.

        Raises:
            Refused: with the status and the reason.
        """


class Metrics(Protocol):
    """What Prometheus scrapes."""

    async def answer(self, accept: str, scraper: str | None) -> Page:
        """Answer a scrape.

        Args:
            accept: the request's header.
            scraper: who scrapes again and again; None: nobody who does.
        """


def application(probes: Probes, pages: Pages, guard: Guard, exposition: Metrics) -> web.Application:
    """Build the server's routes."""

    async def metrics(request: web.Request) -> web.Response:
        # All that scrapes as Prometheus does says for how long it will wait; people do not.
        again = SCRAPE_TIMEOUT in request.headers
        page = await exposition.answer(
            request.headers.get("Accept", ""), request.remote if again else None
        )
        return web.Response(body=page.body, headers={"Content-Type": page.content_type})

    async def livez(_: web.Request) -> web.Response:
        return _probe(probes.health())

    async def readyz(_: web.Request) -> web.Response:
        return _probe(probes.readiness())

    app = web.Application(middlewares=[_errors], client_max_size=LONGEST_LINE)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    for route in ROUTES:
        add = app.router.add_post if route.method == "POST" else app.router.add_get
        add(PREFIX + route.path, _page(route, pages, guard))
    app.router.add_get(PREFIX + "/", _page(ROUTES[0], pages, guard))
    return app


def _page(route: Route, pages: Pages, guard: Guard) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        if route.method == "POST" and request.content_type != "application/json":
            # No page that a browser shows can send that without being asked first.
            raise Refused(415, "send it as Content-Type: application/json")
        place = dict(request.match_info)
        query = check(route.parameters, request.query.items())
        question = Question(query=query, place=place)
        who = await guard.admit(
            request.headers.get("Authorization"), request.remote, route.scope, question.namespace
        )
        if route.name == "index":
            return _json(_index())
        seconds = WRITE_SECONDS if route.path.startswith("/ledger/") else ANSWER_SECONDS
        async with asyncio.timeout(seconds):
            answer = await pages.read(route.name, replace(question, who=who or ""))
        if isinstance(answer, Attachment):
            return await _send(request, answer)
        return _json(answer)

    return handle


async def _send(request: web.Request, answer: Attachment) -> web.StreamResponse:
    """Send a file, as slowly as it is taken, and remove it."""
    response = web.StreamResponse(headers={"Content-Type": SQLITE, **_GUARDED})
    response.content_length = answer.size
    try:
        with answer.path.open("rb") as file:
            await response.prepare(request)
            while part := await asyncio.to_thread(file.read, PART):
                await response.write(part)
        await response.write_eof()
    finally:
        answer.path.unlink(missing_ok=True)
    return response


def _index() -> Mapping[str, Any]:
    return {
        "version": __version__,
        "paths": [
            {
                "method": route.method,
                "path": PREFIX + route.path,
                "summary": route.summary.replace("`", ""),
                "scope": route.scope.value,
                "parameters": described(route.parameters),
            }
            for route in ROUTES
        ],
    }


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await _bounded(request, handler)
    except web.HTTPMethodNotAllowed as error:
        legal = error.headers.get("Allow", "GET,HEAD")
        use = "changing the ledger, with POST" if "POST" in legal else "reading, with GET or HEAD"
        said = f"{request.method[:20]} is not allowed: this is for {use}"
        return _error(405, said, {"Allow": legal})
    except web.HTTPNotFound:
        return _error(404, f"nothing is here: GET {PREFIX} lists what there is")
    except web.HTTPException as error:
        return _error(error.status, error.reason)
    except Refused as error:
        return _error(error.status, str(error), error.headers)
    except LedgerError as error:
        return _error(503, str(error))
    except BursarError as error:
        return _error(400, str(error))
    except TimeoutError:
        return _error(503, "the answer took too long: ask for a shorter window, or again later")
    except Exception:  # a defect of ours: whoever asked is told that, and no more
        logger.exception("path=%r cannot be answered", request.path[:200])
        return _error(500, "this cannot be answered, and it is Bursar's fault: its log says why")


async def _bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
    if len(request.raw_path) > LONGEST_TARGET:
        raise Refused(414, f"the path and query have more than {LONGEST_TARGET} bytes")
    return await handler(request)


def _probe(problems: Mapping[str, str]) -> web.Response:
    text = "".join(f"{part}: {problem}\n" for part, problem in problems.items()) or "ok\n"
    return web.Response(text=text, status=503 if problems else 200)


def _error(status: int, said: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return _json({"error": " ".join(said.split())}, status, headers)


def _json(
    body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=json.dumps(body).encode() + b"\n",
        status=status,
        content_type="application/json",
        headers={**_GUARDED, **(headers or {})},
    )


async def serve(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Start the server.

    Returns:
        The runner, to be cleaned up at the end, and the port in use (asked for 0: a free one).

    Raises:
        BursarError: the address cannot be listened on.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_quiet(),
        keepalive_timeout=IDLE_SECONDS,
        lingering_time=5.0,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
        shutdown_timeout=5.0,
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise BursarError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    bound = runner.addresses[0][1]
    return runner, int(bound)


def _quiet() -> logging.Logger:
    """A log for what is no HTTP at all: a stranger's noise must not fill the operator's log."""
    log = logging.getLogger(f"{__name__}.protocol")
    log.setLevel(logging.CRITICAL)
    return log
