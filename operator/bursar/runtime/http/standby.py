"""What a replica answers while another leads: that it lives, and who has the figures."""

import json
from collections.abc import Callable

from aiohttp import web


def standby(leader: Callable[[], str]) -> web.Application:
    """Probes that say yes, and 503 for everything else.

    It is ready: an installation with a leader and a replica that waits is as it should be, and the
    Service leads to the leader alone.

    Args:
        leader: tells who leads, empty where nobody does yet.
    """

    async def probe(_: web.Request) -> web.Response:
        return web.Response(text=f"stands by; leader: {leader() or 'none yet'}\n")

    async def elsewhere(_: web.Request) -> web.Response:
        said = {"error": f"this replica stands by: ask the leader, {leader() or 'not known yet'}"}
        return web.json_response(said, status=503, dumps=lambda value: json.dumps(value) + "\n")

    app = web.Application()
    app.router.add_get("/livez", probe)
    app.router.add_get("/readyz", probe)
    app.router.add_route("*", "/{path:.*}", elsewhere)
    return app
