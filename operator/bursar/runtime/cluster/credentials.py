"""How to reach an API server: what a kubeconfig, or the Pod's ServiceAccount, says.

Read by the official client's loaders, so that all they know works: certificates, tokens and their
files, plugins (`exec`), several files in one KUBECONFIG. Never logged.
"""

import logging
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yaml import YAMLError

from bursar.errors import BursarError

logger = logging.getLogger(__name__)

LONGEST_PROBLEM = 300
_BROKEN = (OSError, TypeError, ValueError, KeyError, AttributeError)
"""What the official loader raises on a kubeconfig that is not one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How to reach one API server.

    Attributes:
        token: the token, empty for client certificates; never part of `repr`.
        scheme: how the token is sent: `Bearer`, or `Basic`.
        tls_server_name: the name that the server's certificate has, where it is not its address's.
        proxy: URL of an HTTP proxy to go through.
    """

    server: str
    ssl_context: ssl.SSLContext = field(repr=False)
    token: str = field(default="", repr=False)
    ca_path: str | None = None
    cert_path: str | None = None
    key_path: str | None = field(default=None, repr=False)
    scheme: str = "Bearer"
    tls_server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)


async def load_credentials(kubeconfig: Path | None, context: str | None = None) -> Credentials:
    """Read a kubeconfig, or the Pod's ServiceAccount where none is named and there is one.

    Raises:
        BursarError: nothing usable was found; the message says where it looked.
    """
    from kubernetes.aio import client, config
    from kubernetes.aio.config.config_exception import ConfigException
    from kubernetes.aio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION

    settings = client.Configuration()
    # One path or several, as kubectl takes them.
    where = str(kubeconfig or Path(KUBE_CONFIG_DEFAULT_LOCATION).expanduser())
    said = _Said()
    try:
        if kubeconfig is None and Path("/var/run/secrets/kubernetes.io/serviceaccount").is_dir():
            config.load_incluster_config(settings)
        elif not any(Path(part).is_file() for part in where.split(os.pathsep)):
            raise BursarError(_no_way(f"there is no kubeconfig {where}"))
        else:
            with said.listening():
                await config.load_kube_config(where, context, settings, persist_config=False)
        return _credentials(settings)
    except (ConfigException, YAMLError, *_BROKEN) as error:
        problem = " ".join(str(error).split())[:LONGEST_PROBLEM]
        raise BursarError(_no_way(f"{where}: {problem}")) from error
    finally:
        if said.lines:
            logger.warning("kubeconfig %s: %s", where, " ".join(said.lines)[:LONGEST_PROBLEM])


def _no_way(problem: str) -> str:
    return (
        f"no way to reach a cluster: {problem}; name a kubeconfig with --kubeconfig or KUBECONFIG, "
        "a context with --context"
    )


def context_name(kubeconfig: Path | None, context: str | None) -> str:
    """The context in use, as messages name it; `(in cluster)` where there is no kubeconfig."""
    from kubernetes.aio import config
    from kubernetes.aio.config.config_exception import ConfigException
    from kubernetes.aio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION

    if context:
        return context
    where = str(kubeconfig or Path(KUBE_CONFIG_DEFAULT_LOCATION).expanduser())
    try:
        return str(config.list_kube_config_contexts(where)[1]["name"])
    except (ConfigException, YAMLError, *_BROKEN):
        return "(in cluster)"


def _credentials(settings: Any) -> Credentials:
    verify = ssl.create_default_context(cafile=settings.ssl_ca_cert)
    if not settings.verify_ssl:
        verify.check_hostname = False
        verify.verify_mode = ssl.CERT_NONE
    if settings.cert_file:
        verify.load_cert_chain(settings.cert_file, settings.key_file)
    scheme, _, token = str(settings.api_key.get("BearerToken", "")).partition(" ")
    return Credentials(
        server=str(settings.host),
        ssl_context=verify,
        token=(token or scheme).strip(),
        scheme=scheme if token else "Bearer",
        ca_path=settings.ssl_ca_cert,
        cert_path=settings.cert_file,
        key_path=settings.key_file,
        tls_server_name=settings.tls_server_name,
        proxy=settings.proxy,
    )


class _Said(logging.Handler):
    """What the official loader only logs: why a plugin of the kubeconfig gave no credentials."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(" ".join(record.getMessage().split()))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the loader's log for ourselves meanwhile."""
        log = logging.getLogger("kubernetes.aio.config")
        log.addHandler(self)
        before, log.propagate = log.propagate, False
        try:
            yield
        finally:
            log.removeHandler(self)
            log.propagate = before
