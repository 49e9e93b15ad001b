"""Where results may come from."""

import socket

import pytest

from providers.errors import ProviderError
from providers.media.addresses import Blocked, Places, PublicOnly, is_public

OWN = "http://10.0.0.5:8000/v1"


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example.com/a.png?sig=1", "https://8.8.8.8/a.png", "https://[2606:4700::1111]/a",
        "http://10.0.0.5:8000/files/a.png", "https://10.0.0.5:8000/a", "https://store.lan:9000/a",
    ],
)  # fmt: skip
def test_fit_to_be_asked(url: str) -> None:
    assert Places(OWN, ("store.lan:9000",)).check(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example.com/a.png", "ftp://cdn.example.com/a", "file:///etc/passwd", "", "//x", "data:,a",
        "https://127.0.0.1/a", "https://127.1/a", "https://2130706433/a", "https://0x7f000001/a",
        "https://0177.0.0.1/a", "https://localhost/a", "https://LOCALHOST./a", "https://metadata/a",
        "https://169.254.169.254/latest", "https://192.168.1.1/", "https://10.0.0.5/", "http://10.0.0.5:8001/",
        "https://[::1]/a", "https://[::ffff:127.0.0.1]/a", "https://[::ffff:a00:1]/", "https://[fe80::1]/a",
        "https://[64:ff9b::7f00:1]/a", "https://[2002:7f00:1::]/a", "https://[fd00::1]/a", "https://0.0.0.0/",
        "https://100.64.0.1/a", "https://224.0.0.1/a", "https://printer.local/a", "https://db.internal/a",
        "https://user:pass@cdn.example.com/a", "https://exa mple.com/a", "https://cdn.example.com:99999/a",
        "gopher://cdn.example.com/", "https://store.lan:9001/a", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_not_fit_to_be_asked(url: str) -> None:
    with pytest.raises(ProviderError, match="empty") as caught:
        Places(OWN, ("store.lan:9000",)).check(url)
    assert "pass" not in str(caught.value)


def test_the_key_is_for_one_origin() -> None:
    places = Places("https://api.example.com/v1")
    assert places.is_own("https://API.example.com:443/x")
    for url in (
        "http://api.example.com/",
        "https://api.example.com:8443/",
        "https://api.example.com.evil.org/",
    ):
        assert not places.is_own(url)


class _Names:
    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(self, host: str, port: int, _family: socket.AddressFamily) -> list[dict[str, object]]:
        return [{"hostname": host, "host": one, "port": port} for one in self.addresses]


@pytest.mark.parametrize(
    ("addresses", "good"),
    [
        (("93.184.216.34",), True),
        (("93.184.216.34", "127.0.0.1"), False),
        (("::1",), False),
        (("fe80::1%eth0",), False),
    ],
)  # fmt: skip
async def test_a_name_that_leads_into_a_private_network(
    addresses: tuple[str, ...], good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = PublicOnly(Places(OWN, ("store.lan:9000",)))
    monkeypatch.setattr(resolver, "_names", _Names(*addresses))
    if good:
        assert [one["host"] for one in await resolver.resolve("cdn.example.com", 443)] == list(addresses)
    else:
        with pytest.raises(Blocked):
            await resolver.resolve("cdn.example.com", 443)
    assert await resolver.resolve("store.lan", 9000)


def test_public_addresses() -> None:
    assert is_public("1.1.1.1") and is_public("2606:4700::1111")
    assert not any(map(is_public, ("", "x", "127.0.0.1", "0.0.0.0", "::", "255.255.255.255")))
