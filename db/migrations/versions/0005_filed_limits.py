"""Limits of the fleet file."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "usage_limit", sa.Column("managed", sa.String(length=16), server_default="", nullable=False)
    )
