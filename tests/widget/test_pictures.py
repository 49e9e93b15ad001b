"""Pictures of visitors: taken in by their bytes, kept, and shown to their owner only."""

import dataclasses

import httpx
import pytest

from core.channel import PictureLost
from core.pictures import LARGEST
from core.routing.spec import RouteSpec
from db.artifacts import add_artifact
from tests.core.pictures import png, png_head
from tests.widget.client import Visitor
from tests.widget.stage import Stage


async def upload(visitor: Visitor, body: bytes, **headers: str) -> httpx.Response:
    sent = {"x-visitor": visitor.token, "content-type": "image/png", **headers}
    return await visitor.http.post(f"{visitor.base}/pictures", content=body, headers=sent)


async def kept(visitor: Visitor, body: bytes) -> str:
    answer = await upload(visitor, body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def shown(visitor: Visitor, ref: str) -> httpx.Response:
    return await visitor.http.get(f"{visitor.base}/pictures/{ref}", headers={"x-visitor": visitor.token})


async def test_a_picture_is_kept_sent_and_shown_again(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        ref = await kept(visitor, png(3, 3))
        answer = await visitor.post("messages", {"text": "", "pictures": [ref]})
        assert answer.status_code == 202
        events = await visitor.events()
        assert events[0]["data"]["pictures"] == [ref]
        history = await visitor.history()
        assert history["messages"][0]["pictures"] == [ref] and history["messages"][0]["text"] == ""
        assert "attachments" not in history["messages"][0] and "pictures" not in history["messages"][1]
        again = await shown(visitor, ref)
        assert (again.status_code, again.content) == (200, png(3, 3))
        assert again.headers["content-type"] == "image/png"
        assert again.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in again.headers["content-security-policy"]
        assert widget.channel is not None
        assert (await widget.channel.picture(ref)).body == png(3, 3)


async def test_nobody_else_sees_or_sends_it(widget: Stage) -> None:
    async with Visitor(widget) as owner, Visitor(widget) as other:
        ref = await kept(owner, png())
        assert (await shown(other, ref)).status_code == 404
        stolen = await other.post("messages", {"text": "mine", "pictures": [ref]})
        assert (stolen.status_code, stolen.json()["error"]["code"]) == (404, "no_picture")
        nobody = await owner.http.get(f"{owner.base}/pictures/{ref}")
        assert nobody.status_code == 401
        assert (await upload(owner, png(), **{"x-visitor": "forged"})).status_code == 401
        foreign = await upload(owner, png(), origin="https://elsewhere.example")
        assert foreign.status_code == 403
        assert len(widget.host.seen) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<html>",
        png_head(20_000, 20_000),
    ],
)
async def test_what_is_no_picture_is_refused(widget: Stage, body: bytes) -> None:
    async with Visitor(widget) as visitor:
        answer = await upload(visitor, body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "not_a_picture")
        assert widget.host.pictures == {}


async def test_large_ones_pass_the_proxy_and_too_large_ones_do_not(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        body = png() + bytes(LARGEST - len(png()))
        assert (await shown(visitor, await kept(visitor, body))).content == body
        for size in (1, 5 * 1024 * 1024):
            assert (await upload(visitor, body + bytes(size))).status_code == 413
        long = await visitor.post("messages", {"text": "x" * 1024 * 1024})
        assert long.status_code == 413  # other addresses take no more than before


@pytest.mark.parametrize("refs", ["x", [7], [None], {"a": 1}, ["nothing"], ["../1"], ["a" * 5000]])
async def test_odd_refs_are_refused(widget: Stage, refs: object) -> None:
    async with Visitor(widget) as visitor:
        answer = await visitor.post("messages", {"text": "hi", "pictures": refs})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_picture")


async def test_a_message_has_at_most_four(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        refs = [await kept(visitor, png(number)) for number in range(1, 6)]
        answer = await visitor.post("messages", {"text": "", "pictures": refs})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "many_pictures")
        assert (await visitor.post("messages", {"text": "", "pictures": []})).status_code == 400


async def test_a_flood_and_a_full_store_are_told_in_words(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        widget.host.full = True
        full = await upload(visitor, png(), **{"accept-language": "ru"})
        assert full.status_code == 507 and "опишите" in full.json()["error"]["message"]
        widget.host.full = False
        answers = [(await upload(visitor, png())).status_code for _ in range(20)]
        assert answers.count(201) <= 12 and answers[-1] == 429


async def test_other_addresses_take_no_item(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        for path in ("messages/1", "events/1", "pictures/1/2"):
            answer = await visitor.http.get(f"{visitor.base}/{path}", headers={"x-visitor": visitor.token})
            assert answer.status_code in (404, 405)


async def test_a_lost_upload_is_lost_and_says_so(widget: Stage) -> None:
    assert widget.channel is not None
    with pytest.raises(PictureLost):
        await widget.channel.picture("gone")


async def test_the_browser_is_told_whether_the_route_sees(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        assert (await visitor.history())["sees"] is True
        widget.host.instance = dataclasses.replace(widget.host.instance, route=RouteSpec("a", ("knowledge",)))
        assert (await visitor.history())["sees"] is False


async def test_reasoning_and_choices_reach_the_browser(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        widget.host.reasoning = "First this, then that."
        await visitor.say("/length")
        end = (await visitor.events())[-1]["data"]
        assert end["reasoning"] == "First this, then that."
        assert end["buttons"][0] == ["short", "/length short"]
        assert (await visitor.history())["messages"][1]["reasoning"] == "First this, then that."


async def test_a_clip_has_a_signed_path_for_its_visitor_alone(widget: Stage) -> None:
    async with Visitor(widget) as visitor, Visitor(widget) as other:
        async with widget.database.transaction() as conn:
            made = await add_artifact(
                conn, channel_id=widget.host.row_id, chat_key=visitor.id, key="a.mp4", mime="video/mp4",
                size=1, digest="d",
            )  # fmt: skip
        answers = [
            await one.http.get(f"{one.base}/links/{made}", headers={"x-visitor": one.token})
            for one in (visitor, other)
        ]
        assert [one.status_code for one in answers] == [200, 404]
        assert answers[0].json()["path"].startswith(f"/media/{made}/")
        assert (await visitor.http.get(f"{visitor.base}/links/{made}")).status_code == 401
