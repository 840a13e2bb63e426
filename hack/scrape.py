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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "tests")]

from bursar.domain.time import HOUR, SECOND  # noqa: E402
from bursar.domain.workload import Owner  # noqa: E402
from bursar.pipeline import Sighting  # noqa: E402
from bursar.runtime import clock  # noqa: E402
from bursar.runtime.configuring.energy import Energy  # noqa: E402
from bursar.runtime.counting.totals import Totals  # noqa: E402
from bursar.runtime.metrics.exposition import OPENMETRICS, Exposition  # noqa: E402
from bursar.runtime.metrics.views import Views  # noqa: E402
from support.runtime import T0, Operator, budget, node, pod  # noqa: E402 - by the path set above

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
    made = Operator.start(folder / "ledger.db", eager=False)
    from bursar.runtime.configuring import catalog

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
        if number % 500 == 0:
            made.ledger.commit()
    made.ledger.commit()
    made.budgets.assess(T0 + 2 * SECOND)
    made.ledger.commit()
    return made


def one(number: int) -> dict[str, Any]:
    """One running pod; Jobs have ten, and a namespace two classes."""
    place = number % NAMESPACES
    found = pod(
        f"p-{number}",
        namespace=f"team-{place}",
        on=f"gpu-{number // DEVICES}",
        created=T0,
        gpus=1,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one scrape took: milliseconds by the clock and of a processor, and bytes."""

    wall: float
    cpu: float
    size: int


async def measure(exposition: Exposition, accept: str) -> list[Taken]:
    """Scrape again and again, as one who does."""
    taken = []
    for _ in range(SCRAPES):
        begun, busy = time.perf_counter(), time.thread_time()
        body = (await exposition.answer(accept, "10.0.0.1")).body
        wall, cpu = time.perf_counter() - begun, time.thread_time() - busy
        taken.append(Taken(wall=wall * 1_000, cpu=cpu * 1_000, size=len(body)))
        await asyncio.sleep(0.1)
    return taken


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
        controller = made.controller()
        controller.ledger = made.ledger._real  # noqa: SLF001 - its thread, as in the operator
        views = Views(controller, "USD", "2026-07-20", 5 * SECOND, energy)
        exposition = Exposition(views)
        if chosen.profile:
            asyncio.run(measure(exposition, OPENMETRICS))
            with cProfile.Profile() as profile:
                asyncio.run(measure(exposition, OPENMETRICS))
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
            return
        for name, accept in (("text 0.0.4", ""), ("OpenMetrics 1.0", OPENMETRICS)):
            first, *taken = asyncio.run(measure(exposition, accept))
            wall, cpu = ([getattr(each, what) for each in taken] for what in ("wall", "cpu"))
            print(
                f"{name}: median {statistics.median(wall):.0f} ms, most {max(wall):.0f} ms,"
                f" first {first.wall:.0f} ms; CPU {statistics.median(cpu):.0f} ms,"
                f" least {min(cpu):.0f} ms; {first.size / 2**20:.2f} MiB"
            )
        made.close()


if __name__ == "__main__":
    main()
