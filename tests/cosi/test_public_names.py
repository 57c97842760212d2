"""What is public, and which mistakes its types prevent."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import cosi
import cosi.state
import cosi.testing
from tests.soak import SOAK

ROOT = Path(__file__).parent.parent.parent
FACES = [cosi, cosi.state]
TESTING = ["ControllersFailed", "Harness", "feed", "load_fixtures", "running"]


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_every_public_name_comes_from_where_type_checkers_look_for_it(face: ModuleType) -> None:
    tree = ast.parse(Path(face.__file__ or "").read_text())
    checked = {
        (name.name, found.module)
        for found in ast.walk(tree)
        if isinstance(found, ast.ImportFrom) and found.module and found.module.startswith("cosi.")
        for name in found.names
        if found.module != "cosi._face"
    }
    homes = {(name, home) for home, names in face._HOMES.items() for name in names.split()}
    assert checked == homes
    assert {name for name, _ in homes} == set(face.__all__) <= set(dir(face))
    for name in face.__all__:
        assert getattr(face, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        face.Nothing  # noqa: B018  # it is what is tested


def test_the_version_is_that_of_the_installation() -> None:
    assert cosi.__version__ == version("cosi")


def test_the_names_for_tests_are_these() -> None:
    assert sorted(cosi.testing.__all__) == sorted(TESTING)


@pytest.mark.parametrize("package", ["controllers", "resources", "examples"])
def test_the_house_uses_its_own_front_door(package: str) -> None:
    """What needs a private module of the framework is a name that a face lacks."""
    private = re.compile(r"^\s*(?:from|import) cosi(?:\.\w+)*\._\w+.*", re.MULTILINE)
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    found = {
        str(path.relative_to(ROOT)): lines
        for path in files
        if (lines := private.findall(path.read_text()))
    }
    assert found == {}


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
    pytest.importorskip(checker, reason="a tool of `cosi[dev]`")
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
