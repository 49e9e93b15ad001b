"""The configuration: the one service that REST API, panel and set-up change it through.

    configuration = Configuration(database, control.seal, control.wake)
    await configuration.bots.create("ann", NewBot(id="shop", token=...))

Each part has `all`, `get`, `create`, `change` and `delete`; each change is one transaction with its audit
entry and the configuration's new version, and running instances hear of it after the commit.
"""

from core.configuration.changes import Changes, Seal, Wake
from core.configuration.channels import Bots, Widgets
from core.configuration.characters import Characters
from core.configuration.errors import (
    ConfigurationError,
    Conflict,
    Invalid,
    ManagedByFile,
    NotFound,
    Problem,
    problems_of,
)
from core.configuration.knowledge import Bases, DocumentRefused, Documents, Faqs
from core.configuration.limits import Limits
from core.configuration.media_routes import MediaRoutes
from core.configuration.presets import PresetRows
from core.configuration.providers import Providers
from core.configuration.routes import Routes
from core.configuration.texts import error_text, problem_text
from db.database import Database

__all__ = [
    "Configuration",
    "ConfigurationError",
    "Conflict",
    "DocumentRefused",
    "Invalid",
    "ManagedByFile",
    "NotFound",
    "Problem",
    "error_text",
    "problem_text",
    "problems_of",
]


class Configuration:
    """Bots, widgets, providers, routes, characters, knowledge and limits, as people may change them.

    Raises NotFound, Invalid, Conflict, ManagedByFile or DocumentRefused: all are ConfigurationError, and
    `error_text(error, language)` is what people read.
    """

    def __init__(self, database: Database, seal: Seal, wake: Wake) -> None:
        changes = Changes(database, seal, wake)
        self.bots = Bots(changes)
        self.widgets = Widgets(changes)
        self.providers = Providers(changes)
        self.routes = Routes(changes)
        self.characters = Characters(changes)
        self.bases = Bases(changes)
        self.faqs = Faqs(changes)
        self.documents = Documents(changes)
        self.limits = Limits(changes)
        self.presets = PresetRows(changes)
        self.media_routes = MediaRoutes(changes)
