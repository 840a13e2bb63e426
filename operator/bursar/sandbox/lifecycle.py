"""Starts and ends whole sandboxes; what fails or is interrupted leaves nothing running.

No data stays behind either. Only after a failure the logs stay, because the error names them; the
next `up` or `down` removes them.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bursar.sandbox import (
    cluster,
    fleet,
    install,
    kubectl,
    operator,
    processes,
    programs,
    prometheus_server,
)
from bursar.sandbox import state as states
from bursar.sandbox.errors import SandboxError, SandboxRunning
from bursar.sandbox.golang import Report
from bursar.sandbox.interrupts import Interrupts
from bursar.sandbox.processes import Process
from bursar.sandbox.rest import Api
from bursar.sandbox.state import SandboxState

_STOP_SECONDS: Final = 3.0
_PORT_TRIES: Final = 3
_NODE_SECONDS: Final = 120.0
_LOGS: Final = "logs"
#: Says that the directory is ours, so that we may delete what is listed here and the ledger.
_MARK: Final = ".bursar-sandbox"
_OURS: Final = frozenset(
    {
        _LOGS,
        "etcd",
        "helm",
        "kubeconfig",
        "kubeconfigs",
        "kwok.yaml",
        "operator.kubeconfig",
        "operator.token",
        "pki",
        "prometheus",
        "state.json",
        "state.json.new",
        "tokens.csv",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What `up` shall start.

    Attributes:
        dir: The sandbox's directory.
        nodes: How many fake GPU nodes; 0 means one of each model.
        operator: Whether to start the operator.
        chart: Whether to install the chart.
        kubeconfig: An existing cluster to use instead of a control plane of our own.
        json_storage: Whether etcd holds objects as JSON, for whoever wants to read them there.
        prometheus: Whether to start a Prometheus that scrapes the operator.
    """

    dir: Path
    nodes: int = 0
    operator: bool = True
    chart: bool = True
    kubeconfig: Path | None = None
    json_storage: bool = False
    prometheus: bool = False


def default_dir() -> Path:
    """`bursar/sandbox` in the user's state directory."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "bursar" / "sandbox"


def up(options: UpOptions, report: Report) -> SandboxState:
    """Start a sandbox and return when all of it is ready; it goes on running.

    Args:
        options: What to start.
        report: Takes lines of progress.

    Raises:
        SandboxRunning: The directory holds one that lives.
        SandboxError: It cannot be started; names what to look at. Nothing runs then.
    """
    options = replace(options, dir=options.dir.absolute())
    if options.chart:
        install.chart_path()
    if options.prometheus and not options.operator:
        raise SandboxError("--prometheus scrapes the operator: it needs one, not --no-operator")
    with Interrupts() as interrupts, _directory(options.dir):
        try:
            _prepare(options.dir, report)
        except BaseException:
            _remove_empty(options.dir)
            raise
        try:
            return _start(options, report, interrupts)
        except BaseException as error:
            with interrupts.hold():
                _end(options.dir, report, keep_logs=isinstance(error, SandboxError))
                _remove_empty(options.dir)
            raise


def down(folder: Path, report: Report = lambda _: None) -> bool:
    """End a sandbox and delete its directory.

    Returns:
        Whether there was one.
    """
    folder = folder.absolute()
    if not (folder / _MARK).exists():
        return False
    with Interrupts() as interrupts, _directory(folder), interrupts.hold():
        _end(folder, report, keep_logs=False)
        _remove_empty(folder)
    return True


def status(folder: Path) -> dict[str, Any]:
    """What lives of a sandbox: the contract's fields, and each process with `alive`.

    Raises:
        SandboxError: There is no sandbox in the directory.
    """
    state = states.load(folder)
    parts = list(state.processes) + ([state.operator.process] if state.operator else [])
    return {
        **state.contract(),
        "ready": state.ready,
        "processes": [
            {
                "name": process.name,
                "pid": process.pid,
                "alive": processes.alive(process),
                "log": str(process.log),
            }
            for process in parts
        ],
    }


def operator_start(folder: Path, server: str = "") -> SandboxState:
    """Start the operator of a running sandbox (one that lives already is left alone).

    Args:
        folder: The sandbox's directory.
        server: URL by which it reaches the API server; empty: the API server's own.
    """
    with Interrupts() as interrupts, _directory(folder.absolute()):
        return operator.start(states.load(folder), interrupts.hold, server=server)


def operator_stop(folder: Path) -> SandboxState:
    """Stop the operator of a sandbox (SIGTERM, then SIGKILL)."""
    with Interrupts() as interrupts, _directory(folder.absolute()), interrupts.hold():
        return operator.stop(states.load(folder))


def crash(folder: Path, name: str) -> None:
    """Kill one program of the control plane with SIGKILL, as a machine that dies would.

    Raises:
        SandboxError: There is no such program.
    """
    processes.kill(_part(states.load(folder), name))


def revive(folder: Path, name: str) -> SandboxState:
    """Start a program of the control plane again, as it was started first; one that lives stays.

    It does not wait until the program is ready.

    Raises:
        SandboxError: There is no such program, or its command line was not kept.
    """
    folder = folder.absolute()
    with Interrupts() as interrupts, _directory(folder), interrupts.hold():
        state = states.load(folder)
        part = _part(state, name)
        if processes.alive(part):
            return state
        if not part.argv:
            raise SandboxError(f"nobody knows how {name} was started")
        return states.save(states.with_another(state, processes.spawn(name, part.argv, part.log)))


def _part(state: SandboxState, name: str) -> Process:
    found = next((each for each in state.processes if each.name == name), None)
    if found is None:
        raise SandboxError(f"the sandbox in {state.dir} runs no {name}")
    return found


@contextmanager
def _directory(folder: Path) -> Iterator[None]:
    """Make the directory and keep other commands off it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise SandboxError(f"{folder} cannot be a sandbox's directory: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise SandboxError(f"another command is at work on the sandbox in {folder}") from error
    finally:
        os.close(handle)


def _prepare(folder: Path, report: Report) -> None:
    """Make the directory ours: an empty one, or one whose sandbox is dead.

    Raises:
        SandboxRunning: Its sandbox lives.
        SandboxError: It holds something else.
    """
    if not (folder / _MARK).exists():
        if any(folder.iterdir()):
            raise SandboxError(f"{folder} is not empty and not a sandbox's: choose another one")
    elif states.exists(folder):
        if _lives(states.load(folder)):
            raise SandboxRunning(
                f"a sandbox already runs in {folder}: use it, or end it by `bursar sandbox down`"
            )
        report(f"clearing the remains of a dead sandbox in {folder}")
        _end(folder, report, keep_logs=False)
    else:
        _delete(folder, keep_logs=False)
    (folder / _MARK).touch(mode=0o600)


def _lives(state: SandboxState) -> bool:
    """Whether somebody may be using it; what an `up` left that was killed is nobody's."""
    if not state.ready:
        return False
    running = [*state.processes, *([state.operator.process] if state.operator else [])]
    return not state.owned or any(processes.alive(process) for process in running)


def _start(options: UpOptions, report: Report, interrupts: Interrupts) -> SandboxState:
    if options.kubeconfig is None:
        state = _own_cluster(options, report, interrupts)
    else:
        state = _existing_cluster(options, options.kubeconfig.absolute(), report)
    if options.chart:
        fresh = state.owned or not install.installed(state, report)
        state = states.save(replace(state, installed=fresh))
        install.install(state, report)
    if options.operator:
        report("starting the operator")
        state = operator.start(state, interrupts.hold)
    if options.prometheus:
        state = prometheus_server.start(state, interrupts.hold, report)
    return states.save(replace(state, ready=True))


def _existing_cluster(options: UpOptions, config: Path, report: Report) -> SandboxState:
    if options.nodes:
        raise SandboxError("--nodes needs a control plane of our own, not --kubeconfig")
    if not config.is_file():
        raise SandboxError(f"there is no kubeconfig {config}")
    state = SandboxState(
        dir=options.dir, owned=False, kubeconfig=config, kubectl=programs.kubectl(report)
    )
    version = json.loads(kubectl.run(state.kubectl, config, "get", "--raw", "/version").stdout)
    server = operator.cluster_of(state)["server"]
    return states.save(replace(state, server=server, version=version["gitVersion"]))


def _own_cluster(options: UpOptions, report: Report, interrupts: Interrupts) -> SandboxState:
    found = programs.control_plane(report)
    if options.chart:
        # Before anything runs: a build takes longer than all the rest.
        programs.helm(report)
    if options.prometheus:
        programs.prometheus(report)
    report("starting the control plane")
    for _ in range(_PORT_TRIES - 1):
        with suppress(cluster.PortTaken):
            return _start_plane(options, found, report, interrupts)
        with interrupts.hold():
            _end(options.dir, report, keep_logs=True)
    return _start_plane(options, found, report, interrupts)


def _start_plane(
    options: UpOptions, found: Mapping[str, Path], report: Report, interrupts: Interrupts
) -> SandboxState:
    book = _Book(
        SandboxState(
            dir=options.dir,
            owned=True,
            kubeconfig=options.dir / "kubeconfig",
            kubectl=found["kubectl"],
        )
    )
    launch = cluster.Launcher(options.dir / _LOGS, book.add, interrupts.hold)
    plane = cluster.start(options.dir, found, launch, json_storage=options.json_storage)
    with closing(plane.api):
        state = states.save(replace(book.state, server=plane.server, version=plane.version))
        _add_nodes(plane.api, options.nodes, state, report)
    return state


class _Book:
    """Writes each process down as it starts."""

    def __init__(self, state: SandboxState) -> None:
        self.state = states.save(state)

    def add(self, process: Process) -> None:
        self.state = states.save(states.with_process(self.state, process))


def _add_nodes(api: Api, count: int, state: SandboxState, report: Report) -> None:
    nodes = fleet.nodes(count)
    report(f"adding {len(nodes)} fake nodes")
    for node in nodes:
        code, answer = api.request("POST", "/api/v1/nodes", node)
        if code != http.client.CREATED:
            raise SandboxError(f"the API server refused node {node['metadata']['name']}: {answer}")
    names = {node["metadata"]["name"] for node in nodes}
    cluster.await_ready(
        lambda: names <= _schedulable(api),
        f"the fleet of {len(nodes)} nodes",
        list(state.processes),
        _NODE_SECONDS + len(nodes) / 10,
    )


def _schedulable(api: Api) -> set[str]:
    """Names of the nodes that are ready and that nothing keeps pods away from."""
    _, answer = api.request("GET", "/api/v1/nodes")
    items = answer.get("items", []) if isinstance(answer, dict) else []
    return {
        item["metadata"]["name"]
        for item in items
        if not item["spec"].get("taints")
        and any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in item["status"].get("conditions", [])
        )
    }


def _end(folder: Path, report: Report, *, keep_logs: bool) -> None:
    """Stop what lives, newest first, and delete what we made."""
    if (folder / _MARK).exists() and states.exists(folder):
        with suppress(SandboxError):
            state = states.load(folder)
            if state.operator:
                processes.stop([state.operator.process], _STOP_SECONDS * 3)
            if state.installed and not state.owned:
                install.uninstall(state, report)
            # At once: none has anything to save, and the server would wait for its watchers.
            for process in reversed(state.processes):
                processes.kill(process)
    _delete(folder, keep_logs=keep_logs)


def _delete(folder: Path, *, keep_logs: bool) -> None:
    if not (folder / _MARK).exists():
        return
    keep_logs = keep_logs and (folder / _LOGS).is_dir()
    ledger = [path.name for path in folder.glob("ledger.db*")]
    for name in {*_OURS, *ledger} - ({_LOGS} if keep_logs else set()):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if not keep_logs:
        (folder / _MARK).unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    """Remove the directory, unless something of somebody else's is in it."""
    with suppress(OSError):
        folder.rmdir()
