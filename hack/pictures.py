#!/usr/bin/env python
"""Takes the documentation's pictures of the terminal: real commands, in sandboxes of its own.

    python hack/pictures.py              all of them
    python hack/pictures.py audit        only those of these names

Each command runs on a pseudo-terminal, and what it prints, with its colors, becomes an SVG under
docs/pictures/. Nothing is edited but the width. The page beside them says when they were taken, of
which versions. It takes some three minutes, most of them waiting for a budget to fill.
"""

from __future__ import annotations

import argparse
import fcntl
import html
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "operator"))

from bursar import __version__, sandbox  # noqa: E402 - found through the path set above

FOLDER = ROOT / "docs" / "pictures"
EXAMPLE = ROOT / "examples" / "first-budget"
DEMO = ROOT / "operator" / "bursar" / "cli" / "demo" / "manifests"

BUDGETS = """
apiVersion: bursar.dev/v1alpha1
kind: AIBudget
metadata: {name: vision, namespace: vision}
spec:
  period: Monthly
  limits: {cost: "1.00"}
  thresholds:
    - {percent: 20, actions: [Notify, Warn]}
    - {percent: 100, actions: [Hold]}
---
apiVersion: bursar.dev/v1alpha1
kind: AIBudget
metadata: {name: assistant, namespace: assistant}
spec:
  period: Weekly
  limits: {cost: "12.00"}
  classes: {training: {cost: "8.00"}}
---
apiVersion: bursar.dev/v1alpha1
kind: AIBudget
metadata: {name: research, namespace: research}
spec:
  period: Monthly
  limits: {gpuHours: "8"}
---
apiVersion: bursar.dev/v1alpha1
kind: ClusterAIBudget
metadata: {name: company}
spec:
  scope: Shared
  namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}
  period: Monthly
  limits: {cost: "500"}
"""

THEME = TerminalTheme(
    (16, 20, 27),
    (208, 215, 222),
    [
        (72, 79, 88),
        (255, 123, 114),
        (86, 211, 100),
        (227, 179, 65),
        (88, 166, 255),
        (188, 140, 255),
        (86, 212, 221),
        (208, 215, 222),
    ],
    [
        (110, 118, 129),
        (255, 161, 152),
        (126, 231, 135),
        (242, 204, 96),
        (121, 192, 255),
        (210, 168, 255),
        (118, 227, 234),
        (255, 255, 255),
    ],
)

# Rich's own template names fonts on a content network; a picture asks nobody for anything.
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" \
xmlns="http://www.w3.org/2000/svg" role="img" aria-label="@LABEL@">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, \
"DejaVu Sans Mono", monospace; font-size: {char_height}px; line-height: {line_height}px; \
font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 17px; font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, \
"DejaVu Sans Mono", monospace; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture.

    Attributes:
        name: of the file.
        title: what the window's bar says.
        commands: what is typed; the prompt is shown where there are several.
        says: what it shows, for who cannot see it.
        width: of the terminal, in characters.
    """

    name: str
    title: str
    commands: tuple[str, ...]
    says: str
    width: int = 112


AUDIT = Picture(
    name="audit",
    title="bursar audit --limit 6",
    commands=("bursar audit --limit 6",),
    says="bursar audit: workloads with class, team and price, idle devices, labels, what to do",
)
WARN = Picture(
    name="warning",
    title="kubectl apply -f segmenter.yaml",
    commands=("kubectl apply -f segmenter.yaml",),
    says="kubectl apply prints the budget's warning beside the created Job",
)
SHUT = Picture(
    name="held",
    title="the budget is shut: a Job waits",
    commands=(
        "kubectl apply -f tracker.yaml",
        "kubectl wait job/tracker -n vision --for=condition=Suspended",
        "kubectl get jobs -n vision",
        "bursar explain job/tracker -n vision",
    ),
    says="the budget is shut: kubectl says so, the Job is suspended, explain says why",
)
STATUS = Picture(
    name="status",
    title="bursar status",
    commands=("bursar status",),
    says="bursar status: each budget with limit, spent, burn rate, and when it is used up",
    width=140,
)
EXPLAIN = Picture(
    name="explain",
    title="bursar explain pod/mystery -n vision",
    commands=("bursar explain pod/mystery -n vision",),
    says="bursar explain: each step from the devices to the budget, with its inputs",
)
REPORT = Picture(
    name="report",
    title="bursar report --by namespace,class",
    commands=("bursar report --by namespace,class",),
    says="bursar report: cost by namespace and class, with what idled",
)
PICTURES = (AUDIT, WARN, SHUT, STATUS, EXPLAIN, REPORT)


class Camera:
    """Takes pictures in one sandbox."""

    def __init__(self, state: sandbox.SandboxState, wanted: Sequence[str]) -> None:
        self._state = state
        self._wanted = wanted
        programs = (Path(sys.executable).parent, state.kubectl.parent)
        self._env = {
            **{key: value for key, value in os.environ.items() if key != "NO_COLOR"},
            "KUBECONFIG": str(state.kubeconfig),
            "PATH": os.pathsep.join([*(str(each) for each in programs), os.environ["PATH"]]),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
        }

    def kubectl(self, *arguments: str, text: str | None = None) -> None:
        """Run kubectl without a picture."""
        subprocess.run(
            [self._state.kubectl, *arguments],
            env=self._env,
            cwd=EXAMPLE,
            input=text,
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def take(self, picture: Picture) -> None:
        """Run a picture's commands, whether it is wanted or not, and draw it if it is."""
        shown = Text()
        for number, command in enumerate(picture.commands):
            if len(picture.commands) > 1:
                shown.append("\n" if number else "")
                shown.append("$ ", style="bold green").append(f"{command}\n", style="bold")
            shown.append(self._run(command, picture.width))
        if not self._wanted or picture.name in self._wanted:
            draw(picture, shown)
            print(f"took {picture.name}: {'; '.join(picture.commands)}", flush=True)

    def _run(self, command: str, width: int) -> Text:
        """What a command prints on a terminal."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 60, width, 0, 0))
        process = subprocess.Popen(
            shlex.split(command),
            env={**self._env, "COLUMNS": str(width)},
            cwd=EXAMPLE,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        printed = b"".join(_read(master))
        os.close(master)
        if process.wait() != 0:
            raise SystemExit(f"{command} ended with {process.returncode}:\n{printed.decode()}")
        # Lines of progress are taken back before they end.
        lines = [
            line.rsplit("\r", 1)[-1] for line in printed.decode().replace("\r\n", "\n").split("\n")
        ]
        text = re.sub(r"\x1b\[[0-9;?]*[A-HJKSTfhl]", "", "\n".join(lines))
        return Text.from_ansi(re.sub(r"^(\s*\n)+", "", text).rstrip() + "\n")


def _read(master: int) -> Iterator[bytes]:
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # how Linux says that nobody writes any more
            return
        if not part:
            return
        yield part


def draw(picture: Picture, shown: Text) -> None:
    """Write a picture's file."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=picture.width, file=nowhere, force_terminal=True)
        shown.rstrip()
        # The line after the last keeps the feet of its letters from being cut.
        console.print(shown, "\n", highlight=False, sep="")
        # A fixed id: the same output gives the same bytes.
        svg = console.export_svg(
            title=picture.title, theme=THEME, code_format=SVG, unique_id=f"t-{picture.name}"
        )
    svg = svg.replace("@LABEL@", html.escape(picture.says, quote=True))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{picture.name}.svg").write_text(svg, encoding="utf-8")


@contextmanager
def cluster(*, chart: bool) -> Iterator[sandbox.SandboxState]:
    """A sandbox, ended whatever happens; without the chart nothing of Bursar is in it."""
    with tempfile.TemporaryDirectory(prefix="bursar-pictures-") as folder:
        place = Path(folder) / "sandbox"
        options = sandbox.UpOptions(dir=place, operator=chart, chart=chart)
        try:
            yield sandbox.up(options, lambda line: print(f"sandbox: {line}", flush=True))
        finally:
            sandbox.down(place)


def auditing(wanted: Sequence[str]) -> str:
    """A cluster in which nothing is installed; returns its version."""
    with cluster(chart=False) as state:
        camera = Camera(state, wanted)
        camera.kubectl("apply", "-f", str(DEMO / "namespaces.yaml"))
        camera.kubectl("apply", "-f", str(DEMO / "workloads.yaml"))
        camera.kubectl("wait", "job", "-A", "--all", "--for=jsonpath={.status.ready}")
        camera.kubectl("wait", "deployment", "-A", "--all", "--for=condition=Available")
        camera.take(AUDIT)
        return state.version


def budgeting(wanted: Sequence[str]) -> str:
    """A cluster with budgets, one of which fills; returns its version."""
    with cluster(chart=True) as state:
        camera = Camera(state, wanted)
        camera.kubectl("apply", "-f", str(DEMO / "namespaces.yaml"))
        camera.kubectl("apply", "-f", "-", text=BUDGETS)
        camera.kubectl("apply", "-f", "workloads.yaml")
        for name in ("assistant", "research"):
            camera.kubectl("apply", "-f", "-", text=_of(name))
        warning = "--for=jsonpath={.status.warning.message}"
        camera.kubectl("wait", "aibudget/vision", "-n", "vision", warning, "--timeout=180s")
        camera.take(WARN)
        shut = "--for=condition=WithinBudget=False"
        camera.kubectl("wait", "aibudget/vision", "-n", "vision", shut, "--timeout=300s")
        camera.kubectl("apply", "-f", "tracker.yaml")
        camera.kubectl(
            "wait", "job/tracker", "-n", "vision", "--for=condition=Suspended", "--timeout=60s"
        )
        camera.kubectl("delete", "-f", "tracker.yaml")
        camera.take(SHUT)
        held = "--for=jsonpath={.status.held}=1"
        camera.kubectl("wait", "aibudget/vision", "-n", "vision", held, "--timeout=60s")
        for picture in (STATUS, EXPLAIN, REPORT):
            camera.take(picture)
        return state.version


def _of(namespace: str) -> str:
    """The demo's workloads of one namespace."""
    text = (DEMO / "workloads.yaml").read_text("utf-8")
    return "\n---\n".join(
        document for document in text.split("\n---\n") if f"namespace: {namespace}\n" in document
    )


def describe(version: str) -> None:
    """Write the page that says what the pictures are."""
    rows = "".join(
        f"| [`{each.name}.svg`]({each.name}.svg) | "
        + "; ".join(f"`{command}`" for command in each.commands)
        + f" | {each.says} |\n"
        for each in PICTURES
    )
    (FOLDER / "README.md").write_text(
        "# Pictures\n\n"
        f"Taken by `make pictures` on {datetime.now(UTC):%Y-%m-%d} from real runs of Bursar"
        f" {__version__} on\nKubernetes {version}, in a sandbox with fake nodes and list prices."
        " Nothing is drawn by hand.\n\n"
        f"| picture | commands | shows |\n|---|---|---|\n{rows}",
        encoding="utf-8",
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [each.name for each in PICTURES]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    wanted = parser.parse_args(arguments).names
    if unknown := set(wanted) - set(known):
        parser.error(f"no picture {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    version = ""
    if not wanted or AUDIT.name in wanted:
        version = auditing(wanted)
    if not wanted or set(wanted) - {AUDIT.name}:
        version = budgeting(wanted)
    describe(version)
    return 0


if __name__ == "__main__":
    sys.exit(main())
