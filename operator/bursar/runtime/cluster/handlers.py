"""kopf's handlers: unpack the event, tell the controller. Nothing is decided here.

Only `on.event` is used: kopf's other handlers leave annotations and finalizers on the objects they
watch, and a dead operator must never keep anybody's object from going away. The watches on which
money depends (pods, nodes) are `runtime.stream`'s, because they must replay; all else is here.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import kopf

from bursar.api.meta import GROUP, VERSION
from bursar.runtime.cluster.gateway import JSON, Gateway

CONFIGURATION = (
    "aibudgets",
    "clusteraibudgets",
    "pricebooks",
    "classificationpolicies",
    "aimodels",
)


class Listener(Protocol):
    """Who is told of changes: each call says whether the object is gone."""

    async def on_configuration(self, plural: str, obj: JSON, *, gone: bool) -> None:
        """One of Bursar's own resources."""

    async def on_namespace(self, obj: JSON, *, gone: bool) -> None:
        """A namespace; its labels matter."""

    async def on_job(self, obj: JSON, *, gone: bool) -> None:
        """A Job, of any kind of work."""


class NoStorage(kopf.DiffBaseStorage):
    """Keeps nothing: event handlers need no diff base, and it is a quarter of kopf's CPU."""

    def build(self, **_: Any) -> Any:
        """Build nothing to compare with later."""
        return {}

    def fetch(self, **_: Any) -> None:
        """Find nothing of an earlier run."""

    def store(self, **_: Any) -> None:
        """Leave nothing on the object."""


def registry(listener: Listener, gateway: Gateway) -> kopf.OperatorRegistry:
    """All handlers, in a registry of their own."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        credentials = await gateway.renewed_credentials()
        return kopf.ConnectionInfo(
            server=credentials.server,
            ca_path=credentials.ca_path,
            token=credentials.token or None,
            certificate_path=credentials.cert_path,
            private_key_path=credentials.key_path,
        )

    @kopf.on.startup(registry=handlers)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.peering.standalone = True
        settings.watching.chunk_size = 500
        settings.persistence.diffbase_storage = NoStorage()

    for plural in CONFIGURATION:
        _on_configuration(handlers, listener, plural)

    @kopf.on.event("", "v1", "namespaces", registry=handlers)
    async def namespace(event: Mapping[str, Any], **_: Any) -> None:
        await listener.on_namespace(dict(event["object"]), gone=event["type"] == "DELETED")

    @kopf.on.event("batch", "v1", "jobs", registry=handlers)
    async def job(event: Mapping[str, Any], **_: Any) -> None:
        await listener.on_job(dict(event["object"]), gone=event["type"] == "DELETED")

    return handlers


def _on_configuration(handlers: kopf.OperatorRegistry, listener: Listener, plural: str) -> None:
    @kopf.on.event(GROUP, VERSION, plural, registry=handlers, id=plural)
    async def configuration(event: Mapping[str, Any], **_: Any) -> None:
        gone = event["type"] == "DELETED"
        await listener.on_configuration(plural, dict(event["object"]), gone=gone)
