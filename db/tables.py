"""Every row class, imported, so that `Row.metadata` is whole."""

from db import (
    artifacts,
    channels,
    conversations,
    gateway_keys,
    inbox,
    job_previews,
    job_runners,
    jobs,
    knowledge,
    limits,
    media,
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
__all__ = ["METADATA", "artifacts", "channels", "conversations", "gateway_keys", "inbox", "job_previews",
           "job_runners", "jobs", "knowledge", "limits", "media", "operators", "outbox", "providers",
           "routes", "settings", "uploads", "usage", "usage_days"]  # fmt: skip
