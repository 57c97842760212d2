"""The house as a check: budgets, signatures of controllers, layers (docs/style.md)."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cosi import Input, Output

ROOT = Path(__file__).parent.parent
PACKAGES = ("cosi", "resources", "controllers")
FILE_LINES = 400
FUNCTION_LINES = 50
CLASS_LINES = 250
DATA = {"seccomp.py"}  # one long table, which shorter files would only hide


def sources() -> list[Path]:
    return sorted(
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "_pb2" not in path.name
    )


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short_and_its_first_line_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    if not text.strip():
        return  # an empty __init__.py is a folder, not a room
    assert ast.get_docstring(ast.parse(text)), f"{path.name} does not say what it is"
    assert path.name in DATA or len(text.splitlines()) <= FILE_LINES
    for function in functions(path):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
        assert lines <= FUNCTION_LINES, f"{path.name}: {function.name} has {lines} lines"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_class_is_one_thing(path: Path) -> None:
    """One that holds two things is long before it is noticed."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= CLASS_LINES, f"{path.name}: {node.name} has {lines} lines"


def test_no_two_classes_have_one_name() -> None:
    """A name that means two things has to be looked up each time it is read."""
    homes: dict[str, list[str]] = {}
    for path in sources():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_no_import_is_in_a_cycle() -> None:
    """Not for a type checker either, and not inside a function."""
    modules = {module_name(path): path for path in sources()}
    imports = {name: set(imported(path, modules)) - {name} for name, path in modules.items()}
    while leaves := [name for name, found in imports.items() if not found & imports.keys()]:
        for name in leaves:
            del imports[name]
    assert sorted(imports) == [], "these, or what they import, are in a cycle"


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """The modules of this tree that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if (found := name if name in modules else node.module) in modules:
                    yield found


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_yaml_is_written_in_one_module(path: Path) -> None:
    """Another would forget which text needs quotes for which reader."""
    writes = re.search(r"\byaml\W.*\b(safe_)?(dump|dump_all|serialize|emit)\(", path.read_text())
    assert writes is None or path.name == "_yaml_writing.py"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_yaml_is_parsed_in_two_modules(path: Path) -> None:
    """One for the framework, and one by the rules of go-yaml: each rule has one place."""
    parses = re.search(r"\byaml\.(\w*load\w*|compose\w*|parse|scan)\(", path.read_text())
    assert parses is None or path.name in {"_yaml_loading.py", "yaml_tree.py"}


def controller_modules() -> list[str]:
    return [
        path.stem
        for path in sorted((ROOT / "controllers").glob("*.py"))
        if "→" in (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
    ]


@pytest.mark.parametrize("name", controller_modules())
def test_the_first_line_of_a_controller_is_what_it_reads_and_writes(name: str) -> None:
    module = importlib.import_module(f"controllers.{name}")
    signature = (module.__doc__ or "").splitlines()[0]
    named_in, named_out = (names(side) for side in signature.rstrip(".").split("→", 1))
    found_in: set[str] = set()
    found_out: set[str] = set()
    for declaration in declarations(module):
        name_of = declaration.kind.payload.__name__
        (found_out if isinstance(declaration, Output) else found_in).add(name_of)
    assert (named_in, named_out) == (found_in, found_out)


def names(side: str) -> set[str]:
    """What a side of the signature names, without what is outside the state: (netlink), (files)."""
    return set(re.findall(r"\w+", re.sub(r"\([^)]*\)", "", side)))


def declarations(module: ModuleType) -> Iterator[Input[Any] | Output[Any]]:
    """What the controllers of a module declare as class attributes."""
    for controller in vars(module).values():
        if inspect.isclass(controller) and controller.__module__ == module.__name__:
            for value in vars(controller).values():
                if isinstance(value, Input | Output):
                    yield value


def test_import_cosi_loads_nothing_heavy() -> None:
    code = "import cosi, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"grpc", "structlog", "watchfiles", "yaml", "pyroute2", "click", "cosi.api", "cosi.cli"}
    heavy |= {"sqlite3", "cryptography", "cosi.store._marshal", "cosi.store._sqlite"}
    assert not heavy.intersection(loaded)


def test_nothing_names_a_path_of_this_machine() -> None:
    """What is committed must work elsewhere."""
    above = str(ROOT.parent) + "/"
    if above in {"/", "/tmp/"}:
        pytest.skip("the checkout lies where its parent is part of ordinary texts")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split():
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            assert above.encode() not in path.read_bytes(), name
