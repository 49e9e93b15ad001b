"""A fake Bot API server over real HTTP, for any number of tokens.

    async with fake_bot_api() as api:
        api.url                                     # "http://127.0.0.1:PORT": a bot's api_base
        api.inject_message("1:a", 7, "Hello")       # private chat 7; a negative id is a group
        api.inject(token, {"message": ...})         # a raw update, whatever is in it
        api.inject_callback("1:a", 7, message_id, "stop")
        api.inject_stopped("1:a", 7, draft_id)      # the user pressed Stop under a draft
        await api.wait_visible(7, count=1)          # list[Shown]: what a person sees now, after edits
        await api.wait_visible(7, text="Hi")        # until a visible message contains it
        api.visible(7), api.drafts                  # now; drafts: {(token, chat): (text, at)}
        api.calls                                   # accepted calls (no getUpdates)
        await api.wait_call("sendMessageDraft")     # the next or first call of a method
        api.refused                                 # [(token, method, code, description, at)]
        api.inject_photo("1:a", 7, body, "What is it?")   # a photo in two sizes; keywords of inject_message
    api.add_file("1:a", body) -> file_id        # for getFile and /file/bot<token>/<path>; at most 20 MB
    api.limits = Limits()                       # enforce the documented limits (off by default)
        api.fault(Fault("429", count=3, retry_after=1))
        api.fault(Fault("lost_reply", method="sendMessage"))   # then in lost_replies
        api.block("1:a", 7)                         # 403 bot was blocked by the user
        api.revoke("1:a")                           # 401 from now on
        api.bot("1:a").webhook = "https://..."      # 409 until deleteWebhook
        api.unsupported.add("sendMessageDraft")     # 404 as an old server
        await api.down(); await api.up()            # refuse connections; listen again on the same port

Any token of the form NUMBER:TEXT is accepted; others get 404 as in the original. Bodies may be JSON or forms.
`getUpdates`: the offset confirms, `allowed_updates` sticks, a second poll ends the first with 409.

By itself: python -m tests.fakes.bot_api --port 9001 [--limits]. Then over HTTP:
    POST /control/inject   {"token", "chat_id", "text", ...keywords of inject_message},
                           {"token", "update": {}}, {"token", "chat_id", "message_id", "callback"},
                           {"token", "chat_id", "draft_id"}; a list does several -> updates
    GET  /control/calls?since=N        {"calls": [...], "next": N, "refused": [...], "lost_replies": [...]}
    GET  /control/visible?chat_id=7[&token=]      {"messages": [...]}
    GET  /control/wait?chat_id=7&count=1[&text=&timeout=]   the same, once it is so; 408 when it never was
    GET  /control/waiting              {"TOKEN": updates not confirmed}
    POST /control/fault    {"kind": "429", "count": 3, ...}   fields of Fault
    POST /control/limits   {"on": true}
    POST /control/block, /control/revoke   {"token", "chat_id"}
"""

import argparse
import asyncio
import json
import math
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from aiohttp import web

from tests.fakes.bot_api_control import answer_control
from tests.fakes.bot_api_media import (
    KINDS,
    Kept,
    caption_of,
    check_album,
    kept_or_new,
    parsed,
    remember,
    told,
)  # fmt: skip
from tests.fakes.bot_api_rules import Limits, Refused, check_text, too_many
from tests.fakes.bot_api_state import Bot, Call, Fault, Shown, Store

__all__ = ["Call", "FakeBotApi", "Fault", "Limits", "Shown", "fake_bot_api"]
TOKEN = re.compile(r"\d+:[\w-]+", re.ASCII)
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)
NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are "
    "exactly the same as a current content and reply markup of the message"
)
LARGEST_FILE = 20 * 1024 * 1024
PACED = {"sendMessage", "editMessageText", *KINDS, "sendMediaGroup", "editMessageMedia", "editMessageCaption"}


class FakeBotApi:
    """The server; see the module's docstring."""

    def __init__(self) -> None:
        self.store = Store()
        self.calls: list[Call] = []
        self.refused: list[tuple[str, str, int, str, float]] = []
        self.lost_replies: list[Call] = []
        self.faults: list[Fault] = []
        self.limits: Limits | None = None
        self.blocked: set[tuple[str, int]] = set()
        self.revoked: set[str] = set()
        self.unsupported: set[str] = set()
        self.files: dict[tuple[str, str], bytes] = {}
        self.kept: defaultdict[str, dict[str, Kept]] = defaultdict(dict)  # what each bot has sent, by file_id
        self.port = 0
        self._changed = asyncio.Event()
        self._runner: web.ServerRunner | None = None
        self._methods: dict[str, Callable[[Bot, dict[str, Any]], Any]] = {
            "sendMessage": self._send_message,
            "editMessageText": self._edit,
            "sendMessageDraft": self._draft,
            **{method: partial(self._send_medium, kind) for method, kind in KINDS.items()},
            "sendMediaGroup": self._send_group,
            "editMessageMedia": self._edit_media,
            "editMessageCaption": self._edit_caption,
            "deleteMessage": self._delete,
            "setMyCommands": self._set_commands,
            "getMyCommands": self._get_commands,
            "deleteWebhook": self._delete_webhook,
            "getFile": self._get_file,
            "getMe": lambda bot, params: bot.user,
            "sendChatAction": lambda bot, params: True,
            "answerCallbackQuery": lambda bot, params: True,
        }

    # Driving it.

    @property
    def url(self) -> str:
        """A bot's `api_base`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def drafts(self) -> dict[tuple[str, int], tuple[str, float]]:
        """Drafts on screen now: (token, chat) -> (text, since)."""
        return self.store.drafts

    def bot(self, token: str) -> Bot:
        """What is known of a token."""
        return self.store.bot(token)

    def inject(self, token: str, update: dict[str, Any]) -> dict[str, Any]:
        """Queue a raw update; without an "update_id" it gets one."""
        return self.bot(token).add(update)

    def inject_message(self, token: str, chat_id: int, text: str, **fields: Any) -> dict[str, Any]:
        """A person writes. Keywords: user_id, name, language, thread (a topic), and any field of Message."""
        user_id = fields.pop("user_id", abs(chat_id))
        name, language = fields.pop("name", "Ann"), fields.pop("language", "en")
        message = {
            "message_id": self.store.new_message_id(),
            "date": int(time.time()),
            "chat": _chat(chat_id),
            "from": {"id": user_id, "is_bot": False, "first_name": name, "language_code": language},
            "text": text,
        }
        if thread := fields.pop("thread", None):
            message |= {"message_thread_id": thread, "is_topic_message": True}
        return self.inject(token, {"message": {**message, **fields}})

    def add_file(self, token: str, body: bytes) -> str:
        """A file that the bot may fetch; its id."""
        file_id = f"file-{len(self.files) + 1}"
        self.files[token, file_id] = body
        return file_id

    def inject_photo(
        self, token: str, chat_id: int, body: bytes, caption: str | None = None, **fields: Any
    ) -> dict[str, Any]:
        """A person sends a photo: a thumbnail and the whole picture, as the original lists them."""
        sizes = [
            {"file_id": self.add_file(token, b"thumbnail"), "width": 90, "height": 90, "file_size": 900},
            {"file_id": self.add_file(token, body), "width": 800, "height": 800, "file_size": len(body)},
        ]
        said = {"caption": caption} if caption is not None else {}
        update = self.inject_message(token, chat_id, "", photo=sizes, **said, **fields)
        del update["message"]["text"]
        return update

    def inject_callback(
        self,
        token: str,
        chat_id: int,
        message_id: int,
        data: str,
        *,
        user_id: int = 0,
        thread: int | None = None,
    ) -> dict[str, Any]:
        """A person presses an inline button."""
        message = {"message_id": message_id, "date": 1, "chat": _chat(chat_id), "from": self.bot(token).user}
        if thread:
            message |= {"message_thread_id": thread, "is_topic_message": True}
        user = {"id": user_id or abs(chat_id), "is_bot": False, "first_name": "Ann", "language_code": "en"}
        query = {"id": str(self.store.new_message_id()), "from": user, "message": message, "data": data}
        return self.inject(token, {"callback_query": {**query, "chat_instance": "1"}})

    def inject_stopped(self, token: str, chat_id: int, draft_id: int) -> dict[str, Any]:
        """A person presses Stop under a draft."""
        stopped = {"chat": _chat(chat_id), "draft_id": draft_id}
        return self.inject(token, {"stopped_message_generation": stopped})

    def fault(self, fault: Fault) -> None:
        """Script a fault."""
        self.faults.append(fault)

    def forget_files(self, token: str) -> None:
        """The ids of what a bot has sent work no longer."""
        self.kept[token].clear()

    def block(self, token: str, chat_id: int) -> None:
        """The person blocks the bot."""
        self.blocked.add((token, chat_id))

    def revoke(self, token: str) -> None:
        """The token stops working; a waiting poll ends with 401."""
        self.revoked.add(token)
        self.bot(token).wake("revoked")

    def visible(self, chat_id: int, token: str | None = None) -> list[Shown]:
        """What a person sees in a chat now."""
        return self.store.visible(chat_id, token)

    def count(self, method: str, chat_id: int | None = None) -> int:
        """How many calls of a method were accepted."""
        return sum(c.method == method and chat_id in (None, c.chat_id) for c in self.calls)

    async def wait_visible(
        self, chat_id: int, count: int = 1, *, text: str | None = None, timeout: float = 5.0
    ) -> list[Shown]:
        """Until so many messages are visible, and one contains the text if given."""

        def ready() -> bool:
            shown = self.visible(chat_id)
            return len(shown) >= count and (text is None or any(text in one.text for one in shown))

        await self.wait(ready, timeout)
        return self.visible(chat_id)

    async def wait_call(self, method: str, count: int = 1, *, timeout: float = 5.0) -> Call:
        """Until so many calls of a method were accepted; the last of them."""
        await self.wait(lambda: self.count(method) >= count, timeout)
        return [call for call in self.calls if call.method == method][count - 1]

    async def wait(self, ready: Callable[[], bool], timeout: float = 5.0) -> None:
        """Until a condition holds; looked at after each call."""
        async with asyncio.timeout(timeout):
            while not ready():
                self._changed.clear()
                await self._changed.wait()

    async def up(self, port: int = 0) -> None:
        """Listen (again)."""
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port or self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def down(self) -> None:
        """Refuse connections."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    # Serving.

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/control/"):
            return await answer_control(self, request)
        if request.path.startswith("/file/bot"):
            return self._file(request.path.removeprefix("/file/bot"))
        token, _, method = request.path.removeprefix("/bot").rpartition("/")
        try:
            return _json({"ok": True, "result": await self._serve(request, token, method)})
        except Refused as error:
            self.refused.append((token, method, error.code, error.description, time.monotonic()))
            self._changed.set()
            return _json(error.body(), error.code)

    async def _serve(self, request: web.BaseRequest, token: str, method: str) -> Any:
        if not TOKEN.fullmatch(token):
            raise Refused(404, "Not Found")
        params = await _params(request)
        lost = await self._meet_faults(request, token, method, params)
        if token in self.revoked:
            raise Refused(401, "Unauthorized")
        bot = self.bot(token)
        if method == "getUpdates":
            return await self._get_updates(bot, params)
        if method not in self._methods or method in self.unsupported:
            raise Refused(404, "Not Found")
        if "chat_id" in params and (token, int(params["chat_id"])) in self.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        if self.limits and method in PACED:
            self.limits.check(token, int(params["chat_id"]), time.monotonic())
        call = Call(token, method, params, time.monotonic(), lost=lost)
        call.result = self._methods[method](bot, params)
        self.calls.append(call)
        self._changed.set()
        if lost:
            self.lost_replies.append(call)
            await _cut(request)
        return call.result

    async def _meet_faults(
        self, request: web.BaseRequest, token: str, method: str, params: dict[str, Any]
    ) -> bool:
        fault = next((one for one in self.faults if one.take(token, method, params)), None)
        match fault and fault.kind:
            case "429":
                raise too_many(fault.retry_after)
            case "error":
                moved = {"migrate_to_chat_id": fault.migrate_to} if fault.migrate_to else {}
                raise Refused(fault.code, fault.description, **moved)
            case "drop":
                await _cut(request)
            case "delay":
                await asyncio.sleep(fault.seconds)
            case "lost_reply":
                return True
        return False

    async def _get_updates(self, bot: Bot, params: dict[str, Any]) -> list[dict[str, Any]]:
        if bot.webhook:
            raise Refused(409, WEBHOOK)
        bot.polls += 1
        bot.wake("conflict")
        if params.get("allowed_updates") is not None:
            bot.allowed = set(params["allowed_updates"])
        offset, limit = int(params.get("offset") or 0), min(int(params.get("limit") or 100), 100)
        pending = bot.pending(offset, limit)
        timeout = min(float(params.get("timeout") or 0), 50.0)
        self._changed.set()
        if pending or not timeout:
            return pending
        mine: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        bot.poll = mine
        try:
            async with asyncio.timeout(timeout):
                why = await mine
        except TimeoutError:
            why = ""
        finally:
            if bot.poll is mine:
                bot.poll = None
        if why == "conflict":
            raise Refused(409, CONFLICT)
        if why == "revoked":
            raise Refused(401, "Unauthorized")
        return bot.pending(offset, limit)

    # Methods.

    def _send_message(self, bot: Bot, params: dict[str, Any]) -> dict[str, Any]:
        text = check_text(params)
        return _message(bot, self.store.show(bot.token, params, text))

    def _edit(self, bot: Bot, params: dict[str, Any]) -> dict[str, Any]:
        text = check_text(params)
        shown = self.store.shown.get(int(params["chat_id"]), {}).get((bot.token, int(params["message_id"])))
        if shown is None:
            raise Refused(400, "Bad Request: message to edit not found")
        if shown.media:
            raise Refused(400, "Bad Request: there is no text in the message to edit")
        entities = params.get("entities") or []
        buttons = (params.get("reply_markup") or {}).get("inline_keyboard", [])
        if (shown.text, shown.entities, shown.buttons) == (text, entities, buttons):
            raise Refused(400, NOT_MODIFIED)
        shown.history.append(shown.text)
        shown.text, shown.entities, shown.buttons = text, entities, buttons
        shown.edited = time.monotonic()
        return _message(bot, shown)

    def _draft(self, bot: Bot, params: dict[str, Any]) -> bool:
        if int(params["chat_id"]) < 0:
            raise Refused(400, "Bad Request: PEER_ID_INVALID")
        if not params.get("draft_id"):
            raise Refused(400, "Bad Request: RANDOM_ID_INVALID")
        text = check_text(params, empty_allowed=True)
        self.store.drafts[bot.token, int(params["chat_id"])] = (text, time.monotonic())
        return True

    def _send_medium(self, kind: str, bot: Bot, params: dict[str, Any]) -> dict[str, Any]:
        body = kept_or_new(params, params.get(kind), kind, self.kept[bot.token])
        shown = self.store.show(bot.token, params, caption_of(params))
        return self._with_medium(bot, shown, kind, body)

    def _with_medium(self, bot: Bot, shown: Shown, kind: str, body: bytes) -> dict[str, Any]:
        """Show a medium in a message; a message of text becomes one with a medium."""
        shown.media = [(kind, body)]
        message = {**_message(bot, shown), **told(kind, remember(self.kept[bot.token], kind, body))}
        return {**message, "caption": message.pop("text"), "caption_entities": message.pop("entities")}

    def _send_group(self, bot: Bot, params: dict[str, Any]) -> list[dict[str, Any]]:
        media = parsed(params["media"])
        check_album([one["type"] for one in media])
        known = self.kept[bot.token]
        bodies = [kept_or_new(params, one["media"], one["type"], known) for one in media]
        made = []
        for one, body in zip(media, bodies, strict=True):
            shown = self.store.show(bot.token, params, caption_of(one))
            made.append(self._with_medium(bot, shown, one["type"], body))
        return made

    def _edit_media(self, bot: Bot, params: dict[str, Any]) -> dict[str, Any]:
        shown = self._found(bot, params)
        medium = parsed(params["media"])
        kind, caption = medium["type"], caption_of(medium)
        body = kept_or_new(params, medium["media"], kind, self.kept[bot.token])
        buttons = (params.get("reply_markup") or {}).get("inline_keyboard", [])
        uploaded = str(medium["media"]).startswith("attach://")
        if not uploaded and (shown.text, shown.media, shown.buttons) == (caption, [(kind, body)], buttons):
            raise Refused(400, NOT_MODIFIED)
        shown.text, shown.buttons, shown.edited = caption, buttons, time.monotonic()
        return self._with_medium(bot, shown, kind, body)

    def _edit_caption(self, bot: Bot, params: dict[str, Any]) -> dict[str, Any]:
        shown = self._found(bot, params)
        caption = caption_of(params)
        if not shown.media:
            raise Refused(400, "Bad Request: there is no caption in the message to edit")
        if shown.text == caption:
            raise Refused(400, NOT_MODIFIED)
        shown.history.append(shown.text)
        shown.text, shown.edited = caption, time.monotonic()
        shown.buttons = (params.get("reply_markup") or {}).get("inline_keyboard", [])
        return _message(bot, shown)

    def _found(self, bot: Bot, params: dict[str, Any]) -> Shown:
        shown = self.store.shown.get(int(params["chat_id"]), {}).get((bot.token, int(params["message_id"])))
        if shown is None:
            raise Refused(400, "Bad Request: message to edit not found")
        return shown

    def _delete(self, bot: Bot, params: dict[str, Any]) -> bool:
        chat = self.store.shown.get(int(params["chat_id"]), {})
        gone = chat.pop((bot.token, int(params["message_id"])), None)
        if gone is None:
            raise Refused(400, "Bad Request: message to delete not found")
        self.store.deleted.append(gone)
        return True

    def _set_commands(self, bot: Bot, params: dict[str, Any]) -> bool:
        bot.commands[params.get("language_code") or ""] = params["commands"]
        return True

    def _get_commands(self, bot: Bot, params: dict[str, Any]) -> Any:
        return bot.commands.get(params.get("language_code") or "", [])

    def _get_file(self, bot: Bot, params: dict[str, Any]) -> dict[str, Any]:
        file_id = str(params.get("file_id"))
        body = self.files.get((bot.token, file_id))
        if body is None:
            raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(body) > LARGEST_FILE:
            raise Refused(400, "Bad Request: file is too big")
        return {"file_id": file_id, "file_size": len(body), "file_path": f"photos/{file_id} 1.jpg"}

    def _file(self, path: str) -> web.Response:
        token, _, name = path.partition("/photos/")
        body = self.files.get((token, name.removesuffix(" 1.jpg")))
        if body is None or token in self.revoked:
            return _json({"ok": False, "error_code": 404, "description": "Not Found"}, 404)
        return web.Response(body=body, content_type="application/octet-stream")

    def _delete_webhook(self, bot: Bot, params: dict[str, Any]) -> bool:
        bot.webhook = ""
        return True


def _chat(chat_id: int) -> dict[str, Any]:
    if chat_id < 0:
        return {"id": chat_id, "type": "supergroup", "title": f"Group {-chat_id}"}
    return {"id": chat_id, "type": "private", "first_name": "Ann"}


def _message(bot: Bot, shown: Shown) -> dict[str, Any]:
    message = {"message_id": shown.message_id, "date": 1, "chat": _chat(shown.chat_id), "from": bot.user}
    return {**message, "text": shown.text, "entities": shown.entities}


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")


async def _cut(request: web.BaseRequest) -> None:
    if request.transport:
        request.transport.abort()
    await asyncio.sleep(3600)  # the handler is cancelled once the connection is gone


async def _params(request: web.BaseRequest) -> dict[str, Any]:
    if request.content_type == "application/json":
        body = await request.read()
        try:
            return dict(json.loads(body)) if body else {}
        except ValueError:
            raise Refused(400, "Bad Request: object expected as JSON") from None
    fields = {**request.query, **await request.post()}
    return {name: _form_value(name, value) for name, value in fields.items()}


def _form_value(name: str, value: Any) -> Any:
    if name not in ("text", "caption", "commands_text") and isinstance(value, str):
        with suppress(ValueError):
            parsed = json.loads(value)
            return parsed if not isinstance(parsed, float) or math.isfinite(parsed) else value
    return value


@asynccontextmanager
async def fake_bot_api(port: int = 0) -> AsyncIterator[FakeBotApi]:
    """A server on a free port of loopback."""
    api = FakeBotApi()
    await api.up(port)
    try:
        yield api
    finally:
        await api.down()


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A fake Bot API server.")
    parser.add_argument("--port", type=int, default=9001)
    parser.add_argument("--limits", action="store_true", help="enforce the documented limits")
    arguments = parser.parse_args()
    async with fake_bot_api(arguments.port) as api:
        api.limits = Limits() if arguments.limits else None
        print(f"fake Bot API at {api.url}", flush=True)
        forever: Awaitable[Any] = asyncio.Event().wait()
        await forever


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main())
