"""Generation settings of one conversation over REST."""

from typing import Any

import httpx
import pytest

from db import conversations, operators
from db.database import Database
from tests.api.test_conversations_api import channel_id, conversation_id

__all__ = ["channel_id", "conversation_id"]


async def test_settings_are_replaced_and_read_again(
    client: httpx.AsyncClient, rows: Database, conversation_id: str
) -> None:
    url = f"/conversations/{conversation_id}"
    assert (await client.get(url)).json()["settings"] == {}
    put = await client.put(f"{url}/settings", json={"temperature": 0.5, "length": "short", "top_k": 40})
    assert put.status_code == 200
    assert put.json()["settings"] == {"temperature": 0.5, "length": "short", "top_k": 40}
    await client.put(f"{url}/settings", json={"max_tokens": 900})
    assert (await client.get(url)).json()["settings"] == {"max_tokens": 900}
    async with rows.reading() as conn:
        audit = await operators.recent_audit(conn)
    assert [row.action for row in audit][:2] == ["conversation.settings"] * 2


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 5}, {"temperature": "hot"}, {"top_p": 0}, {"top_k": 0}, {"length": "endless"},
        {"max_tokens": 0}, {"frequency_penalty": -3}, {"colour": "red"}, [], "short",
    ],
)  # fmt: skip
async def test_what_is_wrong_is_refused(client: httpx.AsyncClient, conversation_id: str, body: Any) -> None:
    answer = await client.put(f"/conversations/{conversation_id}/settings", json=body)
    assert answer.status_code == 422
    assert (await client.get(f"/conversations/{conversation_id}")).json()["settings"] == {}


async def test_a_closed_or_unknown_one_is_not_changed(
    client: httpx.AsyncClient, rows: Database, conversation_id: str
) -> None:
    assert (await client.put("/conversations/nothing/settings", json={})).status_code == 404
    async with rows.transaction() as conn:
        row = await conversations.get_conversation(conn, conversation_id)
        await conversations.close_conversation(conn, row.channel_id, row.chat_key, "new")
    answer = await client.put(f"/conversations/{conversation_id}/settings", json={"length": "long"})
    assert answer.status_code == 409
