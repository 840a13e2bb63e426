"""Starts the sandbox, plays the acts in order, and cleans up whatever happens."""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from bursar import sandbox
from bursar.cli.demo.closing import proving, reporting
from bursar.cli.demo.cluster import Cluster
from bursar.cli.demo.dying import dying
from bursar.cli.demo.failed import DemoFailed
from bursar.cli.demo.opening import birth, filling, warning
from bursar.cli.demo.screen import Screen
from bursar.cli.demo.shutting import raising, shutting
from bursar.cli.demo.stage import Stage
from bursar.cli.sandbox import progress
from bursar.errors import BursarError
from bursar.sandbox.interrupts import Interrupts
from bursar.sandbox.processes import log_tail

ACTS: tuple[tuple[str, Callable[[Stage], None]], ...] = (
    ("Pods are labelled at birth", birth),
    ("Budgets fill", filling),
    ("A warning at kubectl apply", warning),
    ("The budget shuts, a Job waits", shutting),
    ("The limit is raised, the Job starts", raising),
    ("The operator is killed", dying),
    ("The operator is back: every second is paid, once", proving),
    ("The report", reporting),
)


def perform(*, keep: bool) -> None:
    """Play all acts; see `bursar.cli.demo.play`."""
    home = Path(tempfile.mkdtemp(prefix="bursar-demo-"))
    kept = False
    with Interrupts() as interrupts:
        try:
            _play(home, Screen(len(ACTS)), keep=keep)
            kept = keep
        finally:
            if not kept:
                with interrupts.hold():
                    sandbox.down(home / "sandbox")
                    shutil.rmtree(home, ignore_errors=True)


def _play(home: Path, screen: Screen, *, keep: bool) -> None:
    begun = time.monotonic()
    screen.say(
        "Bursar on a real Kubernetes API server, with fake GPU nodes. Prices are list prices × 60:"
        " a minute is billed as an hour. All times are real, in UTC."
    )
    manifests = _write_manifests(home / "manifests")
    with progress() as report:
        options = sandbox.UpOptions(dir=home / "sandbox", operator=False)
        state = sandbox.up(options, report)
    up = time.monotonic()
    screen.say(f"Kubernetes {state.version} is up at {state.server} after {up - begun:.0f} s.")
    cluster = Cluster(state, manifests)
    try:
        stage = Stage(cluster=cluster, screen=screen)
        for number, (title, act) in enumerate(ACTS, 1):
            screen.act(number, title)
            _act(number, title, act, stage)
    finally:
        cluster.close()
    screen.say("")
    screen.say(f"All {len(ACTS)} acts held, in {time.monotonic() - up:.0f} s.")
    if keep:
        _tell_how(screen, cluster)


def _act(number: int, title: str, act: Callable[[Stage], None], stage: Stage) -> None:
    try:
        act(stage)
    except (BursarError, LookupError, TypeError, ValueError, OSError) as error:
        # What is not as expected in an answer is an act that failed, too.
        told = str(error) if isinstance(error, BursarError) else repr(error)
        log = stage.cluster.state.dir / "logs" / "operator.log"
        tail = f"; the operator's log ends: {log_tail(log)}" if log.exists() else ""
        raise DemoFailed(f"demo, act {number} ({title}): {told}{tail}") from error


def _write_manifests(folder: Path) -> Path:
    """Put the manifests where kubectl runs, so that the commands shown are those that ran."""
    folder.mkdir()
    for entry in files("bursar.cli.demo").joinpath("manifests").iterdir():
        (folder / entry.name).write_text(entry.read_text("utf-8"), "utf-8")
    return folder


def _tell_how(screen: Screen, cluster: Cluster) -> None:
    """How to use what was left running, and how to end it."""
    state = cluster.state
    bursar = "bursar" if shutil.which("bursar") else str(Path(sys.executable).with_name("bursar"))
    screen.say("It goes on running:")
    for line in (
        f"export KUBECONFIG={state.kubeconfig}",
        f"alias kubectl={state.kubectl}",
        "kubectl get aibudgets -A",
        f"alias bursar={bursar}",
        "bursar status; bursar report; bursar explain -n vision job/detector-pretrain",
        f"curl {cluster.url}/metrics",
        f"manifests: {cluster.manifests}",
        f"end it: {bursar} sandbox down --dir {state.dir} && rm -r {cluster.manifests.parent}",
    ):
        screen.line(line)
