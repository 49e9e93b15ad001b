"""What a text engine asks of its own server over loopback."""

import asyncio
import re
from collections.abc import Mapping

import aiohttp

RUNNING = re.compile(r"^vllm:num_requests_(?:running|waiting)(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)
NOT_THERE = (aiohttp.ClientError, TimeoutError, OSError)


class ServerRefused(Exception):
    """The server answered with an error, or not at all."""


class ServerCalls:
    """One server. Every method takes the seconds after which it is given up."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str, key: str) -> None:
        self._http = http
        self.base_url = base_url
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def healthy(self) -> bool:
        """Whether it listens and calls itself healthy; that says nothing of whether it works."""
        try:
            await self._call("GET", "/health", 2.0)
        except ServerRefused:
            return False
        return True

    async def one_token(self, name: str, embeds: bool, seconds: float) -> None:
        """A real answer of one token, or of one vector. Raises ServerRefused."""
        path = "/v1/embeddings" if embeds else "/v1/completions"
        body = {"model": name, "input": "a"} if embeds else {"model": name, "prompt": "a", "max_tokens": 1}
        answer = await self._call("POST", path, seconds, body)
        if not (isinstance(answer, dict) and answer.get("data" if embeds else "choices")):
            raise ServerRefused("the first token did not come")

    async def running(self) -> int:
        """Requests that it works on or keeps waiting, by its own count. Raises ServerRefused."""
        text = await self._call("GET", "/metrics", 5.0)
        return int(sum(float(count) for count in RUNNING.findall(text))) if isinstance(text, str) else 0

    async def sleep(self, level: int, seconds: float) -> None:
        """Give the device's memory back: 1 keeps the weights in RAM, 2 drops them. Replies are waited for."""
        await self._call("POST", f"/sleep?level={level}&mode=wait", seconds)

    async def asleep(self) -> bool:
        """What it says of itself."""
        answer = await self._call("GET", "/is_sleeping", 5.0)
        return isinstance(answer, dict) and answer.get("is_sleeping") is True

    async def wake(self, level: int, seconds: float) -> None:
        """Take the memory again; after level 2 the weights are read anew."""
        if level == 1:
            await self._call("POST", "/wake_up", seconds)
            return
        await self._call("POST", "/wake_up?tags=weights", seconds)
        await self._call("POST", "/collective_rpc", seconds, {"method": "reload_weights"})
        await self._call("POST", "/wake_up?tags=kv_cache", seconds)
        await self._call("POST", "/reset_prefix_cache", seconds)

    async def load_lora(self, name: str, folder: str, seconds: float) -> None:
        """Load an adapter into the running server; one that is there already is as good."""
        try:
            await self._call(
                "POST", "/v1/load_lora_adapter", seconds, {"lora_name": name, "lora_path": folder}
            )
        except ServerRefused as error:
            if "already been loaded" not in str(error):
                raise

    async def _call(
        self, method: str, path: str, seconds: float, body: Mapping[str, object] | None = None
    ) -> object:
        try:
            async with asyncio.timeout(seconds):
                request = self._http.request(method, self.base_url + path, json=body, headers=self.headers)
                async with request as answer:
                    if answer.status >= 400:
                        raise ServerRefused(f"{path}: {answer.status} {(await answer.text())[:500]}")
                    if answer.content_type == "application/json":
                        return await answer.json()
                    return await answer.text()
        except (*NOT_THERE, ValueError) as error:
            raise ServerRefused(f"{path}: {type(error).__name__} {error}") from error


def open_http() -> aiohttp.ClientSession:
    """The HTTP client for all text servers of a host, without a limit: engines count their places.

    Connections are not kept: servers close idle ones after five seconds, and a request that is just being
    sent over such a one is lost. A new one on loopback takes a fraction of a millisecond.
    """
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True), trust_env=False)
