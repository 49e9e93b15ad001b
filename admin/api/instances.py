"""Bots and widgets: `id` is the slug."""

from collections.abc import Sequence

from fastapi import APIRouter, Query
from pydantic import BaseModel

from admin.api.calls import Actor, Config, Id, Parts, api_router
from admin.services import Services
from core.configuration.configs import BotConfig, NewBot, NewWidget, WidgetConfig
from core.configuration.views import Bot, Widget

router = APIRouter()
bots = api_router("bots")
widgets = api_router("widgets")


class LogLine(BaseModel):
    """One line of an instance's log; `id` counts up."""

    id: int
    at: float
    level: str = ""
    text: str


@bots.get("/bots")
async def list_bots(configuration: Config) -> Sequence[Bot]:
    """Every bot, oldest first."""
    return await configuration.bots.all()


@bots.post("/bots", status_code=201)
async def create_bot(new: NewBot, configuration: Config, actor: Actor) -> Bot:
    """Make a bot; it starts at once when it has a token."""
    return await configuration.bots.create(actor, new)


@bots.get("/bots/{bot_id}")
async def get_bot(bot_id: Id, configuration: Config) -> Bot:
    """One bot with its state."""
    return await configuration.bots.get(bot_id)


@bots.put("/bots/{bot_id}")
async def change_bot(bot_id: Id, config: BotConfig, configuration: Config, actor: Actor) -> Bot:
    """Replace a bot's settings; a token that is left out stays."""
    return await configuration.bots.change(actor, bot_id, config)


@bots.delete("/bots/{bot_id}", status_code=204)
async def delete_bot(bot_id: Id, configuration: Config, actor: Actor) -> None:
    """Delete a bot with its conversations."""
    await configuration.bots.delete(actor, bot_id)


@bots.post("/bots/{bot_id}/start")
async def start_bot(bot_id: Id, configuration: Config, parts: Parts, actor: Actor) -> Bot:
    """Start a bot; one that is parked is tried again."""
    if not await configuration.bots.start(actor, bot_id):
        await _again(parts, (await configuration.bots.get(bot_id)).channel_id)
    return await configuration.bots.get(bot_id)


@bots.post("/bots/{bot_id}/stop")
async def stop_bot(bot_id: Id, configuration: Config, actor: Actor) -> Bot:
    """Stop a bot; it stays stopped until it is started."""
    await configuration.bots.stop(actor, bot_id)
    return await configuration.bots.get(bot_id)


@bots.get("/bots/{bot_id}/logs")
async def bot_logs(
    bot_id: Id,
    configuration: Config,
    parts: Parts,
    after: int = Query(0, ge=0),
    limit: int = Query(500, ge=1, le=2000),
) -> Sequence[LogLine]:
    """The newest lines of a bot's log, oldest first; `after` is the id of a line to go on from."""
    return await _logs(parts, (await configuration.bots.get(bot_id)).channel_id, after, limit)


@widgets.get("/widgets")
async def list_widgets(configuration: Config) -> Sequence[Widget]:
    """Every widget, oldest first."""
    return await configuration.widgets.all()


@widgets.post("/widgets", status_code=201)
async def create_widget(new: NewWidget, configuration: Config, actor: Actor) -> Widget:
    """Make a widget; it starts at once."""
    return await configuration.widgets.create(actor, new)


@widgets.get("/widgets/{widget_id}")
async def get_widget(widget_id: Id, configuration: Config) -> Widget:
    """One widget with its state."""
    return await configuration.widgets.get(widget_id)


@widgets.put("/widgets/{widget_id}")
async def change_widget(widget_id: Id, config: WidgetConfig, configuration: Config, actor: Actor) -> Widget:
    """Replace a widget's settings."""
    return await configuration.widgets.change(actor, widget_id, config)


@widgets.delete("/widgets/{widget_id}", status_code=204)
async def delete_widget(widget_id: Id, configuration: Config, actor: Actor) -> None:
    """Delete a widget with its conversations."""
    await configuration.widgets.delete(actor, widget_id)


@widgets.post("/widgets/{widget_id}/start")
async def start_widget(widget_id: Id, configuration: Config, parts: Parts, actor: Actor) -> Widget:
    """Start a widget; one that is parked is tried again."""
    if not await configuration.widgets.start(actor, widget_id):
        await _again(parts, (await configuration.widgets.get(widget_id)).channel_id)
    return await configuration.widgets.get(widget_id)


@widgets.post("/widgets/{widget_id}/stop")
async def stop_widget(widget_id: Id, configuration: Config, actor: Actor) -> Widget:
    """Stop a widget; it stays stopped until it is started."""
    await configuration.widgets.stop(actor, widget_id)
    return await configuration.widgets.get(widget_id)


@widgets.get("/widgets/{widget_id}/logs")
async def widget_logs(
    widget_id: Id,
    configuration: Config,
    parts: Parts,
    after: int = Query(0, ge=0),
    limit: int = Query(500, ge=1, le=2000),
) -> Sequence[LogLine]:
    """The newest lines of a widget's log, oldest first; `after` is the id of a line to go on from."""
    return await _logs(parts, (await configuration.widgets.get(widget_id)).channel_id, after, limit)


async def _again(parts: Services, channel_id: str) -> None:
    """Take up what is wanted and does not run: parked, or waiting to be tried again."""
    state = (await parts.control.snapshot())["channels"].get(channel_id, {}).get("state")
    if state in ("PARKED", "BACKOFF"):
        await parts.control.restart(channel_id)


async def _logs(parts: Services, channel_id: str, after: int, limit: int) -> Sequence[LogLine]:
    lines = await parts.control.logs(channel_id, after=after, limit=limit)
    return [LogLine.model_validate(line) for line in lines]


router.include_router(bots)
router.include_router(widgets)
