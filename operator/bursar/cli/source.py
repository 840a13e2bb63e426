"""Where figures come from: the operator's read API, or the ledger itself."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bursar.cli.server import Where
from bursar.errors import BursarError

Ask = Callable[[str, Mapping[str, str]], dict[str, Any]]
"""Asks for a page by its name and parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The read API (found by the kubeconfig where none is named), or a ledger."""

    where: Where
    ledger: str | None = None
    cluster: str = "default"

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        """A way to ask.

        Raises:
            BursarError: both are named, or neither can be found.
        """
        if self.ledger is None:
            from bursar.cli.reach import connected

            with connected(self.where) as api:
                yield api.get
            return
        if self.where.server:
            raise BursarError("name --server or --ledger, not both: two ways to one answer")
        yield self._read

    def _read(self, page: str, query: Mapping[str, str]) -> dict[str, Any]:
        from bursar.runtime.answers import reporting
        from bursar.runtime.clock import now

        readers = {
            "report": reporting.report_of,
            "runs": reporting.runs_of,
            "models": reporting.models_of,
        }
        return reporting.of_ledger(
            readers[page], self.ledger or "", self.cluster, _checked(page, query), now()
        )


def _checked(page: str, query: Mapping[str, str]) -> Mapping[str, str]:
    """The query as the read API would take it: the same lines refuse what does not fit."""
    from bursar.runtime.answers.parameters import check
    from bursar.runtime.answers.routes import ROUTES

    route = next(route for route in ROUTES if route.name == page)
    return check(route.parameters, query.items())


def given(**parameters: object) -> dict[str, str]:
    """Those parameters that were named; a trailing `_` of a name that Python reserves is cut."""
    return {name.rstrip("_"): str(value) for name, value in parameters.items() if value}
