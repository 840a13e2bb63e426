"""Proves that the wheel alone installs and runs, in a virtual environment outside the checkout.

Builds the wheel, installs it with its pinned dependencies into a fresh environment, and runs what
people run first from an empty folder, with nothing of the checkout on any path. Prints one line a
proof; the first that fails ends it with status 1. `make wheel-check`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HELP_SECONDS = 0.5
"""Within this, `bursar --help` has answered."""
TRIES = 3

JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: finetune, namespace: vision}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: main
          image: pytorch/pytorch
          command: [torchrun, --nnodes=4, train.py]
          resources: {limits: {nvidia.com/gpu: 8}}
"""

DATA = """
import json
from pathlib import Path
import bursar
from bursar.runtime.configuring import catalog
from bursar.sandbox import install, programs
files = [programs._files(module) for module in (programs.CONTROL_PLANE, programs.HELM)]
print(json.dumps({
    "package": bursar.__file__,
    "chart": str(install.chart_path()),
    "policies": len(list((install.chart_path() / "templates" / "policies").glob("*.yaml"))),
    "accelerators": len(catalog.load().tables.accelerators),
    "goModuleBytes": sum(len(content) for each in files for content in each.values()),
}))
"""


class NotProven(Exception):  # noqa: N818 - says what does not hold
    """One of the proofs failed; the text is the line for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The fresh environment, and an empty folder to run in."""

    home: Path
    folder: Path

    def run(self, program: str, *arguments: str, text: str | None = None) -> str:
        """Run one of its programs; returns what it printed on standard output."""
        argv = [str(self.home / "bin" / program), *arguments]
        bare = {"PATH": f"{self.home / 'bin'}{os.pathsep}{os.defpath}", "HOME": str(self.folder)}
        done = subprocess.run(
            argv,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=bare,
            timeout=120,
        )
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
            raise NotProven(f"{program} {' '.join(arguments)}: {lines[-1]}")
        return done.stdout


def build(folder: Path) -> Path:
    """Build the wheel into a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = sorted(folder.glob("bursar-*.whl"))
    if done.returncode or not found:
        raise NotProven(f"the wheel does not build: {done.stderr.strip()[-300:]}")
    return found[0]


def install(wheel: Path, home: Path) -> None:
    """Make the environment: pinned dependencies by hash, then the wheel and nothing else."""
    venv.create(home, with_pip=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet",
           "--disable-pip-version-check", "--no-compile"]  # fmt: skip
    pins = ["--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "requirements/run.txt")]
    for arguments in (pins, ["--no-index", "--no-deps", str(wheel)]):
        done = subprocess.run([*pip, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotProven(f"pip install: {done.stderr.strip().splitlines()[-1]}")
    check = subprocess.run(
        [str(home / "bin" / "python"), "-m", "pip", "check"],
        capture_output=True,
        text=True,
        check=False,
    )
    if check.returncode:
        raise NotProven(f"the pins do not suffice: {check.stdout.strip()}")


def version(installed: Installed) -> str:
    """Both commands name the wheel's version."""
    said = {installed.run(name, "--version") for name in ("bursar", "kubectl-bursar")}
    if len(said) != 1:
        raise NotProven(f"they differ: {said}")
    return said.pop().strip()


def help_is_fast(installed: Installed) -> str:
    """`bursar --help` answers at once, and so do those of the parts."""
    took = []
    for _ in range(TRIES):
        before = time.monotonic()
        text = installed.run("bursar", "--help")
        took.append(time.monotonic() - before)
    if "Usage" not in text:
        raise NotProven("it shows no usage")
    if min(took) > HELP_SECONDS:
        raise NotProven(f"it takes {min(took):.2f} s; the bar is {HELP_SECONDS} s")
    return f"{min(took):.2f} s at best of {TRIES}"


def helps(installed: Installed) -> str:
    """The parts explain themselves, the module's way to start included."""
    for arguments in (["run"], ["sandbox"], ["sandbox", "up"], ["report"], ["status"]):
        for program, before in (("bursar", []), ("python", ["-m", "bursar"])):
            if "Usage" not in installed.run(program, *before, *arguments, "--help"):
                raise NotProven(f"{' '.join(arguments)} --help shows no usage")
    return "run, sandbox, report, status"


def classifies(installed: Installed) -> str:
    """A manifest is classified, with nothing but the package's own tables."""
    line = json.loads(installed.run("bursar", "classify", "-f", "-", "-o", "json", text=JOB))
    if (line["class"], line["name"]) != ("training", "finetune"):
        raise NotProven(f"the example is a training, and it says {line['class']}")
    return f"{line['class']} at {line['confidence']}"


def finds_its_files(installed: Installed) -> str:
    """Chart, tables and modules are those of the wheel."""
    found = json.loads(installed.run("python", "-c", DATA))
    for key in ("package", "chart"):
        if not Path(found[key]).is_relative_to(installed.home):
            raise NotProven(f"its {key} is {found[key]}")
    counts = {key: found[key] for key in ("policies", "accelerators", "goModuleBytes")}
    if not all(counts.values()):
        raise NotProven(f"something is missing: {counts}")
    return ", ".join(f"{value} {key}" for key, value in counts.items())


PROOFS: tuple[Callable[[Installed], str], ...] = (
    version,
    help_is_fast,
    helps,
    classifies,
    finds_its_files,
)


def main() -> int:
    """Build, install, prove."""
    with tempfile.TemporaryDirectory(prefix="bursar-wheel-") as name:
        place = Path(name)
        wheel = build(place / "dist")
        print(f"built      {wheel.name}")
        installed = Installed(home=place / "venv", folder=place / "empty")
        installed.folder.mkdir()
        install(wheel, installed.home)
        print("installed  with its pinned dependencies, outside the checkout")
        for proof in PROOFS:
            print(f"{'proven':<10} {(proof.__doc__ or '').rstrip('.')}: {proof(installed)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NotProven as error:
        sys.exit(f"wheel-check: {error}")
