"""Which cluster is meant, and what to tell somebody for whom it does not answer."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bursar.errors import BursarError
from bursar.runtime.cluster.gateway import ApiError, Credentials, load_credentials


class NotReadable(BursarError):  # noqa: N818 - named after what is wrong, as callers read it
    """A cluster can't be reached or read; the message is one line with the next step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A cluster of a kubeconfig.

    Attributes:
        context: the name it has there; blank inside a cluster.
        namespace: the context's own, which kubectl takes where none is named.
    """

    credentials: Credentials
    context: str
    namespace: str

    @property
    def _cluster(self) -> str:
        named = f"context {self.context} " if self.context else ""
        return f"the API server of {named}({self.credentials.server})"

    def unreachable(self, why: str) -> NotReadable:
        """Nobody answers."""
        return NotReadable(
            f"{self._cluster} can't be reached: {' '.join(why.split())[:160]}; "
            "try `kubectl cluster-info`, or name another context with --context"
        )

    def refused(self, error: ApiError) -> NotReadable:
        """It answers with an error that no other way leads around."""
        if error.status == 0:
            return self.unreachable(error.message)
        if error.status == 401:
            return NotReadable(
                f"{self._cluster} does not know who you are (401): "
                "log in again, and see that `kubectl auth whoami` answers"
            )
        return NotReadable(f"{self._cluster} answers with an error: {error}")

    def nothing_readable(self, error: ApiError, names: Sequence[str]) -> NotReadable:
        """No pod may be read."""
        tried = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        return NotReadable(
            f"pods may not be read, neither all nor in {tried} ({error.message[:160]}); "
            "name a namespace of yours with -n, or ask for ClusterRole view"
        )


async def find(kubeconfig: Path | None, context: str | None) -> Where:
    """Read the kubeconfig.

    Raises:
        NotReadable: there is none, or it has no such context.
    """
    try:
        credentials = await load_credentials(kubeconfig, context)
    except BursarError as error:
        raise NotReadable(" ".join(str(error).split())) from error
    named, namespace = _context(kubeconfig, context)
    return Where(credentials=credentials, context=named, namespace=namespace)


def _context(kubeconfig: Path | None, context: str | None) -> tuple[str, str]:
    """The context's name and namespace."""
    from kubernetes.aio import config
    from kubernetes.aio.config.config_exception import ConfigException
    from kubernetes.aio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION

    where = str(kubeconfig or Path(KUBE_CONFIG_DEFAULT_LOCATION).expanduser())
    if not any(Path(part).is_file() for part in where.split(os.pathsep)):
        return "", "default"
    try:
        contexts, active = config.list_kube_config_contexts(where)
    except (ConfigException, OSError, TypeError):
        return context or "", "default"
    chosen = next((each for each in contexts if each["name"] == context), active)
    return str(chosen["name"]), str(chosen["context"].get("namespace") or "default")
