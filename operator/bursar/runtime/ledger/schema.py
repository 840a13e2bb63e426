"""The ledger's tables.

Moments are milliseconds, UTC. Money is whole nano-units (`Whole`, `Amount`); shares, devices and
rates are exact fractions (`Ratio`): all of any size, see `types`.

Roll-ups (`hourly`, `daily` by dimension, `hourly_node`, `daily_node` by node) are sums over pods'
intervals, UTC hours and days, and move in the transaction that moves the intervals:

- They hold the *closed holds*: all segments of a pod on a resource, once its end is known. Of one
  that is open they hold what lies in closed months, as if it went on to their end; all else of it
  is added by whoever reads, from its rows.
- `pods_started`: pods whose first closed hold begins in the hour (day); `pods_carried`: those that
  reach into it from before; `pods_uncounted` and `pods_uncounted_carried`: those among them whose
  devices are unknown. A window has the sum of those that started in it and what its first hour
  (day) carried. A pod counts once, whatever it holds.
- What would change a closed month is a row of `correction` instead, booked when it was written. So
  `rollups + corrections` is at all times what the intervals add up to.
- `kept` says from when on intervals and hourly rows are there: older ones are removed, days stay.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from bursar.runtime.ledger.types import Amount, ClassCode, Digest, Ratio, Uid, Whole

METADATA = MetaData()
MOMENT = BigInteger
ID = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", ID, primary_key=True, autoincrement=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, ID, ForeignKey(f"{target}.id"), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _life() -> tuple[Column[Any], ...]:
    """Columns that rows of pods and rows of nodes share."""
    return (
        Column("start_ms", MOMENT, nullable=False),
        Column("generation", Integer, nullable=False),
        Column("end_ms", MOMENT, nullable=False),
        _ref("rate_id", "rate"),
        Column("share", Ratio),
        Column("devices", Ratio),
        Column("capex_nano", Whole, nullable=False),
        Column("opex_nano", Whole, nullable=False),
        Column("basis", Integer, nullable=False),
        _text("witness"),
        Column("low_ms", MOMENT),
        Column("high_ms", MOMENT),
        Column("superseded_by", Integer),
        Column("term", BigInteger, nullable=False),
    )


CLUSTER = Table("cluster", METADATA, _id(), Column("name", Text, nullable=False, unique=True))

WRITER = Table(
    "writer",
    METADATA,
    Column("cluster_id", ID, ForeignKey("cluster.id"), primary_key=True, autoincrement=False),
    Column("term", BigInteger, nullable=False),
)

NODE = Table(
    "node",
    METADATA,
    _id(),
    _ref("cluster_id", "cluster"),
    _text("uid"),
    _text("name"),
    _text("facts", nullable=True),
    Column("rates_revised_ms", MOMENT),
    UniqueConstraint("cluster_id", "uid"),
)

# Interned values: a digest of the content is the key, rows never change.
RATE = Table(
    "rate",
    METADATA,
    _id(),
    Column("digest", Text, nullable=False, unique=True),
    _text("currency"),
    Column("capex", Ratio, nullable=False),
    Column("opex", Ratio, nullable=False),
    _text("origin"),
    Column("assumed", Integer, nullable=False),
    _text("unpriced", nullable=True),
    Column("devices_part", Ratio, nullable=False, server_default="1"),
    Column("utilization", Ratio, nullable=False, server_default="1"),
    Column("commitment", Text, nullable=False, server_default=""),
)

DIMENSION = Table(
    "dimension",
    METADATA,
    _id(),
    Column("digest", Text, nullable=False, unique=True),
    _text("namespace"),
    _text("class"),
    _text("activity"),
    _text("team"),
    _text("cost_center"),
    _text("project"),
    _text("environment"),
    _text("model"),
    _text("accelerator"),
    _text("capacity_type"),
    _text("infrastructure"),
    Column("region", Text, nullable=False, server_default=""),
    Column("labels", Text, nullable=False, server_default="{}"),
)

RESOURCE = Table(
    "resource", METADATA, _id(), Column("digest", Text, nullable=False, unique=True), _text("name")
)

RUN = Table(
    "run",
    METADATA,
    _id(),
    Column("digest", Digest, nullable=False, unique=True),
    _ref("cluster_id", "cluster"),
    Column("uid", Uid, nullable=False),
    _text("kind"),
    _text("namespace"),
    _text("name"),
)

BUDGET = Table(
    "budget",
    METADATA,
    _id(),
    Column("digest", Text, nullable=False, unique=True),
    _ref("cluster_id", "cluster"),
    _text("namespace"),
    _text("name"),
    _text("member"),
    _text("uid"),
)

NODE_RATE = Table(
    "node_rate",
    METADATA,
    _ref("node_id", "node"),
    Column("since_ms", MOMENT, nullable=False),
    Column("until_ms", MOMENT),
    _ref("rate_id", "rate"),
    PrimaryKeyConstraint("node_id", "since_ms"),
    sqlite_with_rowid=False,
)

POD = Table(
    "pod",
    METADATA,
    _id(),
    _ref("cluster_id", "cluster"),
    Column("uid", Uid, nullable=False),
    _text("namespace"),
    _text("name"),
    _ref("run_id", "run", nullable=True),
    _ref("node_id", "node", nullable=True),
    _text("priority_class"),
    _text("labels"),
    Column("grace_ms", MOMENT),
    UniqueConstraint("cluster_id", "uid"),
)
Index("pod_run", POD.c.run_id)

POD_INTERVAL = Table(
    "pod_interval",
    METADATA,
    _ref("pod_id", "pod"),
    _ref("resource_id", "resource"),
    *_life(),
    Column("device_fraction", Ratio, nullable=False),
    _ref("dimension_id", "dimension"),
    PrimaryKeyConstraint("pod_id", "resource_id", "start_ms", "generation"),
    sqlite_with_rowid=False,
)
_LIVE = text("superseded_by IS NULL")
_OPEN = text("basis = 0 AND superseded_by IS NULL")
Index(
    "one_live",
    POD_INTERVAL.c.pod_id,
    POD_INTERVAL.c.resource_id,
    POD_INTERVAL.c.start_ms,
    unique=True,
    sqlite_where=_LIVE,
    postgresql_where=_LIVE,
)
Index("pod_interval_end", POD_INTERVAL.c.end_ms, POD_INTERVAL.c.start_ms)
Index("pod_interval_open", POD_INTERVAL.c.pod_id, sqlite_where=_OPEN, postgresql_where=_OPEN)

NODE_INTERVAL = Table(
    "node_interval",
    METADATA,
    _ref("node_id", "node"),
    *_life(),
    PrimaryKeyConstraint("node_id", "start_ms", "generation"),
    sqlite_with_rowid=False,
)

BUDGET_MEMBER = Table(
    "budget_member",
    METADATA,
    _ref("budget_id", "budget"),
    _ref("pod_id", "pod"),
    Column("from_ms", MOMENT, nullable=False),
    Column("to_ms", MOMENT),
    Column("class", ClassCode, nullable=False),
    PrimaryKeyConstraint("budget_id", "pod_id", "from_ms"),
    sqlite_with_rowid=False,
)
Index("budget_member_pod", BUDGET_MEMBER.c.pod_id)

TOTAL = Table(
    "total",
    METADATA,
    _ref("cluster_id", "cluster"),
    _ref("dimension_id", "dimension"),
    Column("capex_nano", Whole, nullable=False),
    Column("opex_nano", Whole, nullable=False),
    Column("device_ms_nano", Whole, nullable=False),
    Column("gpu_ms_nano", Whole, nullable=False),
    Column("unpriced_gpu_ms_nano", Whole, nullable=False),
    PrimaryKeyConstraint("cluster_id", "dimension_id"),
    sqlite_with_rowid=False,
)

CHECKPOINT = Table(
    "checkpoint",
    METADATA,
    _ref("cluster_id", "cluster"),
    _text("stream"),
    _text("resource_version"),
    Column("observed_ms", MOMENT, nullable=False),
    PrimaryKeyConstraint("cluster_id", "stream"),
    sqlite_with_rowid=False,
)


AMOUNTS = (
    "capex_nano",
    "opex_nano",
    "recovery_nano",
    "estimated_nano",
    "assumed_nano",
    "device_ms_nano",
    "gpu_ms_nano",
    "unpriced_gpu_ms_nano",
    "recovery_capex_nano",
)
"""Columns of amounts of a roll-up: `recovery` is the plain price less what was paid (signed),
`recovery_capex` the part of that which is CapEx; `estimated` and `assumed` are the parts of CapEx
and OpEx with such a doubt."""
COUNTS = ("pods_started", "pods_carried", "pods_uncounted", "pods_uncounted_carried")


def _amounts() -> tuple[Column[int], ...]:
    return tuple(Column(name, Amount, nullable=False) for name in AMOUNTS)


def _counts() -> tuple[Column[int], ...]:
    return tuple(Column(name, Integer, nullable=False) for name in COUNTS)


def _rollup(name: str, moment: str, of: str, *counts: Column[int]) -> Table:
    return Table(
        name,
        METADATA,
        _ref("cluster_id", "cluster"),
        Column(moment, MOMENT, nullable=False),
        _ref(f"{of}_id", of),
        *_amounts(),
        *counts,
        PrimaryKeyConstraint("cluster_id", moment, f"{of}_id"),
        sqlite_with_rowid=False,
    )


HOURLY = _rollup("hourly", "hour_ms", "dimension", *_counts())
DAILY = _rollup("daily", "day_ms", "dimension", *_counts())
HOURLY_NODE = _rollup("hourly_node", "hour_ms", "node")
DAILY_NODE = _rollup("daily_node", "day_ms", "node")

COMMITMENT_INTERVAL = Table(
    "commitment_interval",
    METADATA,
    _ref("cluster_id", "cluster"),
    _text("name"),
    *_life(),
    PrimaryKeyConstraint("cluster_id", "name", "start_ms", "generation"),
    sqlite_with_rowid=False,
)

CLOSED_MONTH = Table(
    "closed_month",
    METADATA,
    _ref("cluster_id", "cluster"),
    _text("month"),
    Column("closed_ms", MOMENT, nullable=False),
    Column("capex_nano", Whole, nullable=False),
    Column("opex_nano", Whole, nullable=False),
    _text("closed_by"),
    PrimaryKeyConstraint("cluster_id", "month"),
    sqlite_with_rowid=False,
)

# Append-only.
CORRECTION = Table(
    "correction",
    METADATA,
    _id(),
    _ref("cluster_id", "cluster"),
    Column("booked_ms", MOMENT, nullable=False),
    Column("day_ms", MOMENT, nullable=False),
    _text("month"),
    _ref("dimension_id", "dimension"),
    _ref("node_id", "node", nullable=True),
    *_amounts(),
    *_counts(),
    _text("reason"),
    _text("reference"),
)
Index("correction_booked", CORRECTION.c.cluster_id, CORRECTION.c.booked_ms)

# What memberships of pods whose intervals were removed came to; no window cuts them (see `keep`).
BUDGET_PAST = Table(
    "budget_past",
    METADATA,
    _ref("budget_id", "budget"),
    _text("class"),
    _text("accelerator"),
    Column("cost_nano", Whole, nullable=False),
    Column("estimated_nano", Whole, nullable=False),
    Column("gpu_ms", Ratio, nullable=False),
    Column("unpriced_gpu_ms", Ratio, nullable=False),
    _text("doubt"),
    PrimaryKeyConstraint("budget_id", "class", "accelerator"),
    sqlite_with_rowid=False,
)

# What Prometheus was shown: it must find the same series again, and none lower. `rank` is the order
# in which they appeared; labels are a JSON list, marks an object of whole numbers as text.
SERIES = Table(
    "series",
    METADATA,
    _ref("cluster_id", "cluster"),
    Column("rank", BigInteger, nullable=False),
    _text("kind"),
    _text("labels"),
    Column("created_ms", MOMENT, nullable=False),
    _text("marks"),
    PrimaryKeyConstraint("cluster_id", "rank"),
    sqlite_with_rowid=False,
)

# Rows begin at these moments. Pods with an id in (unfilled_after, unfilled_upto] are not rolled up.
KEPT = Table(
    "kept",
    METADATA,
    Column("cluster_id", ID, ForeignKey("cluster.id"), primary_key=True, autoincrement=False),
    Column("intervals_since_ms", MOMENT, nullable=False),
    Column("hourly_since_ms", MOMENT, nullable=False),
    Column("unfilled_after", ID),
    Column("unfilled_upto", ID),
)
