"""Runs the migrations on the connection that `gateway.ledger.migration` hands over, or tells what they would do."""

from alembic import context

from gateway.ledger.schema import metadata

given = context.config.attributes
if context.is_offline_mode():
    context.configure(dialect_name=given["dialect"], literal_binds=True)
else:
    context.configure(
        connection=given["connection"],
        target_metadata=metadata,
        render_as_batch=True,
        transaction_per_migration=False,
    )
context.run_migrations()
