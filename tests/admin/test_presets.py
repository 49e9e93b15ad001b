"""The presets' room: listed, copied, changed; what is wrong stands beside its field, in both languages."""

from tests.admin.panel import Panel

FORM = {"id": "ink", "name": "Ink", "models": "*flux*, *sdxl*", "task": "text_to_image", "standard": "on",
        "values.steps": "30", "low.steps": "10", "high.steps": "50", "values.guidance": "3,5",
        "prefix": "Ink drawing of",
        "more": "shift = 3 [1, 9.5]\ncfg = [0, 4]\nscheduler = euler\nfast = true"}  # fmt: skip


async def test_a_preset_is_made_changed_and_deleted(owned: Panel) -> None:
    assert "*z-image-turbo*" in (await owned.client.get("/presets")).text
    made = await owned.post("/presets/new", FORM)
    assert made.headers["location"] == "/presets/ink?done=created"
    page = (await owned.client.get("/presets/ink")).text
    for shown in (
        'value="30"',
        'value="3.5"',
        "Ink drawing of",
        "shift = 3 [1, 9.5]",
        "cfg = [0, 4]",
        'scheduler = "euler"',
        "fast = true",
    ):
        assert shown in page.replace("&#34;", '"'), shown
    again = await owned.post("/presets/ink", {**FORM, "more": 'scheduler = "euler"', "high.steps": "60"})
    assert again.status_code == 303
    page = (await owned.client.get("/presets/ink")).text.replace("&#34;", '"')
    assert (
        'value="60"' in page
        and 'scheduler = "euler"' in page
        and "shift" not in page.split("One a line")[0][-300:]
    )
    copied = (await owned.client.get("/presets/new?copy=ink")).text
    assert 'value="Ink, copy"' in copied and 'value="30"' in copied
    assert (await owned.client.get("/presets/new?copy=none")).status_code == 404
    assert (await owned.post("/presets/ink/delete")).headers["location"] == "/presets?done=deleted"
    assert (await owned.client.get("/presets/ink")).status_code == 404


async def test_ours_are_read_and_copied_only(owned: Panel) -> None:
    page = (await owned.client.get("/presets/flux-dev")).text
    wan = (await owned.client.get("/presets/new?copy=wan-2-2-14b")).text
    assert "guidance_2 = 3.0 [1, 10]" in wan
    assert "It comes with Botyard" in page and "https://huggingface.co/docs" in page
    assert 'name="models" type="text" value="*flux.1-dev*" required disabled' in page
    assert (await owned.post("/presets/flux-dev", FORM)).status_code == 404
    copy = (await owned.client.get("/presets/new?copy=flux-dev")).text
    assert 'value="flux-dev"' in copy and 'value="3.5"' in copy


async def test_what_is_wrong_stands_beside_its_field(owned: Panel) -> None:
    wrong = {"values.steps": "many", "low.width": "100", "values.count": "2.5", "values.strength": "7",
             "models": "", "id": "Ü"}  # fmt: skip
    answer = await owned.post("/presets/new", {**FORM, **wrong})
    assert answer.status_code == 422
    for text in (
        "Must have 1 to 32 characters",
        "Must not be empty",
        "Needs the least and the most, in this order",
    ):
        assert text in answer.text
    assert 'value="many"' in answer.text and 'value="7"' in answer.text
    later = await owned.post("/presets/new", {**FORM, "values.steps": "many", "values.strength": "7"})
    assert later.status_code == 422
    assert 'id="e-values.steps"' in later.text and 'id="e-values.strength"' in later.text
    assert "Must be from 0 to 1" in later.text
    lines = await owned.post("/presets/new", {**FORM, "more": "no line"})
    assert "Needs lines such as shift = 3, not no line = ?" in lines.text
    assert (await owned.post("/presets/new", {**FORM, "id": "sdxl"})).status_code == 303
    assert (
        "There is already the preset sdxl" in (await owned.post("/presets/new", {**FORM, "id": "sdxl"})).text
    )
    owned.client.cookies.set("language", "ru")
    russian = await owned.post("/presets/new", {**FORM, "values.strength": "7"})
    assert "Должно быть от 0 до 1" in russian.text
