#!/usr/bin/env python
"""Measures a scrape of a large cluster, without a cluster: 10,000 pods in 200 namespaces.

    python hack/scrape.py                   both formats, median of 20 scrapes
    python hack/scrape.py --pods 1000       smaller
    python hack/scrape.py --profile         where the time goes

The operator's own state is built as from a watch: nodes of five models, pods of three classes with
teams, Jobs and budgets, and a ledger on disk. A scrape is then all that the process does for one,
until its bytes are there: sums, marks on their way to the ledger, text.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "tests")]

from support.runtime import T0, Operator, budget, node, pod  # noqa: E402 - by the path set above

from bursar.domain.time import HOUR, SECOND  # noqa: E402
from bursar.domain.workload import Owner  # noqa: E402
from bursar.pipeline import Sighting  # noqa: E402
from bursar.runtime import clock  # noqa: E402
from bursar.runtime.energy import Energy  # noqa: E402
from bursar.runtime.exposition import OPENMETRICS, Exposition  # noqa: E402
from bursar.runtime.totals import Totals  # noqa: E402
from bursar.runtime.views import Views  # noqa: E402

NAMESPACES = 200
DEVICES = 8
SCRAPES = 20
TYPES = (
    ("p5.48xlarge", "NVIDIA-H100-80GB-HBM3"),
    ("p4d.24xlarge", "NVIDIA-A100-SXM4-40GB"),
    ("p4de.24xlarge", "NVIDIA-A100-SXM4-80GB"),
    ("g6.48xlarge", "NVIDIA-L4"),
    ("p5en.48xlarge", "NVIDIA-H200"),
)
CLASSES = ("training", "inference", "interactive")


def cluster(folder: Path, pods: int) -> Operator:
    """An operator that knows so many pods, all of them running."""
    made = Operator.start(folder / "ledger.db")
    from bursar.runtime import catalog

    made.accounts.totals = Totals(power=Energy(catalog.load().tables, {}).power)
    made.accounts.totals.restore({}, [])
    for number in range(pods // DEVICES):
        kind, product = TYPES[number % len(TYPES)]
        labels = {"node.kubernetes.io/instance-type": kind, "nvidia.com/gpu.product": product}
        made.nodes.apply(node(f"gpu-{number}", labels=labels), T0, deleted=False)
    for number in range(NAMESPACES):
        name = f"team-{number}"
        made.world.namespaces[name] = {}
        made.budgets.apply(budget(name, namespace=name, limits={"cost": "9000"}), T0, gone=False)
    for number in range(pods):
        made.accounts.apply(one(number), (job(number),), Sighting(now=T0 + SECOND))
    made.budgets.assess(T0 + 2 * SECOND)
    return made


def one(number: int) -> dict[str, Any]:
    """One running pod; Jobs have ten, and a namespace two classes."""
    place = number % NAMESPACES
    found = pod(
        f"p-{number}",
        namespace=f"team-{place}",
        node=f"gpu-{number // DEVICES}",
        created=T0,
        bound=T0 + number % 997,
    )
    labels = {
        "bursar.dev/workload-class": CLASSES[(place + number // NAMESPACES % 2) % 3],
        "bursar.dev/team": f"team-{place % 90}",
    }
    found["metadata"].setdefault("labels", {}).update(labels)
    return found


def job(number: int) -> Owner:
    place, run = number % NAMESPACES, number // NAMESPACES // 10
    name = f"train-{run}"
    return Owner(
        api_version="batch/v1",
        kind="Job",
        namespace=f"team-{place}",
        name=name,
        uid=f"uid-{place}-{run}",
    )


async def measure(exposition: Exposition, accept: str) -> tuple[list[float], int]:
    """Milliseconds of each scrape, and bytes of the last."""
    taken, size = [], 0
    for _ in range(SCRAPES):
        begun = time.perf_counter()
        size = len((await exposition.answer(accept, "10.0.0.1")).body)
        taken.append((time.perf_counter() - begun) * 1_000)
        await asyncio.sleep(0.1)
    return taken, size


def main() -> None:
    """Build, scrape, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = cluster(Path(folder), chosen.pods)
        begun = clock.own()
        clock.now = lambda: T0 + HOUR + clock.own() - begun  # type: ignore[assignment]
        energy = Energy(made.accounts._bundle.tables, {})  # noqa: SLF001
        views = Views(made.controller(), "USD", "2026-07-20", 5 * SECOND, energy)
        exposition = Exposition(views)
        if chosen.profile:
            asyncio.run(measure(exposition, OPENMETRICS))
            with cProfile.Profile() as profile:
                asyncio.run(measure(exposition, OPENMETRICS))
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
            return
        for name, accept in (("text 0.0.4", ""), ("OpenMetrics 1.0", OPENMETRICS)):
            taken, size = asyncio.run(measure(exposition, accept))
            print(
                f"{name}: median {statistics.median(taken[1:]):.0f} ms,"
                f" most {max(taken[1:]):.0f} ms, first {taken[0]:.0f} ms, {size / 2**20:.2f} MiB"
            )
        made.close()


if __name__ == "__main__":
    main()
