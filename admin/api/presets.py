"""Presets: what picture and video models are asked with where nobody says otherwise."""

from collections.abc import Sequence

from admin.api.calls import Actor, Config, Id, api_router
from core.configuration.preset_configs import NewPreset, PresetInput
from core.configuration.presets import PresetView

router = api_router("presets")


@router.get("/presets")
async def list_presets(configuration: Config) -> Sequence[PresetView]:
    """Every preset: people's own, then those that come with Botyard and that none of them replaces."""
    return await configuration.presets.all()


@router.post("/presets", status_code=201)
async def create_preset(new: NewPreset, configuration: Config, actor: Actor) -> PresetView:
    """Make a preset; with the id of one that comes with Botyard, it takes its place."""
    return await configuration.presets.create(actor, new)


@router.get("/presets/{preset_id}")
async def get_preset(preset_id: Id, configuration: Config) -> PresetView:
    """One preset."""
    return await configuration.presets.get(preset_id)


@router.put("/presets/{preset_id}")
async def change_preset(
    preset_id: Id, config: PresetInput, configuration: Config, actor: Actor
) -> PresetView:
    """Replace a preset."""
    return await configuration.presets.change(actor, preset_id, config)


@router.delete("/presets/{preset_id}", status_code=204)
async def delete_preset(preset_id: Id, configuration: Config, actor: Actor) -> None:
    """Delete a preset; one that comes with Botyard holds again where it was replaced."""
    await configuration.presets.delete(actor, preset_id)
