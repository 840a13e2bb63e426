"""A real control plane without containers, with fake GPU nodes, for demo, tests and trials.

It starts etcd, the API server, the controllers, the scheduler and kwok as processes of the host,
installs Bursar's chart and runs the operator under the chart's own rights. It never touches a
cluster it was not told to.
"""

from __future__ import annotations

from bursar.sandbox.errors import SandboxError, SandboxRunning
from bursar.sandbox.lifecycle import (
    UpOptions,
    crash,
    default_dir,
    down,
    operator_start,
    operator_stop,
    revive,
    status,
    up,
)
from bursar.sandbox.state import OperatorState, SandboxState
from bursar.sandbox.state import load as load_state

__all__ = [
    "OperatorState",
    "SandboxError",
    "SandboxRunning",
    "SandboxState",
    "UpOptions",
    "crash",
    "default_dir",
    "down",
    "load_state",
    "operator_start",
    "operator_stop",
    "revive",
    "status",
    "up",
]
