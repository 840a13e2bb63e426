"""What Prometheus scrapes: well-formed, never set back by a restart, the report's own figures."""

from __future__ import annotations

import math
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from bursar.sandbox import SandboxError, programs
from support.closedform import PodWatch, finished, moment
from support.lives import ASKED, LISTED, Fleet, by_pod
from support.product import Product, budget, gpu_pod, settle

pytestmark = pytest.mark.cluster

RENTED = [index for index, (model, *_) in enumerate(ASKED) if model in LISTED]
COUNTED_BY_THE_LEDGER = (
    "bursar_cost_total",
    "bursar_gpu_seconds_total",
    "bursar_unpriced_gpu_seconds_total",
    "bursar_idle_cost_total",
)


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return programs.prometheus(lambda line: None)["promtool"]
    except SandboxError as error:
        pytest.skip(f"promtool is neither there nor can it be built: {error}")


def test_promtool_has_nothing_to_say(
    product: Product, namespace: str, watch: PodWatch, promtool: Path
) -> None:
    product.sandbox.create(budget("all", namespace, limits={"cost": "1000", "gpuHours": "10"}))
    fleet = Fleet(product, namespace, watch)
    name = fleet.create(0, 1)
    fleet.wait(name, "finished")
    settle(lambda: name in by_pod(product, namespace), want=True)
    text = product.metrics()
    assert f'namespace="{namespace}"' in text
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_no_counter_of_the_ledger_goes_back_over_a_kill(
    product: Product, namespace: str, watch: PodWatch
) -> None:
    fleet = Fleet(product, namespace, watch)
    for index in range(len(ASKED)):
        fleet.create(index, 2)
    running = fleet.create(3, None)
    fleet.wait(running, "running")
    for name in fleet.asked.keys() - {running}:
        fleet.wait(name, "finished")
    settle(lambda: len(by_pod(product, namespace)), len(fleet.asked))
    before = {name: product.samples(name) for name in COUNTED_BY_THE_LEDGER}
    product.kill()
    product.start()
    for name, samples in before.items():
        after = product.samples(name)
        fallen = {key: was for key, was in samples.items() if after.get(key, -1.0) < was}
        assert not fallen, f"{name} went back"


def test_the_counter_of_cost_is_the_report_as_a_float(
    product: Product, namespace: str, watch: PodWatch
) -> None:
    fleet = Fleet(product, namespace, watch)
    for index in RENTED:
        fleet.create(index, 1 + index % 3)
    for name in fleet.asked:
        fleet.wait(name, "finished")
    until = max(finished(seen.last) or 0 for seen in watch.pods.values()) + 1000
    settle(lambda: {n: r["cost"] for n, r in by_pod(product, namespace).items()},
           {name: cost for name, (cost, _) in fleet.by_hand().items()})  # fmt: skip
    report = product.report(by="namespace,class,accelerator", to=moment(until))
    want = {
        (row["key"]["class"], row["key"]["accelerator"]): (row["cost"], row["gpuHours"])
        for row in report["rows"]
        if row["key"]["namespace"] == namespace
    }
    costs: defaultdict[tuple[str, str], float] = defaultdict(float)
    for labels, value in product.samples("bursar_cost_total", namespace=namespace).items():
        costs[dict(labels)["class"], dict(labels)["accelerator"]] += value
    assert costs.keys() == want.keys()
    for key, (cost, _) in want.items():
        assert math.isclose(costs[key], float(cost), rel_tol=1e-12)
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    for labels, value in product.samples("bursar_gpu_seconds_total", namespace=namespace).items():
        seconds[dict(labels)["class"], dict(labels)["accelerator"]] += value
    for key, (_, hours) in want.items():
        assert math.isclose(seconds[key] / 3600, float(hours), abs_tol=2e-9)


def test_energy_is_modeled_by_the_stated_factors(
    product: Product, namespace: str, watch: PodWatch
) -> None:
    fleet = Fleet(product, namespace, watch)
    fleet.wait(fleet.create(4, 2), "finished")
    settle(lambda: len(by_pod(product, namespace)), 1)
    ((labels, joules),) = product.samples(
        "bursar_energy_joules_total", namespace=namespace, accelerator="t4-16gb"
    ).items()
    assert dict(labels)["source"] == "modelled"
    ((_, seconds),) = product.samples(
        "bursar_gpu_seconds_total", namespace=namespace, accelerator="t4-16gb"
    ).items()
    drawn = 1.0 if dict(labels)["class"] == "training" else 0.5
    assert seconds > 0
    assert math.isclose(joules, seconds * 70 * drawn * 1.135, rel_tol=1e-12)


def test_a_budget_is_told_by_its_own_figures(
    product: Product, namespace: str, watch: PodWatch
) -> None:
    product.sandbox.create(budget("all", namespace, limits={"cost": "0"}))

    def told(name: str, **labels: str) -> list[float]:
        return list(product.samples(name, namespace=namespace, budget="all", **labels).values())

    settle(lambda: told("bursar_budget_admission_open", **{"class": "*"}), [0.0])
    assert told("bursar_budget_limit", measure="cost") == [0.0]
    assert told("bursar_budget_used_ratio") == [], "a limit of zero has no ratio"
    product.sandbox.kubectl(
        *("patch", "aibudget", "all", "-n", namespace, "--type=merge"),
        *("-p", '{"spec":{"limits":{"cost":"1000"}}}'),
    )
    settle(lambda: told("bursar_budget_admission_open", **{"class": "*"}), [1.0])
    fleet = Fleet(product, namespace, watch)
    probe = gpu_pod("t4-spot", {"nvidia.com/gpu": 1})
    settle(lambda: fleet.place.attempt(probe).allowed, want=True)
    fleet.wait(fleet.create(4, None), "running")
    settle(lambda: [round(v, 9) for v in told("bursar_budget_burn_rate_per_hour")], [0.35208])
    assert told("bursar_budget_used_ratio")
    product.sandbox.kubectl("delete", "aibudget", "all", "-n", namespace)
    settle(lambda: told("bursar_budget_limit"), [])
