"""What is public, and which mistakes its types prevent."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cosi
import cosi.testing
from tests.soak import SOAK

NAMES = [
    "EVERY",
    "Conflict",
    "Controller",
    "CosiError",
    "FrozenMap",
    "Inbox",
    "InMemoryState",
    "Input",
    "Kind",
    "Mapped",
    "NotFound",
    "Output",
    "OwnerConflict",
    "Phase",
    "Pointer",
    "QController",
    "Query",
    "Requeue",
    "Resource",
    "Runtime",
    "Skip",
    "Spec",
    "State",
    "StrongInput",
    "TaskSet",
    "Value",
    "Wakeups",
    "idle",
    "transform",
]

TESTING = ["ControllersFailed", "Harness", "feed", "load_fixtures", "running"]


def test_the_public_names_are_these_and_not_too_many() -> None:
    assert sorted(cosi.__all__) == sorted(NAMES)
    assert sorted(cosi.testing.__all__) == sorted(TESTING)
    assert len(NAMES) <= 30
    for name in NAMES:
        assert getattr(cosi, name) is not None


def test_every_public_name_comes_from_where_type_checkers_look_for_it() -> None:
    tree = ast.parse(Path(cosi.__file__).read_text())
    checked = {
        (name.name, found.module)
        for found in ast.walk(tree)
        if isinstance(found, ast.ImportFrom) and found.module and found.module.startswith("cosi.")
        for name in found.names
    }
    homes = {(name, home) for home, names in cosi._HOMES.items() for name in names.split()}
    assert checked == homes
    assert {name for name, _ in homes} == set(NAMES) <= set(dir(cosi))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        cosi.Nothing  # noqa: B018  # it is what is tested


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, cosi; print([m for m in ('pydantic', 'anyio', 'asyncio') if m in sys.modules])"
    )
    run = [sys.executable, "-c", code]
    assert subprocess.run(run, check=True, capture_output=True, text=True).stdout == "[]\n"


TYPING = Path(__file__).parent / "typing_tests"


@pytest.mark.parametrize(
    "checker",
    ["mypy", pytest.param("pyright", marks=pytest.mark.skipif(not SOAK, reason="in make soak"))],
)
def test_mistakes_are_found_by_the_type_checkers(checker: str) -> None:
    """Each line that ends in ``# error`` is one, and no other line is."""
    files = [str(path) for path in sorted(TYPING.glob("*.py"))]
    options = ["--strict", "--no-error-summary"] if checker == "mypy" else []
    command = [sys.executable, "-m", checker, *options, *files]
    found = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    wrong = {
        f"{Path(file).name}:{number}"
        for file in files
        for number, line in enumerate(Path(file).read_text().splitlines(), 1)
        if line.endswith("# error")
    }
    said = {
        f"{Path(parts[0].strip()).name}:{parts[1]}"
        for line in found.splitlines()
        if len(parts := line.split(":")) > 2 and " error" in line
    }
    assert said == wrong, found
