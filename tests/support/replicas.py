"""Several operators that share a ledger, as replicas of one Deployment do."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bursar.admission import placeholders
from bursar.admission.permissions import REPLICA_ROLES
from bursar.admission.placeholders import fill
from bursar.admission.rights import rules
from bursar.sandbox import install, kubeconfig, operator, processes
from support.cluster import Sandbox
from support.product import SOURCE

API = "rbac.authorization.k8s.io"


def elector(namespace: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The chart's role for replicas, and who has it."""
    (role,) = REPLICA_ROLES
    names = {"name": f"bursar-{role.name}", "namespace": namespace}
    account = {"name": install.SERVICE_ACCOUNT, "namespace": install.NAMESPACE}
    return (
        {
            "apiVersion": f"{API}/v1",
            "kind": "Role",
            "metadata": names,
            "rules": fill(rules(role), {placeholders.FULLNAME: "bursar"}),
        },
        {
            "apiVersion": f"{API}/v1",
            "kind": "RoleBinding",
            "metadata": names,
            "roleRef": {"apiGroup": API, "kind": "Role", "name": names["name"]},
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
    )


def as_operator(sandbox: Sandbox, path: Path) -> Path:
    """Write a kubeconfig with the rights of the chart's ServiceAccount."""
    token = sandbox.kubectl(
        "create", "token", install.SERVICE_ACCOUNT, f"--namespace={install.NAMESPACE}"
    ).stdout.strip()
    user = {"token": token}
    kubeconfig.write(path, kubeconfig.document(operator.cluster_of(sandbox.state), user, "own"))
    return path


@dataclass(slots=True)
class Replica:
    """One operator process."""

    port: int
    process: processes.Process

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of an answer; 0 where there is none."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    @property
    def stands_by(self) -> bool:
        """Whether it waits for another to end."""
        return self.get("/readyz")[1].startswith("stands by")

    @property
    def leads(self) -> bool:
        """Whether it is ready and has the figures."""
        status, text = self.get("/readyz")
        return status == 200 and not text.startswith("stands by")

    def report(self, query: str) -> list[dict[str, Any]]:
        """Rows of a report."""
        status, text = self.get(f"/api/v1/report?{query}")
        assert status == 200, text
        return list(json.loads(text)["rows"])


@dataclass(slots=True)
class Replicas:
    """Operators of one installation; all are ended at the end."""

    sandbox: Sandbox
    folder: Path
    ledger: str
    running: list[Replica] = field(default_factory=list)

    def start(self) -> Replica:
        """Start one more."""
        access = as_operator(self.sandbox, self.folder / f"kubeconfig-{len(self.running)}")
        (port,) = processes.free_ports(1)
        argv = operator.command(self.sandbox.state, access, port)
        argv[argv.index("--ledger") + 1] = self.ledger
        env = {
            **{key: value for key, value in os.environ.items() if key != "KUBECONFIG"},
            "PYTHONPATH": str(SOURCE),
            "BURSAR_WATCH_PODS": "Stamped",
            "BURSAR_LEADER_ELECT": "true",
        }
        log = self.folder / f"operator-{len(self.running)}.log"
        made = Replica(port=port, process=processes.spawn("operator", argv, log, env=env))
        self.running.append(made)
        return made

    def end(self) -> None:
        """End all that still run."""
        processes.stop([each.process for each in self.running], 20.0)
