"""The first tables."""

from alembic import op

from db.passages import SEARCH_DDL
from db.tables import METADATA

revision = "0001"
down_revision = None


def upgrade() -> None:
    METADATA.create_all(op.get_bind())
    for statement in SEARCH_DDL[op.get_bind().dialect.name]:
        op.execute(statement)
