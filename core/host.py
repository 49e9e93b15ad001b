"""What runs inside a channel process: inbox, turns and outbox around one channel."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from core.channel import Channel
from core.inbox import Claim, Inbox
from core.instance import Instance
from core.instances import load_instance
from core.jobs.board import Board
from core.knowledge.answerer import KnowledgeModel
from core.knowledge.faq import FaqBook
from core.limits.limits import Limits
from core.messages import Incoming, OutboundMessage
from core.outbox import Outbox
from core.pictures import Picture
from core.provider_secrets import ProviderSecrets
from core.routing.cooldown import Cooldown
from core.routing.route import Router
from core.routing.state import RestStore
from core.shelf import Shelf
from core.turn import Turn, Workplace, set_aside
from core.uploads import Uploads
from db import conversations, inbox, outbox, settings
from db.database import Database
from db.trouble import Unavailable

LOOK_EVERY = 2.0  # seconds between looks at the rows by a process that missed its wake-up
DATABASE_PAUSE = 1.0  # seconds
TURNS_AT_ONCE = 64
ATTEMPTS = 4
logger = logging.getLogger(__name__)


class ChannelHost:
    """Implements core.channel.Host and owns the tasks of one channel process."""

    def __init__(
        self,
        database: Database,
        channel: Channel,
        instance: Instance,
        secrets: Mapping[str, ProviderSecrets],
        send: Callable[[dict[str, Any]], None],
        rests: RestStore | None = None,
    ) -> None:
        self._database = database
        self._channel = channel
        self._secrets = self._used_secrets = secrets
        self._send = send
        self._turns: dict[str, Turn] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(TURNS_AT_ONCE)
        self._uploads = Uploads(database, instance.id)
        self.shelf = Shelf(database, Path("media"))
        self._board = Board(database, instance.id, channel)
        self._outbox = Outbox(database, instance.id, channel, self._board.finish)
        self._inbox = Inbox(database, instance.id, self._start_turn)
        self._place = Workplace(
            database=database, channel=channel, inbox=self._inbox,
            router=Router(knowledge=KnowledgeModel(database), cooldown=Cooldown(rests)),
            instance=instance, book=FaqBook(instance.faqs),
            deliver=self._outbox.deliver, publish=self._publish, save_preview=self._save_preview,
            limits=Limits(database), uploads=self._uploads,
        )  # fmt: skip
        self._heard_at = time.monotonic()
        self._state: dict[str, str] = {}
        self._troubles: dict[str, str] = {}
        self.accepted = 0
        self.errors = 0

    @property
    def instance(self) -> Instance:
        """The current configuration."""
        return self._place.instance

    def let_jobs_wait(self, hours: float) -> None:
        """For so long a job that is ordered here may wait."""
        self._place.ttl_hours = hours

    # What the channel calls.

    async def accept(self, batch: Sequence[Incoming]) -> list[bool]:
        """Store updates; committed when this returns."""
        new = await self._inbox.accept(batch)
        self.accepted += sum(new)
        return new

    def stop(self, chat_key: str) -> bool:
        """Stop the running answer of a chat."""
        turn = self._turns.get(chat_key)
        if turn is None:
            return False
        turn.stop()
        return True

    async def say(self, chat_key: str, text: str, *, plain: bool = True) -> None:
        """Put a message of our own into the chat's outbox."""
        message = OutboundMessage(chat_key=chat_key, text=text, plain=plain)
        async with self._database.transaction() as conn:
            await outbox.add_outbound(conn, self.instance.id, chat_key, message.to_json(), None)
        await self._outbox.collect()

    async def history(self, chat_key: str, limit: int = 50) -> list[dict[str, Any]]:
        """The open conversation's messages, oldest first."""
        async with self._database.reading() as conn:
            row = await conversations.open_conversation(conn, self.instance.id, chat_key)
            messages = await conversations.last_messages(conn, row.id, limit) if row else []
        thoughts = ("reasoning",) if self.instance.route.settings.get("show_reasoning") else ()
        fields = (
            "id", "role", "text", "status", "source", "source_id", "created_at", "attachments", *thoughts,
        )  # fmt: skip
        return [{name: getattr(one, name) for name in fields} for one in messages if one.status != "replaced"]

    async def keep_picture(self, chat_key: str, picture: Picture) -> str | None:
        """Store a picture that a chat's person sent."""
        return await self._uploads.keep(chat_key, picture)

    async def kept_picture(self, ref: str, chat_key: str | None = None) -> Picture | None:
        """A stored picture."""
        return await self._uploads.find(ref, chat_key)

    async def made_for(self, artifact: str, chat_key: str) -> tuple[bytes, str] | None:
        """What was made for a chat, and its type."""
        return await self.shelf.made_for(artifact, self.instance.id, chat_key)

    async def path_for(self, artifact: str, chat_key: str) -> str:
        """The signed path of what was made for a chat."""
        return await self.shelf.path_for(artifact, self.instance.id, chat_key)

    def heard(self) -> None:
        """A poll finished."""
        self._heard_at = time.monotonic()

    def degraded(self, reason: str) -> None:
        """Tell the supervisor that something is wrong, or ("") well again."""
        self.troubled("channel", reason)

    # What the process calls.

    def troubled(self, where: str, reason: str) -> None:
        """Tell the supervisor what is wrong with a part of the channel, or ("") well again."""
        if not reason and where not in self._troubles:
            return
        if self._troubles.get(where) != reason and where != "channel":
            logger.warning("%s", reason or f"the {where} can be used again")
        self._troubles.pop(where, None)
        if reason:
            self._troubles[where] = reason
        reasons = "; ".join(self._troubles.values())
        self.announce("DEGRADED" if reasons else "READY", reasons)

    def announce(self, state: str, reason: str = "", **more: str) -> None:
        """Tell the supervisor a new state; heartbeats repeat it. READY: past troubles are over."""
        if state == "READY":
            self._troubles.clear()
        self._state = {"state": state, "reason": reason}
        self._send({"t": "state", **self._state, **more})

    async def recover(self) -> None:
        """Take up what the last process left: unsent messages, running and waiting turns."""
        await self._outbox.collect()
        await self._inbox.recover()

    async def watch_rows(self) -> None:
        """Look for changed configuration and foreign outbox rows until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """One look at the configuration's version and the outbox; waits for the next one when the database
        cannot be used."""
        try:
            await self._look()
        except Unavailable as error:
            self.troubled("database", f"the database cannot be used now: {error}")
        else:
            self.troubled("database", "")

    async def _look(self) -> None:
        await self._inbox.settle()
        async with self._database.reading() as conn:
            version = int(await settings.get_setting(conn, settings.CONFIG_VERSION, 0))
        if version != self.instance.version or self._secrets is not self._used_secrets:
            await self.reload()
        await self._outbox.collect()

    def rekey(self, secrets: Mapping[str, ProviderSecrets]) -> None:
        """Take new keys and proxies, used from the next look on."""
        self._secrets = secrets

    async def reload(self) -> None:
        """Read the configuration again and let the channel see it."""
        secrets = self._secrets
        async with self._database.reading() as conn:
            instance = await load_instance(conn, self.instance.id, secrets)
        if instance is None:
            return  # deleted: the supervisor is about to stop this process
        self._used_secrets = secrets
        self._place.instance, self._place.book = instance, FaqBook(instance.faqs)
        await self._channel.reload()

    async def show_progress(self) -> None:
        """Show how far jobs are until cancelled."""
        await self._board.run()

    async def look_at_jobs(self) -> bool:
        """Show once how far they are; False when there are none."""
        return await self._board.round()

    async def write_marks(self) -> None:
        """Run the outbox's writer until cancelled."""
        await self._outbox.write_marks()

    async def drain(self) -> None:
        """Finish running turns and send what is queued."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        await self._outbox.drain()

    async def close(self) -> None:
        """Cancel what still runs; rows keep it for the next process."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._outbox.close()
        await self._place.router.close()

    def beat(self) -> dict[str, Any]:
        """What a heartbeat tells."""
        return {
            "t": "beat",
            **self._state,
            "queue": self._inbox.running + self._outbox.waiting,
            "last_poll_age": round(time.monotonic() - self._heard_at, 3),
            "messages_in": self.accepted,
            "messages_out": self._outbox.delivered,
            "errors": self.errors + self._outbox.failed,
        }

    def _start_turn(self, claim: Claim) -> None:
        turn = self._turns[claim.chat_key] = Turn(self._place, claim)
        task = asyncio.create_task(self._run_turn(claim, turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_turn(self, claim: Claim, turn: Turn) -> None:
        try:
            async with self._room:
                if claim.attempts >= ATTEMPTS:
                    logger.error("update %s set aside: its process died %s times", claim.id, claim.attempts)
                    await set_aside(self._place, claim, "the process died under it four times in a row")
                else:
                    await self._answer(turn)
        finally:
            if self._turns.get(claim.chat_key) is turn:
                del self._turns[claim.chat_key]

    async def _answer(self, turn: Turn) -> None:
        """Run a turn to its end; one that cannot read the rows begins again."""
        while True:
            try:
                return await turn.run()
            except Unavailable as error:
                logger.warning("update %s waits for the database: %s", turn.claim.id, error)
                await asyncio.sleep(DATABASE_PAUSE)
            except Exception as error:  # process edge: one turn must not end the others
                self.errors += 1
                logger.exception("turn of update %s failed", turn.claim.id)
                return await set_aside(self._place, turn.claim, f"{type(error).__name__}: {error}"[:2000])

    def _save_preview(self, row_id: int, external_id: str) -> None:
        task = asyncio.create_task(self._write_preview(row_id, external_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_preview(self, row_id: int, external_id: str) -> None:
        try:
            async with self._database.transaction() as conn:
                await inbox.save_preview(conn, row_id, external_id)
        except SQLAlchemyError as error:  # after a crash, the chat would see a second preview
            logger.warning("the preview of update %s is not remembered: %s", row_id, error)

    def _publish(self, event: dict[str, Any]) -> None:
        if event.get("topic") == "jobs":
            self._board.look()
        self._send({"t": "event", **event})
