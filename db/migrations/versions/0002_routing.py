"""Routing: costs, limits, keys of the gateway, generation settings, proxies."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.drop_table("cooldown")  # rests have a file of their own
    for table, columns in _columns().items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.add_column(column)
    _limits()
    _uploads()
    op.create_table(
        "usage_day",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), nullable=False),
        sa.Column("estimated", sa.Integer(), nullable=False),
        sa.Column("unpriced", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("day", "source", "channel_id", "key_id", "provider_id", "model"),
    )
    op.create_table(
        "gateway_key",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("hint", sa.String(length=8), nullable=False),
        sa.Column("routes", sa.JSON(), nullable=False),
        sa.Column("models", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("last_used_at", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _uploads() -> None:
    op.create_table(
        "upload",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("chat_key", sa.String(length=100), nullable=False),
        sa.Column("mime", sa.String(length=40), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("upload_room", "upload", ["channel_id", "size"], unique=False)
    op.create_index("upload_age", "upload", ["created_at"], unique=False)


def _columns() -> dict[str, list[sa.Column[Any]]]:
    return {
        "usage": [
            sa.Column("source", sa.String(length=16), nullable=False, server_default="chat"),
            sa.Column("user_key", sa.String(length=100), nullable=True),
            sa.Column("key_id", sa.String(length=64), nullable=True),
            sa.Column("request_id", sa.String(length=36), nullable=True),
            sa.Column("cached_tokens", sa.Integer(), nullable=True),
            sa.Column("cost", sa.Float(), nullable=True),
            sa.Column("detail", sa.JSON(), nullable=False, server_default="{}"),
        ],
        "character": [sa.Column("sampling", sa.JSON(), nullable=False, server_default="{}")],
        "conversation": [sa.Column("settings", sa.JSON(), nullable=False, server_default="{}")],
        "message": [
            sa.Column("reasoning", sa.Text(), nullable=False, server_default=""),
            sa.Column("attachments", sa.JSON(), nullable=False, server_default="[]"),
        ],
        "provider": [sa.Column("proxies", sa.Text(), nullable=True)],
    }


def _limits() -> None:
    op.create_table(
        "usage_limit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("subject_kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=150), nullable=False),
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.Float(), nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "usage_limit_use",
        sa.Column("limit_id", sa.String(length=36), nullable=False),
        sa.Column("subject", sa.String(length=150), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("used", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["limit_id"], ["usage_limit.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("limit_id", "subject", "since"),
    )
    op.create_table(
        "usage_reservation",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("limit_id", sa.String(length=36), nullable=False),
        sa.Column("subject", sa.String(length=150), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("amount", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["limit_id"], ["usage_limit.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("request_id", "limit_id", "subject"),
    )
    op.create_index(
        op.f("ix_usage_reservation_expires_at"), "usage_reservation", ["expires_at"], unique=False
    )
