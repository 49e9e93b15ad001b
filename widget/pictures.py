"""Pictures of visitors: taken in with limits, kept by the host, and handed back to their owner only."""

from typing import Any

from core.channel import Host
from core.pictures import LARGEST, NotAPicture, read_picture
from widget.limits import Limit, network_of
from widget.refusals import Refused
from widget.requests import Request

MOST_OF_ONE = 4  # pictures of a message
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"private, no-store"),
]


class Pictures:
    """The pictures of one widget's visitors."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._visitors = Limit(burst=12, rate=0.2)
        self._networks = Limit(burst=40, rate=0.5)

    async def upload(self, request: Request, visitor: str) -> None:
        """Keep a picture: the body as it is, known by its bytes and not by its header."""
        take(self._visitors, visitor)
        take(self._networks, network_of(request.address))
        megabytes = LARGEST // 1024**2
        try:
            picture = read_picture(await request.body(LARGEST))
        except NotAPicture:
            raise Refused("not_a_picture", limit=megabytes) from None
        ref = await self._host.keep_picture(visitor, picture)
        if ref is None:
            raise Refused("pictures_full")
        await request.answer(201, {"id": ref}, request.cors())

    async def show(self, request: Request, visitor: str) -> None:
        """Hand a picture back to whoever sent it."""
        picture = await self._host.kept_picture(request.item, visitor)
        if picture is None:
            raise Refused("no_picture")
        kind = (b"content-type", picture.mime.encode())
        await request.hand_out(picture.body, [kind, *HEADERS, *request.cors()])

    async def show_made(self, request: Request, visitor: str) -> None:
        """Hand out what was made for a visitor."""
        found = await self._host.made_for(request.item, visitor)
        if found is None:
            raise Refused("no_picture")
        body, mime = found
        await request.hand_out(body, [(b"content-type", mime.encode()), *HEADERS, *request.cors()])

    async def link_made(self, request: Request, visitor: str) -> None:
        """Tell where a player may read what was made for a visitor, in ranges and without his token."""
        path = await self._host.path_for(request.item, visitor)
        if not path:
            raise Refused("no_picture")
        await request.answer(200, {"path": path}, request.cors())

    async def named(self, data: dict[str, Any], visitor: str) -> tuple[str, ...]:
        """The refs in a message's JSON, all of them the visitor's own. Raises Refused."""
        refs = data.get("pictures", [])
        if not isinstance(refs, list) or not all(isinstance(ref, str) for ref in refs):
            raise Refused("no_picture")
        if len(refs) > MOST_OF_ONE:
            raise Refused("many_pictures", limit=MOST_OF_ONE)
        for ref in refs:
            if await self._host.kept_picture(ref, visitor) is None:
                raise Refused("no_picture")
        return tuple(dict.fromkeys(refs))


def take(limit: Limit, key: str) -> None:
    """Take one of a limit. Raises Refused."""
    wait = limit.take(key)
    if wait:
        raise Refused("too_many", after=wait)
