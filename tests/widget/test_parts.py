import gzip
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget.accent import DARK_CARD, LIGHT_CARD, accent, contrast
from widget.limits import Limit, network_of
from widget.origins import allowed
from widget.refusals import TEXTS, Refused
from widget.ring import MOST_EVENTS, EventId, Ring

WIDGET = Path(__file__).resolve().parent.parent.parent / "widget"


def rgb(text: str) -> tuple[int, int, int]:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


@given(st.integers(0, 0xFFFFFF))
def test_every_accent_can_be_read(number: int) -> None:
    made = accent(f"#{number:06x}")
    assert contrast(rgb(made["fill"]), rgb(made["ink"])) >= 4.5
    assert contrast(rgb(made["light"]), LIGHT_CARD) >= 4.5
    assert contrast(rgb(made["dark"]), DARK_CARD) >= 4.5


@pytest.mark.parametrize("wrong", [None, "", "red", "#12", "#12345g", "url(x)"])
def test_a_wrong_accent_is_the_default(wrong: str | None) -> None:
    assert accent(wrong) == accent(None)
    assert accent("#abc")["fill"] == "#aabbcc"


@pytest.mark.parametrize(
    ("origin", "entry", "good"),
    [
        ("https://a.com", "https://a.com", True),
        ("https://a.com:8443", "https://a.com", False),
        ("http://a.com", "https://a.com", False),
        ("https://b.a.com", "https://*.a.com", True),
        ("https://c.b.a.com", "https://*.a.com", True),
        ("https://a.com", "https://*.a.com", False),
        ("https://eviла.com", "https://*.a.com", False),
        ("https://evila.com", "https://*.a.com", False),
        ("http://b.a.com", "https://*.a.com", False),
        ("https://.a.com", "https://*.a.com", False),
        ("https://evil.com/.a.com", "https://*.a.com", False),
        ("null", "https://a.com", False),
    ],
)
def test_origins(origin: str, entry: str, good: bool) -> None:
    assert allowed([entry], {"origin": origin}, ()) is good
    assert allowed([], {"origin": origin}, (origin,)) is True


def test_limits_refill_and_forget() -> None:
    now = 0.0
    limit = Limit(burst=2, rate=0.5, clock=lambda: now)
    assert [limit.take("a"), limit.take("a"), limit.take("a"), limit.take("b")] == [0, 0, 2, 0]
    now = 2.0
    assert [limit.take("a"), limit.take("a")] == [0, 2]
    for number in range(11_000):
        limit.take(str(number))
    assert len(limit._buckets) == 10_000
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:9::9") == "2001:db8:1:2::"
    assert (network_of("10.0.0.1"), network_of("?")) == ("10.0.0.1", "?")


def test_the_ring_is_bounded_and_says_where_it_begins() -> None:
    ring = Ring()
    floor = ring.floor
    ring.publish("start", msg="1")
    for number in range(MOST_EVENTS + 500):
        ring.publish("delta", msg="1", t=str(number))
    assert len(ring.after(floor)) <= MOST_EVENTS and ring.floor > floor
    ring.publish("end", msg="1", text="all")
    assert [event.name for event in ring.after(floor)] == ["end"]
    ahead = EventId(ring.last.turn + 5000, 3)
    ring.catch_up(ahead)
    ring.publish("status", state="new")
    assert ring.last > ahead
    ring.catch_up(EventId(10**20, 0))
    assert ring.last.turn < 10**15


@pytest.mark.parametrize("text", ["", "1", "1.", ".1", "a.1", "1.-1", "٣.1", "1.1.1", "9" * 60 + ".1"])
def test_event_ids_that_are_none(text: str) -> None:
    assert EventId.parse(text) is None
    assert EventId.parse("17.3") == EventId(17, 3)


def test_refusals_are_said_in_both_languages() -> None:
    for code in TEXTS:
        said = {
            Refused(code, after=3, length=2, limit=1).body(lang)["error"]["message"] for lang in ("en", "ru")
        }
        assert len(said) == 2 and not any("{" in text for text in said)


def test_built_files_are_small_and_made_from_these_sources() -> None:
    sizes = {
        name: len(gzip.compress((WIDGET / "dist" / name).read_bytes(), 9))
        for name in ("loader.js", "core.js")
    }
    assert sizes["loader.js"] <= 2000 and sizes["core.js"] <= 18_000
    digest = hashlib.sha256()
    sources = [f"src/{name}" for name in sorted(path.name for path in (WIDGET / "src").iterdir())]
    for name in [*sources, "build.mjs", "package-lock.json"]:
        digest.update(name.encode() + b"\0" + (WIDGET / name).read_bytes())
    assert (WIDGET / "dist" / "BUILD").read_text().strip() == digest.hexdigest(), "run: npm run build"
