"""Limits of pictures and videos: reserved when ordered, counted when made, given back otherwise."""

import pytest
from sqlalchemy import func, select

from core.jobs.order import Wish
from core.jobs.submit import cancel
from core.limits.jobs import Need, Room, reserve_job
from core.limits.limits import Limits
from core.limits.payer import Payer
from core.limits.rule import rules_of
from core.media.routes import MediaRoute
from db.limits import LimitUse, Reservation, add_limit, all_limits
from providers.errors import ErrorClass, ProviderError
from providers.media.types import Task
from tests.jobs.conftest import Workshop
from tests.jobs.studio import VENDORS

LINES = ("one:fast", "two:fast")


async def reserved(shop: Workshop, job_id: str, count: int, task: Task = Task.TEXT_TO_IMAGE) -> Room:
    async with shop.database.reading() as conn:
        rules = rules_of(await all_limits(conn))
    route = MediaRoute("images", task.makes, LINES, frozenset({task}), ("one", "two"))
    need = Need(job_id, task, count, 0.0, 60.0)
    return await reserve_job(Limits(shop.database), Payer("api", key_id="k1"), rules, route, need)


async def counted(shop: Workshop) -> tuple[float, int]:
    """What is used, and how many reservations there are."""
    async with shop.database.reading() as conn:
        used = (await conn.execute(select(func.coalesce(func.sum(LimitUse.used), 0.0)))).scalar_one()
        held = (await conn.execute(select(func.count()).select_from(Reservation))).scalar_one()
    return used, held


@pytest.fixture
async def limited(shop: Workshop) -> Workshop:
    """At most five pictures a day for each key."""
    async with shop.database.transaction() as conn:
        usual = {"subject_kind": "key", "amount": 5, "period": "day", "action": "stop"}
        await add_limit(conn, measure="pictures", **usual)
    return shop


async def test_each_picture_of_an_album_counts(limited: Workshop) -> None:
    VENDORS["one"].files = 3
    job_id = await limited.order(wish=Wish(Task.TEXT_TO_IMAGE, "a fox", count=4), key_id="k1")
    assert (await reserved(limited, job_id, 4)).whole
    assert not (await reserved(limited, "other", 2)).lines  # four and two are more than five
    assert (await limited.work()).status == "done"
    assert await counted(limited) == (3.0, 0)
    assert (await reserved(limited, "other", 2)).whole
    assert not (await reserved(limited, "third", 1)).lines


async def test_what_makes_nothing_gives_its_room_back(limited: Workshop) -> None:
    waits = await limited.order(key_id="k1", queue="elsewhere")
    fails = await limited.order("one:fast", key_id="k1")
    VENDORS["one"].fails = [ProviderError(ErrorClass.CALLER, "no")]
    for job_id in (waits, fails):
        assert (await reserved(limited, job_id, 2)).whole
    assert (await limited.work()).status == "failed"
    assert await limited.does(cancel, waits) == "cancelled"
    assert await counted(limited) == (0.0, 0)


async def test_a_video_is_no_picture(limited: Workshop) -> None:
    assert (await reserved(limited, "p", 5)).whole
    assert (await reserved(limited, "v", 1, Task.TEXT_TO_VIDEO)).whole
    over = await reserved(limited, "q", 1)
    assert (over.lines, over.grant.allowance.measure) == ((), "pictures")


async def test_a_providers_room_is_given_back_before_anybody_was_asked(shop: Workshop) -> None:
    async with shop.database.transaction() as conn:
        usual = {"subject_kind": "provider", "amount": 5, "period": "day", "action": "stop"}
        await add_limit(conn, measure="pictures", **usual)
    job_id = await shop.order(key_id="k1")
    assert (await reserved(shop, job_id, 4)).whole and (await counted(shop))[1] == 2  # one for each provider
    over = await reserved(shop, "other", 2)
    assert over.lines == ()
    assert await shop.does(cancel, job_id) == "cancelled"
    assert await counted(shop) == (0.0, 0)
