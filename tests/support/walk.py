"""Types the commands of a page into one shell, as a reader would, and tells what each printed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.examples import ROOT
from support.pages import Command

_MARK = "@@@@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a command; output and errors in one text."""

    command: Command
    code: int
    printed: str


def walk(commands: Sequence[Command], env: Mapping[str, str], timeout: float) -> list[Done]:
    """Run the commands in their order in one shell, up to the first that does not do as shown.

    Args:
        commands: what is typed.
        env: what is added to this process's environment.
        timeout: seconds for all of them.
    """
    script = "".join(_step(number, command) for number, command in enumerate(commands))
    shell = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
    )
    done = []
    for part in shell.stdout.split(f"\n{_MARK}begin ")[1:]:
        number, _, rest = part.partition("\n")
        printed, _, code = rest.partition(f"\n{_MARK}end ")
        done.append(
            Done(command=commands[int(number)], code=int(code.strip() or -1), printed=printed)
        )
    return done


def _step(number: int, command: Command) -> str:
    wanted = "-ne" if command.fails else "-eq"
    return (
        f"printf '\\n{_MARK}begin {number}\\n'\n"
        f"{command.text}\n"
        f"code=$?; printf '\\n{_MARK}end %s\\n' $code\n"
        f"[ $code {wanted} 0 ] || exit 0\n"
    )


def home(folder: Path, cache: Path, programs: Path) -> dict[str, str]:
    """A user's environment with nothing in it but the cache of what was built.

    Args:
        folder: the user's home, where sandboxes are kept by default.
        cache: where the control plane's programs are.
        programs: where `bursar` is found.
    """
    return {
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "BURSAR_CACHE": str(cache),
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
        "NO_COLOR": "1",
        "KUBECONFIG": "",
        "BURSAR_SERVER": "",
        "BURSAR_TOKEN": "",
    }
