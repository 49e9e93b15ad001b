"""What people may set on a provider."""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from core.configuration.configs import Config, unique
from core.configuration.errors import wrong
from core.configuration.values import Host, Key, Location, Name, Proxy, Slug, Url

# Botyard sends these itself, and what is secret belongs among the keys, which are sealed.
RESERVED = {
    "authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "host", "cookie",
    "connection", "content-length", "content-type", "transfer-encoding", "accept-encoding", "upgrade",
}  # fmt: skip
MOST_HEADERS = 20
NUMBERS = ("connect", "first_token", "gap", "whole", "cooldown")
MEDIA_NUMBERS = ("media_poll", "media_deadline", "media_answer", "media_largest")
MOST_BYTES = 64 << 30
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_VALUE = re.compile(r"[\x20-\x7e]{1,1000}")


def _headers(value: dict[str, str]) -> dict[str, str]:
    if len(value) > MOST_HEADERS:
        raise wrong("too_many", limit=MOST_HEADERS)
    for name, text in value.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(text):
            raise wrong("header", given=name[:64])
        if name.lower() in RESERVED:
            raise wrong("header_reserved", given=name)
    return {name: text.strip() for name, text in value.items()}


Headers = Annotated[dict[str, str], AfterValidator(_headers)]


class OwnModel(Config):
    """What an operator knows of a model: it comes before the catalogue. None is unknown."""

    name: Name = Field(min_length=1, title="Name")
    quality: int | None = Field(None, ge=0, le=100, title="Quality", description="For auto, 0 to 100.")
    context: int | None = Field(None, ge=1, le=100_000_000, title="Context", description="In tokens.")
    free: bool | None = Field(None, title="Free")
    vision: bool | None = Field(None, title="Sees pictures")
    tools: bool | None = Field(None, title="Calls tools")
    json_: bool | None = Field(None, alias="json", title="Answers in JSON")
    reasoning: bool | None = Field(None, title="Reasons")
    price_in: float | None = Field(
        None, ge=0, le=100_000, title="Price of input", description="USD a million."
    )
    price_out: float | None = Field(None, ge=0, le=100_000, title="Price of output")

    @model_validator(mode="after")
    def _both_prices(self) -> Self:
        if (self.price_in is None) != (self.price_out is None):
            raise wrong("price_pair")
        return self


def _once(models: list[OwnModel]) -> list[OwnModel]:
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise wrong("model_twice", given=name)
    return models


Models = Annotated[list[OwnModel], Field(max_length=200), AfterValidator(_once)]


class ProviderInput(Config):
    """An account at a vendor or a server of your own. Keys and proxies that are left out stay as they are."""

    kind: Name = Field(title="Kind", description="An entry of the catalogue, or a compatible server.")
    name: Name = Field("", title="Name", description="For people; empty: the id.")
    base_url: Url | None = Field(None, title="Address", description="Empty: the catalogue's.")
    keys: list[Key] | None = Field(
        None, max_length=50, title="Keys", description="Used in turn.", json_schema_extra={"writeOnly": True}
    )
    enabled: bool = Field(True, title="Enabled", description="Routes skip a provider that is not.")
    headers: Headers = Field(default_factory=dict, title="Headers", description="Sent with every request.")
    proxies: list[Proxy] | None = Field(
        None, max_length=20, title="Proxies", description="Tried in order; shown without passwords."
    )
    connect: float | None = Field(None, ge=0.1, le=60, title="Time to connect", description="Seconds.")
    first_token: float | None = Field(None, ge=0.1, le=600, title="Time to the first token")
    gap: float | None = Field(None, ge=0.1, le=600, title="Time between tokens")
    whole: float | None = Field(None, ge=0.1, le=3600, title="Time of an answer in one piece")
    stream: bool = Field(True, title="Streams", description="Off: answers are asked for in one piece.")
    cooldown: float | None = Field(
        None, ge=0.1, le=86_400, title="Rest", description="Seconds, after every failure; empty: by its kind."
    )
    private: bool = Field(
        False, title="Private", description="Counts as local for routes that are local only."
    )
    billed: bool = Field(False, title="Billed", description="Models with a free tier do not count as free.")
    models: Models = Field(default_factory=list, title="Own models", description="Before the catalogue's.")
    media_poll: float | None = Field(
        None, ge=0.01, le=600, title="Time to the first look at a picture or video", description="Seconds."
    )
    media_deadline: float | None = Field(
        None, ge=1, le=604_800, title="Time after which it is given up", description="Seconds."
    )
    media_answer: float | None = Field(
        None, ge=1, le=3600, title="Time until an order is answered", description="Seconds."
    )
    media_largest: int | None = Field(
        None, ge=1024, le=MOST_BYTES, title="Largest picture or video", description="Bytes."
    )
    result_hosts: list[Host] = Field(
        default_factory=list,
        max_length=20,
        title="Private hosts of results",
        description="Such as store.lan:9000; results come from public addresses only, otherwise.",
    )
    location: Location | None = Field(
        None, title="Location", description="Where the vendor computes, when the address does not tell it."
    )

    @field_validator("result_hosts")
    @classmethod
    def _hosts_once(cls, value: list[str]) -> list[str]:
        return unique(value)

    def options(self) -> dict[str, Any]:
        """What differs from the defaults, under the names that providers know."""
        plain = (*NUMBERS, *MEDIA_NUMBERS, "location")
        single = {name: getattr(self, name) for name in plain if getattr(self, name) is not None}
        flags = {name: True for name in ("private", "billed") if getattr(self, name)}
        own = [model.model_dump(by_alias=True, exclude_none=True) for model in self.models]
        several = (("headers", self.headers), ("models", own), ("result_hosts", self.result_hosts))
        lists = {name: value for name, value in several if value}
        return {**single, **flags, **lists, **({} if self.stream else {"stream": False})}


class NewProvider(ProviderInput):
    """A provider with its id."""

    id: Slug
