"""The floor: a bare aiogram echo bot, as its documentation shows it, for one or more tokens."""

import asyncio
import sys

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message


async def echo(message: Message) -> None:
    """Answer with the same text."""
    await message.answer(message.text or "")


async def main(base: str, tokens: list[str]) -> None:
    """Poll for every token in this one process."""
    dispatcher = Dispatcher()
    dispatcher.message.register(echo)
    session = AiohttpSession(api=TelegramAPIServer.from_base(base), limit=2 * len(tokens) + 20)
    bots = [Bot(token, session=session) for token in tokens]
    await dispatcher.start_polling(*bots, polling_timeout=10, handle_signals=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
