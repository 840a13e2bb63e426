"""One pooled session to the API server, and the few verbs that Bursar uses on it.

Objects are plain JSON mappings: the core reads what it needs and survives what it does not know.
Credentials are read again when the server no longer takes them.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import aiohttp

from bursar.api.meta import FIELD_MANAGER
from bursar.domain.time import Ms, from_datetime
from bursar.errors import BursarError
from bursar.runtime import clock
from bursar.runtime.cluster.credentials import Credentials, load_credentials

__all__ = [
    "JSON",
    "ApiError",
    "Credentials",
    "Gateway",
    "load_credentials",
    "object_path",
    "resource_of",
]

CONNECTIONS = 48
"""Concurrent connections: kopf's unlimited session opens hundreds under bursts of patches."""

TIMEOUT_SECONDS = 30.0
ATTEMPTS = 4
"""Tries of a request that the API server puts off (429): it is starting, or has too much to do."""
LONGEST_PAUSE_SECONDS = 10.0
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"

JSON = dict[str, Any]
OnDate = Callable[[Ms, Ms, Ms], None]


class ApiError(BursarError):
    """The API server answered with an error, or could not be reached (`status` 0).

    Attributes:
        reason: the API server's own word for it (`Forbidden`, `NotFound` …); empty where the answer
            is not its own, but that of a server behind its proxy.
    """

    def __init__(self, status: int, verb: str, path: str, message: str, reason: str = "") -> None:
        self.status = status
        self.message = message
        self.reason = reason
        super().__init__(f"{verb} {path}: {status or 'unreachable'}: {message}")


class Gateway:
    """The API server, as Bursar sees it.

    Attributes:
        requests: how many requests were made, by (verb, resource, status).
        on_date: told the `Date` of each answer, and when it was asked for and came (ms).
    """

    def __init__(
        self,
        credentials: Credentials,
        kubeconfig: Path | None = None,
        context: str | None = None,
        seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._credentials = credentials
        self._kubeconfig = kubeconfig
        self._context = context
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.on_date: OnDate | None = None

    @classmethod
    async def connect(
        cls,
        kubeconfig: Path | None,
        context: str | None = None,
        seconds: float = TIMEOUT_SECONDS,
    ) -> Self:
        """Read the credentials; the first request opens the first connection.

        Args:
            kubeconfig: a file, or several as KUBECONFIG names them; None: the Pod's own, else the
                default one.
            context: of the kubeconfig; None: its current one.
            seconds: how long a request may take.
        """
        return cls(await load_credentials(kubeconfig, context), kubeconfig, context, seconds)

    @property
    def credentials(self) -> Credentials:
        """The credentials in use."""
        return self._credentials

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str, **params: str) -> JSON:
        """Read one object.

        Raises:
            ApiError: with `status` 404 where it is not there, 403 where RBAC says no.
        """
        return await self._call("GET", path, params=params)

    async def find(self, path: str) -> JSON | None:
        """Read one object that may not be there: None for 404 (and for 403: not ours to see)."""
        try:
            return await self.get(path)
        except ApiError as error:
            if error.status in (403, 404):
                return None
            raise

    async def collection(self, path: str, **params: str) -> tuple[list[JSON], str]:
        """Read a whole collection in chunks.

        Returns:
            The items, and the resourceVersion from which a watch goes on without a gap.
        """
        chunks = [chunk async for chunk in self._chunks(path, params)]
        return [item for items, _ in chunks for item in items], chunks[-1][1]

    async def pages(self, path: str, **params: str) -> AsyncIterator[list[JSON]]:
        """Read a whole collection chunk by chunk, for what need not be held all at once."""
        async for page, _ in self._chunks(path, params):
            yield page

    async def _chunks(
        self, path: str, params: Mapping[str, str]
    ) -> AsyncIterator[tuple[list[JSON], str]]:
        query = {"limit": "500", **params}
        while True:
            page = await self._call("GET", path, params=query)
            meta = page.get("metadata") or {}
            yield page.get("items") or [], str(meta.get("resourceVersion", ""))
            if not meta.get("continue"):
                return
            query["continue"] = str(meta["continue"])

    async def watch(
        self,
        path: str,
        resource_version: str,
        *,
        opened: Callable[[], None] = lambda: None,
        **params: str,
    ) -> AsyncIterator[tuple[str, JSON]]:
        """Follow a collection from a resourceVersion on, bookmarks included.

        Args:
            path: of the collection.
            resource_version: what came after it is told.
            opened: called once the server has agreed.
            params: more of the query.

        Yields:
            (type, object) until the server ends the stream.

        Raises:
            ApiError: with `status` 410 where the version is too old to go on from.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": "290",
            **params,
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=300)
        async with self._request("GET", path, params=query, timeout=timeout) as response:
            await self._raise_for(response, "WATCH", path)
            opened()
            while line := await response.content.readline():
                event = json.loads(line)
                body = event.get("object") or {}
                if event.get("type") == "ERROR":
                    code = int(body.get("code") or 500)
                    raise ApiError(code, "WATCH", path, str(body.get("message", "")))
                yield str(event.get("type")), body

    async def create(self, path: str, body: Mapping[str, Any]) -> JSON:
        """Create an object in a collection."""
        return await self._call("POST", path, body=body)

    async def post(self, path: str, **params: str) -> JSON:
        """Ask for something to be done; the answer says what was."""
        return await self._call("POST", path, params=params, body={})

    async def download(self, path: str, target: BinaryIO) -> None:
        """Ask for a file, and write it as it comes, however long that takes."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=self._seconds)
        async with self._request("POST", path, body={}, timeout=timeout) as response:
            await self._raise_for(response, "POST", path)
            async for part in response.content.iter_chunked(2**18):
                target.write(part)

    async def replace(self, path: str, body: Mapping[str, Any]) -> JSON:
        """Write a whole object over the one whose resourceVersion it carries (else 409)."""
        return await self._call("PUT", path, body=body)

    async def delete(self, path: str) -> None:
        """Delete one object; one that is gone already is no error."""
        try:
            await self._call("DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise

    async def merge(self, path: str, body: Mapping[str, Any]) -> JSON:
        """Patch an object by JSON merge patch."""
        return await self._call("PATCH", path, body=body, content_type=MERGE)

    async def apply(self, path: str, body: Mapping[str, Any]) -> JSON:
        """Write the fields that are ours by server-side apply, taking them over by force."""
        params = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._call("PATCH", path, params=params, body=body, content_type=APPLY)

    async def _call(
        self,
        verb: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> JSON:
        for attempt in range(1, ATTEMPTS + 1):
            async with self._request(
                verb, path, params=params, body=body, content_type=content_type
            ) as response:
                if response.status == 401 and attempt == 1 and await self._renew():
                    continue
                if response.status == 429 and attempt < ATTEMPTS:
                    await asyncio.sleep(_pause(response))
                    continue
                await self._raise_for(response, verb, path)
                return await _decoded(response, verb, path)
        raise ApiError(401, verb, path, "the token is not accepted")

    def _request(
        self,
        verb: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> "_Guarded":
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=CONNECTIONS, ssl=self._credentials.ssl_context, keepalive_timeout=60
            )
            self._session = aiohttp.ClientSession(connector=connector, read_bufsize=2**21)
        headers = {"Accept": "application/json", "User-Agent": "bursar"}
        if body is not None:
            headers["Content-Type"] = content_type
        if self._credentials.token:
            headers["Authorization"] = f"{self._credentials.scheme} {self._credentials.token}"
        request = self._session.request(
            verb,
            self._credentials.server.rstrip("/") + path,
            params=params,
            data=json.dumps(body) if body is not None else None,
            headers=headers,
            timeout=timeout or aiohttp.ClientTimeout(total=self._seconds),
            server_hostname=self._credentials.tls_server_name,
            proxy=self._credentials.proxy,
        )
        return _Guarded(request, verb, path, self.requests, self.on_date)

    async def _raise_for(self, response: aiohttp.ClientResponse, verb: str, path: str) -> None:
        if response.status < 400:
            return
        try:
            body = await response.json(content_type=None)
            message, reason = body.get("message") or body.get("error"), body.get("reason")
        except (ValueError, AttributeError):
            message, reason = None, None
        said = str(message or response.reason or "")[:2000]
        raise ApiError(response.status, verb, path, said, str(reason or ""))

    async def renewed_credentials(self) -> Credentials:
        """Read the credentials again: a token file may have been renewed."""
        self._credentials = await load_credentials(self._kubeconfig, self._context)
        return self._credentials

    async def _renew(self) -> bool:
        stale = self._credentials.token
        return (await self.renewed_credentials()).token != stale


async def _decoded(response: aiohttp.ClientResponse, verb: str, path: str) -> JSON:
    try:
        answer: JSON = await response.json(content_type=None)
    except ValueError as error:
        raise ApiError(response.status, verb, path, "the answer is no JSON") from error
    return answer


def _date(response: aiohttp.ClientResponse) -> Ms | None:
    """When the server says that it answered (ms, whole seconds); None where it does not say."""
    try:
        return from_datetime(parsedate_to_datetime(response.headers.get("Date", "")))
    except (ValueError, TypeError):
        return None


def _pause(response: aiohttp.ClientResponse) -> float:
    """How long the API server asks to wait, in seconds, within reason."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked) if asked.isdigit() else 1.0, LONGEST_PAUSE_SECONDS)


class _Guarded:
    """A request whose transport errors come out as `ApiError` with status 0, and is counted."""

    def __init__(
        self,
        request: Any,
        verb: str,
        path: str,
        requests: Counter[tuple[str, str, int]],
        on_date: OnDate | None = None,
    ) -> None:
        self._request = request
        self._verb = verb
        self._path = path
        self._requests = requests
        self._on_date = on_date

    async def __aenter__(self) -> aiohttp.ClientResponse:
        asked = clock.own()
        try:
            response: aiohttp.ClientResponse = await self._request.__aenter__()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self._requests[self._verb, resource_of(self._path), 0] += 1
            raise self._unreachable(error) from error
        self._requests[self._verb, resource_of(self._path), response.status] += 1
        if self._on_date is not None:
            date = _date(response)
            if date is not None:
                self._on_date(date, asked, clock.own())
        return response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        await self._request.__aexit__(kind, error, trace)
        if isinstance(error, TimeoutError | aiohttp.ClientError | OSError):  # as it was read
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ApiError:
        return ApiError(0, self._verb, self._path, f"{type(error).__name__}: {error}")


def resource_of(path: str) -> str:
    """The resource that a path is about, such as `pods` or `aibudgets/status`."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    return "/".join(parts[0:1] + parts[2:3])


def object_path(
    api_version: str, plural: str, namespace: str = "", name: str = "", subresource: str = ""
) -> str:
    """The API path of a collection or an object, whatever characters its name is made of."""
    root = "/apis/" if "/" in api_version else "/api/"
    scope = f"/namespaces/{namespace}" if namespace else ""
    tail = f"/{quote(name, safe='')}" if name else ""
    return f"{root}{api_version}{scope}/{plural}{tail}" + (f"/{subresource}" if subresource else "")
