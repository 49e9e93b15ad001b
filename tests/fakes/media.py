"""Every fake vendor of media by its kind; `python -m tests.fakes.media --kind bfl --port 9000` runs one."""

import argparse
import asyncio

from tests.fakes.media_ark import FakeArk
from tests.fakes.media_flux import FakeFlux
from tests.fakes.media_kling import FakeKling
from tests.fakes.media_openai import FakeOpenAI
from tests.fakes.media_recraft import FakeRecraft
from tests.fakes.media_stability import FakeStability
from tests.fakes.media_vendor import FakeVendor
from tests.fakes.media_veo import FakeGemini, FakeVertex

FAKES: dict[str, type[FakeVendor]] = {
    fake.kind: fake
    for fake in (FakeOpenAI, FakeFlux, FakeRecraft, FakeStability, FakeArk, FakeKling, FakeGemini, FakeVertex)
}  # fmt: skip


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A fake vendor of pictures and videos.")
    parser.add_argument("--kind", choices=sorted(FAKES), default="openai")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--looks", type=int, default=2, help="looks until a task is done")
    arguments = parser.parse_args()
    fake = FAKES[arguments.kind]()
    fake.files_here, fake.looks = True, arguments.looks
    await fake.up(arguments.port)
    print(f"fake {arguments.kind} at {fake.url}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
