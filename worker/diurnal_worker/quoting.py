"""How a foreign text is shown in a message: in quotes, on one line, in ASCII, and not too long.

A dataset or a configuration comes from anyone, and its errors end in logs, terminals and conditions: no
newline, escape sequence or look-alike letter may pass as something else there.
"""

import unicodedata

SHOWN = 80
"""Characters of a foreign text that a message shows."""


def quoted(text: str) -> str:
    """Return the text as an ASCII literal, cut to SHOWN characters."""
    return ascii(text) if len(text) <= SHOWN else f"{text[:SHOWN]!a}... ({len(text):,} characters)"


def foreign_letters(text: str) -> str:
    """Name the first character outside ASCII, as ` (U+0410 CYRILLIC CAPITAL LETTER A)`, or return nothing."""
    return next((f" ({code_point(letter)})" for letter in text if not letter.isascii()), "")


def code_point(letter: str) -> str:
    """Name one character by its code point and Unicode name."""
    return f"U+{ord(letter):04X} {unicodedata.name(letter, 'without a name')}"


def unprintable(text: str) -> str | None:
    """Return the first character that is no visible text (control, format, surrogate), if there is one."""
    return next((letter for letter in text if not letter.isprintable()), None)
