"""Secrets at rest: AES-GCM, bound to the row and column that they belong to."""

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.settings import Settings

NONCE = 12
PREFIX = "v1."


class BadKey(Exception):
    """The key is malformed, or a secret was sealed with another one."""


class Vault:
    """Seals and opens secrets. Only the orchestrator holds one.

    `aad` names the place ("channel.secret.<id>"): a sealed text moved to another row does not open.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise BadKey("the secret key must have 32 bytes")
        self._cipher = AESGCM(key)

    def seal(self, text: str, aad: str) -> str:
        """Encrypt a secret for one place."""
        nonce = os.urandom(NONCE)
        sealed = self._cipher.encrypt(nonce, text.encode(), aad.encode())
        return PREFIX + base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, aad: str) -> str:
        """Decrypt a secret; raises BadKey when it was sealed elsewhere or with another key."""
        try:
            data = base64.b64decode(sealed.removeprefix(PREFIX), validate=True)
            return self._cipher.decrypt(data[:NONCE], data[NONCE:], aad.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise BadKey("a stored secret does not open with this secret key") from error


def load_vault(settings: Settings) -> Vault:
    """The vault of this installation; makes `secret.key` (0600) at the first start."""
    given = settings.secret_key.get_secret_value()
    if given:
        return Vault(_decode(given))
    path = settings.home / "secret.key"
    if not path.exists():
        _create(path)
    return Vault(_decode(path.read_text()))


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(os.urandom(32).hex())
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)  # whole or not at all: half a key would lose every secret


def _decode(text: str) -> bytes:
    text = text.strip()
    try:
        return bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadKey("BOTYARD_SECRET_KEY must be 32 bytes in hex or base64") from error
