"""Which files are the source of a program, which have changed, and what is wrong with one."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import cosi
from cosi.cli._reload import check_watchfiles
from cosi.cli._sources import (
    LoadedSources,
    any_later,
    beside,
    load_problem,
    loaded,
    reason,
    stamps_in,
    syntax_problem,
)
from cosi.cli.application import CannotStart

LONG_AGO = time.time() - 3600


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module that is loaded; its file is older than this process."""
    path = tmp_path / "loaded_here.py"
    path.write_text("VALUE = 1\n")
    os.utime(path, (LONG_AGO, LONG_AGO))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("loaded_here")
    yield path
    del sys.modules["loaded_here"]


def test_the_source_is_what_is_loaded_and_not_installed(module: Path) -> None:
    found = loaded()
    assert {module, Path(cosi.__file__)} <= found
    assert Path(pytest.__file__) not in found
    assert Path(os.__file__) not in found
    assert module.parent in LoadedSources().directories()


def test_a_file_has_changed_when_it_is_not_as_it_was_loaded(module: Path) -> None:
    sources = LoadedSources()
    assert module not in sources.changed()
    module.write_text("VALUE = 2\n")
    assert module in sources.changed()
    before = sources.changed()[module]
    module.write_text("VALUE = 33\n")
    assert sources.changed()[module] != before
    module.unlink()
    assert sources.changed()[module] is None


def test_a_file_that_was_written_while_it_was_loaded_has_changed(module: Path) -> None:
    """It was not watched yet, so an older version may have been read."""
    module.write_text("VALUE = 2\n")
    assert module in LoadedSources().changed()
    assert any_later(stamps_in([module.parent]))


def test_a_file_of_the_future_has_not_changed(module: Path) -> None:
    """As a clock that was set back has them: to start again would go on without end."""
    later = time.time() + 3600
    os.utime(module, (later, later))
    assert module not in LoadedSources().changed()
    assert not any_later(stamps_in([module.parent]))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1\n", None),
        ("x = = 1\n", "FILE:1:5: SyntaxError: invalid syntax"),
        ("if x:\npass\n", "FILE:2:1: IndentationError: expected an indented block after"),
        ("x = 1 \0\n", "FILE: source code string cannot contain null bytes"),
    ],
)
def test_what_is_no_python_is_found_without_executing_it(
    tmp_path: Path, text: str, problem: str | None
) -> None:
    file = tmp_path / "broken.py"
    file.write_text(text)
    found = syntax_problem(file)
    assert (found is None) is (problem is None)
    assert (found or "").startswith((problem or "").replace("FILE", str(file)))


def test_a_file_that_is_gone_is_found_out_by_loading(tmp_path: Path) -> None:
    assert syntax_problem(tmp_path / "gone.py") is None


def test_the_reason_begins_with_the_innermost_place_in_the_source(module: Path) -> None:
    module.write_text("import json\n\n\ndef fail():\n    json.loads('')\n")
    del sys.modules["loaded_here"]
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    fail = importlib.import_module("loaded_here").fail
    sys.dont_write_bytecode = before
    with pytest.raises(ValueError, match="Expecting value") as raised:
        fail()
    assert reason(raised.value).startswith(f"{module}:5: JSONDecodeError: Expecting value")
    assert module.parent in beside(raised.value)
    assert reason(CannotStart("no application 'x'")) == "no application 'x'"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def application(): return []\n", None),
        ("def application(): return []\nnothing\n", "tried.py:2: NameError: name 'nothing'"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("def other(): return []\n", "application"),
    ],
)
async def test_whether_it_can_be_loaded_is_tried_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str | None
) -> None:
    (tmp_path / "tried.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = await load_problem(["tried:application"])
    assert (found is None) is (problem is None), found
    assert (problem or "") in (found or "")
    assert "tried" not in sys.modules


def test_without_watchfiles_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(CannotStart, match=r"--reload needs `pip install 'cosi\[watch\]'`"):
        check_watchfiles()
