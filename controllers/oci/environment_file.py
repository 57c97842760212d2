"""Parses environment files, with the grammar of hashicorp/go-envparse 0.1.0 (Talos 1.14)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cosi import CosiError
from resources.go_format import (
    quote,
)

LINE_LIMIT: Final = 64 * 1024
"""The most bytes of a line, with its end; Go's ``bufio.Scanner`` reads no more."""

_ESCAPES: Final = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_BLANK: Final = " \t\n\v\f\r\x85\xa0"
_HEX: Final = re.compile(r"[0-9a-fA-F]{4}")


class EnvironmentFileError(CosiError):
    """A line is not ``KEY=VALUE``; the message begins with ``error on line N``."""


def parse_environment_file(content: bytes) -> dict[str, str]:
    """Read the variables of an environment file; the last value of a key counts.

    Raises :class:`EnvironmentFileError` for the first invalid line.
    """
    variables: dict[str, str] = {}
    for number, line in enumerate(content.split(b"\n"), start=1):
        if len(line) >= LINE_LIMIT:
            raise EnvironmentFileError("bufio.Scanner: token too long")
        try:
            pair = _line(line.removesuffix(b"\r").decode(errors="surrogateescape"))
        except EnvironmentFileError as error:
            raise EnvironmentFileError(f"error on line {number}: {error}") from None
        if pair is not None:
            variables[pair[0]] = pair[1]
    return variables


def _line(line: str) -> tuple[str, str] | None:
    line = line.strip(_BLANK)
    if not line or line.startswith("#"):
        return None
    key, equals, value = line.partition("=")
    if not equals:
        raise EnvironmentFileError("missing =")
    return _key(key), "".join(_Value(value.strip(_BLANK)).pieces())


def _key(key: str) -> str:
    key = key.strip(_BLANK)
    if len(key) > len("export ") and key.startswith("export "):
        key = key.removeprefix("export ").strip(_BLANK)
    if not key:
        raise EnvironmentFileError("empty key")
    if not re.match(r"[A-Za-z_]", key):
        raise EnvironmentFileError(f"key must start with [A-Za-z_] but found {_rune(key[0])}")
    if odd := re.search(r"[^A-Za-z0-9_./]", key):
        raise EnvironmentFileError(
            f"key characters must be [A-Za-z0-9/_.] but found {_rune(odd.group())}"
        )
    return key


class _Value:
    """One value, read from left to right: adjacent plain, '…' and "…" pieces."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def pieces(self) -> Iterator[str]:
        while self._at < len(self._text):
            match self._text[self._at]:
                case "'":
                    yield self._single()
                case '"':
                    yield "".join(self._double())
                case "#":
                    return
                case _:
                    yield self._plain()

    def _plain(self) -> str:
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in "'\"#":
            self._at += 1
            _refuse_control(self._text[self._at - 1])
        plain = self._text[start : self._at]
        comment = self._text[self._at : self._at + 1] == "#"
        return plain.rstrip(_BLANK) if comment else plain

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise EnvironmentFileError("unmatched '")
        literal = self._text[self._at + 1 : end]
        for character in literal:
            _refuse_control(character)
        self._at = end + 1
        return literal

    def _double(self) -> Iterator[str]:
        self._at += 1
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            if character == '"':
                return
            _refuse_control(character)
            yield self._escape() if character == "\\" else character
        raise EnvironmentFileError('unmatched "')

    def _escape(self) -> str:
        escape = self._text[self._at : self._at + 1]
        self._at += 1
        if not escape:
            raise EnvironmentFileError("incomplete escape sequence")
        if escape == "u":
            return self._unicode()
        if escape not in _ESCAPES:
            raise EnvironmentFileError(f"invalid escape sequence: {quote(escape)}")
        return _ESCAPES[escape]

    def _unicode(self) -> str:
        first = self._four_digits()
        if not 0xD800 <= first < 0xE000:
            return chr(first)
        if self._text[self._at : self._at + 2] != "\\u":
            raise EnvironmentFileError("incomplete Unicode surrogate pair")
        self._at += 2
        second = self._four_digits()
        if first >= 0xDC00 or not 0xDC00 <= second < 0xE000:
            return "\N{REPLACEMENT CHARACTER}"
        return chr(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))

    def _four_digits(self) -> int:
        digits = self._text[self._at : self._at + 4]
        if len(digits) < 4:
            raise EnvironmentFileError("incomplete hex sequence")
        if not _HEX.fullmatch(digits):
            raise EnvironmentFileError(f"invalid hex sequence: {quote(digits)}")
        self._at += 4
        return int(digits, 16)


def _refuse_control(character: str) -> None:
    if character < " ":
        raise EnvironmentFileError(f"0x{ord(character):02x} is an invalid value character")


def _rune(character: str) -> str:
    """The first byte of a character in the format of Go's ``%q``; go-envparse works on bytes."""
    byte = character.encode(errors="surrogateescape")[0]
    return "'" + quote(chr(byte))[1:-1].replace(r"\"", '"').replace("'", r"\'") + "'"
