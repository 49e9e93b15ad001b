"""What every page and API handler works with, wired once in admin/__main__.py."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import HTTPConnection

from core.fleet.control import Control
from core.settings import Settings
from db.database import Database


@dataclass(frozen=True, slots=True)
class Services:
    """The web process's parts; `app.state.services` holds them."""

    settings: Settings
    database: Database
    control: Control


def services_of(connection: HTTPConnection) -> Services:
    """The services of the running application."""
    return cast(Services, connection.app.state.services)
