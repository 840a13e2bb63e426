"""What the command line knows of the operator's read API, however it is reached."""

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

TIMEOUT_SECONDS = 60.0
WRITE_SECONDS = 600.0
"""Likewise, for what changes the ledger."""
PREFIX = "api/v1"


class Api(Protocol):
    """The read API, however it is reached."""

    def get(
        self, path: str, query: Mapping[str, str] | None = None, seconds: float = TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """GET one page of it.

        Raises:
            BursarError: one line with the next step.
        """

    def post(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Have something done; likewise."""

    def download(self, path: str, target: BinaryIO) -> None:
        """Have a file sent; likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What the command line says of where the operator is."""

    server: str | None = None
    token: str | None = None
    token_file: Path | None = None
    kubeconfig: Path | None = None
    context: str | None = None


def segment(text: str) -> str:
    """A part of a path, whatever characters it has."""
    return urllib.parse.quote(text, safe="")
