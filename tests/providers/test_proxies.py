"""Outbound proxies over real connections: which is used, what it is told, and that nothing goes past them."""

import datetime
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from providers import proxies
from providers.errors import ProviderError
from providers.proxies import parsed
from providers.registry import open_provider
from providers.types import ChatRequest, ChatTurn, Finish, ProviderConfig
from tests.fakes.llm import FakeLLM, fake_llm
from tests.fakes.proxy import fake_proxy
from tests.providers.test_adapters import KINDS, asked
from tests.providers.test_adapters import llm as fake_vendor

llm = fake_vendor
ASK = ChatRequest((ChatTurn("user", "hello"),))
LOGIN = ("ann", "p@ss:w/rd")
DEAD = "http://ann:hush-hush@127.0.0.1:9"
HOST = "vendor.invalid:8080"  # only a proxy can find it


@pytest.fixture(autouse=True)
def rested(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy rests."""
    monkeypatch.setattr(proxies, "_rests", {})


def _config(kind: str, *addresses: str, url: str = f"http://{HOST}") -> ProviderConfig:
    options = {"connect": 1.0, "first_token": 3.0}
    return ProviderConfig("x", kind, f"{url}/v1", (), options, addresses)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["http", "socks"])
async def test_through_a_proxy_with_credentials(llm: FakeLLM, kind: str, way: str) -> None:
    async with fake_proxy(LOGIN, llm.port) as proxy:
        deltas = await asked(_config(kind, getattr(proxy, way)), ASK)
        assert deltas[-1] == Finish("stop") and proxy.refused == 0
        assert proxy.seen == [("plain" if way == "http" else "socks", HOST)]
    assert llm.requests[0].key == "sk-secret-key"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["http", "socks"])
async def test_the_next_proxy_at_once_when_one_fails(llm: FakeLLM, kind: str, way: str) -> None:
    async with fake_proxy(LOGIN, llm.port) as good, fake_proxy(("bob", "x"), llm.port) as strict:
        wrong = getattr(strict, way).replace("bob", "eve")
        dead = "socks5h://127.0.0.1:9" if way == "socks" else DEAD
        config = _config(kind, dead, wrong, getattr(good, way))
        provider = open_provider(config)
        for _ in range(2):
            deltas = [delta async for delta in provider.model("m", "k").stream(ASK)]
            assert deltas[-1] == Finish("stop")
        await provider.close()
        assert strict.refused == 1 and strict.seen == []  # it rests, and so does the dead one
        assert {place for _, place in good.seen} == {HOST}


@pytest.mark.parametrize("kind", KINDS)
async def test_never_past_the_proxies(llm: FakeLLM, kind: str) -> None:
    async with fake_proxy(LOGIN, llm.port) as strict:
        wrong = strict.http.replace("ann", "eve")
        with pytest.raises(ProviderError) as failed:
            await asked(_config(kind, DEAD, wrong, "socks5://127.0.0.1:9", url=llm.root), ASK)
        said = str(failed.value)
        assert failed.value.error_class == "connect"
        assert "http://127.0.0.1:9" in said and f"127.0.0.1:{strict.port} (407)" in said
        assert "hush" not in said and "eve" not in said and "ann" not in said
    assert llm.requests == []


@pytest.mark.parametrize("kind", KINDS)
async def test_tls_goes_through_a_tunnel_that_shows_no_key(kind: str) -> None:
    """The target speaks no TLS: what reaches the proxy's CONNECT is enough."""
    async with fake_llm() as llm, fake_proxy(LOGIN, llm.port) as proxy:
        with pytest.raises(ProviderError) as failed:
            await asked(_config(kind, proxy.http, url="https://vendor.invalid"), ASK)
        assert failed.value.error_class == "connect"
        assert proxy.seen == [("connect", "vendor.invalid:443")] and proxy.heads == []


@pytest.mark.parametrize("kind", KINDS)
async def test_the_environments_proxies_are_not_used(
    llm: FakeLLM, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fake_proxy(None, llm.port) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.http)
        assert (await asked(_config(kind, url=llm.root), ASK))[-1] == Finish("stop")
        assert proxy.seen == []


@pytest.mark.parametrize("way", ["http", "socks"])
async def test_a_vendors_error_is_not_the_proxys(llm: FakeLLM, way: str) -> None:
    async with fake_proxy(LOGIN, llm.port) as first, fake_proxy(LOGIN, llm.port) as second:
        addresses = (getattr(first, way), getattr(second, way))
        config = _config("openai-compatible", *addresses, url=f"http://{HOST}/nowhere")
        with pytest.raises(ProviderError, match="model_gone"):
            await asked(config, ASK)
        assert len(first.seen) == 1 and second.seen == []


@pytest.mark.parametrize(
    "address", ["ftp://a", "socks5://", "http://[", "http://a:99999", "x", "socks5://ö:x@a"]
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="prox"):
        parsed(address)
    with pytest.raises(ValueError, match="prox"):
        open_provider(_config("openai-compatible", address))


def test_names_hide_credentials() -> None:
    proxy = parsed("socks5h://ann:hush@[::1]")
    assert proxy.name == "socks5h://[::1]:1080" and proxy.password == "hush"
    assert "hush" not in repr(proxy)
    assert parsed("http://a:w%C3%B6@h").authorization == {"Proxy-Authorization": "Basic YTp3w7Y="}


def test_socks_is_loaded_when_it_is_set() -> None:
    code = (
        "import sys\nfrom providers.registry import open_provider\n"
        "from providers.types import ProviderConfig\n"
        "open_provider(ProviderConfig('x', 'groq', proxies=('http://a',)))\n"
        "print([name for name in sys.modules if 'socks' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_that_accepts_and_hangs_up(llm: FakeLLM, kind: str) -> None:
    async with fake_proxy(LOGIN, llm.port) as good, fake_proxy(None, 1) as useless:
        config = _config(kind, useless.socks, good.socks)
        assert (await asked(config, ASK))[-1] == Finish("stop")
        assert len(useless.seen) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["http", "socks"])
async def test_over_tls_the_proxys_password_stays_with_the_proxy(
    kind: str, way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server, client = certified(tmp_path)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", client)
    monkeypatch.setattr("httpx2.create_ssl_context", lambda **_options: client)
    heads: list[str] = []

    async def reply(request: web.Request) -> web.StreamResponse:
        heads.append(str(request.headers))
        return web.json_response({"data": [{"id": "a", "type": "model", "display_name": "a"}]})

    app = web.Application()
    app.router.add_get("/v1/models", reply)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server).start()
    async with fake_proxy(LOGIN, runner.addresses[0][1]) as proxy:
        provider = open_provider(_config(kind, getattr(proxy, way), url="https://vendor.invalid"))
        assert await provider.models("sk-secret-key") == ["a"]
        await provider.close()
        assert proxy.seen == [("connect" if way == "http" else "socks", "vendor.invalid:443")]
    await runner.cleanup()
    assert "sk-secret-key" in heads[0] and "proxy-auth" not in heads[0].lower()


def certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server named vendor.invalid and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vendor.invalid")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("vendor.invalid")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(secret + made.public_bytes(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server, ssl.create_default_context(cadata=made.public_bytes(pem).decode())
