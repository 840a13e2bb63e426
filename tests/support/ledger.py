"""Rows of the ledger with short names and telling amounts, and ledgers in both databases.

A test that takes `database` or `ledger` runs twice: in SQLite and in a real PostgreSQL.
"""

from collections.abc import Iterator
from fractions import Fraction

import pytest

from bursar.domain.budget import BudgetKey
from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import Rate, RatePeriod
from bursar.domain.time import HOUR
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Basis, Dimension, End, Holding
from bursar.domain.workload import NodeFacts
from bursar.meter import node_segments, segments
from bursar.runtime.ledger import Ledger
from bursar.runtime.ledger.rows import IntervalRows, MemberRow, NodeIntervalRows, NodeRow, PodRow
from support.databases import KINDS, Database

NANO = 10**9
P5 = Rate(
    capex=Fraction(0), opex=Fraction(55_040_000_000), currency="USD", origin="catalog 2026-07-20"
)
CHEAP = Rate(capex=Fraction(NANO), opex=Fraction(7 * NANO), currency="USD", origin="dgx")
VISION = BudgetKey(namespace="vision", name="gpu")


def period(rate, since=0, until=None):
    return RatePeriod(since=since, until=until, rate=rate)


FLAT = (period(P5),)


def end(at, basis=Basis.EXACT, witness="finishedAt", **bounds):
    return End(at=at, basis=basis, witness=witness, **bounds)


def facts(uid="n1", devices=Fraction(8), **more):
    values = {
        "uid": uid,
        "name": f"name-of-{uid}",
        "labels": {"a": "b"},
        "instance_type": "p5.48xlarge",
        "region": "us-east-1",
        "zone": "",
        "provider": "aws",
        "capacity_type": "on-demand",
        "infrastructure": "self-managed",
        "accelerator": "h100-sxm5-80gb",
        "memory_mib": 81559,
        "devices": devices,
        "device_fraction": Fraction(1),
        "replicas": 1,
        "sharing": "",
        "mig_strategy": "",
        "hourly_price": None,
        "created": 0,
    }
    return NodeFacts(**(values | more))


def node(uid="n1", **more):
    return NodeRow(facts=facts(uid, **more))


def pod(uid="p1", **more):
    return PodRow(
        **({"uid": uid, "namespace": "vision", "name": f"pod-{uid}", "node_uid": "n1"} | more)
    )


def dimension(**more):
    values = {
        "namespace": "vision",
        "workload_class": WorkloadClass.TRAINING,
        "accelerator": "h100-sxm5-80gb",
    }
    return Dimension(**(values | more))


def hold(uid="p1", *, start=0, stop=None, known=None, devices=4, rates=FLAT, **more):
    """Four of eight GPUs of a p5.48xlarge, 27.52 an hour, unless told otherwise."""
    holding = Holding(
        resource=more.pop("resource", "nvidia.com/gpu"),
        devices=devices if isinstance(devices, Unknown) else Fraction(devices),
        node_devices=Fraction(8),
        start=start,
        end=end(stop) if isinstance(stop, int) else stop,
    )
    known = known if known is not None else (holding.end.at if holding.end else HOUR)
    return IntervalRows(
        pod_uid=uid,
        segments=segments(holding, rates),
        known=known,
        dimension=more.pop("dimension", dimension()),
        **more,
    )


def node_hold(uid="n1", *, start=0, stop=None, known=HOUR, rates=FLAT):
    last = end(stop) if stop is not None else None
    return NodeIntervalRows(
        node_uid=uid, segments=node_segments(start, last, Fraction(8), rates), known=known
    )


def member(uid="p1", *, since=0, until=None, budget=VISION, **more):
    return MemberRow(
        pod_uid=uid,
        budget=budget,
        budget_uid=more.pop("budget_uid", "b1"),
        workload_class=more.pop("workload_class", WorkloadClass.TRAINING),
        since=since,
        until=until,
    )


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest) -> Database:
    """A place for a ledger; PostgreSQL's has the tables already."""
    if request.param == "sqlite":
        folder = request.getfixturevalue("tmp_path")
        return Database(f"sqlite:///{folder}/ledger.db")
    return Database(request.getfixturevalue("postgres_url"))


@pytest.fixture
def ledger(database: Database) -> Iterator[Ledger]:
    """A new ledger of the cluster `test`."""
    opened = Ledger.open(database.url, "test")
    yield opened
    opened.close()
