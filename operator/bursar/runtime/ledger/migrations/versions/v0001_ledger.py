"""The first schema: clusters, writers' terms, nodes, rates, pods, intervals, budgets, totals."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "cluster",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "dimension",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("activity", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("cost_center", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("accelerator", sa.Text(), nullable=False),
        sa.Column("capacity_type", sa.Text(), nullable=False),
        sa.Column("infrastructure", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "rate",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("capex", sa.Text(), nullable=False),
        sa.Column("opex", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("assumed", sa.Integer(), nullable=False),
        sa.Column("unpriced", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "resource",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "budget",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("cluster_id", ID, nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["cluster.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("cluster_id", ID, nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("resource_version", sa.Text(), nullable=False),
        sa.Column("observed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["cluster.id"],
        ),
        sa.PrimaryKeyConstraint("cluster_id", "stream"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "node",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("cluster_id", ID, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.Column("rates_revised_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["cluster.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("cluster_id", "uid"),
    )
    op.create_table(
        "run",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("cluster_id", ID, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["cluster.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "total",
        sa.Column("cluster_id", ID, nullable=False),
        sa.Column("dimension_id", ID, nullable=False),
        sa.Column("capex_nano", sa.Text(), nullable=False),
        sa.Column("opex_nano", sa.Text(), nullable=False),
        sa.Column("device_ms_nano", sa.Text(), nullable=False),
        sa.Column("gpu_ms_nano", sa.Text(), nullable=False),
        sa.Column("unpriced_gpu_ms_nano", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["cluster.id"],
        ),
        sa.ForeignKeyConstraint(
            ["dimension_id"],
            ["dimension.id"],
        ),
        sa.PrimaryKeyConstraint("cluster_id", "dimension_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "writer",
        sa.Column("cluster_id", ID, autoincrement=False, nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["cluster.id"],
        ),
        sa.PrimaryKeyConstraint("cluster_id"),
    )
    op.create_table(
        "node_interval",
        sa.Column("node_id", ID, nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("rate_id", ID, nullable=False),
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
        sa.ForeignKeyConstraint(
            ["node_id"],
            ["node.id"],
        ),
        sa.ForeignKeyConstraint(
            ["rate_id"],
            ["rate.id"],
        ),
        sa.PrimaryKeyConstraint("node_id", "start_ms", "generation"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "node_rate",
        sa.Column("node_id", ID, nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.Column("rate_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["node_id"],
            ["node.id"],
        ),
        sa.ForeignKeyConstraint(
            ["rate_id"],
            ["rate.id"],
        ),
        sa.PrimaryKeyConstraint("node_id", "since_ms"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pod",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("cluster_id", ID, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("run_id", ID, nullable=True),
        sa.Column("node_id", ID, nullable=True),
        sa.Column("priority_class", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["cluster.id"],
        ),
        sa.ForeignKeyConstraint(
            ["node_id"],
            ["node.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["run.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("cluster_id", "uid"),
    )
    op.create_table(
        "budget_member",
        sa.Column("budget_id", ID, nullable=False),
        sa.Column("pod_id", ID, nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=True),
        sa.Column("class", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["budget_id"],
            ["budget.id"],
        ),
        sa.ForeignKeyConstraint(
            ["pod_id"],
            ["pod.id"],
        ),
        sa.PrimaryKeyConstraint("budget_id", "pod_id", "from_ms"),
        sqlite_with_rowid=False,
    )
    op.create_index("budget_member_pod", "budget_member", ["pod_id"], unique=False)
    op.create_table(
        "pod_interval",
        sa.Column("pod_id", ID, nullable=False),
        sa.Column("resource_id", ID, nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("rate_id", ID, nullable=False),
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
        sa.Column("device_fraction", sa.Text(), nullable=False),
        sa.Column("dimension_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["dimension_id"],
            ["dimension.id"],
        ),
        sa.ForeignKeyConstraint(
            ["pod_id"],
            ["pod.id"],
        ),
        sa.ForeignKeyConstraint(
            ["rate_id"],
            ["rate.id"],
        ),
        sa.ForeignKeyConstraint(
            ["resource_id"],
            ["resource.id"],
        ),
        sa.PrimaryKeyConstraint("pod_id", "resource_id", "start_ms", "generation"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "one_live",
        "pod_interval",
        ["pod_id", "resource_id", "start_ms"],
        unique=True,
        sqlite_where=sa.text("superseded_by IS NULL"),
        postgresql_where=sa.text("superseded_by IS NULL"),
    )
    op.create_index("pod_interval_end", "pod_interval", ["end_ms"], unique=False)
    op.create_index(
        "pod_interval_open",
        "pod_interval",
        ["pod_id"],
        unique=False,
        sqlite_where=sa.text("basis = 0 AND superseded_by IS NULL"),
        postgresql_where=sa.text("basis = 0 AND superseded_by IS NULL"),
    )


def downgrade() -> None:
    """Drop all tables, the ones that others point at last."""
    for table in (
        "pod_interval",
        "budget_member",
        "pod",
        "node_rate",
        "node_interval",
        "writer",
        "total",
        "run",
        "node",
        "checkpoint",
        "budget",
        "resource",
        "rate",
        "dimension",
        "cluster",
    ):
        op.drop_table(table)
