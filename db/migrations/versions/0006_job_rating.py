"""Whom what a job makes is for."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("job", sa.Column("rating", sa.String(length=16), server_default="general", nullable=False))
