"""The fakes as processes of their own, for tests that kill everything else."""

from pathlib import Path

from providers.types import ProviderConfig
from tests.fakes.media_vendor import KEY
from tests.fakes.remote import _Process
from tests.providers.media.cases import CASES, made, opened


async def test_a_fake_in_its_own_process(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.kind == "bfl")
    with _Process("tests.fakes.media", "--kind", case.kind, "--looks", "3") as fake:
        config = ProviderConfig("v", case.kind, f"{fake.root}/v1", (KEY,), {"media_poll": 0.01})
        async with opened(config) as provider:
            assert (await made(case, provider.model(case.model, KEY), tmp_path)).files
        told = fake.ask("/control/submits")
        assert told["count"] == 1 and told["submits"][0]["path"] == f"/v1/{case.model}"
        fake.ask("/control/behave", {"behaviour": "never"})
