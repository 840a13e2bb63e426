"""A request that is not answered, with the HTTP status that says so."""

from collections.abc import Mapping

from bursar.errors import BursarError


class Refused(BursarError):  # noqa: N818 - named after what happened, as callers read it
    """Why a request of the read API has no answer, in one line that says what to do.

    Attributes:
        status: of HTTP.
        headers: that belong to it.
    """

    def __init__(self, status: int, said: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = dict(headers or {})
        super().__init__(said)
