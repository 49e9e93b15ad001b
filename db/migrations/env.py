"""Alembic's environment: db/migrate.py hands it an open connection."""

from alembic import context

from db.tables import METADATA

SEARCH_TABLES = "passage_fts"


def ours(_object: object, name: str | None, kind: str, _reflected: bool, _compared: object) -> bool:
    """Leave the search index out of comparisons: it is no row class."""
    return not (kind == "table" and (name or "").startswith(SEARCH_TABLES))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    include_object=ours,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
