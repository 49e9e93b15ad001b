"""The panel's pages over HTTP: every room opens, in both languages, empty and full."""

import pytest

from tests.admin.panel import Panel

ROOMS = [
    "/", "/welcome", "/conversations", "/logs", "/audit", "/people", "/tokens",
    *(f"/{room}{form}" for room in ("bots", "widgets", "providers", "routes", "characters", "bases")
      for form in ("", "/new")),
    "/palette", "/palette?q=b", "/playground", "/compare", "/usage", "/usage?days=90", "/keys",
]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_every_room_opens_when_there_is_nothing(owned: Panel, language: str) -> None:
    owned.client.cookies.set("language", language, domain="127.0.0.1")
    for room in ROOMS:
        answer = await owned.client.get(room)
        assert answer.status_code == 200, (room, answer.text)
        if not room.startswith("/palette"):
            assert f'<html lang="{language}"' in answer.text
            assert " style=" not in answer.text
