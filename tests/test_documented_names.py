"""Every name in the documents exists: dotted names of ``cosi``, and the names for newcomers."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

import cosi
import cosi.errors
import cosi.state
from cosi import Controller, Reader, Runtime, State, Writer
from cosi.api.proto import state_pb2

ROOT: Final = Path(__file__).parent.parent
DOCUMENTS: Final = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
NEWCOMERS: Final = ROOT / "docs/coming-from.md"

FENCED: Final = re.compile(r"^```.*?^```", re.M | re.S)
SPAN: Final = re.compile(r"`([^`\n]+)`")
DOTTED: Final = re.compile(r"(?<![\w./-])cosi(?:\.\w+)+")
CLASS: Final = re.compile(r"(?<![\w.])[A-Z][a-z]\w+")

RECEIVERS: Final[dict[str, type]] = {
    "state": State,
    "runtime": Runtime,
    "output": Writer,
    "self.outputs": Writer,
    "self.input": Reader,
    "self": Controller,
}
"""The names by which docs/coming-from.md calls instances."""
METHOD: Final = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, RECEIVERS))})\.(\w+)(?![\w.])")


def spans(text: str) -> list[str]:
    """The inline code of a document."""
    return SPAN.findall(FENCED.sub("", text))


def dotted_names(path: Path) -> set[str]:
    """The dotted names of a document's inline code, without gRPC services."""
    names = {name for span in spans(path.read_text()) for name in DOTTED.findall(span)}
    return names - {each.full_name for each in state_pb2.DESCRIPTOR.services_by_name.values()}


def resolve(dotted: str) -> Any:
    """The object of a dotted name; raises ``AttributeError`` or ``ImportError``."""
    found: Any = cosi
    path = "cosi"
    for name in dotted.split(".")[1:]:
        path += f".{name}"
        try:
            found = getattr(found, name)
        except AttributeError:
            found = import_module(path)
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_dotted_name_resolves(path: Path) -> None:
    missing: list[str] = []
    for name in sorted(dotted_names(path)):
        try:
            resolve(name)
        except (AttributeError, ImportError) as error:
            missing.append(f"{name}: {error}")
    assert missing == []


def test_there_are_names_to_resolve() -> None:
    names = {name for path in DOCUMENTS for name in dotted_names(path)}
    assert names >= {"cosi.state.NamespacedState", "cosi.cleanup", "cosi.testing.conformance"}


@pytest.mark.parametrize("gone", ["cosi.namespaced.NamespacedState", "cosi.state.Filter"])
def test_a_name_that_does_not_exist_is_found(gone: str) -> None:
    with pytest.raises((AttributeError, ImportError)):
        resolve(gone)


def ours() -> list[str]:
    """The inline code in the right column of docs/coming-from.md."""
    rows = [line.split("|") for line in NEWCOMERS.read_text().splitlines() if line.startswith("|")]
    return [span for row in rows for span in spans(row[2])]


def test_every_class_for_newcomers_is_public() -> None:
    named = {name for span in ours() for name in CLASS.findall(span)} - {"True"}
    assert len(named) > 15
    assert named - {*cosi.__all__, *cosi.state.__all__, *vars(cosi.errors)} == set()


def test_every_method_for_newcomers_exists() -> None:
    methods = [method for span in ours() for method in METHOD.findall(span)]
    assert len(methods) > 8
    assert [m for m in methods if not hasattr(RECEIVERS[m[0]], m[1])] == []
