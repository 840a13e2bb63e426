"""The chart's release on a kind cluster: upgraded, changed, taken away, and put back as it was."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bursar.sandbox import install, programs
from support.chart import CHART
from support.cluster import Sandbox
from support.examples import ROOT

VALUES = ROOT / "hack" / "kind-values.yaml"
CONTROL_PLANE = "bursar-control-plane"
POLICIES = (
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
)

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The release `bursar`, as `make kind-up` installed it."""

    sandbox: Sandbox

    @property
    def image(self) -> str:
        """The image of this checkout, which is on the node."""
        return os.environ["BURSAR_E2E_IMAGE"]

    def helm(self, *arguments: str) -> str:
        """Run helm in the release's namespace; a failure fails the test with what it said."""
        done = subprocess.run(
            [str(programs.helm(lambda line: None)), *arguments, "-n", install.NAMESPACE],
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
            env={**os.environ, "KUBECONFIG": str(self.sandbox.kubeconfig)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def upgrade(self, *settings: str, chart: Path = CHART, image: str = "") -> None:
        """Install or upgrade, and wait until the operator is there."""
        tag = (image or self.image).partition(":")[2]
        sets = [word for each in (f"image.tag={tag}", *settings) for word in ("--set", each)]
        self.helm("upgrade", "--install", install.RELEASE, str(chart), "--values", str(VALUES),
                  *sets)  # fmt: skip
        self.sandbox.start_operator()

    def uninstall(self) -> None:
        """`helm uninstall`, and wait until the operator's pod is gone."""
        self.helm("uninstall", install.RELEASE, "--wait", "--timeout", "120s")
        operator = self.sandbox.deployed
        assert operator is not None
        self.sandbox.wait(lambda: not operator.pods(), what="the operator's pod gone")

    @contextmanager
    def borrowed(self) -> Iterator[Release]:
        """The release to change at will; it is put back afterwards."""
        try:
            yield self
        finally:
            self.upgrade()

    def policies(self) -> list[str]:
        """Names of all of Bursar's admission policies and bindings."""
        found = self.sandbox.kubectl("get", ",".join(POLICIES), "-o", "json").stdout
        return [
            f"{each['kind']}/{each['metadata']['name']}"
            for each in json.loads(found)["items"]
            if "bursar" in json.dumps([each["metadata"].get("labels"), each["spec"]])
        ]


def pause_image(sandbox: Sandbox) -> str:
    """The image that every node has for its pods' sandboxes: it does nothing, well."""
    for node in sandbox.get("nodes")["items"]:
        for image in node["status"].get("images", []):
            for name in image["names"]:
                if "/pause:" in name:
                    return str(name)
    raise LookupError("no node has a pause image")


def until_second_ends() -> None:
    """Wait until the API's clock, of whole seconds, is past what happened until now."""
    end = int(time.time()) + 1
    while time.time() < end:
        time.sleep(0.05)
