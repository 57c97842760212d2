"""Suggestions for wrong words and unknown keys, as ends of error messages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from controllers.definitions.meanings import meant_keys, meant_word
from controllers.definitions.schema import Choice, ListOf, MapOf, RecordSchema, Shape
from resources.go_format import (
    quote,
)

_SURE = 0.8
"""How similar a key of another level must be; a lower bound would find too many there."""
_VARIABLE = re.compile(r"(?<!\$)\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*[^}]*\}|\([A-Za-z_]\w*\))")
"""``$NAME``, ``${NAME}``, ``${NAME:-default}`` and Kubernetes' ``$(NAME)``; not after another $."""


def suggestion(word: str, known: Iterable[str], shown: Iterable[str] | None = None) -> str:
    """Return ``; did you mean "depends"?``, or an empty text if no word is similar."""
    by_fold = {k.casefold(): s for k, s in zip(known, shown or known, strict=True)}
    folded = word.casefold()
    near = difflib.get_close_matches(folded, by_fold, n=1)
    if not near and len(folded) > 2:
        near = [k for k in by_fold if k.startswith(folded) or folded.startswith(k)]
    return _did_you_mean(by_fold[near[0]]) if near else ""


def _did_you_mean(word: str) -> str:
    return f'; did you mean "{word}"?'


def words(choice: Choice) -> str:
    """The words of an enum as a message lists them: ``always, never, untilSuccess``."""
    return ", ".join(word.value for word in choice.words.values())


def word_hint(word: str, choice: Choice) -> str:
    """All allowed words, and a suggestion: by meaning first, then by spelling."""
    listed = f": {words(choice)}"
    if "|" in word:  # the alternatives of a manual page, copied unchanged
        return f"{listed}; choose one"
    meant = meant_word(word, choice.enum)
    if meant is not None:
        return listed + _did_you_mean(meant.value)
    return listed + suggestion(word, choice.words, [known.value for known in choice.words.values()])


def key_hint(key: str, here: RecordSchema, root: RecordSchema) -> str:
    """The suggestion for an unknown key: another spelling, another level, or another word."""
    folded = key.casefold()
    if known := next((known for known in here.keys if known.casefold() == folded), None):
        return _did_you_mean(known)
    if level := _level(key, here, root):
        return f"; it belongs {level}"
    for meant in meant_keys(key):
        if meant in here.keys:
            return _did_you_mean(meant)
        if level := _level(meant, here, root):
            return f'; did you mean "{meant}", which belongs {level}?'
    return suggestion(key, here.keys) or _near_elsewhere(folded, here, root)


def _near_elsewhere(folded: str, here: RecordSchema, root: RecordSchema) -> str:
    known = {key.casefold(): key for _, level in _levels(root) for key in level.keys}
    for near in difflib.get_close_matches(folded, known, n=1, cutoff=_SURE):
        if level := _level(known[near], here, root):
            return f'; did you mean "{known[near]}", which belongs {level}?'
    return ""


def _level(key: str, here: RecordSchema, root: RecordSchema) -> str:
    """The text for the outermost other level that has ``key``; empty if none has it."""
    found = (path for path, level in _levels(root) if level is not here and key in level.keys)
    path = next(found, None)
    if path is None:
        return ""
    if not path:
        return "at the top level"
    return f"in an item of {path[:-2]}" if path.endswith("[]") else f"under {path}"


def _levels(root: RecordSchema) -> Iterator[tuple[str, RecordSchema]]:
    """Every record of a document with its path, outermost first; lists end in ``[]``."""
    open_: list[tuple[str, RecordSchema]] = [("", root)]
    while open_:
        path, level = open_.pop(0)
        yield path, level
        for key, field in level.keys.items():
            below, inner = _inner(f"{path}.{key}" if path else key, field.shape)
            if isinstance(inner, RecordSchema):
                open_.append((below, inner))


def _inner(path: str, shape: Shape) -> tuple[str, Shape]:
    if isinstance(shape, ListOf | MapOf):
        return f"{path}[]", shape.item
    return path, shape


def expects_expansion(text: str) -> bool:
    """Whether ``text`` has a variable such as ``$NAME``, which a shell would expand."""
    return _VARIABLE.search(text) is not None


def unexpanded(item: str) -> str:
    """The warning for an item ``KEY=...$NAME...``; empty for other items.

    It has the key but not the value, which may be a secret with a ``$`` in it.
    """
    key, equals, value = item.partition("=")
    if not equals or not expects_expansion(value):
        return ""
    return f'"$" in the value of {quote(key)} is literal: variables are not expanded'


def printable(text: str) -> str:
    """A user's text made fit for a message: short, on one line, and harmless to a terminal."""
    cut = text if len(text) <= 60 else text[:57] + "..."
    return cut if cut.isprintable() else quote(cut)[1:-1]
