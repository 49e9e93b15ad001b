"""Messages as the core knows them, the same for every channel."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Incoming:
    """A raw update on its way into the inbox. `external_id` is unique within the channel;
    `chat_key` is the chat it belongs to ("" for updates of no chat); `raw` is JSON text."""

    external_id: str
    chat_key: str
    raw: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture that came with a message; `ref` is what its channel fetches it by."""

    ref: str
    kind: str = "image"


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """What a person said. `command` is set for "/command argument" (without slash or bot name, lower case).
    `speaker` names the person, `user_key` tells them apart within the instance; `reply_to` is the external
    id that the answer should quote (groups).
    `attachments` are the pictures of the message and of the one that it replies to."""

    chat_key: str
    text: str
    external_id: str = ""
    speaker: str = ""
    language: str = ""
    title: str = ""
    group: bool = False
    quoted: str = ""
    reply_to: str | None = None
    command: str | None = None
    argument: str = ""
    attachments: tuple[Attachment, ...] = ()
    user_key: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """A picture or video in a message of ours, by its artifact. `key` is its place in the media store,
    `poster` that of a video's first frame; `size` is in bytes, `width` and `height` in pixels."""

    artifact: str
    key: str
    mime: str
    width: int = 0
    height: int = 0
    size: int = 0
    seconds: float | None = None
    poster: str = ""

    @property
    def kind(self) -> str:
        """ "image" or "video"."""
        return "video" if self.mime.startswith("video/") else "image"


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """What Botyard says, in Markdown (`plain` turns formatting off).

    `preview` is the external id of a message to finish by editing it, else a new one is sent.
    `edits` is the `message_id` of an earlier message of ours that this one takes the place of.
    `buttons` are (text key of core/texts, action) pairs; the actions are "retry", "stop", "length:short"
    (and the other lengths), "cancel:JOB", "again:JOB", "variations:ARTIFACT", "upscale:ARTIFACT" and
    "animate:ARTIFACT". `reasoning` is set only where the route shows it. `media` is shown with the text as
    its caption; `job` says that the message tells of a job under way.
    """

    chat_key: str
    text: str
    message_id: str | None = None
    reply_to: str | None = None
    preview: str | None = None
    plain: bool = False
    status: str = "final"
    buttons: tuple[tuple[str, str], ...] = ()
    language: str = "en"
    reasoning: str = ""
    media: tuple[Media, ...] = ()
    edits: str = ""
    job: str = ""

    def to_json(self) -> dict[str, Any]:
        """As an outbox row keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "OutboundMessage":
        """The inverse of `to_json`."""
        buttons = tuple((str(key), str(action)) for key, action in data.get("buttons", ()))
        media = tuple(Media(**one) for one in data.get("media", ()))
        return cls(**{**data, "buttons": buttons, "media": media})
