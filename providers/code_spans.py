"""Where in Markdown's code a text that streams in is."""

FENCE = 3  # marks, at least, that open a block


class CodeSpans:
    """Fed a text in order: what is plain, runs of backticks or tildes, ends of lines.

    A span of code ends with its line at the latest, so that a lone backtick hides nothing for long. A run's
    meaning is settled by what follows it, so that it may come in pieces.
    """

    def __init__(self) -> None:
        self._fence = ("", 0)
        self._span = 0
        self._blank = True  # nothing but space on this line so far
        self._opening = False  # still on the line that opened the block
        self._run = ("", 0, False)

    def covers(self, tag: str) -> bool:
        """Whether a tag that comes next is inside code; one that is not is no part of the text."""
        if self._run[1]:
            self._settle(tag[0])
        inside = bool(self._span or self._fence[1])
        if inside:
            self.plain(tag)
        return inside

    def plain(self, text: str) -> None:
        """Text without marks."""
        if text:
            if self._run[1]:
                self._settle(text[0])
            if self._blank and not text.isspace():
                self._blank = False

    def run(self, marks: str) -> None:
        """Backticks or tildes, all alike."""
        mark, count, first = self._run
        if mark == marks[0]:
            self._run = (mark, count + len(marks), first)
            return
        self._settle(marks[0])
        self._run = (marks[0], len(marks), self._blank)
        self._blank = False

    def newline(self) -> None:
        """The end of a line."""
        self._settle("\n")
        self._span, self._blank, self._opening = 0, True, False

    def _settle(self, following: str) -> None:
        (mark, count, first), self._run = self._run, ("", 0, False)
        kind, length = self._fence
        if not count:
            return
        if length and self._opening and mark == kind == "`":  # a block's first line has no backtick: a span
            self._fence, self._span, length = ("", 0), length, 0
        if length:
            if first and mark == kind and count >= length and following.isspace():
                self._fence = ("", 0)
        elif self._span:
            if mark == "`" and count == self._span:
                self._span = 0
        elif first and count >= FENCE:
            self._fence, self._opening = (mark, count), True
        elif mark == "`":
            self._span = count
