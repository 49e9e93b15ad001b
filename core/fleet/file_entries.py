"""What a fleet file may hold: its sections and the fields of their entries."""

from dataclasses import dataclass
from pathlib import Path

from core.configuration.character_configs import NewCharacter
from core.configuration.configs import Config, FaqInput, NewBot, NewWidget
from core.configuration.errors import Problem
from core.configuration.limit_configs import LimitInput
from core.configuration.media_routes import NewMediaRoute
from core.configuration.preset_configs import NewPreset
from core.configuration.provider_configs import NewProvider
from core.configuration.route_configs import NewRoute
from core.configuration.values import ShortText, Slug, Token


class BotEntry(NewBot):
    """A bot; without `enabled`, starting and stopping is left to the panel."""

    token: Token
    enabled: bool | None = None


class WidgetEntry(NewWidget):
    """A widget; without `enabled`, starting and stopping is left to the panel."""

    enabled: bool | None = None


class FaqEntry(FaqInput):
    """A FAQ entry; without `base` it serves every instance of the file."""

    base: Slug | None = None


class DocumentEntry(Config):
    """A document; its path is relative to the file. Without `base` it serves every instance of the file."""

    path: ShortText
    base: Slug | None = None


class LimitEntry(LimitInput):
    """A limit with its id; `bot` or `widget` says whose users, whose conversation or which instance."""

    id: Slug
    bot: Slug | None = None
    widget: Slug | None = None


def limit_problems(entry: LimitEntry) -> list[Problem]:
    """A subject that does not go with its kind."""
    own = [name for name in ("bot", "widget") if getattr(entry, name)]
    match entry.subject_kind:
        case "instance":
            good = len(own) < 2 and not entry.subject
        case "user" | "conversation":
            good = len(own) == bool(entry.subject)
        case "all" if entry.subject:
            return [Problem("subject", "subject_unwanted")]
        case _:
            good = not own
    return [] if good else [Problem(own[0] if own else "subject", "limit_whose")]


SECTIONS: dict[str, type[Config]] = {
    "providers": NewProvider,
    "routes": NewRoute,
    "characters": NewCharacter,
    "media_routes": NewMediaRoute,
    "presets": NewPreset,
    "limits": LimitEntry,
    "bots": BotEntry,
    "widgets": WidgetEntry,
    "faq": FaqEntry,
    "documents": DocumentEntry,
}


@dataclass(frozen=True, slots=True)
class FiledDocument:
    """A document of the file; it is read and cut only when its digest is new."""

    base: str
    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet file without errors. Entries without a base are in the base FLEET_BASE by now, which every
    instance then has. Positions are those of the file, so that `bots[2]` can be named later."""

    providers: tuple[NewProvider, ...] = ()
    routes: tuple[NewRoute, ...] = ()
    characters: tuple[NewCharacter, ...] = ()
    media_routes: tuple[NewMediaRoute, ...] = ()
    presets: tuple[NewPreset, ...] = ()
    limits: tuple[LimitEntry, ...] = ()
    bots: tuple[BotEntry, ...] = ()
    widgets: tuple[WidgetEntry, ...] = ()
    faq: tuple[FaqEntry, ...] = ()
    documents: tuple[FiledDocument, ...] = ()

    @property
    def bases(self) -> list[str]:
        """Every knowledge base that the file names."""
        named = [base for entry in (*self.bots, *self.widgets) for base in entry.bases]
        named += [str(entry.base) for entry in self.faq] + [entry.base for entry in self.documents]
        return list(dict.fromkeys(named))
