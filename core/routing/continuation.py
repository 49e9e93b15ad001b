"""Going on with an answer whose reader has seen a part that cannot be taken back."""

from dataclasses import replace

from providers.types import ChatRequest, ChatTurn

SHORTEST_ECHO = 16  # characters; fewer can be alike by chance
FEWEST_TOKENS = 16


def may_go_on(*, replaces: bool, shown: bool, called: bool) -> bool:
    """Whether another candidate may take over an answer. Where it replaces what was shown, always: no
    channel of ours carries out tool calls. Else only text can be gone on with: a tool call may have been
    carried out already."""
    return replaces or not shown or not called


def continued(request: ChatRequest, shown: str) -> ChatRequest:
    """The request with the answer so far as a last turn, for models that go on from there. What was thought
    is not sent again."""
    turns, before = request.turns, ""
    if turns and turns[-1].role == "assistant":
        turns, before = turns[:-1], turns[-1].text
    sampling = request.sampling
    if sampling.max_tokens:
        left = max(sampling.max_tokens - len(shown) // 4, FEWEST_TOKENS)
        sampling = replace(sampling, max_tokens=left)
    # Some vendors refuse a last turn that ends with a space.
    return replace(
        request, turns=(*turns, ChatTurn("assistant", (before + shown).rstrip())), sampling=sampling
    )


class Seam:
    """Joins a continuation to what was shown: no doubled space, and no second copy from a server that
    says the beginning again."""

    def __init__(self, shown: str) -> None:
        self._shown = shown if len(shown) >= SHORTEST_ECHO else ""
        self._strips = shown[-1:].isspace()
        self._held = ""
        self._joined = False

    def feed(self, text: str) -> str:
        """What of the next text may be shown now."""
        if self._joined:
            return text
        self._held += text
        if self._held.startswith(self._shown):
            self._held = self._held[len(self._shown) :]
        elif self._shown.startswith(self._held):
            return ""
        return self.end()

    def end(self) -> str:
        """What was held back when nothing more comes."""
        held = self._held.lstrip() if self._strips else self._held
        self._joined = bool(held) or not self._strips
        self._held, self._shown = "", ""
        return held
