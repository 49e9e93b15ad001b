"""The Telegram channel: one bot in its own process."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from weakref import WeakValueDictionary

from bots.api import PUBLIC_SERVER, ApiError, BotApi, Unreachable
from bots.commands import MENUS, menu
from bots.intake import Intake
from bots.limits import Pace
from bots.pictures import fetch
from bots.polling import Poller
from bots.preview import LivePreview
from bots.progress import ProgressEditor
from bots.rehearsal import rehearse
from bots.sending import Sender
from bots.sign_in import sign_in
from bots.surfaces import DraftSupport, Stage
from core.channel import (
    BadConfiguration,
    Channel,
    Host,
    Identity,
    JobView,
    PictureLost,
    Preview,
    PreviewTarget,
)  # fmt: skip
from core.messages import InboundMessage, OutboundMessage
from core.pictures import Picture

logger = logging.getLogger(__name__)


class TelegramChannel:
    """A bot that polls, previews and sends. Implements core.channel.Channel."""

    def __init__(self) -> None:
        self._api: BotApi | None = None
        self._menu_task: asyncio.Task[None] | None = None
        self._host: Host | None = None
        self._makes: tuple[str, ...] | None = None
        self._previews: WeakValueDictionary[str, LivePreview] = WeakValueDictionary()

    async def open(self, host: Host, token: str) -> Identity:
        """Sign in; waits while the server cannot be reached. Raises BadCredential or
        BadConfiguration."""
        base = str(host.instance.config.get("api_base") or PUBLIC_SERVER)
        try:
            api = self._api = BotApi(base, token)
        except ValueError as error:
            raise BadConfiguration(f"the address of the Bot API server is wrong: {error}") from None
        bot = await sign_in(api, host, token)
        self._intake = Intake(bot.id, bot.username)
        self._pace = Pace()
        self._sender = Sender(api, self._pace, host.shelf, f"telegram:{bot.id}")
        self._progress = ProgressEditor(api, self._pace)
        self._stage = Stage(api, self._pace, DraftSupport())
        self._poller = Poller(api, host, self._intake)
        self._host = host
        self._show_menu()
        return Identity(f"@{bot.username}")

    async def receive(self) -> None:
        """Poll until cancelled."""
        await self._poller.run()

    def parse(self, raw: str) -> InboundMessage | None:
        """A stored update as a message."""
        return self._intake.parse(raw)

    async def picture(self, ref: str) -> Picture:
        """A picture by its file id. Raises PictureLost."""
        if self._api is None:
            raise PictureLost("the bot is not signed in")
        return await fetch(self._api, ref)

    def preview(self, message: InboundMessage, target: PreviewTarget) -> Preview:
        """A preview of one answer; an older one of the chat ends."""
        if older := self._previews.pop(message.chat_key, None):
            older.abandon()
        preview = self._previews[message.chat_key] = LivePreview(self._stage, message, target)
        return preview

    async def progress(self, view: JobView) -> bool:
        """Show how far a job is; see bots.progress."""
        return await self._progress.show(view)

    def send(self, message: OutboundMessage, sent: Sequence[str]) -> AsyncIterator[str]:
        """Send a message; see bots.sending."""
        return self._sender.send(message, sent)

    async def reload(self) -> None:
        """The bot may be able to make other things now; another token or server address starts it anew."""
        self._show_menu()

    def _show_menu(self) -> None:
        makes = tuple(sorted(self._host.instance.media)) if self._host else ()
        if self._api is None or makes == self._makes:
            return
        self._makes = makes
        if self._menu_task:
            self._menu_task.cancel()
        self._menu_task = asyncio.create_task(_show_menu(self._api, makes))

    async def close(self) -> None:
        """Confirm what was taken in and close all connections."""
        api, self._api = self._api, None
        if api is None:
            return
        for preview in list(self._previews.values()):
            preview.abandon()
        if self._menu_task:
            self._menu_task.cancel()
            await self._poller.confirm()
        await api.close()


async def _show_menu(api: BotApi, makes: tuple[str, ...]) -> None:
    """Set the command menus where they differ."""
    try:
        if await api.call("getMyCommands") == menu("", makes):
            return
        for language in MENUS:
            params = {"commands": menu(language, makes), "language_code": language}
            await api.call("setMyCommands", params)
    except (ApiError, Unreachable) as error:  # the commands work without a menu
        logger.info("the command menu was not set: %s", error)


def create() -> Channel:
    """A channel of this kind."""
    return TelegramChannel()


def preload() -> None:
    """Warm up before the fork: what is run here once, children share."""
    rehearse()
