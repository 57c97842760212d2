"""Escapes text of other machines, so that no terminal acts on it (talosctl 1.14: ``safeout``)."""

from __future__ import annotations


def for_terminal(text: str) -> str:
    """``text`` with unprintable characters escaped, except line breaks and tabs."""
    return "".join(char if char in "\n\t" else cell(char) for char in text)


def cell(text: str) -> str:
    """``text`` for one cell of a table: line breaks and tabs are escaped, too."""
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    kind, digits = ("x", 2) if code < 0x100 else ("u", 4) if code < 0x10000 else ("U", 8)
    return f"\\{kind}{code:0{digits}x}"
