"""A real Prometheus misses nothing: short pods, a kill in between, and the ledger's own figures."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from bursar.domain.time import parse_time
from support.closedform import PodWatch
from support.lives import ASKED, LISTED, Fleet, by_pod
from support.product import Product, settle
from support.prometheus import Labels, Prometheus, running

pytestmark = pytest.mark.cluster

RENTED = [index for index, (model, *_) in enumerate(ASKED) if model in LISTED]
WAVES = 4
COST = "bursar_cost_total"
WORKLOAD_COST = "bursar_workload_cost_total"
Samples = Mapping[Labels, list[tuple[float, float]]]


def live(product: Product, fleet: Fleet) -> None:
    """Waves of pods of 1 to 3 s; the operator is killed in the midst of them, and comes back."""
    for wave in range(WAVES):
        for index in RENTED:
            fleet.create(index, 1 + (index + wave) % 3)
        if wave == 1:
            product.kill()
        if wave == 2:
            product.start()
        fleet.wait(next(reversed(fleet.asked)), "finished")
    for name in fleet.asked:
        fleet.wait(name, "finished")


def counted(product: Product, namespace: str) -> float:
    """What the counters say now, less what they must not take back."""
    cost = product.samples(COST, namespace=namespace)
    over = product.samples("bursar_cost_corrections", namespace=namespace)
    return math.fsum(cost.values()) - math.fsum(over.values())


def increases(samples: Samples) -> dict[Labels, float]:
    """Last less first of each series, which began at zero and never fell."""
    grown = {}
    for labels, points in samples.items():
        values = [value for _, value in points]
        assert values[0] == 0.0, f"{dict(labels)} was first seen at {values[0]}"
        assert values == sorted(values), f"{dict(labels)} fell"
        grown[labels] = values[-1]
    return grown


def by_series(product: Product, namespace: str) -> dict[tuple[str, str], float]:
    report = product.report(by="namespace,class,accelerator")
    return {
        (row["key"]["class"], row["key"]["accelerator"]): float(row["cost"])
        for row in report["rows"]
        if row["key"]["namespace"] == namespace
    }


def same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)


def scraped_to_the_end(
    prometheus: Prometheus, product: Product, namespace: str, fleet: Fleet
) -> None:
    """Wait until the counters have come to the ledger's figures, and these have been scraped."""
    by_hand = {name: cost for name, (cost, _) in fleet.by_hand().items()}
    settle(lambda: {n: r["cost"] for n, r in by_pod(product, namespace).items()}, by_hand)
    whole = math.fsum(float(cost) for cost in by_hand.values())
    settle(lambda: same(counted(product, namespace), whole), want=True)
    since = time.time() + 1
    prometheus.wait(lambda: scraped_since(prometheus, namespace, since), "the last figures")


def scraped_since(prometheus: Prometheus, namespace: str, moment: float) -> bool:
    found = prometheus.samples(f'{COST}{{namespace="{namespace}"}}').values()
    return bool(found) and all(points[-1][0] > moment for points in found)


def born_at_zero(prometheus: Prometheus, watch: PodWatch, of: str) -> None:
    """Series of workloads begin with their pods' creation, though nobody scraped just then."""
    for labels, points in prometheus.samples(f"{WORKLOAD_COST}{{{of}}}").items():
        name = dict(labels)["name"]
        born = parse_time(watch.pods[name].last["metadata"]["creationTimestamp"])
        assert points[0] == ((born or 0) / 1000, 0.0), f"{name}: {points[:3]}"


@pytest.mark.parametrize(
    "features",
    [
        pytest.param(("promql-extended-range-selectors",), id="as it comes"),
        pytest.param(
            ("created-timestamp-zero-ingestion", "promql-extended-range-selectors"),
            id="taking created timestamps in",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_no_short_pod_is_missed_over_a_kill(
    product: Product,
    namespace: str,
    watch: PodWatch,
    tmp_path: Path,
    features: tuple[str, ...],
) -> None:
    fleet = Fleet(product, namespace, watch)
    with running(tmp_path, product.url, features) as prometheus:
        live(product, fleet)
        scraped_to_the_end(prometheus, product, namespace, fleet)

        of = f'namespace="{namespace}"'
        grown = increases(prometheus.samples(f"{COST}{{{of}}}"))
        over = product.samples("bursar_cost_corrections", namespace=namespace)
        costs: defaultdict[tuple[str, str], float] = defaultdict(float)
        for labels, value in grown.items():
            key = dict(labels)
            costs[key["class"], key["accelerator"]] += value - over.get(labels, 0.0)
        want = by_series(product, namespace)
        assert {key for key, cost in costs.items() if cost} == want.keys()
        for key, cost in want.items():
            assert same(costs[key], cost), key

        workloads = increases(prometheus.samples(f"{WORKLOAD_COST}{{{of}}}"))
        told = {dict(labels)["name"]: value for labels, value in workloads.items()}
        by_hand = {name: float(cost) for name, (cost, _) in fleet.by_hand().items()}
        assert told.keys() == by_hand.keys(), "a pod is missing"
        late = {name for name, cost in by_hand.items() if not same(told[name], cost)}
        assert all(told[name] > by_hand[name] for name in late)
        assert len(late) < len(by_hand) / 4, "ends are heard of within the time that is allowed"

        assert not any(prometheus.values(f"resets({COST}{{{of}}}[10m])").values())
        if prometheus.version >= (3, 8):
            exact = prometheus.values(f"increase({COST}{{{of}}}[10m] anchored)")
            assert exact.keys() == grown.keys()
            assert all(same(exact[labels], value) for labels, value in grown.items())
        if "created-timestamp-zero-ingestion" in features and prometheus.version >= (3, 0):
            born_at_zero(prometheus, watch, of)
