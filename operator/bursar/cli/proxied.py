"""The read API through the API server's service proxy, by the kubeconfig's own credentials.

The CRDs say where it is (annotation `bursar.dev/read-api`, set by the chart), so nothing has to be
configured, forwarded or exposed; RBAC of the API server decides who may ask.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Self, TypeVar

from bursar.api.meta import ANNOTATION_READ_API, GROUP
from bursar.cli.server import PREFIX, TIMEOUT_SECONDS, WRITE_SECONDS
from bursar.domain.fields import mapping, texts
from bursar.errors import BursarError
from bursar.runtime.cluster.credentials import context_name
from bursar.runtime.cluster.gateway import ApiError, Gateway

CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/aibudgets.{GROUP}"
VIEWER = "ask for ClusterRole bursar-viewer"
ACCOUNTANT = "ask for ClusterRole bursar-accountant"
T = TypeVar("T")
_PLACE = re.compile(r"([a-z0-9][-a-z0-9]*)/(https?:[a-z0-9][-a-z0-9]*:[a-z0-9][-a-z0-9]*)")


class Proxied:
    """The read API of the operator that is installed in a cluster."""

    def __init__(self, kubeconfig: Path | None, context: str | None) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._runner = asyncio.Runner()
        self._gateway: Gateway | None = None
        self._place: tuple[str, str] | None = None

    def __enter__(self) -> Self:
        """Nothing is asked yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        if self._gateway is not None:
            self._runner.run(self._gateway.close())
        self._runner.close()

    def get(
        self, path: str, query: Mapping[str, str] | None = None, seconds: float = TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """GET one page."""

        async def ask(gateway: Gateway, url: str) -> dict[str, Any]:
            return await gateway.get(url, **query or {})

        return self._runner.run(self._asked(path, ask, seconds, "get"))

    def post(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Have something done."""

        async def ask(gateway: Gateway, url: str) -> dict[str, Any]:
            return await gateway.post(url, **query or {})

        return self._runner.run(self._asked(path, ask, WRITE_SECONDS, "create"))

    def download(self, path: str, target: BinaryIO) -> None:
        """Have a file sent."""

        async def ask(gateway: Gateway, url: str) -> None:
            await gateway.download(url, target)

        self._runner.run(self._asked(path, ask, WRITE_SECONDS, "create"))

    async def _asked(
        self,
        path: str,
        ask: Callable[[Gateway, str], Awaitable[T]],
        seconds: float,
        verb: str,
    ) -> T:
        try:
            async with asyncio.timeout(seconds):
                if self._gateway is None:
                    self._gateway = await Gateway.connect(
                        self._kubeconfig, self._context, seconds=seconds
                    )
                if self._place is None:
                    self._place = await self._find(self._gateway)
                namespace, service = self._place
                base = f"/api/v1/namespaces/{namespace}/services/{service}/proxy/{PREFIX}/"
                with self._explained(self._place, verb):
                    return await ask(self._gateway, base + path)
        except TimeoutError as error:
            said = f"{self._cluster()} does not answer within {seconds:.0f} s"
            raise BursarError(said) from error

    async def _find(self, gateway: Gateway) -> tuple[str, str]:
        """Namespace and service (`http:SERVICE:PORT`), as the chart wrote them on the CRD."""
        try:
            definition = await gateway.get(CRD)
        except ApiError as error:
            if error.status == 404:
                raise BursarError(not_installed(self._cluster())) from error
            if error.status == 403:
                said = f"you may not read CRD aibudgets.{GROUP} in {self._cluster()}: {VIEWER}"
                raise BursarError(said) from error
            fail(error, self._cluster())
        told = texts(mapping(definition, "metadata"), "annotations").get(ANNOTATION_READ_API, "")
        match = _PLACE.fullmatch(told)
        if match is None:
            raise BursarError(
                f"Bursar's CRDs in {self._cluster()} do not say where the operator is (annotation "
                f"{ANNOTATION_READ_API}): upgrade the chart, or name the read API with --server"
            )
        return match[1], match[2]

    @contextmanager
    def _explained(self, place: tuple[str, str], verb: str) -> Iterator[None]:
        """Say what an error of the way to the operator means."""
        namespace, service = place
        try:
            yield
        except ApiError as error:
            if error.status and not error.reason:  # it is the operator itself that says so
                raise BursarError(error.message) from error
            if error.status == 403:
                raise BursarError(
                    f"you may not ask the operator of {self._cluster()} ({verb} on services/proxy "
                    f"{service} in {namespace}): {VIEWER if verb == 'get' else ACCOUNTANT}"
                ) from error
            if error.status in (404, 503):
                raise BursarError(
                    f"the operator of {self._cluster()} does not run "
                    f"({' '.join(error.message.split())[:120]}): "
                    f"see `kubectl -n {namespace} get pods`"
                ) from error
            fail(error, self._cluster())

    def _cluster(self) -> str:
        return f"context {context_name(self._kubeconfig, self._context)}"


def not_installed(cluster: str) -> str:
    """What to do where there is no Bursar."""
    return (
        f"Bursar is not installed in {cluster}: install its chart (`helm install bursar …`); "
        "`bursar audit` needs nothing installed"
    )


def fail(error: ApiError, cluster: str) -> NoReturn:
    """Say what an error of the API server means that nothing more is known of.

    Raises:
        BursarError: always.
    """
    said = " ".join(error.message.split())[:200]
    if error.status == 0:
        raise BursarError(
            f"the API server of {cluster} cannot be reached ({said}): is it the right context? "
            "`kubectl config get-contexts` lists them"
        ) from error
    if error.status == 401:
        raise BursarError(
            f"the API server of {cluster} does not accept these credentials: log in again"
        ) from error
    raise BursarError(f"the API server of {cluster} says {error.status}: {said}") from error
