"""Alembic's environment: db/migrate.py hands it an open connection."""

from alembic import context

from db.migrate import is_row_class
from db.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    include_object=is_row_class,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
