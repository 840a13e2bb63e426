"""The command lines of the control plane's programs, and the order in which they start.

Everything listens on the loopback address only, and etcd asks for a client's certificate: whoever
may use the machine may not use the sandbox.
"""

from __future__ import annotations

import base64
import http.client
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from bursar.sandbox import certificates, kubeconfig
from bursar.sandbox.certificates import Certificates
from bursar.sandbox.errors import SandboxError
from bursar.sandbox.processes import Process, alive, free_ports, log_tail, spawn
from bursar.sandbox.rest import Api

_START_SECONDS: Final = 180.0
_SERVICE_RANGE: Final = "10.96.0.0/16"
#: user, groups by the program that uses the token.
_USERS: Final = {
    "admin": ("admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kwok": ("kwok", "system:masters"),
}

Starter = Callable[[str, list[str | Path]], Process]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """A control plane that answers.

    Attributes:
        server: URL of the API server.
        kubeconfig: The administrator's.
        api: A client with the administrator's rights, for the caller to close.
        version: What the API server says it is, e.g. `v1.36.3`.
    """

    server: str
    kubeconfig: Path
    api: Api
    version: str


class PortTaken(SandboxError):  # noqa: N818 - the caller tries again with other ports
    """Somebody took a port between our looking and our listening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    folder: Path
    programs: Mapping[str, Path]
    pki: Certificates
    ports: tuple[int, int, int]
    json_storage: bool = False

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports[2]}"


class Launcher:
    """Starts programs so that each is written down before a signal can come between."""

    def __init__(
        self,
        logs: Path,
        register: Callable[[Process], None],
        hold: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._logs = logs
        self._register = register
        self._hold = hold

    def __call__(self, name: str, argv: list[str | Path]) -> Process:
        """Start one program; its log is `logs/NAME.log`."""
        with self._hold():
            process = spawn(name, argv, self._logs / f"{name}.log")
            self._register(process)
        return process


def start(
    folder: Path,
    programs: Mapping[str, Path],
    launch: Starter,
    *,
    json_storage: bool = False,
) -> ControlPlane:
    """Start all programs and wait until the API server is ready and makes service accounts.

    Args:
        folder: The sandbox's directory; gets `pki/`, `etcd/`, `kubeconfig`, `kubeconfigs/`.
        programs: Path of each program by its name.
        launch: Starts a program.
        json_storage: Whether etcd holds objects as JSON, for whoever wants to read them there.

    Raises:
        PortTaken: A port was taken meanwhile: try again.
        SandboxError: A program ended, or is not ready in time.
    """
    first, second, third = free_ports(3)
    plan = _Plan(
        folder=folder,
        programs=programs,
        pki=certificates.create(folder / "pki"),
        ports=(first, second, third),
        json_storage=json_storage,
    )
    tokens = _write_access(plan)
    api = Api(plan.server, plan.pki.ca, tokens["admin"])
    try:
        _start_all(plan, api, launch)
        _, version = api.request("GET", "/version")
    except BaseException:
        api.close()
        raise
    return ControlPlane(
        server=plan.server,
        kubeconfig=folder / "kubeconfig",
        api=api,
        version=str(version["gitVersion"]),
    )


def _start_all(plan: _Plan, api: Api, launch: Starter) -> None:
    running = [launch("etcd", _etcd(plan)), launch("kube-apiserver", _apiserver(plan))]
    await_ready(
        lambda: api.request("GET", "/readyz")[0] == http.client.OK, "the API server", running
    )
    for name, argv in (
        ("kube-controller-manager", _controller_manager(plan)),
        ("kube-scheduler", _scheduler(plan)),
        ("kwok", _kwok(plan)),
    ):
        running.append(launch(name, argv))
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    await_ready(
        lambda: api.request("GET", account)[0] == http.client.OK, "the controllers", running
    )


def await_ready(
    ready: Callable[[], bool],
    what: str,
    running: list[Process],
    seconds: float = _START_SECONDS,
) -> None:
    """Wait for a condition while all these programs live.

    Raises:
        PortTaken: A program ended because its port was taken.
        SandboxError: A program ended, or time is over; names its log.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        for process in running:
            if not alive(process):
                _say_ended(process)
        if time.monotonic() > deadline:
            last = running[-1]
            raise SandboxError(
                f"{what} is not ready after {seconds:.0f} s; {last.log} ends: {log_tail(last.log)}"
            )
        time.sleep(0.1)


def _say_ended(process: Process) -> None:
    tail = log_tail(process.log)
    kind = PortTaken if "address already in use" in tail else SandboxError
    raise kind(f"{process.name} ended while starting; its log {process.log} ends: {tail}")


def _write_access(plan: _Plan) -> dict[str, str]:
    tokens = {name: secrets.token_hex(24) for name in _USERS}
    lines = [f'{tokens[name]},{user},{name},"{groups}"' for name, (user, groups) in _USERS.items()]
    certificates.write_private(plan.folder / "tokens.csv", "\n".join(lines) + "\n")
    cluster = {
        "server": plan.server,
        "certificate-authority-data": _base64(plan.pki.ca),
    }
    for name, token in tokens.items():
        path = plan.folder / "kubeconfig" if name == "admin" else _config(plan, name)
        kubeconfig.write(path, kubeconfig.document(cluster, {"token": token}, "sandbox"))
    text = resources.files("bursar.sandbox").joinpath("kwok.yaml").read_text("utf-8")
    (plan.folder / "kwok.yaml").write_text(text, "utf-8")
    return tokens


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _config(plan: _Plan, name: str) -> Path:
    return plan.folder / "kubeconfigs" / f"{name}.yaml"


def _etcd(plan: _Plan) -> list[str | Path]:
    client, peer = (f"https://127.0.0.1:{port}" for port in plan.ports[:2])
    pki = plan.pki
    return [
        plan.programs["etcd"],
        "--name=sandbox",
        f"--data-dir={plan.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=sandbox={peer}",
        f"--cert-file={pki.server_cert}",
        f"--key-file={pki.server_key}",
        f"--trusted-ca-file={pki.ca}",
        "--client-cert-auth",
        f"--peer-cert-file={pki.server_cert}",
        f"--peer-key-file={pki.server_key}",
        f"--peer-trusted-ca-file={pki.ca}",
        "--peer-client-cert-auth",
        # The data is thrown away with the sandbox: nothing is gained by waiting for the disk.
        "--unsafe-no-fsync",
        "--quota-backend-bytes=8589934592",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=10m",
        "--log-level=warn",
    ]


def _apiserver(plan: _Plan) -> list[str | Path]:
    pki = plan.pki
    return [
        plan.programs["kube-apiserver"],
        f"--etcd-servers=https://127.0.0.1:{plan.ports[0]}",
        f"--etcd-cafile={pki.ca}",
        f"--etcd-certfile={pki.client_cert}",
        f"--etcd-keyfile={pki.client_key}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        # Endpoints may not be loopback addresses, so there is nothing to reconcile.
        "--endpoint-reconciler-type=none",
        f"--secure-port={plan.ports[2]}",
        f"--tls-cert-file={pki.server_cert}",
        f"--tls-private-key-file={pki.server_key}",
        f"--client-ca-file={pki.ca}",
        f"--token-auth-file={plan.folder / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--anonymous-auth=false",
        f"--service-cluster-ip-range={_SERVICE_RANGE}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki.service_account_public}",
        f"--service-account-signing-key-file={pki.service_account_key}",
        "--allow-privileged=true",
        "--max-requests-inflight=1000",
        "--max-mutating-requests-inflight=500",
        "--profiling=false",
        *(["--storage-media-type=application/json"] if plan.json_storage else []),
    ]


def _controller_manager(plan: _Plan) -> list[str | Path]:
    config = _config(plan, "kube-controller-manager")
    return [
        plan.programs["kube-controller-manager"],
        f"--kubeconfig={config}",
        "--secure-port=0",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--root-ca-file={plan.pki.ca}",
        f"--service-account-private-key-file={plan.pki.service_account_key}",
        # Fake nodes do not fail; a machine that is busy must not look like a dead node.
        "--node-monitor-grace-period=10m",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--profiling=false",
    ]


def _scheduler(plan: _Plan) -> list[str | Path]:
    config = _config(plan, "kube-scheduler")
    return [
        plan.programs["kube-scheduler"],
        f"--kubeconfig={config}",
        "--secure-port=0",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--profiling=false",
    ]


def _kwok(plan: _Plan) -> list[str | Path]:
    return [
        plan.programs["kwok"],
        f"--kubeconfig={_config(plan, 'kwok')}",
        f"--config={plan.folder / 'kwok.yaml'}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--node-lease-duration-seconds=0",
        "--v=WARN",
    ]
