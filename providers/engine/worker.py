"""What runs in a worker: one model, one run at a time, stopped at any step.

A family is a module with `warm()` and `load(model) -> Pipeline`; a pipeline has `facts()`, what it tells of
itself, and `run(job, step) -> {"files": [...], "settings": {...}}`. `step(number, of, preview)` reports and
raises Stop when the run was cancelled; `preview` makes a small picture's bytes, or is None.
"""

import base64
import errno
import json
import os
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

PREVIEW_EVERY = 1.0  # seconds
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # nothing can be written


class Stop(Exception):
    """The run was cancelled."""


class OutOfMemory(Exception):
    """There was not enough memory for the run."""


class Moderated(Exception):
    """The model's own filter refused the request or what came of it."""


class BadJob(Exception):
    """The job asks what the model cannot do."""


class Worker:
    """Reads orders on the main thread and carries them out on another, so that a cancel is heard at once."""

    def __init__(self, sock: socket.socket, family: Any) -> None:
        self._family = family
        self._pipeline: Any = None
        self._reader = sock.makefile("rb")
        self._sock = sock
        self._sending = threading.Lock()
        self._cancelled: set[str] = set()
        self._orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def serve(self) -> None:
        """Work until the host hangs up or says unload."""
        threading.Thread(target=self._work, daemon=True).start()
        for line in self._reader:
            message = json.loads(line)
            match message["do"]:
                case "cancel":
                    self._cancelled.add(message["id"])
                case "unload":
                    return
                case _:
                    self._orders.put(message)

    def _work(self) -> None:
        while True:
            order = self._orders.get()
            try:
                self._say({**self._carry_out(order), "id": order["id"]})
            except Stop:
                self._say({"event": "cancelled", "id": order["id"]})
            except OutOfMemory as error:
                self._fail(order, "memory", error)
            except Moderated as error:
                self._fail(order, "content", error)
            except BadJob as error:
                self._fail(order, "caller", error)
            except (ValueError, TypeError) as error:  # of what was asked, or of the model's own files
                self._fail(order, "transient" if order["do"] == "load" else "caller", error)
            except OSError as error:
                full = error.errno in NO_ROOM
                self._fail(order, "disk" if full else "transient", error)
            except Exception as error:  # noqa: BLE001  (process edge: the host must hear why)
                self._fail(order, "transient", error)

    def _carry_out(self, order: dict[str, Any]) -> dict[str, Any]:
        if order["do"] == "load":
            if visible := order["model"].get("visible"):  # before anything of it touches a GPU
                os.environ.update(CUDA_VISIBLE_DEVICES=visible, CUDA_DEVICE_ORDER="PCI_BUS_ID")
            self._pipeline = self._family.load(order["model"])
            return {"event": "loaded", **self._pipeline.facts()}
        shown = 0.0

        def step(number: int, of: int, preview: Callable[[], bytes] | None = None) -> None:
            nonlocal shown
            if order["id"] in self._cancelled:
                self._cancelled.discard(order["id"])
                raise Stop
            self._say({"event": "step", "id": order["id"], "step": number, "steps": of})
            due = order.get("previews") and number < of and time.monotonic() - shown >= PREVIEW_EVERY
            if due and preview:
                shown = time.monotonic()
                body = base64.b64encode(preview()).decode()
                self._say({"event": "preview", "id": order["id"], "body": body})

        return {"event": "output", **self._pipeline.run(order, step)}

    def _fail(self, order: dict[str, Any], kind: str, error: Exception) -> None:
        words = f"{type(error).__name__}: {error}"[:1000]
        self._say({"event": "error", "id": order["id"], "class": kind, "message": words})

    def _say(self, message: dict[str, Any]) -> None:
        with self._sending:
            self._sock.sendall(json.dumps(message).encode() + b"\n")


def serve(sock: socket.socket, family: Any) -> None:
    """Be a worker of a family on this line."""
    sock.setblocking(True)
    Worker(sock, family).serve()
