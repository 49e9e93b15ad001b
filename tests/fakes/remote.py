"""The fakes as processes of their own, for tests and benches that kill or measure everything else."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.installation import free_port, wait_until

ROOT = Path(__file__).parent.parent.parent


class _Process:
    def __init__(self, module: str, *arguments: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "--port", str(self.port), *arguments],
            cwd=ROOT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self._listens, 20, f"{module} listens")

    @property
    def root(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, body: Any = None, timeout: float = 60) -> Any:
        """One request to it; JSON in and out."""
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.root + path, data), timeout=timeout
            ) as got:
                return json.loads(got.read())
        except urllib.error.HTTPError as error:
            with error:
                return json.loads(error.read())

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:  # fmt: skip
        self.stop()

    def _listens(self) -> bool:
        try:
            urllib.request.urlopen(self.root + "/", timeout=1).close()
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            return False
        return True


class RemoteBotApi(_Process):
    """The fake Bot API server."""

    def __init__(self, *arguments: str) -> None:
        super().__init__("tests.fakes.bot_api", *arguments)

    def say(self, token: str, chat_id: int, text: str) -> None:
        """A person writes to a bot."""
        self.ask("/control/inject", {"token": token, "chat_id": chat_id, "text": text})

    def say_many(self, messages: list[tuple[str, int, str]]) -> None:
        """Several at once: (token, chat, text)."""
        keys = ("token", "chat_id", "text")
        self.ask("/control/inject", [dict(zip(keys, one, strict=True)) for one in messages])

    def visible(self, chat_id: int) -> list[dict[str, Any]]:
        """What a person sees in a chat now."""
        return list(self.ask(f"/control/visible?chat_id={chat_id}")["messages"])

    def wait(self, chat_id: int, count: int = 1, timeout: float = 20) -> list[dict[str, Any]]:
        """The same, once there are so many messages; what there is when the time is over."""
        path = f"/control/wait?chat_id={chat_id}&count={count}&timeout={timeout}"
        return list(self.ask(path, timeout=timeout + 10)["messages"])

    def calls(self, since: int = 0) -> dict[str, Any]:
        """Accepted calls (`calls`, `next`), refused ones and lost replies."""
        return dict(self.ask(f"/control/calls?since={since}"))

    def fault(self, **fields: Any) -> None:
        """The next matching calls fail (see Fault)."""
        self.ask("/control/fault", fields)


class RemoteLLM(_Process):
    """The fake model vendor."""

    def __init__(self, *arguments: str) -> None:
        super().__init__("tests.fakes.llm", *arguments)

    @property
    def url(self) -> str:
        """The base URL of an OpenAI-compatible provider."""
        return f"{self.root}/v1"
