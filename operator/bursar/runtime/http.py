"""The one HTTP server: metrics, probes and the read API.

`/metrics`, `/livez`, `/readyz`, and `/api/v1/…` (report, explain, budgets), all of them GET and
read-only. An error is a JSON object `{"error": …}` with one line that says what to do.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import CollectorRegistry

from bursar.errors import BursarError


class Views(Protocol):
    """What the read API shows."""

    def health(self) -> Mapping[str, str]:
        """Reasons why the process should be restarted; empty while it lives."""

    def readiness(self) -> Mapping[str, str]:
        """What is not ready yet, by part; empty where all is."""

    async def report(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        """The report of a window."""

    def explain(self, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Each step of the path for one pod or Job."""

    def budgets(self) -> Mapping[str, Any]:
        """Where every budget stands now."""


def application(views: Views, registry: CollectorRegistry) -> web.Application:
    """Build the server's routes."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def livez(_: web.Request) -> web.Response:
        return _probe(views.health())

    async def readyz(_: web.Request) -> web.Response:
        return _probe(views.readiness())

    async def report(request: web.Request) -> web.Response:
        return _json(await views.report(dict(request.query)))

    async def budgets(_: web.Request) -> web.Response:
        return _json(views.budgets())

    async def explain(request: web.Request) -> web.Response:
        kind, namespace, name = (request.match_info[k] for k in ("kind", "namespace", "name"))
        found = views.explain(kind, namespace, name)
        if found is None:
            reason = f"no {kind} {namespace}/{name} that asks for an accelerator is known"
            return _json({"error": reason}, status=404)
        return _json(found)

    app = web.Application(middlewares=[_errors])
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/api/v1/report", report)
    app.router.add_get("/api/v1/budgets", budgets)
    app.router.add_get("/api/v1/explain/{kind}/{namespace}/{name}", explain)
    return app


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except BursarError as error:
        return _json({"error": str(error)}, status=400)


def _probe(problems: Mapping[str, str]) -> web.Response:
    text = "".join(f"{part}: {problem}\n" for part, problem in problems.items()) or "ok\n"
    return web.Response(text=text, status=503 if problems else 200)


def _json(body: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.json_response(body, status=status, dumps=lambda value: json.dumps(value) + "\n")


async def serve(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Start the server.

    Returns:
        The runner, to be cleaned up at the end, and the port in use (asked for 0: a free one).

    Raises:
        BursarError: the address cannot be listened on.
    """
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise BursarError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    bound = runner.addresses[0][1]
    return runner, int(bound)
