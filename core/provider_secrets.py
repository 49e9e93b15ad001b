"""What is secret of a provider, as the orchestrator hands it out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class ProviderSecrets:
    """A provider's keys and the addresses of its proxies, opened, each in order of use."""

    keys: tuple[str, ...] = field(default=(), repr=False)
    proxies: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What `to_json` made."""
        return cls(tuple(value["keys"]), tuple(value["proxies"]))

    def to_json(self) -> dict[str, list[str]]:
        """For the control socket and the line to a channel."""
        return {"keys": list(self.keys), "proxies": list(self.proxies)}


def secrets_of(message: Mapping[str, Mapping[str, Any]]) -> dict[str, ProviderSecrets]:
    """Secrets by provider, from a message of the orchestrator."""
    return {name: ProviderSecrets.from_json(value) for name, value in message.items()}


def passwords_in(addresses: Iterable[str]) -> list[str]:
    """The passwords that addresses carry, as written and as meant: for the redaction of logs."""
    written = [password for address in addresses if (password := _password(address))]
    return [*written, *map(unquote, written)]


def _password(address: str) -> str:
    try:
        return urlsplit(address).password or ""
    except ValueError:  # not an address at all
        return ""
