"""The few requests the sandbox itself makes of its API server: a token, one connection, JSON.

Starting `kubectl` for each would take longer than the whole control plane, and a client library
longer still to import.
"""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 10.0


class Api:
    """A client of one API server; not for several threads.

    Attributes:
        date: What the server's own clock said with its last answer (an HTTP date); empty before.
    """

    def __init__(self, server: str, ca: Path, token: str) -> None:
        self._address = urlsplit(server).netloc
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._token = token
        self._connection: http.client.HTTPSConnection | None = None
        self.date = ""

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send one request.

        Returns:
            Status code and decoded body; the code is 0 when nobody answered.
        """
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        try:
            if self._connection is None:
                self._connection = http.client.HTTPSConnection(
                    self._address, context=self._tls, timeout=_TIMEOUT_SECONDS
                )
            self._connection.request(method, path, body=data, headers=headers)
            answer = self._connection.getresponse()
            text = answer.read().decode(errors="replace")
            self.date = answer.headers.get("Date", "")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return 0, str(error)
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
