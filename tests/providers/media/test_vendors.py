"""What is particular to one vendor: keys, tokens, shapes, cards."""

import base64
import io
import json
import time
from pathlib import Path
from typing import Any, cast

import jwt
import pytest
from PIL import Image

from providers.errors import ErrorClass, ProviderError
from providers.media.cards import Card, vendor_cards
from providers.media.inputs import transparent
from providers.media.kling import token
from providers.media.openai_images import OpenAIImages
from providers.media.registry import KINDS, open_media
from providers.media.types import MediaRequest, Task
from providers.media.vertex import Vertex, account_of
from providers.types import ProviderConfig
from tests.fakes.media import FAKES
from tests.fakes.media_openai import FakeOpenAI
from tests.fakes.media_veo import FakeVertex
from tests.fakes.proxy import fake_proxy
from tests.providers.media.cases import ROLES, Case, error_of, made, opened, stage

ALL = [(kind, card, task) for kind, cards in vendor_cards().items() for card in cards for task in card.tasks]
VERTEX = Case("vertex", "veo-3.1-generate-001", Task.TEXT_TO_VIDEO, polled=True)
KLING = Case("kling", "kling-v3", Task.TEXT_TO_VIDEO, polled=True, linked=True)


def test_every_vendor_has_cards_and_a_fake() -> None:
    assert set(vendor_cards()) == set(FAKES) <= set(KINDS)
    for cards in vendor_cards().values():
        assert len({card.name for card in cards}) == len(cards)
        assert all(0 < card.quality <= 100 and card.tasks and card.label for card in cards)


def _values(card: Card) -> dict[str, Any]:
    """A value for each option, that is not what stands when it is left out."""
    given: dict[str, Any] = {}
    for option in card.options:
        if option.kind == "choice":
            given[option.name] = option.choices[-1]
        elif option.kind == "bool":
            given[option.name] = not option.default
        else:
            number = option.high if option.high is not None else 1
            given[option.name] = int(number) if option.kind == "int" else float(number)
    return given


@pytest.mark.parametrize(("kind", "card", "task"), ALL, ids=lambda one: getattr(one, "name", str(one)))
async def test_every_card_tells_what_its_vendor_takes(
    kind: str, card: Card, task: Task, tmp_path: Path
) -> None:
    case = Case(kind, card.name, task)
    roles = ROLES[task] + (("last_frame",) if task == Task.IMAGE_TO_VIDEO and card.inputs > 1 else ())
    size = card.sizes[1] if len(card.sizes) > 1 else (card.high_side // 2, card.high_side // 2)
    async with stage(case) as (fake, model):
        result = await made(
            case, model, tmp_path, roles=roles, width=size[0], height=size[1], negative="blur", seed=5,
            strength=0.4, seconds=card.seconds[-1] if card.seconds else None, params=_values(card),
        )  # fmt: skip
        assert result.files and len(fake.submits) == 1


@pytest.mark.parametrize("model", ["dall-e-3", "local-sdxl"])
async def test_compatible_servers(model: str, tmp_path: Path) -> None:
    async with FakeOpenAI() as fake:
        shown = fake.config()
        config = ProviderConfig("v", "openai-compatible", fake.root, (), shown.options)
        async with opened(config) as provider:
            request = MediaRequest(Task.TEXT_TO_IMAGE, "a cat", width=512, height=512, count=2,
                                   params={"style": "vivid"})  # fmt: skip
            one = provider.model(model, fake.secret)
            result = await one.fetch(await one.submit(request, "k", tmp_path), tmp_path)
        assert [file.mime for file in result.files] == ["image/png"] * 2
        fields = fake.submits[0].fields
        assert fields["response_format"] == "b64_json" and fields["style"] == "vivid"
        assert fields["size"] == "512x512" and fields["n"] == 2


async def test_a_compatible_server_that_answers_with_addresses(tmp_path: Path) -> None:
    async with FakeOpenAI() as fake, opened(fake.config()) as provider:
        call = provider.model("local", "k").begun

        class Order:
            request = MediaRequest(Task.TEXT_TO_IMAGE, "a cat")

        answer = type(
            "A", (), {"data": {"data": [{"url": fake.link("image")}, {"url": "data:image/png;base64,iVBO"}]}}
        )
        files = call(cast(Any, Order()), cast(Any, answer)).files
        assert isinstance(files[0], str) and files[1] == base64.b64decode("iVBO")


def test_addresses_of_openai() -> None:
    def address(url: str) -> str:
        return OpenAIImages(ProviderConfig("v", "openai-compatible", url)).api.base_url

    assert address("http://127.0.0.1:8000") == "http://127.0.0.1:8000/v1"
    assert address("https://x.example/api/v1/") == "https://x.example/api/v1"
    assert address("https://x.example/v1/chat/completions") == "https://x.example/v1"


def test_a_mask_is_white_here_and_transparent_there() -> None:
    mask = Image.new("L", (4, 2), 0)
    mask.paste(255, (0, 0, 2, 2))
    file = io.BytesIO()
    mask.save(file, "PNG")
    alpha = Image.open(io.BytesIO(transparent(file.getvalue()))).getchannel("A")
    assert (alpha.getpixel((0, 0)), alpha.getpixel((3, 1))) == (0, 255)
    already = transparent(file.getvalue())
    assert transparent(already) == already
    with pytest.raises(ProviderError, match="no picture"):
        transparent(b"\x89PNG\r\n\x1a\nrubbish")


async def test_several_pictures_and_a_mask_for_openai(tmp_path: Path) -> None:
    case = Case("openai", "gpt-image-2", Task.IMAGE_TO_IMAGE)
    async with stage(case) as (fake, model):
        await made(case, model, tmp_path, roles=("image", "reference"))
        assert len(fake.submits[0].fields["image[]"]) == 2


def test_a_token_of_kling() -> None:
    now = time.time()
    claims = jwt.decode(token("AK:S:K" + "s" * 40, now), "S:K" + "s" * 40, ["HS256"])
    assert claims["iss"] == "AK" and claims["exp"] == int(now) + 1800 and claims["nbf"] == int(now) - 5
    for bad in ("", "AK", "AK:", ":SK"):
        with pytest.raises(ProviderError, match="credential"):
            token(bad, now)


async def test_kling_tells_an_account_without_money(tmp_path: Path) -> None:
    async with stage(KLING) as (fake, model):
        model = cast(Any, model)
        said = {"code": 1102, "message": "Account balance not enough", "request_id": "r"}
        assert model.vendor.api.failure(said).error_class == ErrorClass.QUOTA
        assert model.vendor.classify(429, {"code": 1304}) == ErrorClass.CREDENTIAL


async def test_vertex_buys_one_token_for_everything(tmp_path: Path) -> None:
    async with stage(VERTEX) as (base, model):
        fake = cast(FakeVertex, base)
        await made(VERTEX, model, tmp_path)
        await made(VERTEX, model, tmp_path)
        assert fake.tokens_given == 1 and len(fake.submits) == 2


async def test_a_service_account_as_it_is(tmp_path: Path) -> None:
    async with stage(VERTEX) as (fake, _), opened(fake.config()) as provider:
        plain = json.dumps(json.loads(base64.b64decode(fake.secret)), indent=2)
        assert (await made(VERTEX, provider.model(VERTEX.model, plain), tmp_path)).files


@pytest.mark.parametrize(
    "change",
    [
        {"token_uri": "https://evil.example/token"}, {"token_uri": "http://oauth2.googleapis.com/token"},
        {"token_uri": "https://googleapis.com.evil.example/"}, {"token_uri": "file:///x"},
        {"private_key": "no key"}, {"project_id": "../../x"}, {"project_id": None, "private_key": None},
    ],
)  # fmt: skip
async def test_service_accounts_that_are_none(change: dict[str, Any], tmp_path: Path) -> None:
    async with stage(VERTEX) as (fake, _), opened(fake.config()) as provider:
        bad = json.dumps({**json.loads(base64.b64decode(fake.secret)), **change})
        error = await error_of(VERTEX, provider.model(VERTEX.model, bad), tmp_path)
        assert error.error_class == ErrorClass.CREDENTIAL and not fake.submits


@pytest.mark.parametrize("key", ["", "sk-1", "e30=", "[]", "{", '{"project_id": 1}', "bm90IGpzb24="])
def test_keys_that_are_no_service_account(key: str) -> None:
    with pytest.raises(ProviderError, match="credential"):
        account_of(key)


def test_the_location_is_in_the_address() -> None:
    def located(url: str, **options: Any) -> str:
        provider = open_media(ProviderConfig("v", "vertex", url, (), options))
        assert isinstance(provider, Vertex)
        return provider.location

    assert located("https://europe-west4-aiplatform.googleapis.com") == "europe-west4"
    assert located("https://aiplatform.googleapis.com", location="global") == "global"


@pytest.mark.parametrize("way", ["http", "socks"])
async def test_through_a_proxy_and_once(way: str, tmp_path: Path) -> None:
    async with FAKES["bfl"]() as fake, fake_proxy(("ann", "x"), 0) as proxy:
        case = Case("bfl", "flux-2-pro", Task.TEXT_TO_IMAGE, polled=True, linked=True)
        shown = fake.config(connect=2.0)
        config = ProviderConfig("v", "bfl", shown.base_url, (), shown.options, (getattr(proxy, way),))
        async with opened(config) as provider:
            model = provider.model(case.model, fake.secret)
            assert (await made(case, model, tmp_path)).files
            fake.behave("lost")
            await error_of(case, model, tmp_path)
        assert {place for _, place in proxy.seen} == {f"127.0.0.1:{fake.port}", fake.files_host}
        assert len(fake.submits) == 2


async def test_a_lone_surrogate_is_sent_as_something_else(tmp_path: Path) -> None:
    for kind, name in (("stability", "core"), ("openai", "gpt-image-2")):
        case = Case(kind, name, Task.TEXT_TO_IMAGE)
        async with stage(case) as (fake, model):
            await made(case, model, tmp_path, prompt="a\ud83db cat")
            assert fake.submits[0].fields["prompt"].startswith("a")
