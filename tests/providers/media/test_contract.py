"""What holds for every vendor of media: one paid request, and a clear word for all that can go wrong."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from providers.errors import ErrorClass, ProviderError
from providers.media.cards import vendor_cards
from providers.media.lost import answer_lost
from providers.media.registry import open_media
from providers.media.types import Repeat
from tests.fakes.media import FAKES
from tests.fakes.media_vendor import WAIT
from tests.providers.media.cases import (
    CASES,
    PROMPT,
    Case,
    begun,
    error_of,
    every,
    linked,
    made,
    names,
    one_each,
    opened,
    polled,
    stage,
    watched,
)
from tests.providers.test_adapters import served

LASTING = {ErrorClass.TRUNCATED, ErrorClass.EMPTY, ErrorClass.CONTENT}


@every
async def test_a_wish_becomes_files_with_one_paid_request(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        handle = await begun(case, model, tmp_path)
        assert fake.secret not in json.dumps(handle) and PROMPT not in json.dumps(handle)
        seen = await watched(model, handle)
        assert bool(seen) == case.polled
        result = await model.fetch(handle, tmp_path)
        again = await model.fetch(handle, tmp_path)
        await model.discard(handle)
        assert len(fake.submits) == 1
    assert [one.path.name for one in result.files] == [one.path.name for one in again.files]
    (file,) = result.files
    assert file.mime == ("video/mp4" if case.task.makes == "video" else "image/png")
    assert file.path.parent == tmp_path and file.path.stat().st_size > 20
    assert not [name for name in names(tmp_path) if name.endswith(".part")]
    assert model.repeat is case.repeat
    assert bool(fake.files_asked) == case.linked


@polled
async def test_another_process_goes_on_with_the_handle(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        handle = await begun(case, model, tmp_path)
        async with opened(fake.config()) as other:
            second = other.model(case.model, fake.secret)
            await watched(second, handle)
            assert (await second.fetch(handle, tmp_path)).files
        assert len(fake.submits) == 1


@every
async def test_a_lost_answer_is_never_paid_twice(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        async with opened(fake.config()) as provider:  # a connection is kept open first
            await provider.check(fake.secret)
            fake.behave("lost")
            error = await error_of(case, provider.model(case.model, fake.secret), tmp_path)
        assert answer_lost(error) and len(fake.submits) == 1
        fake.behave()
        handle = await model.find("job-1-1")
        assert (handle is not None) == (case.repeat is Repeat.FIND)
        if handle is not None:
            await watched(model, handle)
            assert (await model.fetch(handle, tmp_path)).files
            assert await model.find("job-of-nobody") is None
        assert len(fake.submits) == 1


@every
@pytest.mark.parametrize("behaviour", ["html", "list"])
async def test_nonsense_is_a_lost_answer(case: Case, behaviour: str, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        fake.behave(behaviour)
        error = await error_of(case, model, tmp_path)
        assert error.error_class == ErrorClass.TRANSIENT and "JSON" in error.message
        assert answer_lost(error) and len(fake.submits) == 1


@every
async def test_a_refused_wish(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        fake.behave("moderate")
        error = await error_of(case, model, tmp_path)
        assert error.error_class == ErrorClass.CONTENT and not answer_lost(error)


@one_each
async def test_a_result_that_is_held_back(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        fake.behave("refuse_later")
        assert (await error_of(case, model, tmp_path)).error_class == ErrorClass.CONTENT
        assert len(fake.submits) == 1


@polled
async def test_a_task_that_fails_is_not_asked_again(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        fake.behave("fail_later")
        assert (await error_of(case, model, tmp_path)).error_class in LASTING


@polled
async def test_a_task_that_never_ends(case: Case, tmp_path: Path) -> None:
    async with stage(case, media_deadline=0.15) as (fake, model):
        fake.behave("never")
        assert (await error_of(case, model, tmp_path)).error_class == ErrorClass.TIMEOUT


@polled
async def test_looks_that_fail(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        handle = await begun(case, model, tmp_path)
        fake.behave("poll_html")
        with pytest.raises(ProviderError) as caught:
            await watched(model, handle)
        assert caught.value.error_class == ErrorClass.TRANSIENT
        fake.behave("poll_busy")
        await watched(model, handle)
        assert len(fake.submits) == 1


@every
async def test_a_busy_vendor_says_how_long(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        fake.behave("rate_limit")
        error = await error_of(case, model, tmp_path)
        assert (error.error_class, error.retry_after) == (ErrorClass.RATE_LIMIT, WAIT)
        assert not answer_lost(error) and not fake.submits


@one_each
async def test_a_broken_vendor(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        fake.behave("error_500")
        error = await error_of(case, model, tmp_path)
        assert error.error_class == ErrorClass.TRANSIENT and not answer_lost(error)
        await fake.down()
        error = await error_of(case, model, tmp_path)
        assert error.error_class == ErrorClass.CONNECT and not answer_lost(error)


@one_each
async def test_neither_key_nor_wish_is_in_a_message(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        fake.behave("echo")
        error = await error_of(case, model, tmp_path)
        for secret in (*fake.secret.split(":"), PROMPT, PROMPT[:25]):
            assert secret not in str(error)
        assert error.message


@one_each
async def test_a_wrong_key(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, _), opened(fake.config()) as provider:
        model = provider.model(case.model, fake.wrong_secret())
        error = await error_of(case, model, tmp_path)
        assert error.error_class == ErrorClass.CREDENTIAL and not fake.submits


@pytest.mark.parametrize("kind", FAKES)
async def test_a_key_is_tested_free_of_charge(kind: str) -> None:
    async with FAKES[kind]() as fake, opened(fake.config()) as provider:
        known = await provider.check(fake.secret)
        assert known == [card.name for card in vendor_cards()[kind]] and not fake.submits
        with pytest.raises(ProviderError, match="credential"):
            await provider.check(fake.wrong_secret())


@one_each
@pytest.mark.parametrize("behaviour", ["wrong_type", "bomb", "huge", "nothing"])
async def test_a_result_that_cannot_be_used(case: Case, behaviour: str, tmp_path: Path) -> None:
    if behaviour == "bomb" and case.task.makes == "video":
        behaviour = "wrong_type"
    async with stage(case, media_largest=2 << 20) as (fake, model):
        fake.behave(behaviour)
        error = await error_of(case, model, tmp_path)
        assert error.error_class == ErrorClass.EMPTY and error.message
    assert not [name for name in names(tmp_path) if not name.startswith("input-")]


@linked
async def test_results_in_a_private_network_are_not_fetched(case: Case, tmp_path: Path) -> None:
    async with stage(case, result_hosts=[]) as (fake, model):
        error = await error_of(case, model, tmp_path)
        assert error.error_class == ErrorClass.EMPTY and "not fetched" in error.message
        assert not fake.files_asked


@linked
async def test_no_key_goes_to_the_host_of_a_result(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        await made(case, model, tmp_path)
        (headers,) = fake.files_asked
    for secret in fake.secret.split(":"):
        assert secret not in str(headers)
    assert not {"authorization", "x-key", "x-goog-api-key"} & {name.lower() for name in headers}


@one_each
async def test_no_redirect_takes_a_key_away(case: Case, tmp_path: Path) -> None:
    seen: list[str] = []

    async def other(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        return web.json_response({})

    async with served(other) as away:

        async def reply(request: web.Request) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": away + request.path})

        async with served(reply) as url, stage(case) as (fake, _):
            config = fake.config()
            moved = type(config)(config.id, config.kind, url + fake.base, (), config.options)
            async with opened(moved) as provider:
                error = await error_of(case, provider.model(case.model, fake.secret_at(url)), tmp_path)
    assert error.error_class == ErrorClass.CONNECT and seen == []


@polled
async def test_cancel(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        fake.looks = 50
        handle = await begun(case, model, tmp_path)
        await model.cancel(handle)
        (work,) = fake.works.values()
        assert work.state == ("cancelled" if case.cancels else "running")


async def test_an_input_that_is_gone_costs_nothing(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.task == "image_to_image")
    async with stage(case) as (fake, model):
        request = case.request(tmp_path)
        (path,) = [one.path for one in request.inputs]
        await asyncio.to_thread(path.write_bytes, b"GIF no more")
        with pytest.raises(ProviderError, match="caller"):
            await model.submit(request, "k", tmp_path)
        await asyncio.to_thread(path.unlink)
        with pytest.raises(ProviderError, match="caller"):
            await model.submit(request, "k", tmp_path)
        assert not fake.submits


@pytest.mark.parametrize("kind", FAKES)
def test_a_provider_without_a_usable_address(kind: str) -> None:
    config = FAKES[kind]().config()
    with pytest.raises(ValueError, match="base_url"):
        open_media(type(config)(config.id, config.kind, "ftp://x.example"))
