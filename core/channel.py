"""The contract between the core and a channel kind (Telegram, widget, ...)."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.instance import Instance
from core.messages import InboundMessage, Incoming, OutboundMessage
from core.pictures import Picture


class ChannelError(Exception):
    """Why a channel could not do what it was asked."""


class RetryLater(ChannelError):
    """Try the same send again after `after` seconds; it keeps its place in the chat's order."""

    def __init__(self, after: float, reason: str = "") -> None:
        super().__init__(reason or f"retry after {after} s")
        self.after = after


class ChatGone(ChannelError):
    """The chat cannot be reached any more (bot blocked, group deleted)."""


class Rejected(ChannelError):
    """This message will never be accepted."""


class BadCredential(ChannelError):
    """The token is refused: the process exits with 77 and is parked."""


class BadConfiguration(ChannelError):
    """The configuration cannot work: the process exits with 78 and is parked."""


class PictureLost(ChannelError):
    """A picture cannot be had: it is gone, too large, or none."""


class Unparseable(ChannelError):
    """An update that intake cannot read: it is set aside alone."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the channel is once open; `address` is for people ("@shop_bot")."""

    address: str = ""


class Preview(Protocol):
    """Shows an answer in its chat while it is being written. Best effort: nothing here raises or
    waits for the network, except `close`."""

    def feed(self, text: str) -> None:
        """More visible text."""
        ...

    def restart(self) -> None:
        """Forget the text so far: another model begins anew."""
        ...

    async def close(self) -> str | None:
        """Stop showing. Returns the external id of the message that the final one should replace."""
        ...


@dataclass(frozen=True, slots=True)
class PreviewTarget:
    """Which answer is previewed. `message_id` is the same again when a crashed turn is repeated, and then
    `existing` is the external id of the preview message that was sent before the crash. `save` is called
    with the external id of a preview message as soon as one was sent (not for drafts)."""

    message_id: str
    existing: str | None
    save: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class JobView:
    """How far a job is, for the message that announced it: `message_id` is ours, `external_id` the chat's.
    `words` say all of it; `fraction` is 0 to 1, `preview` a small JPEG or PNG when there is a new one."""

    job: str
    message_id: str
    chat_key: str
    external_id: str
    words: str
    fraction: float | None = None
    preview: bytes | None = None
    language: str = "en"


class Files(Protocol):
    """What was made, as files of the media store."""

    async def read(self, key: str) -> bytes:
        """A whole file, by its key. Raises PictureLost."""
        ...

    async def sent_as(self, artifacts: Sequence[str], name: str) -> Mapping[str, str]:
        """The ids under which the channel `name` has kept some of these artifacts. Best effort."""
        ...

    def remember(self, known: Mapping[str, str], name: str) -> None:
        """Keep such ids (artifact -> id) from now on, soon: nobody waits for it."""
        ...

    async def link(self, artifact: str) -> str:
        """An address at which anybody may get a file for a week; "" where there is none for people."""
        ...


class Host(Protocol):
    """What the core offers to an open channel."""

    @property
    def instance(self) -> Instance:
        """The current configuration; it may change while the channel runs."""
        ...

    @property
    def shelf(self) -> Files:
        """What was made, as files."""
        ...

    async def accept(self, batch: Sequence[Incoming]) -> list[bool]:
        """Store updates; when this returns they are committed. True for each that was new."""
        ...

    def stop(self, chat_key: str) -> bool:
        """Stop the running answer of a chat and keep its partial text; False when none runs."""
        ...

    async def say(self, chat_key: str, text: str, *, plain: bool = True) -> None:
        """Put a message of our own into the chat's outbox."""
        ...

    async def history(self, chat_key: str, limit: int = 50) -> list[dict[str, Any]]:
        """The open conversation's messages, oldest first: id, role, text, status, source, created_at,
        attachments, and reasoning where the route shows it."""
        ...

    async def keep_picture(self, chat_key: str, picture: Picture) -> str | None:
        """Store a picture that a chat's person sent; returns its ref, None when there is no room left."""
        ...

    async def kept_picture(self, ref: str, chat_key: str | None = None) -> Picture | None:
        """A stored picture of this channel, of one chat only where that is named."""
        ...

    async def made_for(self, artifact: str, chat_key: str) -> tuple[bytes, str] | None:
        """What was made for a chat, and its type; None for what is gone or another chat's."""
        ...

    async def path_for(self, artifact: str, chat_key: str) -> str:
        """The signed path of what was made for a chat, below the public address and good for some hours; ""
        for what is gone or another chat's."""
        ...

    def heard(self) -> None:
        """A poll finished (or the listener is alive): the supervisor restarts a deaf channel."""
        ...

    def degraded(self, reason: str) -> None:
        """Something is wrong but the channel goes on ("" when all is well again)."""
        ...


class Channel(Protocol):
    """One instance of a channel kind, in its own process."""

    async def open(self, host: Host, token: str) -> Identity:
        """Sign in or bind. Raises BadCredential or BadConfiguration when that can never work."""
        ...

    async def receive(self) -> None:
        """Take in updates until cancelled, handing each to `host.accept` before confirming it."""
        ...

    def parse(self, raw: str) -> InboundMessage | None:
        """A stored update as a message; None when it needs no answer. Pure. Raises Unparseable."""
        ...

    async def picture(self, ref: str) -> Picture:
        """The picture of an attachment. Raises PictureLost."""
        ...

    def preview(self, message: InboundMessage, target: PreviewTarget) -> Preview:
        """A preview of one answer."""
        ...

    async def progress(self, view: JobView) -> bool:
        """Show how far a job is; False when that was not possible now. Raises nothing."""
        ...

    def send(self, message: OutboundMessage, sent: Sequence[str]) -> AsyncIterator[str]:
        """Send a message; yields the external id of each part as it goes out, skipping as many parts as
        `sent` has ids. Raises RetryLater, ChatGone or Rejected."""
        ...

    async def reload(self) -> None:
        """The configuration changed (see `host.instance`)."""
        ...

    async def close(self) -> None:
        """Stop and release everything."""
        ...
