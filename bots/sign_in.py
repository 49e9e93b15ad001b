"""The first call of a bot: who it is, or why it can never work."""

import asyncio
import logging
import re
from dataclasses import dataclass

from bots.api import ApiError, BotApi, NotAnAnswer, Unreachable
from bots.characters import printable
from core.channel import BadConfiguration, BadCredential, Host

LONGEST_PAUSE = 60.0
_TOKEN = re.compile(r"[\w:-]{3,200}", re.ASCII)
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BotUser:
    """The bot's own user."""

    id: int
    username: str


async def sign_in(api: BotApi, host: Host, token: str) -> BotUser:
    """Ask the server who the token is. Waits out network failures and 429; raises BadCredential for a token
    that is refused, BadConfiguration when the address answers but is no Bot API server."""
    if not _TOKEN.fullmatch(token):
        raise BadCredential("the token is not of the form 123456:ABC-DEF")
    pause = 0.5
    while True:
        try:
            return _user(await api.call("getMe"))
        except ApiError as error:
            trouble, at_least = _judge(error)
        except Unreachable as error:
            trouble, at_least = f"the Bot API cannot be reached ({error})", 0.0
        logger.warning("%s", trouble)
        host.degraded(trouble)
        host.heard()
        await asyncio.sleep(max(pause, at_least))
        pause = min(pause * 2, LONGEST_PAUSE)


def _judge(error: ApiError) -> tuple[str, float]:
    if error.code in (401, 404):
        raise BadCredential(f"the token was refused: {error.description}")
    if error.code == 429:
        return f"Too Many Requests: waiting {error.retry_after:.0f} s", error.retry_after
    if isinstance(error, NotAnAnswer) and 400 <= error.status < 500:
        raise BadConfiguration(f"the address of the Bot API server is wrong: {error.description}")
    if 400 <= error.code < 500:
        raise BadConfiguration(f"the Bot API server refused to start: {error.description}")
    return f"the Bot API answered {error}", 0.0


def _user(answer: object) -> BotUser:
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), int):
        raise BadConfiguration("the address is not a Bot API server")
    return BotUser(answer["id"], printable(str(answer.get("username") or answer["id"])))
