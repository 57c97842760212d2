"""The build backend: setuptools, with `controllers` and `resources` under a name of their own.

In the tree the two lie beside `cosi`, under general names that are given. Installed under these
names they would hide, or be hidden by, the packages of the same name that a user's project has. So
a wheel carries them as ``cosi_services.controllers`` and ``cosi_services.resources``: the tree is
copied, the two folders are moved, and the imports that name them are rewritten. An editable
installation and a source distribution are the tree as it is.

Refused: relative imports (the two are siblings without a parent in the tree), an import hook that
maps one name to another (two names for one module, and a surprise for debuggers), and a warning at
the clash (it comes when it is too late).
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

PARENT = "cosi_services"
MOVED = ("controllers", "resources")
_IMPORT = re.compile(rf"(?m)^(\s*)(from|import) ({'|'.join(MOVED)})(?=[.\s])")
_IN_PYPROJECT = re.compile(rf'(?<=")({"|".join(MOVED)})(?=[.*"])')
_FILES = ("pyproject.toml", "README.md", "LICENSE", "setup.cfg", "setup.py")


def build_wheel(
    wheel_directory: str,
    config_settings: Any = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel whose packages are `cosi` and `cosi_services`."""
    return _in_mapped_tree(
        lambda: build_meta.build_wheel(str(Path(wheel_directory).absolute()), config_settings)
    )


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Any = None) -> str:
    """The metadata of that wheel: entry points name the packages as they are installed."""
    directory = str(Path(metadata_directory).absolute())
    return _in_mapped_tree(
        lambda: build_meta.prepare_metadata_for_build_wheel(directory, config_settings)
    )


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """Build a source distribution: the tree, links included, which setuptools leaves out."""
    name = build_meta.build_sdist(sdist_directory, config_settings)
    made = Path(sdist_directory, name)
    complete = made.with_suffix(".complete")
    with tarfile.open(made) as old, tarfile.open(complete, "w:gz") as new:
        for member in old:
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
        top = name.removesuffix(".tar.gz")
        for path in sorted(Path("examples").rglob("*")):
            if path.is_symlink() and path.parent.resolve().is_relative_to(Path.cwd()):
                new.add(path, f"{top}/{path}", recursive=False)
    complete.replace(made)
    return name


def _in_mapped_tree(build: Callable[[], str]) -> str:
    with tempfile.TemporaryDirectory() as folder, _working_in(map_tree(Path.cwd(), Path(folder))):
        return build()


@contextmanager
def _working_in(folder: Path) -> Generator[None, None, None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def map_tree(tree: Path, target: Path) -> Path:
    """Copy what a wheel is made of to ``target``, with `MOVED` below `PARENT`; return
    ``target``."""
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.egg-info")
    shutil.copytree(tree / "cosi", target / "cosi", ignore=ignored)
    parent = target / PARENT
    parent.mkdir()
    (parent / "__init__.py").write_text(
        '"""Extension services: the folders `controllers` and `resources` of the source tree."""\n'
    )
    for name in MOVED:
        shutil.copytree(tree / name, parent / name, ignore=ignored)
    shutil.copytree(tree / "man", target / "man")
    for name in _FILES:
        if (tree / name).exists():
            shutil.copy(tree / name, target / name)
    for pattern in ("*.py", "*.pyi"):
        for path in target.rglob(pattern):
            path.write_text(_IMPORT.sub(rf"\1\2 {PARENT}.\3", path.read_text()))
    project = target / "pyproject.toml"
    project.write_text(_IN_PYPROJECT.sub(rf"{PARENT}.\1", project.read_text()))
    return target
