"""Finds the programs of the sandbox, or builds them from pinned Go modules.

First those of `KUBEBUILDER_ASSETS` and PATH, where all of a set fit; then those of the cache;
else a build. Modules without a line of Go name the programs (`controlplane/`, `helm/`,
`prometheus/`); the cache is keyed by their content, so another version is another directory and
nothing is ever overwritten.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Final

from bursar.sandbox import golang
from bursar.sandbox.errors import SandboxError
from bursar.sandbox.golang import Report

_PLAIN_SECONDS: Final = 15.0
_TERMINAL_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program of a module.

    Attributes:
        version: Arguments that make it print its version.
        fits: What must be found in that text for the program to do.
        installed: The name that `go install` gives it, where that is another.
    """

    version: tuple[str, ...]
    fits: str
    installed: str = field(default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A Go module of the package's data and the programs it builds.

    Attributes:
        tags: Build tags.
    """

    name: str
    programs: Mapping[str, Program]
    tags: str = ""


_KUBERNETES = r"Kubernetes v1\.36\."
CONTROL_PLANE: Final = Module(
    name="controlplane",
    programs={
        "etcd": Program(version=("--version",), fits=r"etcd Version: 3\.6\.", installed="server"),
        "kube-apiserver": Program(version=("--version",), fits=_KUBERNETES),
        "kube-controller-manager": Program(version=("--version",), fits=_KUBERNETES),
        "kube-scheduler": Program(version=("--version",), fits=_KUBERNETES),
        "kubectl": Program(version=("version", "--client"), fits=r"Client Version: v1\.36\."),
        "kwok": Program(version=("--version",), fits=r"kwok version v0\.8\."),
    },
)
HELM: Final = Module(
    name="helm", programs={"helm": Program(version=("version", "--short"), fits=r"^v[34]\.")}
)
PROMETHEUS: Final = Module(
    name="prometheus",
    programs={
        "prometheus": Program(version=("--version",), fits=r"^prometheus, version"),
        "promtool": Program(version=("--version",), fits=r"^promtool, version"),
    },
    tags="remove_all_sd",
)


def control_plane(report: Report) -> dict[str, Path]:
    """Paths of etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and kwok."""
    return find(CONTROL_PLANE, report)


def helm(report: Report) -> Path:
    """Path of helm."""
    return find(HELM, report)["helm"]


def prometheus(report: Report) -> dict[str, Path]:
    """Paths of prometheus and promtool."""
    return find(PROMETHEUS, report)


def kubectl(report: Report) -> Path:
    """Path of a kubectl for a cluster that is not ours: PATH's, of whatever version, or our own."""
    found = shutil.which("kubectl")
    return Path(found) if found else control_plane(report)["kubectl"]


def cache_dir() -> Path:
    """`$BURSAR_CACHE`, else `bursar` in the user's cache directory."""
    own = os.environ.get("BURSAR_CACHE")
    if own:
        return Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bursar"


def find(module: Module, report: Report) -> dict[str, Path]:
    """Paths of all programs of a module, built if need be.

    Raises:
        SandboxError: They are not there and cannot be built.
    """
    return installed(module) or cached(module) or build(module, report)


def installed(module: Module) -> dict[str, Path] | None:
    """The programs of `KUBEBUILDER_ASSETS` and PATH, if all are there and all fit."""
    folders = [os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ.get("PATH", os.defpath)]
    search = os.pathsep.join(folder for folder in folders if folder)
    found = {name: shutil.which(name, path=search) for name in module.programs}
    paths = {name: Path(path) for name, path in found.items() if path}
    if len(paths) < len(module.programs):
        return None
    fit = all(_fits(paths[name], program) for name, program in module.programs.items())
    return paths if fit else None


def _fits(path: Path, program: Program) -> bool:
    try:
        done = subprocess.run(
            [path, *program.version], capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and re.search(program.fits, done.stdout + done.stderr) is not None


def cached(module: Module) -> dict[str, Path] | None:
    """The programs that were built before, if all are there."""
    folder = _home(module) / "bin"
    paths = {name: folder / name for name in module.programs}
    return paths if all(path.exists() for path in paths.values()) else None


def _files(module: Module) -> dict[str, bytes]:
    folder = resources.files("bursar.sandbox") / module.name
    return {name: (folder / name).read_bytes() for name in ("go.mod", "go.sum")}


def _home(module: Module) -> Path:
    files = _files(module)
    key = hashlib.sha256(files["go.mod"] + files["go.sum"]).hexdigest()[:12]
    return cache_dir() / f"{module.name}-{key}"


def build(module: Module, report: Report) -> dict[str, Path]:
    """Build a module's programs into the cache; two processes never do so at once.

    Raises:
        SandboxError: No Go, no network, or the build failed: names its log.
    """
    home = _home(module)
    home.mkdir(parents=True, exist_ok=True)
    with _only_one(home / "lock", module, report):
        ready = cached(module)
        if ready:
            return ready
        work = home / f"work.{os.getpid()}"
        shutil.rmtree(work, ignore_errors=True)
        try:
            _build_in(work, home, module, report)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    made = cached(module)
    if made is None:
        raise SandboxError(f"the build of {module.name} made not all of its programs: {home}")
    return made


def _build_in(work: Path, home: Path, module: Module, report: Report) -> None:
    source = work / "module"
    source.mkdir(parents=True)
    files = _files(module)
    for name, content in files.items():
        (source / name).write_bytes(content)
    text = files["go.mod"].decode()
    needed = re.search(r"(?m)^go (\S+)$", text)
    go = golang.find(needed.group(1) if needed else "1.26.0", cache_dir(), report)
    binaries = work / "bin"
    env = {**go.env, "GOBIN": str(binaries)}
    progress = _Progress(module.name, report)
    listed = golang.run(
        [go.command, "list", "-tags", module.tags, "-deps", "tool"],
        cwd=source,
        env=env,
        log=home / "download.log",
        tick=progress.downloading,
    )
    progress.total = len(listed)
    argv: list[str | Path] = [go.command, "install", "-v", "-trimpath", "-buildvcs=false"]
    argv += ["-tags", module.tags, "-ldflags", link_flags(text), "tool"]
    golang.run(argv, cwd=source, env=env, log=home / "build.log", tick=progress.compiling)
    for name, program in module.programs.items():
        if program.installed:
            (binaries / program.installed).rename(binaries / name)
    shutil.rmtree(home / "bin", ignore_errors=True)
    binaries.rename(home / "bin")
    report(f"{module.name}: built in {progress.elapsed()}")


def link_flags(go_mod: str) -> str:
    """Linker flags: no debug information; the versions that release builds set."""
    flags = ["-s", "-w"]
    match = re.search(r"(?m)^\s*github\.com/prometheus/prometheus v0\.(\d)(\d\d)\.(\d+)", go_mod)
    if match:  # a Go module's v0.315.1 is the release 3.15.1
        version = ".".join(str(int(part)) for part in match.groups())
        flags += ["-X", f"github.com/prometheus/common/version.Version={version}"]
    match = re.search(r"(?m)^\s*k8s\.io/kubernetes v(\d+)\.(\d+)\.(\d+)", go_mod)
    if match:
        major, minor, patch = match.groups()
        for name, value in (
            ("gitVersion", f"v{major}.{minor}.{patch}"),
            ("gitMajor", major),
            ("gitMinor", minor),
        ):
            flags += ["-X", f"k8s.io/component-base/version.{name}={value}"]
    return " ".join(flags)


class _Progress:
    """Says how far a build is: often on a terminal, every 15 s elsewhere."""

    def __init__(self, name: str, report: Report) -> None:
        self.total = 0
        self._name = name
        self._report = report
        self._every = _TERMINAL_SECONDS if sys.stderr.isatty() else _PLAIN_SECONDS
        self._start = time.monotonic()
        self._next = self._start
        report(f"{name}: building from pinned Go modules (once; some minutes)")

    def elapsed(self) -> str:
        minutes, seconds = divmod(round(time.monotonic() - self._start), 60)
        return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"

    def _say(self, text: str) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._every
            self._report(f"{self._name}: {text}, {self.elapsed()}")

    def downloading(self, lines: list[str]) -> None:
        self._say(f"{len(lines)} modules downloaded")

    def compiling(self, lines: list[str]) -> None:
        self._say(f"{len(lines)} of at most {self.total} packages compiled")


@contextmanager
def _only_one(lock: Path, module: Module, report: Report) -> Iterator[None]:
    with lock.open("w") as held:
        said = False
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not said:
                    report(f"{module.name}: another process is building it; waiting")
                    said = True
                time.sleep(0.5)
        yield
