"""Runs the steps in the connection, and the transaction, of whoever asked for them."""

from alembic import context

from bursar.runtime.ledger.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
)
context.run_migrations()
