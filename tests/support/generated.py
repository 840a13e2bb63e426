"""Runs the generator of files, as people do."""

import subprocess
import sys

from support.examples import ROOT


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`hack/generate.py` with these arguments; look at the answer's `returncode`."""
    return subprocess.run(
        [sys.executable, str(ROOT / "hack" / "generate.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
