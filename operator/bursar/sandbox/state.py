"""What a sandbox is made of, kept in its directory as `state.json`, renewed at every change."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bursar.sandbox.certificates import write_private
from bursar.sandbox.errors import SandboxError
from bursar.sandbox.processes import Process

_FILE: Final = "state.json"
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorState:
    """The operator's process and its HTTP server.

    Attributes:
        process: The process.
        url: Where its HTTP server listens.
    """

    process: Process
    url: str

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid

    @property
    def metrics_url(self) -> str:
        """Where Prometheus scrapes."""
        return f"{self.url}/metrics"

    def contract(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {"pid": self.pid, "url": self.url, "metricsUrl": self.metrics_url}


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxState:
    """A sandbox.

    Attributes:
        dir: Its directory.
        owned: Whether the control plane is ours; False for an existing cluster.
        ready: Whether `up` came to its end.
        kubeconfig: The administrator's kubeconfig.
        kubectl: A kubectl that fits.
        server: URL of the API server.
        version: Its version, e.g. `v1.36.3`.
        processes: The control plane's processes in the order they were started.
        operator: The operator as it was last started; None when it was not, or was stopped.
        installed: Whether the chart's release is ours to remove.
        prometheus_url: Where a Prometheus answers that scrapes the operator; None where none does.
    """

    dir: Path
    owned: bool
    ready: bool = False
    kubeconfig: Path
    kubectl: Path
    server: str = ""
    version: str = ""
    processes: tuple[Process, ...] = ()
    operator: OperatorState | None = None
    installed: bool = False
    prometheus_url: str | None = None

    def contract(self) -> dict[str, Any]:
        """The last line of `bursar sandbox up -o json`."""
        return {
            "dir": str(self.dir),
            "kubeconfig": str(self.kubeconfig),
            "kubectl": str(self.kubectl),
            "server": self.server,
            "version": self.version,
            "operator": self.operator.contract() if self.operator else None,
            "prometheusUrl": self.prometheus_url,
        }


def save(state: SandboxState) -> SandboxState:
    """Write the state down, whole or not at all; returns it."""
    document = {
        "format": _FORMAT,
        "owned": state.owned,
        "ready": state.ready,
        "kubeconfig": str(state.kubeconfig),
        "kubectl": str(state.kubectl),
        "server": state.server,
        "version": state.version,
        "installed": state.installed,
        "prometheusUrl": state.prometheus_url,
        "processes": [_process_document(process) for process in state.processes],
        "operator": state.operator
        and {"process": _process_document(state.operator.process), "url": state.operator.url},
    }
    draft = state.dir / f"{_FILE}.new"
    write_private(draft, json.dumps(document, indent=1))
    draft.replace(state.dir / _FILE)
    return state


def exists(folder: Path) -> bool:
    """Whether a sandbox was ever started in this directory and not ended."""
    return (folder / _FILE).exists()


def load(folder: Path) -> SandboxState:
    """Read a sandbox's state.

    Raises:
        SandboxError: There is none, or it is not readable.
    """
    folder = folder.absolute()
    try:
        document = json.loads((folder / _FILE).read_text("utf-8"))
    except FileNotFoundError as error:
        raise SandboxError(f"there is no sandbox in {folder}") from error
    except (OSError, ValueError) as error:
        raise SandboxError(f"the sandbox's state in {folder} cannot be read: {error}") from error
    try:
        return _read(folder, document)
    except (KeyError, TypeError, ValueError) as error:
        raise SandboxError(f"{folder / _FILE} is not a sandbox's state: {error!r}") from error


def _read(folder: Path, document: dict[str, Any]) -> SandboxState:
    if document["format"] != _FORMAT:
        raise ValueError(f"format {document['format']}")
    operator = document["operator"]
    return SandboxState(
        dir=folder,
        owned=document["owned"],
        ready=document["ready"],
        kubeconfig=Path(document["kubeconfig"]),
        kubectl=Path(document["kubectl"]),
        server=document["server"],
        version=document["version"],
        installed=document["installed"],
        prometheus_url=document.get("prometheusUrl"),
        processes=tuple(_process(entry) for entry in document["processes"]),
        operator=operator
        and OperatorState(process=_process(operator["process"]), url=operator["url"]),
    )


def with_process(state: SandboxState, process: Process) -> SandboxState:
    """The state with one more process."""
    return replace(state, processes=(*state.processes, process))


def with_another(state: SandboxState, process: Process) -> SandboxState:
    """The state with a process in the place of the one that had its name."""
    return replace(
        state,
        processes=tuple(process if each.name == process.name else each for each in state.processes),
    )


def _process_document(process: Process) -> dict[str, Any]:
    return {
        "name": process.name,
        "pid": process.pid,
        "born": process.born,
        "log": str(process.log),
        "argv": list(process.argv),
    }


def _process(entry: dict[str, Any]) -> Process:
    return Process(
        name=entry["name"],
        pid=int(entry["pid"]),
        born=entry["born"],
        log=Path(entry["log"]),
        argv=tuple(entry.get("argv", ())),
    )
