"""Alembic runs this. The connection comes from upgrade()."""

from alembic import context

from jobplatform.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
