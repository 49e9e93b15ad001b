"""For how long what was made is kept: settings of the whole installation."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from db.settings import get_setting, set_setting

SETTING = "media_files"
LONGEST = 3650
OF_PEOPLE = ("chat", "tool")  # the sources of jobs that somebody in a chat asked for


@dataclass(frozen=True, slots=True)
class Keeping:
    """Days for which files are kept, 0 for ever: `chats` for what people in chats asked for, `own` for what
    operators and programs did. `stamp_chats` and `stamp_own` put the parameters into the file."""

    chats: int = 90
    own: int = 0
    stamp_chats: bool = False
    stamp_own: bool = True

    def days(self, source: str) -> int:
        """For how long a file of this source is kept."""
        return self.chats if source in OF_PEOPLE else self.own

    def stamps(self, source: str) -> bool:
        """Whether a file of this source carries its parameters."""
        return self.stamp_chats if source in OF_PEOPLE else self.stamp_own


async def read_keeping(conn: AsyncConnection) -> Keeping:
    """The settings, with what nobody has set at its default."""
    kept: Any = await get_setting(conn, SETTING)
    known = {name: value for name, value in (kept or {}).items() if name in Keeping.__slots__}
    return Keeping(**known)


async def write_keeping(conn: AsyncConnection, keeping: Keeping) -> None:
    """Change the settings; they hold for what is made from now on."""
    await set_setting(conn, SETTING, asdict(keeping))


async def days_kept(conn: AsyncConnection, source: str) -> int:
    """For how many days a file of this source is kept, 0 for ever."""
    return (await read_keeping(conn)).days(source)
