"""What the API server says to an object, without keeping it: one connection for many questions."""

import json
from pathlib import Path
from typing import Any, Self

from kubernetes import client, config

from bursar.api import crd, meta
from support.examples import GRANT

PLURALS = {resource.KIND: resource.PLURAL for resource in crd.RESOURCES}
NAMESPACED = {resource.KIND for resource in crd.RESOURCES if resource.NAMESPACED}


class DryRun:
    """Creates objects of our kinds with `dryRun=All`, as strictly as kubectl does."""

    def __init__(self, kubeconfig: Path) -> None:
        self._client = config.new_client_from_config(str(kubeconfig))
        # A grant must be signed by whoever writes it, and those of the examples are lee's.
        self._client.set_default_header("Impersonate-User", GRANT["grantedBy"])
        self._client.set_default_header("Impersonate-Group", "system:masters")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def create(self, obj: dict[str, Any], namespace: str) -> tuple[int, str]:
        """Send one object.

        Returns:
            The status code and the API server's message; empty where it accepts.
        """
        kind = obj["kind"]
        api = client.CustomObjectsApi(self._client)
        where = {"namespace": namespace} if kind in NAMESPACED else {}
        metadata = {key: each for key, each in obj["metadata"].items() if key != "name"}
        body = {**obj, "metadata": {**metadata, **where, "generateName": "trial-"}}
        create = api.create_namespaced_custom_object if where else api.create_cluster_custom_object
        try:
            create(
                group=meta.GROUP,
                version=meta.VERSION,
                plural=PLURALS[kind],
                body=body,
                dry_run="All",
                field_validation="Strict",
                **where,
            )
        except client.ApiException as refusal:
            return refusal.status, str(json.loads(refusal.body)["message"])
        return 201, ""
