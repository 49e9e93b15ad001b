"""Numbers of bytes for people."""

from admin.i18n import N_, Language

UNITS = (
    (1 << 30, N_("%(number)s GB"), 1),
    (1 << 20, N_("%(number)s MB"), 1),
    (1 << 10, N_("%(number)s kB"), 0),
)


def size_text(size: float, t: Language) -> str:
    """ "1.5 GB" in the reader's language."""
    for unit, words, digits in UNITS:
        if size >= unit:
            return t(words, number=t.number(size / unit, digits if size < 100 * unit else 0))
    return t(UNITS[-1][1], number=t.number(1 if size else 0))
