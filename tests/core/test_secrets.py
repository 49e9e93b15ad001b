"""Secrets open only in their own place and with their own key."""

import base64
import os
import stat
from pathlib import Path

import pytest

from core.secrets import BadKey, Vault, load_vault
from core.settings import Settings


def test_a_secret_opens_in_its_place_only() -> None:
    vault = Vault(os.urandom(32))
    sealed = vault.seal("123:ABC ключ", "channel.secret.1")
    assert vault.open(sealed, "channel.secret.1") == "123:ABC ключ"
    assert "ABC" not in sealed and vault.seal("123:ABC ключ", "channel.secret.1") != sealed
    for place, other in (("channel.secret.2", vault), ("channel.secret.1", Vault(os.urandom(32)))):
        with pytest.raises(BadKey):
            other.open(sealed, place)
    with pytest.raises(BadKey):
        vault.open("v1.not base64", "channel.secret.1")


def test_the_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", secret_key="", _env_file=None)
    sealed = load_vault(settings).seal("secret", "a")
    path = tmp_path / "home" / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_vault(settings).open(sealed, "a") == "secret"


def test_the_key_may_be_given_in_hex_or_base64(tmp_path: Path) -> None:
    key = os.urandom(32)
    sealed = Vault(key).seal("secret", "a")
    for given in (key.hex(), base64.b64encode(key).decode()):
        assert (
            load_vault(Settings(home=tmp_path, secret_key=given, _env_file=None)).open(sealed, "a")
            == "secret"
        )
    with pytest.raises(BadKey, match="BOTYARD_SECRET_KEY"):
        load_vault(Settings(home=tmp_path, secret_key="too short!", _env_file=None))
    with pytest.raises(BadKey, match="32 bytes"):
        load_vault(Settings(home=tmp_path, secret_key=base64.b64encode(b"short").decode(), _env_file=None))
