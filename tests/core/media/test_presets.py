"""Presets: what they fill in, how far a caller may go, and which ones hold."""

from types import SimpleNamespace
from typing import Any

import pytest

from core.configuration.preset_configs import NewPreset, PresetInput
from core.configuration.service import Configuration, Conflict, Invalid, NotFound
from core.media.presets import FIELDS, Preset, Presets, apply, chosen, own_presets
from db.database import Database
from providers.media.cards import BadMediaRequest, Card, Option, fit
from providers.media.types import MediaRequest, Task

T2I, I2I, T2V = Task.TEXT_TO_IMAGE, Task.IMAGE_TO_IMAGE, Task.TEXT_TO_VIDEO
TURBO = "Tongyi-MAI/Z-Image-Turbo"


def asked(task: Task = T2I, **values: Any) -> MediaRequest:
    return MediaRequest(task, values.pop("prompt", "a harbour"), **values)


def filled(model: str, request: MediaRequest, *rows: Preset, name: str = "") -> MediaRequest:
    return apply(chosen([*rows, *own_presets()], model, request.task, name), request)


def test_what_is_open_is_filled_in_and_what_is_said_stays() -> None:
    open_request = filled(TURBO, asked())
    assert open_request.params == {"steps": 9, "guidance": 0.0}
    assert (open_request.width, open_request.height) == (1024, 1024)
    said = filled(TURBO, asked(width=768, params={"steps": 5, "other": "x"}))
    assert (said.width, said.height) == (768, None)
    assert said.params == {"steps": 5, "guidance": 0.0, "other": "x"}
    assert filled("unknown/model", asked()) == asked()


@pytest.mark.parametrize(("values", "field"), [
    ({"params": {"steps": 100}}, "steps"), ({"params": {"steps": 0}}, "steps"), ({"width": 100_000}, "width"),
    ({"params": {"steps": "many"}}, "steps"), ({"params": {"steps": True}}, "steps"),
    ({"params": {"guidance": float("nan")}}, "guidance"),
])  # fmt: skip
def test_a_caller_stays_within_the_limits(values: dict[str, Any], field: str) -> None:
    with pytest.raises(BadMediaRequest) as error:
        filled(TURBO, asked(**values))
    assert error.value.field == field and error.value.reason in ("range", "kind")


def test_words_around_the_prompt() -> None:
    ink = Preset("ink", "Ink", "*", prefix="Ink drawing of", suffix=", on white", negative="colour")
    request = filled("any", asked(), ink)
    assert (request.prompt, request.negative) == ("Ink drawing of a harbour, on white", "colour")
    assert filled("any", asked(negative="red"), ink).negative == "red"
    assert filled("any", asked(Task.UPSCALE, prompt=""), ink).prompt == ""


def test_an_input_gives_the_size_unless_the_preset_is_for_it() -> None:
    source: Any = (object(),)
    assert filled(TURBO, asked(I2I, inputs=source)).width is None
    edit = Preset("e", "", "*", task="image_to_image", values={"width": 512, "height": 512})
    assert filled("any", asked(I2I, inputs=source), edit).width == 512
    assert filled("any", asked(), edit).width is None


def test_people_s_presets_go_before_ours_and_exact_ones_before_wide_ones() -> None:
    wide = Preset("w", "", "*", values={"steps": 60, "shift": 3})
    exact = Preset("x", "", "*z-image*, other", values={"steps": 7}, limits={"steps": [5, 12]})
    request = filled(TURBO, asked(), wide, exact)
    assert request.params == {"steps": 7, "shift": 3, "guidance": 0.0}
    assert filled(TURBO, asked(), wide).params["steps"] == 60  # beyond our own limit: an operator said so
    with pytest.raises(BadMediaRequest):
        filled(TURBO, asked(params={"steps": 15}), wide, exact)
    quiet = Preset("q", "", "*", values={"steps": 3}, standard=False)
    assert filled(TURBO, asked(), quiet).params["steps"] == 9
    assert filled(TURBO, asked(), quiet, name="q").params["steps"] == 3
    assert filled("ltx-video-0.9.7-distilled", asked(T2V)).params["steps"] == 8


def test_what_a_model_does_not_know_is_left_out() -> None:
    card = Card(TURBO, "", (T2I,), options=(Option("steps", "int", low=1, high=50),))
    request = apply(chosen(own_presets(), TURBO, T2I), asked(), card)
    assert request.params == {"steps": 9}
    assert fit(request, card).params == {"steps": 9}
    with pytest.raises(BadMediaRequest):  # what the caller himself asks for is not hidden
        fit(apply(chosen(own_presets(), TURBO, T2I), asked(params={"shift": 3}), card), card)


def test_our_own_hold_what_they_must() -> None:
    presets = own_presets()
    assert len({one.id for one in presets}) == len(presets) > 12
    for one in presets:
        config = PresetInput(
            models=one.models, task=one.task, values=dict(one.values), limits=dict(one.limits),
            negative=one.negative,
        )  # fmt: skip
        assert one.source.startswith("https://") and config.values["steps"] > 0
        apply([one], asked(T2V, **{name: value for name, value in one.values.items() if name in FIELDS}))
        for name, (low, high) in one.limits.items():
            assert low <= one.values[name] <= high, (one.id, name)


async def configuration(database: Database) -> Configuration:
    async def seal(aad: str, text: str) -> str:
        return text

    async def wake() -> None:
        return None

    return Configuration(database, seal, wake)


async def test_rows_are_made_changed_and_take_the_place_of_ours(database: Database) -> None:
    rows = (await configuration(database)).presets
    presets = Presets(database)
    made = await rows.create("ann", NewPreset(id="z-image-turbo", models="*turbo*", values={"steps": 6.0}))
    assert (made.name, made.values, made.own) == ("z-image-turbo", {"steps": 6}, False)
    assert [one.id for one in await rows.all()].count("z-image-turbo") == 1
    prepare = await presets.preparing(SimpleNamespace(preset=""))
    assert prepare(TURBO, asked()).params == {"steps": 6}
    with pytest.raises(Conflict):
        await rows.create("ann", NewPreset(id="z-image-turbo"))
    await rows.change("ann", "z-image-turbo", PresetInput(values={"steps": 4}, standard=False))
    named = await presets.preparing(SimpleNamespace(preset="z-image-turbo"))
    assert named("any", asked()).params == {"steps": 4}
    with pytest.raises(BadMediaRequest):
        await presets.preparing(SimpleNamespace(preset="nonsense"))
    await rows.delete("ann", "z-image-turbo")
    assert (await rows.get("z-image-turbo")).own
    for change in (rows.delete("ann", "sdxl"), rows.change("ann", "sdxl", PresetInput()), rows.get("none")):
        with pytest.raises(NotFound):
            await change


@pytest.mark.parametrize(("values", "place"), [
    ({"values": {"steps": 30}, "limits": {"steps": [1, 20]}}, "values.steps"),
    ({"values": {"width": 100_000}}, "values.width"), ({"values": {"steps": 2.5}}, "values.steps"),
    ({"values": {"strength": "x"}}, "values.strength"), ({"limits": {"width": [1, 100_000]}}, "limits.width"),
])  # fmt: skip
async def test_what_no_request_may_have_is_refused(
    database: Database, values: dict[str, Any], place: str
) -> None:
    rows = (await configuration(database)).presets
    with pytest.raises(Invalid) as error:
        await rows.create("ann", NewPreset(id="a", **values))
    assert [one.place for one in error.value.problems] == [place]
