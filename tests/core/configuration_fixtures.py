"""What tests of the configuration share: a sealer that shows what it was given, and a counting wake-up."""

from dataclasses import dataclass, field

from core.configuration.service import Configuration
from db.database import Database

TOKEN = "123456789:" + "A" * 35
OTHER_TOKEN = "987654321:" + "B" * 35


@dataclass
class Seams:
    """Stands for the control socket."""

    wakes: int = 0
    sealed: list[str] = field(default_factory=list)

    async def seal(self, aad: str, text: str) -> str:
        self.sealed.append(aad)
        return f"sealed[{aad}]{text}"

    async def wake(self) -> None:
        self.wakes += 1


def configuration_of(database: Database, seams: Seams | None = None) -> Configuration:
    seams = seams or Seams()
    return Configuration(database, seams.seal, seams.wake)
