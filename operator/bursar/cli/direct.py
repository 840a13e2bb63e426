"""The read API at a URL that is known."""

import json
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from typing import IO, Any, BinaryIO

from bursar.cli.server import PREFIX, TIMEOUT_SECONDS, WRITE_SECONDS
from bursar.errors import BursarError


def ask(server: str, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """GET one page of a read API whose URL is known, without a token."""
    return Direct(server).get(path, query)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token goes to the server that was named, and to no other that it may send us to."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


class Direct:
    """The read API at a URL."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirects)

    def get(
        self, path: str, query: Mapping[str, str] | None = None, seconds: float = TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """GET one page."""
        with self._asked(_target(path, query), None, seconds) as response:
            return _decoded(response, self._url)

    def post(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Have something done."""
        with self._asked(_target(path, query), b"{}", WRITE_SECONDS) as response:
            return _decoded(response, self._url)

    def download(self, path: str, target: BinaryIO) -> None:
        """Have a file sent."""
        with self._asked(_target(path, None), b"{}", WRITE_SECONDS) as response:
            shutil.copyfileobj(response, target)

    @contextmanager
    def _asked(self, target: str, body: bytes | None, seconds: float) -> Iterator[IO[bytes]]:
        """The answer to a request: GET, or POST where there is a body."""
        if not self._url.startswith(("http://", "https://")):
            raise BursarError(f"{self._url} is no URL: it starts with http:// or https://")
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            request = urllib.request.Request(  # noqa: S310 - checked above
                self._url + target, data=body, headers=headers
            )
            with self._opener.open(request, timeout=seconds) as response:
                yield response
        except urllib.error.HTTPError as error:
            with error:
                raise BursarError(self._reason(error)) from error
        except (urllib.error.URLError, OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise BursarError(
                f"the operator's read API at {self._url} does not answer: {reason}"
            ) from error

    def _reason(self, error: urllib.error.HTTPError) -> str:
        try:
            said = str(json.load(error)["error"])
        except (ValueError, KeyError, TypeError):
            return f"{self._url} says {error.code} {error.reason}: is it Bursar's read API?"
        if error.code == 401 and not self._token:
            return f"{said}; give it with --token, --token-file or BURSAR_TOKEN"
        return said


def _target(path: str, query: Mapping[str, str] | None) -> str:
    """The path of a page, with its query, below wherever the read API is."""
    return f"/{PREFIX}/{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")


def _decoded(response: IO[bytes], url: str) -> dict[str, Any]:
    try:
        answer = json.load(response)
    except ValueError as error:
        raise BursarError(f"{url} does not answer in JSON: is it Bursar's read API?") from error
    if not isinstance(answer, dict):
        raise BursarError(f"{url} does not answer as Bursar's read API does")
    return answer
