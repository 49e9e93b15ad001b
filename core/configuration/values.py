"""Single values that people may set, checked and normalised: slugs, tokens, addresses, origins, patterns."""

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from core.configuration.errors import wrong

KNOWLEDGE = "knowledge"  # the candidate that needs no provider
AUTO = "auto"
DEFAULT_PORTS = {"http": 80, "https": 443}
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")

_SLUG = re.compile(r"[a-z0-9_-]{1,32}")
_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{30,128}")
_KEY = re.compile(r"[\x21-\x7e]+")
_COLOR = re.compile(r"#[0-9a-f]{6}")
_LOCATION = re.compile(r"[a-z0-9-]{1,40}")
_HOST = re.compile(r"(\*\.)?([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}|\[[0-9a-f:.]+\]")


def _readable(value: str) -> str:
    if "\x00" in value:
        raise wrong("bad_characters")
    return value


def _slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        raise wrong("slug")
    return value


def _token(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise wrong("token_shape")
    return value


def _key(value: str) -> str:
    if not _KEY.fullmatch(value):
        raise wrong("key_shape")
    return value


def _color(value: str) -> str:
    if not _COLOR.fullmatch(value.lower()):
        raise wrong("color")
    return value.lower()


def _split(value: str, key: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises for ports that are none
    except ValueError as error:
        raise wrong(key, given=value) from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        raise wrong(key, given=value)
    return parts


def _url(value: str) -> str:
    if any(character.isspace() for character in value):
        raise wrong("url")
    parts = _split(value, "url")
    if parts.query or parts.fragment:
        raise wrong("url")
    return value.rstrip("/")


def _proxy(value: str) -> str:
    """An address with its port: what proxies listen on differs too much to guess."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise wrong("proxy") from error
    odd = parts.query or parts.fragment or parts.path not in ("", "/") or not value.isascii()
    if parts.scheme not in PROXY_SCHEMES or not parts.hostname or not port or odd:
        raise wrong("proxy")
    if any(character.isspace() for character in value):
        raise wrong("proxy")
    return value.rstrip("/")


def without_password(address: str) -> str:
    """An address as it may be shown."""
    before, at, host = address.rpartition("@")
    scheme, slashes, credentials = before.partition("://")
    return f"{scheme}{slashes}{credentials.partition(':')[0]}{at}{host}" if at else address


def _origin(value: str) -> str:
    """The origin as browsers send it: lower case, punycode, no default port, no slash at the end."""
    parts = _split(value, "origin")
    host = _host(parts, value)
    port = f":{parts.port}" if parts.port and parts.port != DEFAULT_PORTS[parts.scheme] else ""
    origin = f"{parts.scheme}://{host}{port}"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise wrong("origin_path", given=value, wanted=origin)
    return origin


def _host(parts: SplitResult, given: str, key: str = "origin") -> str:
    name = str(parts.hostname)
    if ":" in name:
        name = f"[{name}]"
    elif not name.isascii():
        try:
            name = ".".join(label.encode("idna").decode() for label in name.split("."))
        except UnicodeError as error:
            raise wrong(key, given=given) from error
    if not _HOST.fullmatch(name):
        raise wrong(key, given=given)
    return name


def _result_host(value: str) -> str:
    """A host without scheme and path, and its port where it has one."""
    parts = _split(f"https://{value}", "host")
    host = _host(parts, value, "host")
    if parts.path or parts.query or parts.fragment or host.startswith("*") or parts.port == 0:
        raise wrong("host", given=value)
    return f"{host}:{parts.port}" if parts.port else host


def _location(value: str) -> str:
    if not _LOCATION.fullmatch(value.lower()):
        raise wrong("location", given=value)
    return value.lower()


def _candidate(value: str) -> str:
    if value in (KNOWLEDGE, AUTO):
        return value
    provider, colon, model = value.partition(":")
    if not colon or not _SLUG.fullmatch(provider) or not model.strip():
        raise wrong("candidate", given=value)
    return f"{provider}:{model.strip()}"


def is_slug(value: str) -> bool:
    """True for what may be an id."""
    return _SLUG.fullmatch(value) is not None


def provider_of(candidate: str) -> str | None:
    """The provider that a candidate names; None for the knowledge answerer and for auto over all."""
    return candidate.partition(":")[0] if ":" in candidate else None


Readable = AfterValidator(_readable)
Stripped = StringConstraints(strip_whitespace=True)
Slug = Annotated[str, Stripped, AfterValidator(_slug)]
Token = Annotated[str, Stripped, Field(json_schema_extra={"writeOnly": True}), AfterValidator(_token)]
Key = Annotated[str, Stripped, Field(max_length=4096), AfterValidator(_key)]
Color = Annotated[str, Stripped, AfterValidator(_color)]
Url = Annotated[str, Stripped, Field(max_length=2000), AfterValidator(_url)]
Proxy = Annotated[
    str, Stripped, Field(max_length=500, json_schema_extra={"writeOnly": True}), AfterValidator(_proxy)
]
Origin = Annotated[str, Stripped, Field(max_length=300), AfterValidator(_origin)]
Host = Annotated[str, Stripped, Field(max_length=300), Readable, AfterValidator(_result_host)]
Location = Annotated[str, Stripped, Field(max_length=100), Readable, AfterValidator(_location)]
Candidate = Annotated[str, Stripped, Field(max_length=200), Readable, AfterValidator(_candidate)]
Name = Annotated[str, Stripped, Field(max_length=120), Readable]
ShortText = Annotated[str, Stripped, Field(min_length=1, max_length=1000), Readable]
LongText = Annotated[str, Field(max_length=100_000), Readable]
