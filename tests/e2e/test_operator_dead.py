"""With the operator killed by -9 the API server goes on: it stamps, shuts and opens by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest

from support.closedform import HOUR_MS, PodWatch, bound, listed, milliseconds, moment
from support.policies import Object, Place, entry, job
from support.product import Product, budget, gpu_pod

pytestmark = pytest.mark.cluster

ONE = {"nvidia.com/gpu": 1}
H100_AN_HOUR = listed("p5.48xlarge", "us-east-1")
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One attempt to create a pod.

    Attributes:
        created: its `creationTimestamp` (ms); None where it was refused.
        asked: when it was asked for (ms).
        answered: when the answer was there (ms).
        said: the refusal.
    """

    created: int | None
    asked: int
    answered: int
    said: str


@pytest.fixture
def place(product: Product, namespace: str) -> Iterator[Place]:
    """A namespace whose end a running operator sees: its Events must not come too late."""
    yield Place(sandbox=product.sandbox, namespace=namespace)
    product.start()


def attempt(place: Place, template: Object, *, keep: bool) -> Try:
    asked = int(time.time() * 1000)
    answer = place.attempt(template, keep=keep)
    answered = int(time.time() * 1000)
    created = (
        milliseconds(answer.object["metadata"]["creationTimestamp"]) if answer.allowed else None
    )
    return Try(created=created, asked=asked, answered=answered, said=answer.said)


def attempts(place: Place, until_ms: int, *, keep: bool = False) -> list[Try]:
    """Ask again and again for a pod until a moment."""
    done: list[Try] = []
    while time.time() * 1000 < until_ms:
        done.append(attempt(place, gpu_pod("l4-shared", ONE, 1), keep=keep))
        time.sleep(0.1)
    return done


def windows_of(product: Product, namespace: str) -> list[Object]:
    found = product.sandbox.find("budgetverdict", "bursar", "-n", namespace)
    entries = ((found or {}).get("verdict") or {}).get("budgets") or []
    return [window for each in entries for window in each.get("windows", [])]


def test_pods_are_stamped_with_no_operator_running(
    product: Product, place: Place, watch: PodWatch
) -> None:
    product.kill()
    template = job(gpu_pod("l4-shared", ONE, labels={"team": "vision"}))
    template["spec"]["template"]["spec"]["containers"][0] |= {
        "image": "pytorch/pytorch",
        "command": ["torchrun", "--nnodes=4", "train.py"],
    }
    assert place.attempt(template, keep=True).allowed
    seen = product.sandbox.wait(
        lambda: next((each for each in watch.pods.values() if bound(each.last)), None),
        what="the Job's pod bound",
    )
    for pod in (seen.first, seen.last):
        labels = pod["metadata"]["labels"]
        assert labels["bursar.dev/accelerated"] == "true"
        assert labels["bursar.dev/class"] == "training"
        assert labels["bursar.dev/class-by"] == "known"
        assert labels["bursar.dev/team"] == "vision"


def test_a_budget_shuts_at_the_projected_second_in_this_period_and_the_next(
    product: Product, place: Place, watch: PodWatch
) -> None:
    limit = "0.15"
    product.sandbox.create(budget("vision", place.namespace, limits={"cost": limit}))
    running = place.attempt(gpu_pod("h100", {"nvidia.com/gpu": 8}), keep=True).object
    name = running["metadata"]["name"]
    windows = product.sandbox.wait(
        lambda: windows_of(product, place.namespace), what="windows in the verdict", every=0.1
    )
    product.kill()

    # This period: one pod runs, so the closing is known to the second, by hand.
    start = bound(watch.pods[name].last)
    assert start is not None
    cost = Fraction(limit) / H100_AN_HOUR * HOUR_MS
    assert windows[0]["closesAt"] == moment((start + cost).__floor__())
    closes = milliseconds(windows[0]["closesAt"])
    tries = attempts(place, closes + 2500, keep=True)
    accepted = [each for each in tries if each.created is not None]
    refused = [each for each in tries if each.created is None]
    assert accepted, "nothing was tried before the budget shut"
    assert refused, "nothing was refused"
    assert max(each.created or 0 for each in accepted) < closes
    assert min(each.answered for each in refused) >= closes
    assert all(each.created is None for each in tries if each.asked >= closes)
    assert "AIBudget vision is shut" in refused[0].said

    # The next periods: each opens at its midnight and shuts when its own limit is burnt.
    today = datetime.fromtimestamp(start // 1000, UTC).replace(hour=0, minute=0, second=0)
    assert windows[0]["reopensAt"] == f"{today + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    for days, window in enumerate(windows[1:], start=1):
        midnight = int((today + timedelta(days=days)).timestamp()) * 1000
        assert window["closesAt"] == moment((midnight + cost).__floor__())
        assert window["reopensAt"] == moment(midnight + DAY_MS)
        assert window["class"] == "*"
        assert window["message"]
    # A daily budget whose operator dies must not stand open after a few days.
    assert milliseconds(windows[-1]["reopensAt"]) >= time.time() * 1000 + 13 * DAY_MS


def test_the_api_server_opens_and_shuts_by_the_clock_alone(product: Product, place: Place) -> None:
    product.kill()
    now = int(time.time()) * 1000
    edges = [now + seconds * 1000 for seconds in (5, 8, 11, 14)]
    windows = [
        {
            "class": "*",
            "closesAt": moment(closes),
            "reopensAt": moment(reopens),
            "message": f"AIBudget vision is shut till {moment(reopens)}",
        }
        for closes, reopens in zip(edges[::2], edges[1::2], strict=True)
    ]
    place.write([entry("AIBudget vision", *windows)])
    tries = attempts(place, edges[-1] + 2500)

    def shut(at: int) -> bool:
        return edges[0] <= at < edges[1] or edges[2] <= at < edges[3]

    assert not [each for each in tries if each.created is not None and shut(each.created)]
    for each in tries:
        if each.created is None:
            # The API server's second lies between question and answer.
            second = range(each.asked // 1000 * 1000, each.answered + 1, 1000)
            assert any(shut(at) for at in second), each
    # Open, shut, open, shut, open: each was met, in this order.
    phases = [each.created is not None for each in tries]
    turns = [after for before, after in pairwise(phases) if before != after]
    assert phases[0]
    assert turns == [False, True, False, True]
    assert f"till {moment(edges[1])}" in next(each.said for each in tries if each.created is None)
