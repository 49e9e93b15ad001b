"""Every row class, imported, so that `Row.metadata` is whole."""

from db import (
    channels,
    conversations,
    cooldowns,
    inbox,
    knowledge,
    operators,
    outbox,
    providers,
    routes,
    settings,
    usage,
)
from db.base import Row

METADATA = Row.metadata
__all__ = ["METADATA", "channels", "conversations", "cooldowns", "inbox", "knowledge", "operators",
           "outbox", "providers", "routes", "settings", "usage"]  # fmt: skip
