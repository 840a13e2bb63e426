"""Stands between the operator and the API server, and fails it in the ways that networks do."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import aiohttp
from aiohttp import web

HOP = {"host", "connection", "transfer-encoding", "content-length", "keep-alive"}
CHUNK = 65536
TOO_MANY = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 429}


class Proxy:
    """A way to one API server.

    Attributes:
        url: where the client is to go instead.
        done: what was done to it, by kind.
    """

    def __init__(self, server: str, trust: ssl.SSLContext) -> None:
        self._server = server
        self._trust = trust
        self._until: dict[str, float] = {}
        self._open: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._session: aiohttp.ClientSession | None = None
        self.url = ""
        self.done: Counter[str] = Counter()

    # --- what can go wrong ---

    def cut(self) -> None:
        """All connections break in the middle of whatever they carry."""
        self.done["cut"] += 1
        self._loop.call_soon_threadsafe(self._abort)

    def dark(self, seconds: float) -> None:
        """No connection comes through."""
        self._begin("dark", seconds)
        self._loop.call_soon_threadsafe(self._abort)

    def busy(self, seconds: float) -> None:
        """Each request is answered by 429."""
        self._begin("429", seconds)

    def slow(self, seconds: float) -> None:
        """Each answer and each event comes a third of a second late."""
        self._begin("slow", seconds)

    def stall(self, seconds: float) -> None:
        """Connections stay and nothing comes, as behind a gateway that has forgotten them."""
        self._begin("stall", seconds)

    # --- the work ---

    def _begin(self, what: str, seconds: float) -> None:
        self.done[what] += 1
        self._until[what] = time.monotonic() + seconds

    def _left(self, what: str) -> float:
        return max(0.0, self._until.get(what, 0.0) - time.monotonic())

    def _abort(self) -> None:
        for transport in list(self._open):
            transport.abort()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        transport = request.transport
        if self._left("dark") or transport is None:
            if transport is not None:
                transport.abort()
            return web.Response(status=502)
        if self._left("429"):
            return web.json_response(TOO_MANY, status=429, headers={"Retry-After": "1"})
        self._open.add(transport)
        try:
            await self._linger()
            headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP}
            body = await request.read()
            async with self._session.request(
                request.method,
                self._server + request.raw_path,
                data=body or None,
                headers=headers,
                skip_auto_headers=("Content-Type",),
            ) as answer:
                return await self._bring(request, answer)
        except (aiohttp.ClientError, OSError):
            transport.abort()  # the API server has gone: so has the connection to it
            return web.Response(status=502)
        finally:
            self._open.discard(transport)

    async def _bring(
        self, request: web.Request, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        told = web.StreamResponse(status=answer.status, reason=answer.reason)
        for key, value in answer.headers.items():
            if key.lower() not in HOP:
                told.headers.add(key, value)
        await told.prepare(request)
        async for chunk in answer.content.iter_any():
            await self._linger()
            await told.write(chunk)
        await told.write_eof()
        return told

    async def _linger(self) -> None:
        if self._left("slow"):
            await asyncio.sleep(0.3)
        while left := self._left("stall"):
            await asyncio.sleep(left)

    async def _serve(self) -> web.AppRunner:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._trust, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _end(self, runner: web.AppRunner) -> None:
        self._abort()
        await runner.cleanup()
        if self._session is not None:
            await self._session.close()

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        """Serve in a thread of its own."""
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        runner = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(10)
        try:
            yield self
        finally:
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._end(runner), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(5)
            self._loop.close()
