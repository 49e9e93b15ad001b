"""This installation's media store, by its settings; apart from the store, which channels use without them."""

import os

from core.media.store import CREDENTIALS, Store
from core.settings import Settings


def open_store(settings: Settings) -> Store:
    """This installation's store. Raises ValueError for a MEDIA_URL that is none."""
    return Store(settings.media_url, settings.home.resolve() / "media")


def media_environment(settings: Settings) -> dict[str, str]:
    """What a child process needs in its environment to open the same store."""
    return {"MEDIA_URL": settings.media_url, **(credentials() if settings.media_url else {})}


def credentials() -> dict[str, str]:
    """What an S3 server asks for, as far as this process has it."""
    return {name: os.environ[name] for name in CREDENTIALS if name in os.environ}
