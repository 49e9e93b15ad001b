"""Set-up, sign-in and who may do what, over HTTP."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from admin.sign_in import Throttle, hash_password
from db.operators import add_operator
from tests.admin.panel import PASSWORD, Panel

FORM = {"login": "ann", "password": PASSWORD, "again": PASSWORD}


async def add_person(panel: Panel, login: str, role: str) -> None:
    async with panel.database.transaction() as conn:
        await add_operator(conn, login=login, name=login, password=await hash_password(PASSWORD), role=role)


async def sign_in(panel: Panel, login: str) -> None:
    panel.client.cookies.clear()
    answer = await panel.client.post("/sign-in", data={"login": login, "password": PASSWORD})
    assert answer.status_code == 303


async def test_the_link_makes_one_owner_and_ends(panel: Panel) -> None:
    first = await panel.link()
    link = await panel.link()
    assert (await panel.client.get(first)).status_code == 404  # a newer link replaces it
    assert (await panel.client.get(link)).status_code == 200
    short = await panel.client.post(link, data={**FORM, "password": "short", "again": "short"})
    assert short.status_code == 422 and "At least 10 characters, please." in short.text
    differ = await panel.client.post(link, data={**FORM, "again": "something else"})
    assert differ.status_code == 422 and "The two passwords differ." in differ.text
    made = await panel.client.post(link, data=FORM)
    assert made.status_code == 303 and made.headers["location"].startswith("/welcome")
    assert (await panel.client.get("/welcome")).status_code == 200
    assert (await panel.client.get(link)).status_code == 404
    assert (await panel.client.post(link, data=FORM)).status_code == 404


async def test_nothing_is_shown_without_signing_in(panel: Panel) -> None:
    answer = await panel.client.get("/bots?x=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fbots%3Fx%3D1"
    stream = await panel.client.get("/events/dashboard", headers={"hx-request": "true"})
    assert stream.status_code == 401 and stream.headers["hx-redirect"] == "/sign-in"
    assert "set-up link" in (await panel.client.get("/sign-in")).text


async def test_sign_in_and_out(owned: Panel) -> None:
    await sign_in(owned, "ann")
    assert (await owned.client.get("/")).status_code == 200
    assert (await owned.post("/sign-out")).status_code == 303
    assert (await owned.client.get("/")).status_code == 303


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example"])
async def test_sign_in_never_leads_to_another_site(owned: Panel, target: str) -> None:
    owned.client.cookies.clear()
    form = {"login": "ann", "password": PASSWORD, "next": target}
    assert (await owned.client.post("/sign-in", data=form)).headers["location"] == "/"


async def test_guessing_is_slowed_down(owned: Panel) -> None:
    owned.client.cookies.clear()
    wrong = {"login": "ann", "password": "wrong password"}
    answers = [(await owned.client.post("/sign-in", data=wrong)).status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]
    right = await owned.client.post("/sign-in", data={"login": "ann", "password": PASSWORD})
    assert right.status_code == 429 and "Wait" in right.text


async def test_guesses_made_at_once_count_too(owned: Panel) -> None:
    owned.client.cookies.clear()
    wrong = {"login": "ann", "password": "wrong password"}
    answers = await asyncio.gather(*(owned.client.post("/sign-in", data=wrong) for _ in range(9)))
    assert sorted(answer.status_code for answer in answers) == [422] * 5 + [429] * 4


def test_the_wait_doubles_and_ends() -> None:
    clock = [0.0]
    throttle = Throttle(lambda: clock[0])
    for _ in range(5):
        throttle.failed("a")
    assert throttle.wait("a", "b") == 1.0
    throttle.failed("a")
    assert throttle.wait("a") == 2.0
    for _ in range(20):
        throttle.failed("a")
    assert throttle.wait("a") == Throttle.longest
    clock[0] = 301.0
    assert throttle.wait("a") == 0.0
    throttle.failed("b")
    throttle.succeeded("a")
    assert throttle.wait("a", "b") == 0.0


@pytest.mark.parametrize("charset", ["utf-7", "idna", 'x"; charset="unicode_escape', "utf-8-sig"])
async def test_a_form_in_another_charset_is_refused(panel: Panel, charset: str) -> None:
    part = b'--b\r\ncontent-disposition: form-data; name="login"\r\n\r\n+2AA-\\ud800\r\n--b--\r\n'
    kind = f"multipart/form-data; boundary=b; charset={charset}"
    answer = await panel.client.post("/sign-in", content=part, headers={"content-type": kind})
    assert answer.status_code == 415


async def test_a_zero_character_is_no_part_of_a_login(owned: Panel) -> None:
    owned.client.cookies.clear()
    form = {"login": "an\0n", "password": PASSWORD}
    assert (await owned.client.post("/sign-in", data=form)).status_code == 303


async def test_a_viewer_reads_and_changes_nothing(owned: Panel) -> None:
    await add_person(owned, "vera", "viewer")
    await sign_in(owned, "vera")
    for path in ("/", "/bots", "/bots/new", "/people", "/tokens"):
        assert (await owned.client.get(path)).status_code == 200
    for path in ("/bots/new", "/characters/new", "/tokens", "/people", "/welcome/offers/x"):
        answer = await owned.post(path, {"id": "x", "name": "x", "login": "x"})
        assert answer.status_code == 403, path
        assert "not yours to change" in answer.text


async def test_an_operator_gives_no_access(owned: Panel) -> None:
    await add_person(owned, "olga", "operator")
    await sign_in(owned, "olga")
    assert (await owned.post("/characters/new", {"id": "x"})).status_code == 303
    assert (await owned.post("/tokens", {"name": "x"})).status_code == 403
    assert (await owned.post("/people", {"login": "x"})).status_code == 403


async def test_forged_changes_are_refused(owned: Panel) -> None:
    token = await owned.csrf()
    form = {"csrf": token, "id": "x"}
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
    ):
        answer = await owned.client.post("/characters/new", data=form, headers=headers)
        assert answer.status_code == 400, headers
    for wrong in ("", "x", "ключ"):
        assert (await owned.client.post("/characters/new", data={**form, "csrf": wrong})).status_code == 400
    headers = {"x-csrf": token, "sec-fetch-site": "same-origin"}
    assert (await owned.client.post("/characters/new", data={"id": "x"}, headers=headers)).status_code == 303


async def test_pages_carry_their_policy(owned: Panel) -> None:
    first, second = await owned.client.get("/"), await owned.client.get("/")
    policy = first.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert policy != second.headers["content-security-policy"]
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["cache-control"] == "no-store"


async def test_the_cookie_is_host_bound_where_browsers_take_that(panel: Panel) -> None:
    await panel.set_up()
    async with panel.new_client(**{"user-agent": "Mozilla/5.0 Chrome/140 Safari/537.36"}) as client:
        answer = await client.post("/sign-in", data={"login": "ann", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-botyard=")
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"))


async def test_an_unknown_page_is_said_in_the_readers_language(owned: Panel) -> None:
    answer = await owned.client.get("/nowhere", headers={"accept-language": "ru"})
    assert answer.status_code == 404 and "Здесь ничего нет" in answer.text
    assert (await owned.client.get("/conversations?before=x")).status_code == 400


async def test_a_body_that_no_form_has_is_refused_unread(owned: Panel) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"a" * 65536

    assert (await owned.client.post("/sign-in", content=b"a" * 2_000_000)).status_code == 413
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert (await owned.client.post("/sign-in", content=endless(), headers=form)).status_code == 413
