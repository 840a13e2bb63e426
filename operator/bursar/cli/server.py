"""Where the operator's read API is, and how it is asked."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bursar.errors import BursarError

TIMEOUT_SECONDS = 30


def find_server(server: str | None, kubeconfig: Path | None) -> str:
    """The read API's URL: as given, or that of the sandbox which the kubeconfig belongs to.

    Raises:
        BursarError: none is known; says how to name one.
    """
    if server:
        return server.rstrip("/")
    state = kubeconfig.parent / "state.json" if kubeconfig else None
    if state is not None and state.is_file():
        operator = json.loads(state.read_text("utf-8")).get("operator") or {}
        if operator.get("url"):
            return str(operator["url"])
        raise BursarError(
            f"the sandbox in {state.parent} has no operator running: "
            f"start it with `bursar sandbox operator start --dir {state.parent}`"
        )
    raise BursarError(
        "where is the operator? name its read API with --server URL (or BURSAR_SERVER), "
        "or point KUBECONFIG at a sandbox's kubeconfig"
    )


def ask(server: str, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """GET one page of the read API.

    Raises:
        BursarError: it cannot be reached, or says what is wrong with the question.
    """
    url = f"{server}/api/v1/{path}"
    if query:
        url += "?" + urllib.parse.urlencode(query)
    if not url.startswith(("http://", "https://")):
        raise BursarError(f"{server} is no URL: it starts with http:// or https://")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise BursarError(_reason(error)) from error
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise BursarError(
            f"the operator's read API at {server} does not answer: {reason}"
        ) from error


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the read API says {error.code} {error.reason}"
