"""How a model is to be loaded, and how much room that takes: as asked, measured or guessed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from providers.engine.ledger import Ledger
from providers.engine.models import DIFFUSERS, PROFILES
from providers.engine.peaks import Manner, Need, Peaks, shape_of
from providers.engine.resident import Resident

CUDA = "cuda"


class Fitting:
    """Models against the ledger's room."""

    def __init__(self, ledger: Ledger, peaks: Peaks) -> None:
        self._ledger = ledger
        self._peaks = peaks

    def check(self, resident: Resident, request: Mapping[str, Any]) -> None:
        """Raise NoRoom for a request that could never fit, whatever made room for it."""
        need = self.need(resident, self.manner(resident, request), request)
        self._ledger.check(need.device, need.host, resident.own)

    def manner(self, resident: Resident, request: Mapping[str, Any] | None) -> Manner:
        """How to load a model: as was asked, and sparing enough for it to fit at all."""
        params = (request or {}).get("params") or {}
        asked = params.get("profile")
        profile = max(PROFILES.index(asked) if asked in PROFILES else 0, resident.profile)
        manner = Manner(min(profile, len(PROFILES) - 1), str(params.get("quantise") or ""))
        if resident.model.kind != DIFFUSERS or self._ledger.devices[0].kind != CUDA:
            return manner
        have, ram = self._ledger.most(resident.own)
        while manner.profile < len(PROFILES) - 1:
            need = self._likely(resident, manner, request)
            if need.device <= have and need.host <= ram:
                break
            manner = Manner(manner.profile + 1, manner.quantise)
        return manner

    def need(self, resident: Resident, manner: Manner, request: Mapping[str, Any] | None) -> Need:
        """What to ask for: a guess that is larger than the device is taken for the whole of it."""
        need = self._likely(resident, manner, request)
        have, _ = self._ledger.most(resident.own)
        guessed = not need.measured and need.least <= have < need.device
        return replace(need, device=have) if guessed else need

    def _likely(self, resident: Resident, manner: Manner, request: Mapping[str, Any] | None) -> Need:
        shape = shape_of(resident.model, request)
        return self._peaks.need(resident.model, manner, shape, self._ledger.devices[0].kind)
