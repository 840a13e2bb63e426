"""An operator under an older chart, whose roles lack a right: it says so, waits, and goes on."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bursar.sandbox import processes
from support.product import SOURCE, Product

pytestmark = pytest.mark.cluster


def probe(port: int, name: str) -> tuple[int, str]:
    """A probe's status and what it says; 0 where nobody listens yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


@contextlib.contextmanager
def operator(product: Product, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """An operator of its own, with a ledger and a log of its own, under the chart's rights."""
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            [
                *(sys.executable, "-m", "bursar", "run", "--namespace", "bursar-system"),
                *("--kubeconfig", str(product.sandbox.dir / "operator.kubeconfig")),
                *("--ledger", f"sqlite:///{folder / 'ledger.db'}", "--http-port", str(port)),
            ],
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        try:
            yield running
        finally:
            running.kill()
            running.wait()


def test_a_missing_right_is_named_until_it_is_given(product: Product, tmp_path: Path) -> None:
    sandbox = product.sandbox
    sandbox.on_this_machine("it starts an operator of its own here, with the sandbox's token")
    sandbox.stop_operator()  # its own log must show nothing of this
    binding = sandbox.get("clusterrolebinding", "bursar-budgets")
    for name in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        binding["metadata"].pop(name, None)
    (port,) = processes.free_ports(1)
    sandbox.kubectl("delete", "clusterrolebinding", "bursar-budgets")
    try:
        with operator(product, tmp_path, port) as running:
            status, said = sandbox.wait(
                lambda: (found := probe(port, "readyz"))[1].count("may not list") and found,
                what="the right named",
            )
            assert status == 503
            assert "rights: may not list aibudgets" in said
            assert "upgrade it with `helm upgrade`" in said
            assert probe(port, "livez")[0] == 200, "waiting is no reason to restart it"
            assert running.poll() is None
            sandbox.apply(binding)
            sandbox.wait(lambda: probe(port, "readyz")[0] == 200, what="ready", timeout=60)
            running.terminate()
            assert running.wait(30) == 0
    finally:
        sandbox.apply(binding)
    log = (tmp_path / "log").read_text("utf-8")
    assert "rights=missing may not list aibudgets" in log
    assert "Traceback" not in log
