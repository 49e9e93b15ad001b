"""The desk where programs order pictures and videos: checked, within limits, placed once, and followed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError

from admin.gateway.errors import ApiError, limited
from admin.gateway.images_errors import bad_media, not_ordered, too_long
from admin.gateway.images_inputs import Given, Inputs
from admin.gateway.images_names import Names
from admin.gateway.images_reading import Caller, Reading
from admin.services import Services
from core.jobs.candidates import Candidate, candidates_for
from core.jobs.order import Order, Source, Wish
from core.jobs.submit import HOURS, LONGEST_PROMPT, NotOrdered, cancel, ordered_before, place, retry
from core.limits.jobs import Need, Room, payer_of, reserve_job
from core.limits.limits import Limits
from core.limits.payer import Payer
from core.limits.rule import rules_of
from core.media.artifacts_clearing import delete_files
from core.media.presets import Presets
from core.media.routes import ENGINE, MediaRoute
from core.media.store import Store
from db import artifacts, gateway_keys, jobs
from db.base import new_id
from providers.media.cards import BadMediaRequest


@dataclass(frozen=True, slots=True)
class Ask:
    """An order as it comes in. `name` is a route or model; `again` makes a repeated order the same job;
    `hints` are parameters that count only where every model that may be asked knows them."""

    name: str
    wish: Wish
    pictures: tuple[Given, ...] = ()
    again: str = ""
    hints: Mapping[str, Any] = field(default_factory=dict)
    language: str = "en"
    delay: float = 0.0  # seconds until it may begin

    def with_key(self, again: str) -> "Ask":
        """The same with what makes a repeated order the same job."""
        return replace(self, again=again)


@dataclass(frozen=True, slots=True)
class Placed:
    """A job's row; `new` is False when the order was there already."""

    row: Any
    new: bool


class Desk(Reading):
    """Takes orders and shows what became of them. Whatever it refuses is an ApiError."""

    def __init__(self, services: Services, store: Store) -> None:
        super().__init__(services.database)
        self._services = services
        self._store = store
        self._limits = Limits(services.database)
        self._ttl = services.settings.task_ttl_hours
        self.names = Names(services.database, services.book)
        self.inputs = Inputs(services.database, store)

    async def order(self, caller: Caller, ask: Ask) -> Placed:
        """Place an order; the same one again is the same job."""
        for name in ("prompt", "negative"):
            if len(getattr(ask.wish, name)) > LONGEST_PROMPT:
                raise too_long(name)
        route = await self.names.find(caller.key, ask.name, ask.wish.task.makes)
        await self.inputs.check(caller.key, ask.pictures)
        wish, found = await self._fitting(route, ask)
        order = Order(
            wish, route.candidates, caller.source, route_id=route.id or None, key_id=caller.key_id,
            key=ask.again, language=ask.language, queue=route.queue, delay=ask.delay,
        )  # fmt: skip
        if known := await self._known(order):
            return Placed(known, False)
        order = replace(order, wish=replace(wish, inputs=await self.inputs.keep(caller.key, ask.pictures)))
        return await self._placed(caller, route, order, self._need(new_id(), wish, found, ask.delay))

    async def cancel(self, job_id: str) -> bool:
        """Cancel; False when it has ended already."""
        async with self._database.transaction() as conn:
            status = await cancel(conn, job_id)
            row = await jobs.get_job(conn, job_id)
        await self._wake(row)
        return status is not None

    async def retry(self, row: Any) -> bool:
        """Let a failed or cancelled job wait once more, within the limits; False for others."""
        if row.status not in (jobs.FAILED, jobs.CANCELLED):
            return False
        wish = Wish.from_json(row.request)
        book = await self._services.book.current()
        named = book.named_by(row.candidates)
        local = tuple(one.id for one in named if one.kind == ENGINE)
        lines, tasks = tuple(row.candidates), frozenset({wish.task})
        providers = tuple(one.id for one in named)
        route = MediaRoute(row.route_id or "", wish.task.makes, lines, tasks, providers, local)
        _, found = await self._fitting(route, Ask("", wish))
        room = await self._room(payer_of(row), route, self._need(row.id, wish, found))
        if not room.whole:
            await self._limits.settle(room.grant, [])
            raise limited(room.grant.allowance.resets_at)
        async with self._database.transaction() as conn:
            waits = await retry(conn, row.id, self._ttl)
        await self._wake(row)
        return waits

    async def delete(self, row: Any) -> None:
        """Cancel a job that has not ended; else delete it, with what it made."""
        if await self.cancel(row.id):
            return
        async with self._database.transaction() as conn:
            made = await artifacts.artifacts_of(conn, row.id)
            for one in made:
                await artifacts.delete_artifact(conn, one.id)
            await jobs.delete_ended(conn, row.id)
        for one in made:
            await delete_files(self._store, one.key, one.poster)

    async def to_front(self, job_id: str) -> bool:
        """Move a waiting job before all others."""
        async with self._database.transaction() as conn:
            moved = await jobs.put_first(conn, job_id)
        await self._services.control.wake("jobs")
        return moved

    async def _wake(self, row: Any) -> None:
        await self._services.control.wake("jobs")
        if row is not None and row.channel_id:
            await self._services.control.wake("outbox", row.channel_id)

    async def _fitting(self, route: MediaRoute, ask: Ask) -> tuple[Wish, Sequence[Candidate]]:
        """The wish with those hints that count, and who can do it."""
        roles = tuple(Source(one.role, artifact=one.artifact or "-") for one in ask.pictures)
        wish = replace(ask.wish, inputs=roles or ask.wish.inputs)
        found = await self._candidates(route, wish)
        known = [{option.name for option in one.card.options} for one in found if one.card]
        hints = {name: value for name, value in ask.hints.items() if all(name in names for names in known)}
        if not hints:
            return wish, found
        wish = replace(wish, params={**hints, **wish.params})
        return wish, await self._candidates(route, wish)

    async def _candidates(self, route: MediaRoute, wish: Wish) -> Sequence[Candidate]:
        request = wish.request([(Path("-"), "image/png")] * len(wish.inputs))
        providers = (await self._services.book.current()).providers
        try:
            prepare = await Presets(self._database).preparing(wish)
            found = await candidates_for(route.candidates, providers, request, prepare)
        except BadMediaRequest as error:
            raise bad_media(error) from error
        if not found.eligible:
            bad = next((one for one in found.refused.values() if isinstance(one, BadMediaRequest)), None)
            if bad is not None:
                raise bad_media(bad)
            if not route.local:  # an engine host that sleeps says later what it can
                raise bad_media(BadMediaRequest("task", "task", ", ".join(sorted(route.tasks))))
        return found.eligible

    async def _known(self, order: Order) -> Any | None:
        """The job of an earlier order with this key. Raises ApiError when that was for something else."""
        async with self._database.reading() as conn:
            row = await ordered_before(conn, order)
        if row is None:
            return None
        was, asked = Wish.from_json(row.request), order.wish
        if replace(was, inputs=()) != replace(asked, inputs=()) or len(was.inputs) != len(asked.inputs):
            text = "This Idempotency-Key was used for another request."
            raise ApiError(409, text, param="Idempotency-Key", code="idempotency_key_reused")
        return row

    async def _placed(self, caller: Caller, route: MediaRoute, order: Order, need: Need) -> Placed:
        room = await self._room(Payer(caller.source, key_id=caller.key_id), route, need)
        row: Any = None
        try:
            if not room.lines:
                raise limited(room.grant.allowance.resets_at)
            async with self._database.transaction() as conn:
                row = await place(conn, replace(order, candidates=room.lines), self._ttl, need.job_id)
        except NotOrdered as error:
            raise not_ordered(error) from error
        except IntegrityError:  # the same key came twice at once
            row = await self._known(order)
            if row is None:
                raise
        finally:
            if row is None or row.id != need.job_id:
                await self._limits.settle(room.grant, [])
        await self._services.control.wake("jobs")
        return Placed(row, row.id == need.job_id)

    async def _room(self, payer: Payer, route: MediaRoute, need: Need) -> Room:
        rules = rules_of((await self._services.book.current()).limits)
        return await reserve_job(self._limits, payer, rules, route, need)

    def _need(self, job_id: str, wish: Wish, found: Sequence[Candidate], delay: float = 0.0) -> Need:
        price = max((one.price or 0.0 for one in found), default=0.0)
        return Need(job_id, wish.task, wish.count, price, delay + self._ttl * HOURS)


async def tell_uses(services: Services) -> None:
    """Write down when keys were used last; at most once a minute for each."""
    if services.gateway_keys.due:
        async with services.database.transaction(durable=False) as conn:
            await gateway_keys.used(conn, services.gateway_keys.uses_to_tell())
