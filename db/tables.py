"""Every row class, imported, so that `Row.metadata` is whole."""

from db import (
    channels,
    conversations,
    gateway_keys,
    inbox,
    knowledge,
    limits,
    operators,
    outbox,
    providers,
    routes,
    settings,
    uploads,
    usage,
    usage_days,
)
from db.base import Row

METADATA = Row.metadata
__all__ = ["METADATA", "channels", "conversations", "gateway_keys", "inbox", "knowledge",
           "limits", "operators", "outbox", "providers", "routes", "settings",
           "uploads", "usage", "usage_days"]  # fmt: skip
