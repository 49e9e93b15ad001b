"""A vendor's answer as it is put together: deltas on the way, and at the end whether it is a whole answer."""

from collections.abc import Iterable

from providers.errors import ErrorClass, ProviderError
from providers.surrogates import Mender
from providers.thinking import ThinkingSplitter
from providers.types import CallPart, Delta, Finish, Text, Thinking, Tokens

LONGEST_REPLY = 2_000_000  # characters; nobody reads more, and a runaway server must not fill the memory
_REASONS = {
    "length": "length", "max_tokens": "length", "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls", "tool_use": "tool_calls",
}  # fmt: skip
_FILTERED = frozenset({"content_filter", "refusal", "safety", "sensitive", "prohibited_content", "blocklist"})
_BROKEN = frozenset({"error", "abort", "malformed_function_call"})


class Reply:
    """Takes pieces in the vendor's words; `end` gives Tokens and Finish, or raises ProviderError. One that
    goes on with the request's last turn keeps the space that it begins with."""

    def __init__(self, *, continues: bool = False) -> None:
        self._continues = continues
        self.finish_reason = ""
        self._splitter = ThinkingSplitter()
        self._mender = Mender()
        self._visible = False
        self._called = False
        self._size = 0
        self._input: int | None = None
        self._output: int | None = None
        self._cached: int | None = None

    @property
    def begun(self) -> bool:
        """Whether anything came."""
        return self._size > 0

    def content(self, text: str) -> list[Delta]:
        """Text of the answer; inline reasoning is taken out of it."""
        self._grow(text)
        return self._shown(self._splitter.feed(self._mender.feed(text)))

    def reasoning(self, text: str) -> list[Delta]:
        """Reasoning that came in a field of its own."""
        self._grow(text)
        return [Thinking(text)] if text else []

    def calls(self, parts: Iterable[CallPart]) -> list[Delta]:
        """Pieces of tool calls."""
        found: list[Delta] = []
        for part in parts:
            self._grow(part.name + part.arguments)
            self._called = True
            found.append(part)
        return found

    def cached(self, tokens: object) -> None:
        """How much of the input the vendor had cached."""
        self._cached = _counted(tokens, self._cached)

    def count(self, input_tokens: object, output_tokens: object) -> None:
        """What the vendor counted so far; the last word holds."""
        self._input = _counted(input_tokens, self._input)
        self._output = _counted(output_tokens, self._output)

    def finish(self, reason: str) -> None:
        """The vendor said why it ended."""
        self.finish_reason = reason.lower()

    def done(self) -> None:
        """The vendor said that the stream is over, with or without a reason."""
        self.finish_reason = self.finish_reason or "stop"

    def end(self) -> list[Delta]:
        """The last deltas; raises when this is not a whole answer."""
        deltas = self._shown([*self._splitter.feed(self._mender.close()), *self._splitter.close()])
        if self.finish_reason in _FILTERED:
            raise ProviderError(ErrorClass.CONTENT, f"finish_reason: {self.finish_reason}")
        if not self.finish_reason and not self._size:
            raise ProviderError(ErrorClass.EMPTY, "nothing came")
        if not self.finish_reason or self.finish_reason in _BROKEN:
            raise ProviderError(
                ErrorClass.TRUNCATED, self.finish_reason or "the stream ended without a finish"
            )
        if not self._called and (self._splitter.open or not self._visible):
            raise ProviderError(ErrorClass.EMPTY, "no visible text")
        if self._input is not None or self._output is not None:
            deltas.append(Tokens(self._input, self._output, self._cached))
        return [*deltas, Finish(_REASONS.get(self.finish_reason, "stop"))]

    def _shown(self, pieces: Iterable[Text | Thinking]) -> list[Delta]:
        if self._visible:
            return list(pieces)
        deltas: list[Delta] = []
        for piece in pieces:
            if isinstance(piece, Text) and not self._visible:
                text = piece.text if self._continues else piece.text.lstrip()
                self._visible = bool(text.strip())
                if text:
                    deltas.append(Text(text))
            else:
                deltas.append(piece)
        return deltas

    def _grow(self, text: str) -> None:
        self._size += len(text)
        if self._size > LONGEST_REPLY:
            raise ProviderError(ErrorClass.TRUNCATED, "the answer does not end")


def _counted(given: object, before: int | None) -> int | None:
    """A vendor's count when it is one, else what was known before."""
    good = isinstance(given, int) and not isinstance(given, bool) and given >= 0
    return int(given) if good else before  # type: ignore[call-overload]
