"""The prose is plain English: words of the tree's old dialect do not come back.

Checked are docstrings, comments and texts, not names. Name the role (caller, owner, watcher, user),
and write "logged", "published" or "reported", "must", "previous run", "without end".
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("cosi", "controllers", "resources", "examples", "benchmarks")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/*.md")
SUFFIXES = {".py", ".c", ".proto", ".md", ".yaml", ".txt"}
WORDS = (
    "somebody",
    "nobody",
    "whoever",
    "anybody",
    "told",
    "said",
    "for ever",
    "shall",
    "earlier life",
    "earlier lives",
)
_BETWEEN = r"[\s#]+"
DIALECT = re.compile(
    rf"\b(?:{'|'.join(word.replace(' ', _BETWEEN) for word in WORDS)})\b", re.IGNORECASE
)

ALLOWED: dict[str, dict[str, str]] = {}
"""Texts of others that stay letter for letter: file → word → why."""


def files() -> list[str]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    found += [path for pattern in DOCUMENTS for path in ROOT.glob(pattern)]
    return sorted(
        str(path.relative_to(ROOT))
        for path in found
        if path.is_file() and path.suffix in SUFFIXES and "_pb2" not in path.name
    )


def texts(name: str, source: str) -> Iterator[tuple[int, str]]:
    """The prose of a file, each piece with its first line."""
    if not name.endswith(".py"):
        yield 1, source
        return
    yield from comments(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def comments(source: str) -> Iterator[tuple[int, str]]:
    """Comments; those on adjacent lines are one."""
    begin, end, lines = 0, 0, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if token.start[0] != end + 1 and lines:
            yield begin, "\n".join(lines)
            lines = []
        begin = begin if lines else token.start[0]
        end = token.start[0]
        lines.append(token.string)
    if lines:
        yield begin, "\n".join(lines)


def dialect(name: str, source: str) -> list[str]:
    """``FILE:LINE: WORD`` for each word of the dialect."""
    found = {
        (first + text.count("\n", 0, match.start()), " ".join(re.split(_BETWEEN, match.group())))
        for first, text in texts(name, source)
        for match in DIALECT.finditer(text)
    }
    return [f"{name}:{line}: {word}" for line, word in sorted(found)]


def dialect_of(name: str, allowed: Mapping[str, Mapping[str, str]] = ALLOWED) -> list[str]:
    """The same of a file of the tree, without what it is allowed."""
    found = dialect(name, (ROOT / name).read_text()) if (ROOT / name).exists() else []
    words = allowed.get(name, {})
    return [place for place in found if place.rpartition(": ")[2].lower() not in words]


@pytest.mark.parametrize("name", files())
def test_a_file_is_in_plain_english(name: str) -> None:
    assert dialect_of(name) == []


def test_only_words_that_are_there_are_allowed() -> None:
    unused = [
        (name, word)
        for name, words in ALLOWED.items()
        for word in words
        if word not in {found.rpartition(": ")[2].lower() for found in dialect_of(name, {})}
    ]
    assert unused == [], "take these out of ALLOWED"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"""One.\n\nWhat it shall do."""\n', ["x.py:3: shall"]),
        ("a = 1  # Nobody's\n", ["x.py:1: Nobody"]),
        ("# it runs for\n# ever\n", ["x.py:1: for ever"]),
        ('raise ValueError(f"{told} is " "what was said")\n', ["x.py:1: said"]),
        ("said = told(anybody)\nshall_not = 1\n", []),
    ],
)
def test_a_word_is_found_in_prose_and_not_in_names(source: str, found: list[str]) -> None:
    assert dialect("x.py", source) == found
