"""The fleet file: every mistake is told with its place, all at once."""

from pathlib import Path

import pytest

from core.fleet.file import FleetErrors, check_fleet, parse_fleet

TOKEN = "123456789:" + "A" * 35
ROOT = Path(__file__).parents[2]


def write(folder: Path, text: str) -> Path:
    path = folder / "fleet.toml"
    path.write_text(text, encoding="utf-8")
    return path


def errors(folder: Path, text: str, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(FleetErrors) as caught:
        parse_fleet(write(folder, text), env or {})
    assert len(caught.value.lines("ru")) == len(caught.value.lines())
    return caught.value.lines()


def bot(**fields: str) -> str:
    values = {"id": "shop", "token": TOKEN, **fields}
    return "[[bots]]\n" + "".join(f'{name} = "{value}"\n' for name, value in values.items())


def media(candidates: str) -> str:
    return f'[[media_routes]]\nid = "i"\nmakes = "image"\ncandidates = [{candidates}]\n'


def limit(kind: str, **fields: object) -> str:
    values = {
        "id": '"l"',
        "subject_kind": kind,
        "measure": '"money"',
        "amount": 1,
        "period": '"day"',
        **fields,
    }
    return "[[limits]]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


CHAT = '[[providers]]\nid = "groq"\nkind = "groq"\n'
MISTAKES = [
    ('[[bots]\nid = "a"', "line 1, column 7: is not TOML: "),
    ('[[bots]]\nid = "a"\nid = "b"\n', "line 3, column 9: is not TOML: "),
    ('[[bots]]\nid = "a\n', "line 2, column "),
    ("[[bot]]\n", "bot: is not a section of a fleet file; did you mean bots?"),
    ("[bots]\n", "bots: must be a list of tables: write [[bots]]"),
    ("bots = 3\n", "bots: must be a list of tables: write [[bots]]"),
    ("bots = [3]\n", "bots: must be a list of tables: write [[bots]]"),
    ('[[bots]]\nid = "a"\n', "bots[0].token: is required"),
    (bot(id="A b"), "bots[0].id: must have 1 to 32 characters: a-z, 0-9, - and _"),
    (bot(token="12:short"), "bots[0].token: is not a bot token: "),
    (bot(token=""), "bots[0].token: is not a bot token: "),
    (bot(tokne="x"), "bots[0].tokne: is not known; did you mean token?"),
    (bot(bse="x"), "bots[0].bse: is not known; did you mean base?"),
    (bot(zzz="x"), "bots[0].zzz: is not known"),
    (bot(token="${SHOP}"), "bots[0].token: needs the environment variable SHOP, which is not set"),
    (bot(token="${EMPTY}"), "bots[0].token: needs the environment variable EMPTY, which is not set"),
    (bot(api_base="127.0.0.1:8081"), "bots[0].api_base: must be an http:// or https:// address"),
    (bot(route="none"), "bots[0].route: names the route none, which this file does not have"),
    (bot(character="none"), "bots[0].character: names the character none"),
    (bot(base="A b"), "bots[0].base[0]: must have 1 to 32 characters"),
    (bot() + "name = 7\n", "bots[0].name: must be a text"),
    (bot() + "enabled = 7\n", "bots[0].enabled: must be true or false"),
    (bot() + bot(token="987:" + "B" * 35), "bots[1].id: is the same as bots[0].id: each must differ"),
    (bot() + bot(id="b"), "bots[1].token: is the same as bots[0].token: each must differ"),
    ('[[widgets]]\nid = "w"\norigins = ["https://a.example/x"]', "widgets[0].origins[0]: must be an origin"),
    ('[[widgets]]\nid = "w"\norigins = "https://a.example"', "widgets[0].origins: must be a list"),
    ('[[providers]]\nid = "p"\nkind = "opanai"', "providers[0].kind: is not a known provider: opanai"),
    ('[[providers]]\nid = "p"\nkind = "openai-compatible"', "providers[0].base_url: is required for"),
    ('[[providers]]\nid = "p"\nkind = "openai"\nkeys = ["${K}"]', "providers[0].keys[0]: needs the environ"),
    ('[[providers]]\nid = "p"\nkind = "openai"\nkeys = ["a b"]', "providers[0].keys[0]: holds spaces"),
    ('[[routes]]\nid = "r"\ncandidates = []', "routes[0].candidates: must not be empty"),
    ('[[routes]]\nid = "r"\ncandidates = ["gpt"]', "routes[0].candidates[0]: must be "),
    ('[[routes]]\nid = "r"\ncandidates = ["p:m"]', "routes[0].candidates[0]: names the provider p, which"),
    ('[[routes]]\nid = "r"\ncandidates = ["p:m"]\ntop_p = inf', "routes[0].top_p: must be a number"),
    ('[[media_routes]]\nid = "i"\nmakes = "sound"', "media_routes[0].makes: must be one of image, video"),
    (media('"p:m"'), "media_routes[0].candidates[0]: names the provider p, which does not exist"),
    (media('"engine"'), 'media_routes[0].candidates[0]: must be "provider:model"'),
    (CHAT + media('"groq:m"'), "media_routes[0].candidates[0]: names the provider groq, which makes neither"),
    (media('"auto"') * 2, "media_routes[1].id: is the same as media_routes[0].id"),
    (media('"auto"') + bot(image_route="j"), "bots[0].image_route: names the media route j, which this file"),
    (media('"auto"') + bot(video_route="i"), "bots[0].video_route: names the media route i, which this file"),
    ('[[presets]]\nid = "p"\nvalues = { steps = 0 }', "presets[0].values.steps: must be from 1 to 1000"),
    ('[[presets]]\nid = "p"\nlimits = { steps = 3 }', "presets[0].limits.steps: "),
    (limit('"all"', amount=-1), "limits[0].amount: must be at least 0"),
    (limit('"all"', id='"A"'), "limits[0].id: must have 1 to 32 characters"),
    (limit('"all"', subject='"x"'), "limits[0].subject: must be empty for a limit over all"),
    (limit('"all"', bot='"shop"') + bot(), "limits[0].bot: needs bot or widget"),
    (limit('"instance"', subject='"shop"'), "limits[0].subject: needs bot or widget"),
    (limit('"user"', bot='"shop"') + bot(), "limits[0].bot: needs bot or widget"),
    (limit('"instance"', bot='"shpo"') + bot(), "limits[0].bot: names the bot or widget shpo, which this"),
    (limit('"provider"', subject='"p"'), "limits[0].subject: names the provider p, which this file does not"),
    ('[[characters]]\nid = "c"\nprompt = 1979-05-27', "characters[0].prompt: must be a text"),
    ('[[faq]]\nquestion = "a"', "faq[0].answer: is required"),
    ('[[faq]]\nquestion = "(a"\nanswer = "b"\nmatch = "regex"', "faq[0].question: cannot be used: "),
    ('[[faq]]\nquestion = "a"\nanswer = "b"\nmatch = "fuzzy"', "faq[0].match: must be one of exact"),
    ('[[faq]]\nquestion = "a"\nanswer = "b"\n' * 2, "faq[1].question: is the same as faq[0].question"),
    ('[[faq]]\nquestion = "a\\u0000"\nanswer = "b"', "faq[0].question: holds characters that are not text"),
    ('[[documents]]\npath = "none.md"', "documents[0].path: names a file that does not exist: none.md"),
    ('[[documents]]\npath = "."', "documents[0].path: names a file that does not exist: ."),
    ('[[documents]]\npath = "a\\u0000.md"', "documents[0].path: "),
    ('[[documents]]\npath = "fleet.toml"', "documents[0].path: cannot be used: fleet.toml"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[m[1][:40] for m in MISTAKES])
def test_each_mistake_is_told_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    lines = errors(tmp_path, text, {"EMPTY": ""})
    assert len(lines) == 1, lines
    assert lines[0].startswith(expected)


def test_all_mistakes_at_once_and_no_secret_among_them(tmp_path: Path) -> None:
    text = bot(token="secret-1", route="x") + bot(id="B") + '[[faq]]\n[[widget]]\n[[routes]]\nid = "r"\n'
    lines = errors(tmp_path, text)
    assert [line.partition(": ")[0] for line in lines] == [
        "widget", "routes[0].candidates", "bots[0].token", "bots[1].id", "faq[0].question", "faq[0].answer",
        "bots[0].route",
    ]  # fmt: skip
    assert "secret-1" not in str(lines)


def test_one_mistake_does_not_hide_an_unknown_vendor(tmp_path: Path) -> None:
    lines = errors(tmp_path, '[[providers]]\nid = "X y"\nkind = "opnai"\n')
    assert [line.partition(": ")[0] for line in lines] == ["providers[0].id", "providers[0].kind"]
    assert "openai" in lines[1]


@pytest.mark.parametrize(
    "data",
    [b"\n\n\xff\xfe", b"# \xd0", b"a = " + b"[" * 20_000, b"x" * (5 << 20) + b"yz", b"\x00", b"[[bots]]\r\r"],
    ids=["bytes", "cut", "nested", "big", "nul", "returns"],
)
def test_what_is_no_fleet_file_at_all(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "fleet.toml"
    path.write_bytes(data)
    with pytest.raises(FleetErrors) as caught:
        parse_fleet(path, {})
    assert len(caught.value.lines()) == 1


def test_a_deep_table(tmp_path: Path) -> None:
    lines = errors(tmp_path, "[[bots]]\n" + ".".join(["a"] * 5000) + " = 1\n")
    assert "nests too deep" in lines[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(FleetErrors) as caught:
            parse_fleet(path, {})
        assert str(path) in caught.value.lines()[0]


def test_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_bytes(b'a = 1\nb = "\xe9"\n')
    with pytest.raises(FleetErrors) as caught:
        parse_fleet(path, {})
    assert caught.value.lines() == ["line 2: must be saved as UTF-8"]


def test_entries_without_a_base_serve_every_instance(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Tea\n\nTea is served at five.")
    text = bot(base="own") + '[[widgets]]\nid = "w"\n[[documents]]\npath = "a.md"\nbase = "own"\n'
    fleet = parse_fleet(write(tmp_path, text), {})
    assert (fleet.bots[0].bases, fleet.widgets[0].bases) == (["own"], [])
    fleet = parse_fleet(write(tmp_path, text + '[[faq]]\nquestion = "a"\nanswer = "b"\n'), {})
    assert (fleet.bots[0].bases, fleet.widgets[0].bases) == (["own", "fleet"], ["fleet"])
    assert fleet.bases == ["own", "fleet"]


def test_variables(tmp_path: Path) -> None:
    text = bot(token="${ID}:${REST}", name="$${ID} $ID ${") + 'route = "${R}"\n[[routes]]\nid = "${R}"\n'
    env = {"ID": "123", "REST": "A" * 35, "R": "r"}
    fleet = parse_fleet(write(tmp_path, text + 'candidates = ["knowledge"]'), env)
    assert (fleet.bots[0].token, fleet.bots[0].name) == ("123:" + "A" * 35, "${ID} $ID ${")


def test_check_reads_documents_through(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"  ")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4 broken")
    path = write(tmp_path, '[[documents]]\npath = "a.txt"\n[[documents]]\npath = "b.pdf"\n')
    with pytest.raises(FleetErrors) as caught:
        check_fleet(path, {})
    assert [line[:17] for line in caught.value.lines()] == ["documents[0].path", "documents[1].path"]


def test_the_example_is_right() -> None:
    env = {"OPENAI_API_KEY": "sk-example", "SHOP_BOT_TOKEN": TOKEN}
    (ROOT / "README.md").exists() or pytest.skip("no README yet")
    fleet = check_fleet(ROOT / "fleet.example.toml", env)
    assert [len(part) for part in (fleet.providers, fleet.bots, fleet.widgets, fleet.faq)] == [2, 1, 1, 2]
    assert fleet.bots[0].bases == ["tea", "fleet"]
