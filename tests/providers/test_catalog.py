"""The catalogue, the registry and what is found on a machine."""

import subprocess
import sys

import pytest
from aiohttp import web

from providers.catalog import UnknownKind, find_vendor, vendors
from providers.discovery import found_keys, found_servers
from providers.errors import ProviderError
from providers.media.cards import vendor_cards
from providers.media.registry import makes_media, open_media
from providers.registry import WIRES, is_loaded, list_models, open_provider, preload
from providers.types import ProviderConfig
from tests.fakes.llm import fake_llm
from tests.fakes.media_flux import FakeFlux

CHAT = [kind for kind, vendor in vendors().items() if vendor.chat]
MEDIA_ALONE = [kind for kind, vendor in vendors().items() if not vendor.chat]


@pytest.mark.parametrize("kind", CHAT)
async def test_every_vendor_can_be_opened(kind: str) -> None:
    vendor = find_vendor(kind)
    assert vendor.label and vendor.wire in WIRES
    assert len(kind) <= 32
    assert vendor.base_url.startswith("https://") or vendor.local or kind == "openai-compatible"
    assert bool(vendor.key_env) == bool(vendor.models)
    assert len({model.name for model in vendor.models}) == len(vendor.models)
    assert all(0 < model.quality <= 100 and model.context for model in vendor.models)
    provider = open_provider(ProviderConfig("x", kind, vendor.base_url or "http://127.0.0.1:1/v1"))
    provider.model("some-model", "sk-key")
    await provider.close()


@pytest.mark.parametrize("kind", MEDIA_ALONE)
async def test_vendors_of_media_alone(kind: str) -> None:
    vendor = find_vendor(kind)
    assert vendor.label and vendor.site and vendor.base_url.startswith("https://")
    assert len(kind) <= 32 and not vendor.models and makes_media(kind) and vendor_cards()[kind]
    with pytest.raises(ValueError, match="no model to talk to"):
        open_provider(ProviderConfig("x", kind))
    preload([kind])
    assert is_loaded(kind)
    provider = open_media(ProviderConfig("x", kind))
    await provider.close()


async def test_a_key_for_media_alone_is_tested_as_all_are() -> None:
    async with FakeFlux() as fake:
        assert "flux-2-pro" in await list_models(fake.config(), fake.secret)
        with pytest.raises(ProviderError, match="credential"):
            await list_models(fake.config(), "wrong")


def test_the_best_come_first() -> None:
    best = find_vendor("groq").best(3)
    assert [model.quality for model in best] == sorted((model.quality for model in best), reverse=True)
    assert find_vendor("groq").context(best[0].name) > 0
    assert find_vendor("groq").context("unheard-of") == 0


def test_quirks_by_pattern() -> None:
    assert find_vendor("openai").quirk("gpt-5-mini").max_tokens_as == "max_completion_tokens"
    assert find_vendor("openai").quirk("gpt-4o-mini").refuses == ()
    assert find_vendor("openrouter").quirk("google/gemma-3-27b-it:free").no_system
    assert find_vendor("anthropic").quirk("claude-sonnet-5-5").refuses == ("temperature", "top_p", "top_k")
    assert find_vendor("anthropic").quirk("claude-haiku-4-5").refuses == ("top_p",)


def test_what_cannot_be_opened_says_why() -> None:
    with pytest.raises(UnknownKind, match="openrouter"):
        open_provider(ProviderConfig("x", "nobody"))
    for address in ("", "ftp://x", "api.example"):
        with pytest.raises(ValueError, match="base_url"):
            open_provider(ProviderConfig("x", "openai-compatible", address))


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import core.routing.route, providers.discovery", ["aiohttp", "anthropic", "httpx2"]),
        ("from providers.registry import preload; preload(['groq', 'ollama'])", ["anthropic", "httpx2"]),
    ],
)
def test_nothing_is_imported_before_it_is_needed(code: str, absent: list[str]) -> None:
    check = f"{code}\nimport sys\nprint([name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_preload_refuses_unknown_kinds() -> None:
    with pytest.raises(UnknownKind):
        preload(["nobody"])


def test_keys_in_the_environment_are_offered_by_name() -> None:
    offers = found_keys({"OPENAI_API_KEY": "sk-secret", "GROQ_API_KEY": " ", "OTHER": "x"})
    assert [(offer.kind, offer.key_env) for offer in offers] == [("openai", "OPENAI_API_KEY")]
    assert offers[0].models and "secret" not in repr(offers)


async def test_servers_on_loopback_are_offered_with_their_models() -> None:
    none = {"vllm": 1, "llamacpp": 1, "lmstudio": 1}
    async with fake_llm() as llm:
        (offer,) = await found_servers(ports={"ollama": llm.port, **none})
        assert (offer.kind, offer.base_url, offer.models) == ("ollama", llm.url, ("model-a", "model-b"))
        await llm.down()
        assert await found_servers(ports={"ollama": llm.port, **none}) == []


@pytest.mark.parametrize("answer", ["<html>", "[1]", '{"data": [{}]}', '{"data": null}'])
async def test_other_servers_are_not_offered(answer: str) -> None:
    async def reply(_request: web.Request) -> web.Response:
        return web.Response(text=answer)

    app = web.Application()
    app.router.add_get("/v1/models", reply)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ports = {"ollama": runner.addresses[0][1], "vllm": 1, "llamacpp": 1, "lmstudio": 1}
    assert await found_servers(ports=ports) == []
    await runner.cleanup()
