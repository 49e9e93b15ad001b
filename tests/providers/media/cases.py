"""Each vendor's models and tasks that the contract tests run over."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from providers.errors import ProviderError
from providers.media.cards import find_card, fit
from providers.media.registry import open_media
from providers.media.types import (
    Handle,
    Made,
    MediaInput,
    MediaModel,
    MediaRequest,
    Progress,
    Repeat,
    Task,
)
from providers.types import ProviderConfig
from tests.fakes.media import FAKES
from tests.fakes.media_vendor import FakeVendor, picture

PROMPT = "a harbour at dawn that nobody else may read about"
ROLES = {
    Task.TEXT_TO_IMAGE: (), Task.IMAGE_TO_IMAGE: ("image",), Task.INPAINT: ("image", "mask"),
    Task.UPSCALE: ("image",), Task.TRY_ON: ("person", "garment"), Task.TEXT_TO_VIDEO: (),
    Task.IMAGE_TO_VIDEO: ("image",),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One model with one task. `polled`: the submit's answer is a task, not the result; `linked`: results are
    fetched from another host; `cancels`: the vendor stops a task that waits."""

    kind: str
    model: str
    task: Task
    polled: bool = False
    linked: bool = False
    repeat: Repeat = Repeat.NEVER
    cancels: bool = False

    def __str__(self) -> str:
        return f"{self.kind}:{self.model}:{self.task}"

    def request(self, folder: Path, **fields: Any) -> MediaRequest:
        """A wish with all that the task needs, as the model's card has it."""
        roles: tuple[str, ...] = fields.pop("roles", ROLES[self.task])
        inputs = []
        for role in roles:
            path = folder / f"input-{role}"
            path.write_bytes(picture())
            inputs.append(MediaInput(path, "image/png", role))
        wish = MediaRequest(self.task, fields.pop("prompt", PROMPT), inputs=tuple(inputs), **fields)
        card = find_card(self.kind, self.model)
        return fit(wish, card) if card else wish


CASES = [
    Case("openai", "gpt-image-2", Task.TEXT_TO_IMAGE),
    Case("openai", "gpt-image-1.5", Task.IMAGE_TO_IMAGE),
    Case("openai", "gpt-image-1-mini", Task.INPAINT),
    Case("bfl", "flux-2-pro", Task.TEXT_TO_IMAGE, polled=True, linked=True),
    Case("bfl", "flux-kontext-max", Task.IMAGE_TO_IMAGE, polled=True, linked=True),
    Case("bfl", "flux-pro-1.0-fill", Task.INPAINT, polled=True, linked=True),
    Case("bfl", "flux-pro-1.1-ultra", Task.TEXT_TO_IMAGE, polled=True, linked=True),
    Case("recraft", "recraftv4_1", Task.TEXT_TO_IMAGE, linked=True),
    Case("recraft", "recraftv3", Task.IMAGE_TO_IMAGE, linked=True),
    Case("recraft", "recraftv3", Task.INPAINT, linked=True),
    Case("recraft", "crisp-upscale", Task.UPSCALE, linked=True),
    Case("stability", "sd3.5-large", Task.TEXT_TO_IMAGE),
    Case("stability", "ultra", Task.IMAGE_TO_IMAGE),
    Case("stability", "inpaint", Task.INPAINT),
    Case("stability", "upscale-fast", Task.UPSCALE),
    Case("stability", "upscale-creative", Task.UPSCALE, polled=True),
    Case("ark", "seedream-4-0-250828", Task.TEXT_TO_IMAGE, linked=True),
    Case("ark", "seededit-3-0-i2i-250628", Task.IMAGE_TO_IMAGE, linked=True),
    Case("ark", "seedance-1-0-pro-250528", Task.TEXT_TO_VIDEO, polled=True, linked=True, cancels=True),
    Case("ark", "seedance-1-0-pro-250528", Task.IMAGE_TO_VIDEO, polled=True, linked=True, cancels=True),
    Case("kling", "kling-v2-1", Task.TEXT_TO_IMAGE, polled=True, linked=True, repeat=Repeat.FIND),
    Case("kling", "kling-v2", Task.IMAGE_TO_IMAGE, polled=True, linked=True, repeat=Repeat.FIND),
    Case("kling", "kolors-virtual-try-on-v1-5", Task.TRY_ON, polled=True, linked=True, repeat=Repeat.FIND),
    Case("kling", "kling-v2-6", Task.TEXT_TO_VIDEO, polled=True, linked=True, repeat=Repeat.FIND),
    Case("kling", "kling-v3", Task.IMAGE_TO_VIDEO, polled=True, linked=True, repeat=Repeat.FIND),
    Case("gemini", "veo-3.1-generate-preview", Task.TEXT_TO_VIDEO, polled=True, linked=True),
    Case("gemini", "veo-3.1-fast-generate-preview", Task.IMAGE_TO_VIDEO, polled=True, linked=True),
    Case("vertex", "veo-3.1-generate-001", Task.TEXT_TO_VIDEO, polled=True),
    Case("vertex", "veo-3.1-fast-generate-001", Task.IMAGE_TO_VIDEO, polled=True),
]  # fmt: skip
POLLED = [case for case in CASES if case.polled]
LINKED = [case for case in CASES if case.linked]
ONE_EACH = list({(case.kind, case.polled): case for case in CASES}.values())
every = pytest.mark.parametrize("case", CASES, ids=str)
polled = pytest.mark.parametrize("case", POLLED, ids=str)
linked = pytest.mark.parametrize("case", LINKED, ids=str)
one_each = pytest.mark.parametrize("case", ONE_EACH, ids=str)


@asynccontextmanager
async def stage(case: Case, **options: Any) -> AsyncIterator[tuple[FakeVendor, MediaModel]]:
    """A fake vendor and the case's model at it."""
    async with FAKES[case.kind]() as fake, opened(fake.config(**options)) as provider:
        yield fake, provider.model(case.model, fake.secret)


@asynccontextmanager
async def opened(config: ProviderConfig) -> AsyncIterator[Any]:
    """A provider, closed at the end."""
    provider = open_media(config)
    try:
        yield provider
    finally:
        await provider.close()


async def begun(case: Case, model: MediaModel, folder: Path, **fields: Any) -> Handle:
    """A submit's handle, as it comes out of a row."""
    handle = await model.submit(case.request(folder, **fields), "job-1-1", folder)
    return dict(json.loads(json.dumps(handle)))


async def watched(model: MediaModel, handle: Handle) -> list[Progress]:
    """All progress to the end."""
    return [progress async for progress in model.watch(handle)]


async def made(case: Case, model: MediaModel, folder: Path, **fields: Any) -> Made:
    """From the wish to the files."""
    handle = await begun(case, model, folder, **fields)
    await watched(model, handle)
    return await model.fetch(handle, folder)


async def error_of(case: Case, model: MediaModel, folder: Path, **fields: Any) -> ProviderError:
    """What goes wrong on that way."""
    with pytest.raises(ProviderError) as caught:
        await made(case, model, folder, **fields)
    return caught.value


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())
