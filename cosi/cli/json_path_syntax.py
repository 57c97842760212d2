"""Parses JSONPath templates into nodes, as the parser of Kubernetes does; applies nothing.

``client-go/util/jsonpath/parser.go`` (0.37) is the reference, its error texts included.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cosi.errors import InvalidResource

_LINE_ENDS: Final = "\r\n"
_TERMINATORS: Final = " \t\r\n.,[]$@{}"
_DICT_KEY: Final = re.compile(r"'([^']*)'")
_SLICE: Final = re.compile(r"(-?[0-9]*)(:-?[0-9]*)?(:-?[0-9]*)?")
_COMPARISON: Final = re.compile(r"([^!<>=]+)([!<>=]+)(.+?)", re.DOTALL)
_UNQUOTABLE: Final = re.compile(
    r"""\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))
        |[^\\]""",
    re.VERBOSE | re.DOTALL,
)
_NAMED: Final = dict(zip("abfnrtv", b"\a\b\f\n\r\t\v", strict=True))


@dataclass(frozen=True)
class TextPart:
    """Text outside of braces, or quoted text inside them."""

    text: str


@dataclass(frozen=True)
class Constant:
    """A number, ``true`` or ``false``."""

    value: int | float | bool


@dataclass(frozen=True)
class FieldStep:
    """``.name``"""

    name: str


@dataclass(frozen=True)
class Keyword:
    """``range``, ``end``; any other name is an error when the template is applied."""

    name: str


@dataclass(frozen=True)
class Wildcard:
    """``.*``"""


@dataclass(frozen=True)
class Recursive:
    """``..``"""


@dataclass(frozen=True)
class Slice:
    """``[start:end:step]``; ``single`` means ``[start]``, whose end follows from it."""

    start: int | None
    end: int | None
    step: int | None
    single: bool


@dataclass(frozen=True)
class Union:
    """``[a,b]``"""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Filter:
    """``[?(left operator right)]``; the operator is ``exists`` if there is only a left side."""

    left: Path
    right: Path
    operator: str


Node = TextPart | Constant | FieldStep | Keyword | Wildcard | Recursive | Slice | Union | Filter
Path = tuple[Node, ...]
"""The nodes in one pair of braces: each is applied to the values that the one before found."""


def parse(template: str) -> tuple[TextPart | Path, ...]:
    """The texts and paths of a template; raises :class:`~cosi.errors.InvalidResource`."""
    return tuple(_Parser(template).template())


def _action(text: str) -> Path:
    first = parse(f"{{{text}}}")[0]
    return first if isinstance(first, tuple) else ()


@dataclass
class _Parser:
    text: str
    place: int = 0
    nodes: list[Node] = field(default_factory=list[Node])

    def template(self) -> list[TextPart | Path]:
        parts: list[TextPart | Path] = []
        while self.place < len(self.text):
            brace = self.text.find("{", self.place)
            end = len(self.text) if brace < 0 else brace
            if end > self.place:
                parts.append(TextPart(self.text[self.place : end]))
            self.place = end
            if brace >= 0:
                self.place += 1
                parts.append(self._inside())
        return parts

    def _inside(self) -> Path:
        self.nodes = []
        while not self._taken("}"):
            self._part()
        return tuple(self.nodes)

    def _part(self) -> None:
        if self._taken("[?("):
            self._filter()
        elif self._taken(".."):
            self._recursive()
        else:
            char = self._next()
            if char == "" or char in _LINE_ENDS:
                raise InvalidResource("unclosed action")
            self._after(char)

    def _after(self, char: str) -> None:
        if char in " @$":  # the current object: paths start there anyway
            return
        if char in "+-" or char.isdecimal():
            self.place -= 1
            self._number()
        elif char == "_" or char.isalpha():
            self.place -= 1
            self._identifier()
        else:
            self._marked(char)

    def _marked(self, char: str) -> None:
        marks: dict[str, Callable[[], None]] = {"[": self._array, ".": self._field}
        if char in "\"'":
            self._quote(char)
        elif char in marks:
            marks[char]()
        else:
            shown = f"U+{ord(char):04X}" + (f" '{char}'" if char.isprintable() else "")
            raise InvalidResource(f"unrecognized character in action: {shown}")

    # -- parts --------------------------------------------------------------------------------

    def _recursive(self) -> None:
        if self.nodes and isinstance(self.nodes[-1], Recursive):
            raise InvalidResource("invalid multiple recursive descent")
        self.nodes.append(Recursive())
        if self._peek() == "_" or self._peek().isalnum():
            self._field()

    def _field(self) -> None:
        start = self.place
        while (char := self._peek()) and char not in _TERMINATORS:
            self.place += 2 if char == "\\" else 1
        name = self.text[start : self.place]
        self.nodes.append(Wildcard() if name == "*" else FieldStep(name.replace("\\", "")))

    def _identifier(self) -> None:
        start = self.place
        while (char := self._peek()) and char not in _TERMINATORS:
            self.place += 1
        name = self.text[start : self.place]
        truth = {"true": True, "false": False}.get(name)
        self.nodes.append(Keyword(name) if truth is None else Constant(truth))

    def _number(self) -> None:
        start = self.place
        self.place += self.text[start] in "+-"
        while (char := self.text[self.place : self.place + 1]) and (
            char == "." or char.isdecimal()
        ):
            self.place += 1
        number = self.text[start : self.place]
        for kind in int, float:
            try:
                self.nodes.append(Constant(kind(number)))
            except ValueError:
                continue
            return
        raise InvalidResource(f"cannot parse number {number}")

    def _quote(self, mark: str) -> None:
        start = self.place
        while (char := self._next()) != mark or self.text[self.place - 2] == "\\":
            if char in {"", "\n"}:
                raise InvalidResource("unterminated quoted string")
        inside = self.text[start : self.place - 1]
        self.nodes.append(TextPart(_unquoted(inside, mark)))

    def _array(self) -> None:
        end = self.text.find("]", self.place)
        text = self.text[self.place : end]
        if end < 0 or "\n" in text:
            raise InvalidResource("unterminated array")
        self.place = end + 1
        parts = text.split(",")
        key = _DICT_KEY.fullmatch(text)
        if len(parts) > 1:
            self.nodes.append(Union(tuple(_action(f"[{part.strip(' ')}]") for part in parts)))
        elif key is not None:
            self.nodes += _action(f".{key[1]}")
        else:
            self.nodes.append(_slice(":" if text == "*" else text))

    def _filter(self) -> None:
        text = self._until_parenthesis()
        found = _COMPARISON.fullmatch(text)
        if found is None:
            self.nodes.append(Filter(_action(text), (), "exists"))
        else:
            self.nodes.append(Filter(_action(found[1]), _action(found[3]), found[2]))

    def _until_parenthesis(self) -> str:
        """The text up to ``)]``; a parenthesis in quotes does not end it."""
        start, mark, closed = self.place, "", False
        while True:
            char = self._next()
            if char in {"", "\n"}:
                raise InvalidResource("unterminated filter")
            if char in "\"'":
                if not mark:
                    mark = char
                elif char == mark and self.text[self.place - 2] != "\\":
                    closed = True
            elif char == ")" and bool(mark) == closed:
                break
        if self._next() != "]":
            raise InvalidResource("unclosed array expect ]")
        return self.text[start : self.place - 2]

    # -- characters ---------------------------------------------------------------------------

    def _peek(self) -> str:
        return self.text[self.place : self.place + 1]

    def _next(self) -> str:
        char = self._peek()
        self.place += len(char)
        return char

    def _taken(self, prefix: str) -> bool:
        found = self.text.startswith(prefix, self.place)
        if found:
            self.place += len(prefix)
        return found


def _slice(text: str) -> Slice:
    found = _SLICE.fullmatch(text)
    if found is None:
        raise InvalidResource(f"invalid array index {text}")
    start, end, step = (_index(part) for part in found.groups())
    return Slice(start, end, step, single=found[2] is None)


def _index(part: str | None) -> int | None:
    digits = (part or "").removeprefix(":")
    if digits == "-":
        raise InvalidResource(f"array index {digits} is not a number")
    return int(digits) if digits else None


def _unquoted(text: str, mark: str) -> str:
    """Go's ``strconv.Unquote``, for both marks."""
    out, place = bytearray(), 0
    while place < len(text):
        found = _UNQUOTABLE.match(text, place)
        other = "'" if mark == '"' else '"'
        if found is None or found[1] == other or found[0] == mark:
            raise InvalidResource(f"unquote string {mark}{text}{mark} error invalid syntax")
        out += _unescaped(found)
        place = found.end()
    return out.decode(errors="replace")


def _unescaped(found: re.Match[str]) -> bytes:
    named, byte, octal, *runes = found.groups()
    if named is not None:
        return bytes([_NAMED[named]]) if named in _NAMED else named.encode()
    if byte is not None or octal is not None:
        return bytes([int(byte, 16) if byte is not None else int(octal, 8) & 0xFF])
    code = runes[0] or runes[1]
    return (found[0] if code is None else chr(int(code, 16))).encode(errors="replace")
