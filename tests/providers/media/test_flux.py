"""Where FLUX's tasks are looked at, and what is sent for which model."""

from pathlib import Path
from typing import Any, cast

import pytest

from providers.media.types import Task
from tests.fakes.media_flux import FakeFlux
from tests.providers.media.cases import Case, begun, made, stage

CASE = Case("bfl", "flux-2-pro", Task.TEXT_TO_IMAGE, polled=True, linked=True)
SIZED = {"prompt", "seed", "width", "height"}


@pytest.mark.parametrize("open_looks", [True, False])
async def test_the_key_stays_at_the_operators_address(open_looks: bool, tmp_path: Path) -> None:
    async with stage(CASE) as (base, model):
        fake = cast(FakeFlux, base)
        fake.elsewhere, fake.open_looks = True, open_looks
        result = await made(CASE, model, tmp_path)
        assert result.cost == pytest.approx(0.04) and result.settings == {"seed": 42}
        assert fake.looks_elsewhere
        assert not any(fake.secret in str(headers) for headers in fake.looks_elsewhere)
        looked = [path for path in fake.asked if path == "GET /v1/get_result"]
        assert bool(looked) != open_looks


async def test_a_polling_address_in_a_private_network_is_not_asked(tmp_path: Path) -> None:
    async with stage(CASE, result_hosts=[]) as (base, model):
        fake = cast(FakeFlux, base)
        fake.elsewhere = True
        handle = await begun(CASE, model, tmp_path)
        assert [progress async for progress in model.watch(handle)]
        assert not fake.looks_elsewhere and "GET /v1/get_result" in fake.asked


@pytest.mark.parametrize(
    ("case", "fields"),
    [
        (CASE, SIZED),
        (Case("bfl", "flux-kontext-pro", Task.TEXT_TO_IMAGE), {"prompt", "seed", "aspect_ratio"}),
        (
            Case("bfl", "flux-2-max", Task.IMAGE_TO_IMAGE),
            {"prompt", "seed", "input_image", "width", "height"},
        ),
    ],
)
async def test_what_is_sent(case: Case, fields: set[str], tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        await made(case, model, tmp_path, width=1024, height=576, seed=7)
        (sent,) = fake.submits
    assert set(sent.fields) == fields
    if "aspect_ratio" in fields:
        assert sent.fields["aspect_ratio"] == "16:9"
    else:
        assert (sent.fields["width"], sent.fields["height"]) == (1024, 576)


async def test_several_pictures_are_looked_at(tmp_path: Path) -> None:
    case = Case("bfl", "flux-2-pro", Task.IMAGE_TO_IMAGE)
    async with stage(case) as (fake, model):
        wish: dict[str, Any] = {"roles": ("image", "reference")}
        await made(case, model, tmp_path, **wish)
        assert {"input_image", "input_image_2"} < set(fake.submits[0].fields)
