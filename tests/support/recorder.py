"""A way to the API server that writes down what was asked: as rights, not as addresses."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.rights import Grant

NOT_PASSED_ON = {"host", "connection", "transfer-encoding", "content-length", "keep-alive"}


def asked(method: str, target: str) -> Grant | None:
    """The right that a request needs; None for what everybody may (discovery).

    Args:
        method: HTTP's.
        target: path and query.
    """
    address = urlsplit(target)
    parts = address.path.strip("/").split("/")
    core = parts[0] == "api"
    group, rest = ("", parts[2:]) if core else (parts[1] if len(parts) > 1 else "", parts[3:])
    if not rest:
        return None
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    resource = "/".join([rest[0], *rest[2:3]])
    name = rest[1] if len(rest) > 1 else ""
    watched = parse_qs(address.query).get("watch", [""])[0] in ("true", "1")
    verbs = {
        "GET": ("get" if name else "watch" if watched else "list"),
        "POST": "create",
        "PUT": "update",
        "PATCH": "patch",
        "DELETE": "delete" if name else "deletecollection",
    }
    return Grant(verbs[method], group, resource, name)


class Recorder:
    """What has been asked so far, and what was refused of it.

    Attributes:
        grants: the rights that were needed.
        refused: those of which the API server said that they are not there.
        url: where the client is to go instead of the API server.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.grants: set[Grant] = set()
        self.refused: set[Grant] = set()

    def note(self, method: str, target: str, status: int) -> None:
        """Take one request in, and how it was answered."""
        grant = asked(method, target)
        if grant is None:
            return
        self.grants.add(grant)
        if method == "PATCH" and status == http.client.CREATED:
            self.grants.add(Grant("create", grant.group, grant.resource, grant.name))
        if status == http.client.FORBIDDEN:
            self.refused.add(grant)


@contextmanager
def recording(server: str, trust: ssl.SSLContext) -> Iterator[Recorder]:
    """Stand between a client and an API server, on loopback."""
    upstream = urlsplit(server)

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            headers = {k: v for k, v in self.headers.items() if k.lower() not in NOT_PASSED_ON}
            connection = http.client.HTTPSConnection(
                upstream.hostname or "", upstream.port, context=trust
            )
            try:
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                recorder.note(self.command, self.path, answer.status)
                self.send_response(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in NOT_PASSED_ON:
                        self.send_header(key, value)
                self.end_headers()
                while chunk := answer.read1(65536):
                    self.wfile.write(chunk)
                    self.wfile.flush()
            except (OSError, http.client.HTTPException):
                self.close_connection = True  # one of the two has gone
            finally:
                connection.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        serving.daemon_threads = True
        recorder = Recorder(f"http://127.0.0.1:{serving.server_port}")
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        try:
            yield recorder
        finally:
            serving.shutdown()
            thread.join(10)
