"""Whether this host really works: what each model's last try came to, which is what /health tells.

A process that listens, or a model that is loaded, proves nothing: only a token or a step does.
"""

from typing import Any

UNPROVEN, FAILING = "unproven", "failing"


class Proofs:
    """The last try of each model since the host's start."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def tried(self, model: str, why: str = "") -> None:
        """A token or a whole run came, or did not: why."""
        self._last[model] = why

    def step(self, model: str) -> None:
        """A real step is done. It proves a model that was not tried before; after a failure a whole run must
        come."""
        self._last.setdefault(model, "")

    @property
    def good(self) -> bool:
        """Whether the last try of at least one model was well."""
        return "" in self._last.values()

    def told(self) -> dict[str, Any]:
        """For /health."""
        if self.good:
            return {"status": "ok"}
        if not self._last:
            return {"status": UNPROVEN, "why": "no model has made a token or a step since the start"}
        return {
            "status": FAILING,
            "why": "; ".join(f"{name}: {why}" for name, why in self._last.items())[:1000],
        }
