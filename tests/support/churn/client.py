"""Asks the API server as its administrator, however often that dies: again, until it answers."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

JSON = dict[str, Any]
BUSY = {0, 429, 500, 502, 503, 504}
PATIENCE_SECONDS = 90.0
INVALID = 422
UNREADY = ("failed to configure policy", "failed to configure binding")
"""What an API server that has just begun says of a pod, as long as it has not read its CRDs."""


class Client:
    """One kept connection to an API server for each thread.

    Attributes:
        unready: how often pods were refused because policies were not whole yet.
    """

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text("utf-8"))
        cluster = config["clusters"][0]["cluster"]
        self._token = config["users"][0]["user"]["token"]
        self._address = urlsplit(cluster["server"]).netloc
        trust = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.tls = ssl.create_default_context(cadata=trust)
        self._local = threading.local()
        self._made: list[http.client.HTTPSConnection] = []
        self.unready = 0

    def close(self) -> None:
        """End the connections of all threads."""
        for connection in self._made:
            connection.close()

    def once(self, verb: str, path: str, body: object = None, kind: str = "") -> tuple[int, Any]:
        """Send one request; the status is 0 where nobody answered."""
        headers = {"Authorization": f"Bearer {self._token}"}
        headers["Content-Type"] = kind or "application/json"
        try:
            if getattr(self._local, "connection", None) is None:
                made = http.client.HTTPSConnection(self._address, context=self.tls, timeout=20)
                self._made.append(made)
                self._local.connection = made
            connection = self._local.connection
            data = None if body is None else json.dumps(body)
            connection.request(verb, path, data, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            if self._local.connection is not None:
                self._local.connection.close()
            self._local.connection = None
            return 0, str(error)
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode(errors="replace")

    def ask(self, verb: str, path: str, body: object = None, kind: str = "") -> tuple[int, Any]:
        """Send a request until the server that gets it is in a state to answer it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, answer = self.once(verb, path, body, kind)
            unready = status == INVALID and any(each in str(answer) for each in UNREADY)
            self.unready += unready
            if status not in BUSY and not unready:
                return status, answer
            assert time.monotonic() < deadline, f"{verb} {path}: {status}: {answer}"
            time.sleep(0.2)

    def must(self, verb: str, path: str, body: object = None, kind: str = "") -> Any:
        """The same, where a refusal is an error; that it is there already is none."""
        status, answer = self.ask(verb, path, body, kind)
        assert status < 400 or status == http.client.CONFLICT, f"{verb} {path}: {status}: {answer}"
        return answer

    def merge(self, path: str, body: object) -> Any:
        """Patch an object."""
        return self.must("PATCH", path, body, "application/merge-patch+json")

    def ready(self) -> bool:
        """Whether the API server says so."""
        return self.once("GET", "/readyz")[0] == http.client.OK
