"""The chart, and helm to try it with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from bursar.sandbox import SandboxError, programs
from support.examples import ROOT

CHART = ROOT / "charts" / "bursar"

Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    try:
        program = programs.helm(lambda line: None)
    except SandboxError as error:
        pytest.skip(f"helm is neither there nor can it be built: {error}")
    home = tmp_path_factory.mktemp("helm")
    env = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**env, "HOME": str(home)},
        )

    return run
