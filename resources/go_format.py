"""Formats texts and errors as Go does, for messages that are the same as Talos's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_ESCAPES: Final = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    '"': r"\"",
    "\\": r"\\",
}


def quote(text: str) -> str:
    """Return ``text`` as Go's ``%q`` shows it: in double quotes, unprintable characters escaped."""
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character == " " or character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:  # an invalid UTF-8 byte, decoded with "surrogateescape"
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def several(errors: Sequence[str]) -> str:
    """Return several errors as one text (hashicorp/go-multierror, the format of Talos)."""
    count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    return f"{count} occurred:\n" + "".join(f"\t* {error}\n" for error in errors) + "\n"


def os_error_text(error: OSError, operation: str = "") -> str:
    """``mkdir /var/x: read-only file system``, with the parts that are known."""
    words = " ".join(str(word) for word in (operation, error.filename) if word)
    reason = (error.strerror or str(error)).lower()
    return f"{words}: {reason}" if words else reason
