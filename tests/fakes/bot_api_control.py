"""The fake Bot API server's control endpoint, for tests and benches in other processes."""

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.fakes.bot_api_rules import Limits
from tests.fakes.bot_api_state import Fault

if TYPE_CHECKING:
    from tests.fakes.bot_api import FakeBotApi


async def answer_control(api: "FakeBotApi", request: web.BaseRequest) -> web.Response:
    """Answer a request below /control/."""
    raw = await request.read()
    body = json.loads(raw) if raw else {}
    query = request.query
    match request.path.removeprefix("/control/"):
        case "inject":
            return _json([_inject(api, one) for one in (body if isinstance(body, list) else [body])])
        case "calls":
            return _json(_calls(api, int(query.get("since", 0))))
        case "visible":
            return _json(_visible(api, query))
        case "wait":
            try:
                await api.wait_visible(
                    int(query["chat_id"]), int(query.get("count", 1)),
                    text=query.get("text"), timeout=float(query.get("timeout", 10)),
                )  # fmt: skip
            except TimeoutError:
                return _json(_visible(api, query), 408)
            return _json(_visible(api, query))
        case "waiting":
            return _json({token: len(bot.updates) for token, bot in api.store.bots.items()})
        case "fault":
            api.fault(Fault(**body))
        case "limits":
            api.limits = Limits() if body.get("on", True) else None
        case "block":
            api.block(body["token"], int(body["chat_id"]))
        case "revoke":
            api.revoke(body["token"])
        case _:
            return _json({"error": "no such control"}, 404)
    return _json({"ok": True})


def _inject(api: "FakeBotApi", one: dict[str, Any]) -> dict[str, Any]:
    one = dict(one)
    token = one.pop("token")
    if "update" in one:
        return api.inject(token, one["update"])
    if "callback" in one:
        return api.inject_callback(token, one["chat_id"], one["message_id"], one["callback"])
    if "draft_id" in one:
        return api.inject_stopped(token, one["chat_id"], one["draft_id"])
    return api.inject_message(token, one.pop("chat_id"), one.pop("text"), **one)


def _calls(api: "FakeBotApi", since: int) -> dict[str, Any]:
    calls = [{**_told(call), "chat_id": call.chat_id} for call in api.calls[since:]]
    lost = [_told(call) for call in api.lost_replies]
    polls = {token: bot.polls for token, bot in api.store.bots.items()}
    return {
        "calls": calls,
        "next": len(api.calls),
        "refused": api.refused,
        "lost_replies": lost,
        "polls": polls,
    }


def _told(call: Any) -> dict[str, Any]:
    """A call as JSON: without its files."""
    params = {name: value for name, value in call.params.items() if not isinstance(value, web.FileField)}
    return {**{one.name: getattr(call, one.name) for one in fields(call)}, "params": params}


def _visible(api: "FakeBotApi", query: Any) -> dict[str, Any]:
    shown = api.visible(int(query["chat_id"]), query.get("token"))
    told = [{**asdict(one), "media": [kind for kind, _ in one.media]} for one in shown]
    return {"messages": told}


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")
