"""What people may set on each thing: in a form of the panel, over the REST API and in the fleet file."""

from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from core.configuration.errors import wrong
from core.configuration.values import (
    Color,
    LongText,
    Name,
    Origin,
    ShortText,
    Slug,
    Token,
    Url,
)
from core.knowledge.faq_patterns import BadPattern, Pattern

MatchKind = Literal["exact", "wildcard", "regex", "close"]
Rating = Literal["general", "adult"]


class Config(BaseModel):
    """Base of what people may set: unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def unique(values: list[str]) -> list[str]:
    """Values without repetitions, in order."""
    return list(dict.fromkeys(values))


Bases = Annotated[list[Slug], BeforeValidator(_one_or_many), Field(max_length=20)]


class ChannelConfig(Config):
    """What bots and widgets have in common."""

    name: Name = Field("", title="Name", description="For people; empty: the id.")
    route: Slug | None = Field(
        None, title="Route", description='Which models answer; empty: the route "default".'
    )
    character: Slug | None = Field(
        None, title="Character", description='Who speaks; empty: the character "default".'
    )
    bases: Bases = Field(
        default_factory=list,
        validation_alias=AliasChoices("bases", "base"),
        title="Knowledge bases",
        description="FAQ and documents that it may use.",
    )
    image_route: Slug | None = Field(
        None, title="Pictures", description='Media route; empty: the one called "images"; "off": none.'
    )
    video_route: Slug | None = Field(
        None, title="Videos", description='Media route; empty: the one called "videos"; "off": none.'
    )


class BotConfig(ChannelConfig):
    """A bot. A token that is left out stays as it is."""

    token: Token | None = Field(None, title="Token", description="As the messenger gave it to you.")
    api_base: Url | None = Field(
        None, title="Bot API server", description="Address of your own server; empty: the public one."
    )


class WidgetConfig(ChannelConfig):
    """A website's chat. Without origins it works on Botyard's own demo page only."""

    origins: list[Origin] = Field(
        default_factory=list,
        max_length=100,
        title="Websites",
        description="Origins that may embed it, such as https://example.com or https://*.example.com.",
    )
    title: Name = Field("", title="Title", description="Shown at the top of the chat; empty: the name.")
    color: Color | None = Field(None, title="Colour", description="Accent colour, such as #2563eb.")

    @field_validator("origins")
    @classmethod
    def _origins_once(cls, value: list[str]) -> list[str]:
        return unique(value)


class BaseInput(Config):
    """A knowledge base."""

    name: Name = Field("", title="Name", description="For people; empty: the id.")


class FaqInput(Config):
    """A question with its answer."""

    match: MatchKind = Field("close", title="Match", description="How a message must resemble the question.")
    question: ShortText = Field(title="Question", description="Or the pattern, by the kind of match.")
    answer: LongText = Field(min_length=1, max_length=20_000, title="Answer")

    @field_validator("question")
    @classmethod
    def _pattern_compiles(cls, value: str, info: ValidationInfo) -> str:
        match = info.data.get("match")
        if match in ("wildcard", "regex"):
            try:
                Pattern(match, value)
            except BadPattern as error:
                raise wrong("pattern", en=error.text("en"), ru=error.text("ru")) from error
        return value


class NewBot(BotConfig):
    """A bot with its id."""

    id: Slug


class NewWidget(WidgetConfig):
    """A widget with its id."""

    id: Slug


class NewBase(BaseInput):
    """A knowledge base with its id."""

    id: Slug
