"""Who an answer is made for, as limits and usage know them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Payer:
    """`source` is chat, api, playground or compare; `user_key` is unique within its instance;
    `conversation_id` is "channel id/chat key"; "" where there is none."""

    source: str
    channel_id: str = ""
    conversation_id: str = ""
    user_key: str = ""
    key_id: str = ""
