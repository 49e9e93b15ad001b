"""What every page and API handler works with, wired once in admin/__main__.py."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import HTTPConnection

from core.fleet.control import Control, ControlError
from core.gateway_keys import GatewayKeys
from core.knowledge.answerer import KnowledgeModel
from core.routing.book import RouteBook
from core.routing.cooldown import Cooldown
from core.routing.route import Router
from core.routing.state import open_state
from core.settings import Settings
from db.database import Database


@dataclass(frozen=True, slots=True)
class Services:
    """The web process's parts; `app.state.services` holds them. `book` knows every route, `router` opens
    them: for the APIs, the playground and compare."""

    settings: Settings
    database: Database
    control: Control
    book: RouteBook
    router: Router
    gateway_keys: GatewayKeys


def wired(settings: Settings, database: Database, control: Control) -> Services:
    """The services around a database and a line to the orchestrator."""
    cooldown = Cooldown(open_state(settings.home, settings.redis_url))
    router = Router(knowledge=KnowledgeModel(database), cooldown=cooldown)
    book = RouteBook(database, control.provider_secrets, ControlError)
    return Services(settings, database, control, book, router, GatewayKeys(database))


def services_of(connection: HTTPConnection) -> Services:
    """The services of the running application."""
    return cast(Services, connection.app.state.services)
