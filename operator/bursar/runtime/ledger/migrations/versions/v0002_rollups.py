"""Roll-ups by hour and day, closed months and corrections, commitments, and more of each price.

Rows that are there keep their ids: new columns take the meaning that was silently theirs. What the
pods of before add up to is filled in after this step, in parts (see `backfill`).
"""

import re
from decimal import Decimal

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AMOUNT = sa.Numeric().with_variant(sa.LargeBinary(), "sqlite")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
CLASS_CODES = {
    "training": "t",
    "inference": "i",
    "interactive": "a",
    "other": "o",
    "unknown": "u",
}
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
COUNTS = ("pods_started", "pods_carried", "pods_uncounted", "pods_uncounted_carried")


def _amounts() -> list[sa.Column[Decimal]]:
    return [sa.Column(name, AMOUNT, nullable=False) for name in AMOUNTS]


def _counts() -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in COUNTS]


def _ref(name: str, target: str, *, nullable: bool = False) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column(name, ID, nullable=nullable),
        sa.ForeignKeyConstraint([name], [f"{target}.id"]),
    ]


def _rollup(name: str, moment: str, of: str, counts: list[sa.Column[int]]) -> None:
    op.create_table(
        name,
        *_ref("cluster_id", "cluster"),
        sa.Column(moment, sa.BigInteger(), nullable=False),
        *_ref(f"{of}_id", of),
        *_amounts(),
        *counts,
        sa.PrimaryKeyConstraint("cluster_id", moment, f"{of}_id"),
        sqlite_with_rowid=False,
    )


def _packed(value: str) -> bytes | str:
    """A UUID's bytes; anything else as it is."""
    return bytes.fromhex(value.replace("-", "")) if UUID.fullmatch(value) else value


def _unpacked(value: bytes | str) -> str:
    if not isinstance(value, bytes):
        return value
    whole = value.hex()
    return "-".join((whole[:8], whole[8:12], whole[12:16], whole[16:20], whole[20:]))


def _shorten() -> None:
    """In SQLite's file, uids and digests as bytes; classes by a letter everywhere."""
    for name, code in CLASS_CODES.items():
        _recode(name, code)
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.create_function("packed", 1, _packed, deterministic=True)
        driver.create_function("unhexed", 1, bytes.fromhex, deterministic=True)
        op.execute("UPDATE pod SET uid = packed(uid)")
        op.execute("UPDATE run SET uid = packed(uid), digest = unhexed(digest)")


def _lengthen() -> None:
    """Undo the same."""
    for name, code in CLASS_CODES.items():
        _recode(code, name)
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.create_function("unpacked", 1, _unpacked, deterministic=True)
        driver.create_function("hexed", 1, bytes.hex, deterministic=True)
        op.execute("UPDATE pod SET uid = unpacked(uid)")
        op.execute("UPDATE run SET uid = unpacked(uid), digest = hexed(digest)")


def _recode(old: str, new: str) -> None:
    member = sa.table("budget_member", sa.column("class", sa.Text()))
    op.execute(member.update().where(member.c["class"] == old).values({"class": new}))


def upgrade() -> None:
    """Add columns and tables, and make the longest rows shorter."""
    _shorten()
    for name, default in (("devices_part", "1"), ("utilization", "1"), ("commitment", "")):
        op.add_column("rate", sa.Column(name, sa.Text(), nullable=False, server_default=default))
    for name, default in (("region", ""), ("labels", "{}")):
        column = sa.Column(name, sa.Text(), nullable=False, server_default=default)
        op.add_column("dimension", column)
    op.add_column("pod", sa.Column("grace_ms", sa.BigInteger(), nullable=True))
    op.create_index("pod_run", "pod", ["run_id"])
    op.drop_index("pod_interval_end", "pod_interval")
    op.create_index("pod_interval_end", "pod_interval", ["end_ms", "start_ms"])
    _rollup("hourly", "hour_ms", "dimension", _counts())
    _rollup("daily", "day_ms", "dimension", _counts())
    _rollup("hourly_node", "hour_ms", "node", [])
    _rollup("daily_node", "day_ms", "node", [])
    op.create_table(
        "commitment_interval",
        *_ref("cluster_id", "cluster"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        *_ref("rate_id", "rate"),
        sa.Column("share", sa.Text(), nullable=True),
        sa.Column("devices", sa.Text(), nullable=True),
        sa.Column("capex_nano", sa.Text(), nullable=False),
        sa.Column("opex_nano", sa.Text(), nullable=False),
        sa.Column("basis", sa.Integer(), nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("low_ms", sa.BigInteger(), nullable=True),
        sa.Column("high_ms", sa.BigInteger(), nullable=True),
        sa.Column("superseded_by", sa.Integer(), nullable=True),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cluster_id", "name", "start_ms", "generation"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "closed_month",
        *_ref("cluster_id", "cluster"),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=False),
        sa.Column("capex_nano", sa.Text(), nullable=False),
        sa.Column("opex_nano", sa.Text(), nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("cluster_id", "month"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "correction",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        *_ref("cluster_id", "cluster"),
        sa.Column("booked_ms", sa.BigInteger(), nullable=False),
        sa.Column("day_ms", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        *_ref("dimension_id", "dimension"),
        *_ref("node_id", "node", nullable=True),
        *_amounts(),
        *_counts(),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("correction_booked", "correction", ["cluster_id", "booked_ms"])
    op.create_table(
        "budget_past",
        *_ref("budget_id", "budget"),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("accelerator", sa.Text(), nullable=False),
        sa.Column("cost_nano", sa.Text(), nullable=False),
        sa.Column("estimated_nano", sa.Text(), nullable=False),
        sa.Column("gpu_ms", sa.Text(), nullable=False),
        sa.Column("unpriced_gpu_ms", sa.Text(), nullable=False),
        sa.Column("doubt", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("budget_id", "class", "accelerator"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series",
        *_ref("cluster_id", "cluster"),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("cluster_id", "rank"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "kept",
        sa.Column("cluster_id", ID, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"]),
        sa.Column("intervals_since_ms", sa.BigInteger(), nullable=False),
        sa.Column("hourly_since_ms", sa.BigInteger(), nullable=False),
        sa.Column("unfilled_after", ID, nullable=True),
        sa.Column("unfilled_upto", ID, nullable=True),
        sa.PrimaryKeyConstraint("cluster_id"),
    )
    op.execute(
        "INSERT INTO kept (cluster_id, intervals_since_ms, hourly_since_ms,"
        " unfilled_after, unfilled_upto)"
        " SELECT cluster_id, 0, 0, 0, MAX(id) FROM pod GROUP BY cluster_id"
    )


def downgrade() -> None:
    """Take the same away; roll-ups can be computed anew, corrections are lost."""
    _lengthen()
    for table in (
        "kept",
        "series",
        "budget_past",
        "correction",
        "closed_month",
        "commitment_interval",
        "daily_node",
        "hourly_node",
        "daily",
        "hourly",
    ):
        op.drop_table(table)
    op.drop_index("pod_interval_end", "pod_interval")
    op.create_index("pod_interval_end", "pod_interval", ["end_ms"])
    op.drop_index("pod_run", "pod")
    op.drop_column("pod", "grace_ms")
    for name in ("labels", "region"):
        op.drop_column("dimension", name)
    for name in ("commitment", "utilization", "devices_part"):
        op.drop_column("rate", name)
