"""The ledger's tables.

Types are those that SQLite and PostgreSQL share. Moments are milliseconds, UTC. Money is whole
nano-units, kept as decimal text (`Whole`), and shares, devices and rates are exact fractions, kept
as `numerator/denominator` text (`Ratio`): both outgrow 64 bits (one open node-year in a small
currency does, and so does a share that a tenant's annotation of thirty digits gives), SQLite then
turns integers into floats without a word, and its SUM overflows. Sums are formed in Python.
"""

from fractions import Fraction
from functools import lru_cache
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
    TypeDecorator,
    UniqueConstraint,
    text,
)


class Whole(TypeDecorator[int]):
    """An integer of any size, as decimal text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Any) -> str | None:
        """Write."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Any) -> int | None:
        """Read."""
        return None if value is None else int(value)


class Ratio(TypeDecorator[Fraction]):
    """An exact fraction, as `numerator/denominator`, or `numerator` alone when it is whole."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Fraction | None, dialect: Any) -> str | None:
        """Write."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Any) -> Fraction | None:
        """Read."""
        return None if value is None else _fraction(value)


@lru_cache(maxsize=4096)
def _fraction(value: str) -> Fraction:
    return Fraction(value)


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
)

RESOURCE = Table(
    "resource", METADATA, _id(), Column("digest", Text, nullable=False, unique=True), _text("name")
)

RUN = Table(
    "run",
    METADATA,
    _id(),
    Column("digest", Text, nullable=False, unique=True),
    _ref("cluster_id", "cluster"),
    _text("uid"),
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
    _text("uid"),
    _text("namespace"),
    _text("name"),
    _ref("run_id", "run", nullable=True),
    _ref("node_id", "node", nullable=True),
    _text("priority_class"),
    _text("labels"),
    UniqueConstraint("cluster_id", "uid"),
)

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
Index("pod_interval_end", POD_INTERVAL.c.end_ms)
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
    _text("class"),
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
